//! The usual case has a script of its own: it leaves what the other one leaves. And lanes, which both read, keep their
//! order in either form.

use std::collections::BTreeMap;

use harness::{
    namespace::{LONG, Namespace, done, settlement},
    redis::Redis,
    rows::change,
    snapshot::Snapshot,
};
use jobs::destination::Destination::{self, Crm, Salsa};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use queue::lease::{ClaimRequest, Lease};
use redis::AsyncTypedCommands;

/// What is done to both namespaces.
#[derive(Debug, Clone)]
enum Step {
    /// A block of changes: each a person, and how old it is.
    Enqueue(Vec<(u8, i64)>),
    /// So many of what the destination's worker holds were applied, the oldest leases first, and so many are wanted.
    Exchange {
        destination: Destination,
        ended: usize,
        most: usize,
        full: usize,
        linger_over: bool,
    },
    Acknowledge,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let enqueue = prop::collection::vec((0_u8..6, 0_i64..40), 1..12).prop_map(Step::Enqueue);
    let exchange = (
        any::<bool>(),
        0_usize..8,
        0_usize..8,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(crm, ended, most, full, linger_over)| Step::Exchange {
            destination: if crm { Crm } else { Salsa },
            ended,
            most,
            full: if full { 4 } else { 1 },
            linger_over,
        });
    let step = prop_oneof![2 => enqueue, 8 => exchange, 1 => Just(Step::Acknowledge)];
    prop::collection::vec(step, 1..40)
}

/// One namespace and what its workers hold.
struct Side {
    namespace: Namespace,
    held: BTreeMap<Destination, Vec<Lease>>,
    changes: usize,
}

impl Side {
    async fn new(redis: &Redis, name: &str) -> Self {
        let namespace = Namespace::with(redis, |settings| name.clone_into(&mut settings.namespace));
        Self {
            namespace: namespace.await,
            held: BTreeMap::new(),
            changes: 0,
        }
    }

    /// What the step gave: everything but tokens and times.
    async fn take(&mut self, step: &Step) -> String {
        match step {
            Step::Enqueue(block) => {
                let rows = block.iter().map(|(person, at)| {
                    self.changes += 1;
                    let xid = (*person > 0).then(|| format!("person {person}"));
                    change(&self.changes.to_string(), xid.as_deref(), *at)
                });
                let rows = rows.collect();
                format!("{:?}", self.namespace.enqueue(rows).await)
            }
            Step::Exchange {
                destination,
                ended,
                most,
                full,
                linger_over,
            } => {
                let held = self.held.entry(*destination).or_default();
                let over: Vec<Lease> = held.drain(..(*ended).min(held.len())).collect();
                let ended: Vec<_> = over.iter().map(|lease| settlement(lease, done())).collect();
                let request = ClaimRequest {
                    most: *most,
                    held: held.len(),
                    lease: LONG,
                    fleet_limit: 8,
                    full_batch: *full,
                    linger_over: *linger_over,
                };
                let queue = &self.namespace.queue;
                let request = (*most > 0).then_some(&request);
                let given = queue
                    .exchange(*destination, "worker", &ended, request)
                    .await;
                let given = given.unwrap();
                let claimed: Vec<_> = given.claimed.leases.iter().map(|l| &l.change_id).collect();
                let died: Vec<_> = given.claimed.died.iter().map(|d| &d.change_id).collect();
                let answer = format!(
                    "{:?} {claimed:?} {died:?} {}",
                    given.verdicts, given.claimed.held_back
                );
                held.extend(given.claimed.leases);
                answer
            }
            Step::Acknowledge => format!("{:?}", self.namespace.acknowledge_all().await),
        }
    }

    /// The namespace without what differs from one run to the next.
    async fn data(&mut self) -> BTreeMap<String, String> {
        let snapshot = self.namespace.snapshot().await;
        let mut data = BTreeMap::new();
        data.insert("lanes".to_owned(), format!("{:?}", snapshot.lanes()));
        data.insert("past".to_owned(), format!("{:?}", snapshot.past()));
        data.insert("events".to_owned(), untimed(&snapshot));
        data.insert("ack".to_owned(), format!("{:?}", snapshot.members("ack")));
        let mut counters = snapshot.hash("counters");
        counters.retain(|_, count| *count != "0");
        data.insert("counters".to_owned(), format!("{counters:?}"));
        for d in Destination::ALL {
            let of = |kind: &str| format!("{kind}:{d}");
            let running = snapshot.hash(&of("running")).into_iter();
            let running = running.map(|(lane, holder)| (lane, holder.splitn(3, ' ').nth(2)));
            data.insert(
                of("running"),
                format!("{:?}", running.collect::<BTreeMap<_, _>>()),
            );
            let mut leased = snapshot.members(&of("lease"));
            leased.sort_unstable();
            data.insert(of("lease"), format!("{leased:?}"));
            data.insert(of("ready"), format!("{:?}", snapshot.list(&of("ready"))));
            data.insert(
                of("applied"),
                format!("{:?}", snapshot.hash(&of("applied"))),
            );
            data.insert(
                of("hungry"),
                format!("{:?}", snapshot.members(&of("hungry"))),
            );
        }
        data
    }
}

/// Timelines and markers without their times.
fn untimed(snapshot: &Snapshot) -> String {
    let timed = |line: &str| line.split_once(' ').map_or("", |(_, text)| text).to_owned();
    let open = snapshot.hash("events").into_iter();
    let open = open.map(|(id, text)| (id, text.split('\n').map(timed).collect::<Vec<_>>()));
    let closed = snapshot.closed().into_iter().map(|(id, (marker, events))| {
        let events: Vec<_> = events.into_iter().map(timed).collect();
        (
            id,
            marker.split(' ').next().unwrap_or_default().to_owned(),
            events,
        )
    });
    format!(
        "{:?} {:?}",
        open.collect::<Vec<_>>(),
        closed.collect::<Vec<_>>()
    )
}

/// How often the server ran a command.
async fn runs(redis: &Redis, command: &str) -> u64 {
    let info: String = redis::from_redis_value(redis.command("INFO commandstats").await).unwrap();
    let start = format!("cmdstat_{command}:calls=");
    let line = info.lines().find_map(|line| line.strip_prefix(&start));
    line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

#[test]
fn the_usual_case_leaves_what_the_script_for_every_case_leaves() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let redis = runtime.block_on(Redis::start());
    let number = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config::with_cases(60));
    let outcome = runner.run(&steps(), |steps| {
        number.set(number.get() + 1);
        let number = number.get();
        runtime.block_on(async {
            let mut usual = Side::new(&redis, &format!("usual-{number}")).await;
            let mut other = Side::new(&redis, &format!("other-{number}")).await;
            // A correction that concerns no change: nothing is usual as long as one waits.
            let key = other.namespace.key("corrected");
            other
                .namespace
                .connection
                .hset(key, "nothing", "{}")
                .await
                .unwrap();
            for step in &steps {
                let (one, two) = (usual.take(step).await, other.take(step).await);
                prop_assert_eq!(one, two, "{:?}", step);
                prop_assert_eq!(usual.data().await, other.data().await, "{:?}", step);
            }
            Ok::<(), TestCaseError>(())
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    // Only that script looks into the line without taking from it.
    let looked = runtime.block_on(runs(&redis, "lrange"));
    assert!(looked > 100, "the usual case was met {looked} times");
}

#[tokio::test]
async fn a_lane_keeps_its_order_while_it_grows_long_and_becomes_short_again() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    // In an order of its own, a few at a time, with one applied in between: 60 changes of one person.
    let arrivals: Vec<i64> = (0..60).map(|n| (n * 37) % 60).collect();
    for (block, ids) in arrivals.chunks(7).enumerate() {
        let rows = ids
            .iter()
            .map(|n| change(&n.to_string(), Some("ada"), 1_000 + n));
        namespace.enqueue(rows.collect()).await;
        let lanes = namespace.snapshot().await;
        assert_eq!(lanes.lanes()["x:ada"].len(), ids.len().max(1) + 7 * block);
    }
    assert_eq!(namespace.snapshot().await.hash("lanes")["x:ada"], "*");
    let mut applied = Vec::new();
    while let Some(lease) = namespace.claim(Crm).await.pop() {
        applied.push(lease.change_id.parse::<i64>().unwrap());
        assert!(namespace.settle(Crm, &lease, done()).await);
        // Both forms say the same of what is left.
        let snapshot = namespace.snapshot().await;
        let left = snapshot.lanes().get("x:ada").map_or(0, BTreeMap::len);
        assert_eq!(left, 60 - applied.len());
        assert_eq!(snapshot.hash("lanes").contains_key("x:ada"), left > 0);
    }
    assert_eq!(applied, (0..60).collect::<Vec<_>>());
}
