//! The limit of calls that the fleet shares, held against a plain model of what the vendor may count.

use std::{cell::Cell, time::Duration};

use harness::namespace::tester;
use harness::{
    namespace::{LONG, Namespace},
    redis::Redis,
};
use jobs::{destination::Vendor, outcome::PauseReason};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use queue::calls::{Booking, CallLimit, CallPurpose, LimitsTurn};
use redis::AsyncTypedCommands;

const MINUTE: i64 = 60_000;

/// `MINUTE`, and what the vendor's clock may be slower.
const COUNTED: i64 = 60_050;

/// How long a call may take.
const LONGEST: i64 = 10_000;

const SALSA: CallLimit = CallLimit {
    vendor: Vendor::Salsa,
    configured: None,
    published: Some(300),
};

#[derive(Debug, Clone)]
enum Step {
    /// So many ms pass.
    Pass(i64),
    /// Places for one or two calls are asked for.
    Book(CallPurpose, usize),
    /// The call that runs longest ends; the vendor counted it at this part of its time (percent).
    End(i64),
    /// The newest place that was given is not used.
    Unused,
    /// The vendor's own limit becomes another.
    Told(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let purpose = prop_oneof![
        8 => Just(CallPurpose::Work),
        1 => Just(CallPurpose::Question),
        1 => Just(CallPurpose::Hand),
    ];
    let step = prop_oneof![
        3 => (0_i64..6_000).prop_map(Step::Pass),
        1 => (20_000_i64..70_000).prop_map(Step::Pass),
        8 => (purpose, 1_usize..3).prop_map(|(purpose, calls)| Step::Book(purpose, calls)),
        6 => (0_i64..=100).prop_map(Step::End),
        1 => Just(Step::Unused),
        1 => (1_u32..40).prop_map(Step::Told),
    ];
    prop::collection::vec(step, 40..160)
}

/// A call in virtual time.
#[derive(Debug)]
struct Call {
    id: String,
    /// The limit in force when it got its place.
    limit: usize,
    started: i64,
    ended: Option<i64>,
    counted: i64,
}

impl Call {
    fn free_at(&self) -> i64 {
        self.ended.unwrap_or(self.started + LONGEST) + COUNTED
    }
}

struct Run {
    namespace: Namespace,
    limit: CallLimit,
    told: Option<u32>,
    /// How far virtual time is ahead of Redis'.
    ahead: i64,
    calls: Vec<Call>,
}

impl Run {
    fn most(&self) -> usize {
        let own = self.told.or(self.limit.published);
        let lowest = [own, self.limit.configured].into_iter().flatten().min();
        lowest.unwrap() as usize
    }

    async fn now(&mut self) -> i64 {
        let (seconds, micros): (i64, i64) = redis::cmd("TIME")
            .query_async(&mut self.namespace.connection)
            .await
            .unwrap();
        seconds * 1000 + micros / 1000 + self.ahead
    }

    /// How many calls the vendor may count in the minute that ends at `now`.
    fn taken(&self, now: i64) -> usize {
        self.calls
            .iter()
            .filter(|call| call.free_at() > now)
            .count()
    }

    /// When the place of a call is free again, as Redis has it.
    async fn free_at(&mut self, id: &str) -> i64 {
        let places = self.namespace.key("places:salsa");
        let score = self.namespace.connection.zscore(&places, id).await;
        score.unwrap().unwrap() as i64 + self.ahead
    }

    async fn pass(&mut self, ms: i64) {
        const AGE: &str = "for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
            redis.call('ZINCRBY', KEYS[1], -ARGV[1], id) end";
        redis::cmd("EVAL")
            .arg(AGE)
            .arg(1)
            .arg(self.namespace.key("places:salsa"))
            .arg(ms)
            .query_async::<()>(&mut self.namespace.connection)
            .await
            .unwrap();
        self.ahead += ms;
    }

    async fn book(&mut self, purpose: CallPurpose, calls: usize) {
        let limit = self.most();
        let wanted = calls.min(limit);
        let spare = usize::from(purpose != CallPurpose::Question && limit >= 20);
        let ids: Vec<String> = (0..calls)
            .map(|n| format!("{}-{n}", self.calls.len()))
            .collect();
        let before = self.now().await;
        let queue = self.namespace.queue.clone();
        let longest = Duration::from_millis(LONGEST as u64);
        let booked = queue.book_calls(&self.limit, purpose, longest, &ids).await;
        let after = self.now().await;
        let fits = |now| self.taken(now) + wanted + spare <= limit;
        // A place may have become free while we asked.
        let clear = fits(before) == fits(after);
        match booked.unwrap().0 {
            Booking::Given(given) => {
                assert_eq!(given, wanted);
                assert!(fits(after), "more than {limit} in a minute");
                for id in ids.into_iter().take(given) {
                    let started = self.free_at(&id).await - LONGEST - COUNTED;
                    assert!(
                        (before..=after).contains(&started),
                        "it is held for too short or long"
                    );
                    self.calls.push(Call {
                        id,
                        limit,
                        started,
                        ended: None,
                        counted: started,
                    });
                }
            }
            Booking::Wait(wait) => {
                assert!(!clear || !fits(before), "{limit} a minute are not used");
                let wait = i64::try_from(wait.as_millis()).unwrap();
                assert!(fits(after + wait), "it would wait in vain");
                assert!(!fits(before + wait - 1), "it would wait for too long");
            }
            Booking::Shut => panic!("nobody has shut the gate"),
        }
    }

    async fn end(&mut self, part: i64) {
        let now = self.now().await;
        let Some(running) = self.calls.iter().position(|call| call.ended.is_none()) else {
            return;
        };
        let id = self.calls[running].id.clone();
        // Who takes longer than allowed is given up.
        let given_up = self.calls[running].started + LONGEST;
        let ended = if now < given_up {
            let ended = self.namespace.queue.call_ended(Vendor::Salsa, &id);
            ended.await.unwrap();
            let ended = self.free_at(&id).await - COUNTED;
            assert!(
                (now..=self.now().await).contains(&ended),
                "it is held for too short or long"
            );
            ended
        } else {
            given_up
        };
        let call = &mut self.calls[running];
        call.ended = Some(ended);
        call.counted = call.started + (ended - call.started) * part / 100;
    }

    async fn unused(&mut self) {
        if self.calls.last().is_some_and(|call| call.ended.is_none()) {
            let call = self.calls.pop().unwrap();
            let unused = self.namespace.queue.call_unused(Vendor::Salsa, &call.id);
            unused.await.unwrap();
        }
    }

    /// No minute of the vendor's held more calls than the highest limit that was in force for one of them.
    fn check(&self) {
        for last in &self.calls {
            let minute = self.calls.iter().filter(|call| {
                call.counted <= last.counted && call.counted > last.counted - MINUTE
            });
            let (count, limit) = minute.fold((0, 0), |(count, limit), call| {
                (count + 1, limit.max(call.limit))
            });
            assert!(count <= limit, "{count} calls in a minute of {limit}");
        }
    }
}

#[test]
fn no_minute_holds_more_calls_than_the_limit_in_force_and_no_place_is_left_unused() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let redis = runtime.block_on(Redis::start());
    let case = Cell::new(0);
    let mut runner = TestRunner::new(Config {
        cases: 48,
        failure_persistence: None,
        max_shrink_iters: 500,
        ..Config::default()
    });
    let configured = prop_oneof![Just(None), (1_u32..30).prop_map(Some)];
    let outcome = runner.run(&(configured, steps()), |(configured, steps)| {
        case.set(case.get() + 1);
        let name = format!("case-{}", case.get());
        runtime.block_on(async {
            let namespace = Namespace::with(&redis, |settings| settings.namespace = name).await;
            let mut run = Run {
                namespace,
                limit: CallLimit {
                    configured,
                    ..SALSA
                },
                told: None,
                ahead: 0,
                calls: Vec::new(),
            };
            for step in steps {
                match step {
                    Step::Pass(ms) => run.pass(ms).await,
                    Step::Book(purpose, calls) => run.book(purpose, calls).await,
                    Step::End(part) => run.end(part).await,
                    Step::Unused => run.unused().await,
                    Step::Told(limit) => {
                        let told = run.namespace.queue.limits_told(Vendor::Salsa, limit, 20);
                        told.await.unwrap();
                        run.told = Some(limit);
                    }
                }
            }
            run.check();
        });
        Ok(())
    });
    outcome.unwrap();
}

#[tokio::test]
async fn one_process_of_the_fleet_asks_and_all_know_what_it_learned() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::new(&redis).await;
    let queue = namespace.queue.clone();
    let turn = async || queue.limits_turn(&SALSA, LONG, LONG).await.unwrap();
    assert_eq!(turn().await, (LimitsTurn::Ask, None));
    assert!(
        matches!(turn().await, (LimitsTurn::Wait(_), None)),
        "somebody asks"
    );
    // Who asked is lost: after its claim another asks.
    let limits = namespace.key("limits:salsa");
    namespace
        .connection
        .hset(&limits, "asking", "1")
        .await
        .unwrap();
    assert_eq!(turn().await.0, LimitsTurn::Ask);
    queue.limits_told(Vendor::Salsa, 120, 7).await.unwrap();
    assert!(
        matches!(turn().await, (LimitsTurn::Wait(_), Some(7))),
        "it is known"
    );
    queue.batch_refused(Vendor::Salsa, 5).await.unwrap();
    assert!(matches!(turn().await, (LimitsTurn::Wait(_), Some(5))));

    namespace.connection.hset(&limits, "at", "1").await.unwrap();
    queue.pause(Vendor::Salsa, &tester()).await.unwrap();
    assert!(
        matches!(turn().await.0, LimitsTurn::Wait(_)),
        "a pause is a pause"
    );
    queue.resume(Vendor::Salsa, &tester()).await.unwrap();
    assert_eq!(turn().await.0, LimitsTurn::Ask, "it was long ago");
}

#[tokio::test]
async fn work_waits_while_the_gate_is_shut_or_the_limits_are_in_doubt_and_a_person_does_not() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::new(&redis).await;
    let queue = namespace.queue.clone();
    let calls = Cell::new(0);
    let book = async |purpose| {
        calls.set(calls.get() + 1);
        let ids = [calls.get().to_string()];
        queue
            .book_calls(&SALSA, purpose, LONG, &ids)
            .await
            .unwrap()
            .0
    };
    queue.limits_told(Vendor::Salsa, 300, 20).await.unwrap();
    let throttled = queue.shut(Vendor::Salsa, Some(LONG), PauseReason::Throttled, "429");
    throttled.await.unwrap();
    queue.doubt_limits(Vendor::Salsa, LONG).await.unwrap();
    assert_eq!(book(CallPurpose::Work).await, Booking::Shut);
    assert_eq!(book(CallPurpose::Hand).await, Booking::Given(1));
    let turn = async || queue.limits_turn(&SALSA, LONG, LONG).await.unwrap().0;
    assert!(
        matches!(turn().await, LimitsTurn::Wait(_)),
        "not before the pause is over"
    );

    namespace.gates_time_has_come(Vendor::Salsa).await;
    assert!(
        matches!(book(CallPurpose::Work).await, Booking::Wait(_)),
        "in doubt"
    );
    assert_eq!(
        turn().await,
        LimitsTurn::Ask,
        "although they were told just now"
    );
    assert_eq!(book(CallPurpose::Question).await, Booking::Given(1));
    queue.limits_told(Vendor::Salsa, 120, 20).await.unwrap();
    assert_eq!(book(CallPurpose::Work).await, Booking::Given(1));
}
