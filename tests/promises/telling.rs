//! An acknowledger and an AlumnIQ that answers by script: what it refuses, and in which order it is told.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, atomic::AtomicU32},
    time::Duration,
};

use alumniq_relay::{
    observe::{Heartbeats, traces::Traces},
    pipeline::acknowledger::Acknowledger,
    vendors::{AlumniqClient, ClientSettings},
};
use axum::{Router, extract::State, http::StatusCode, routing::put};
use harness::namespace::tester;
use harness::{
    namespace::{LONG, Namespace},
    redis::Redis,
    rows::change,
    waiting::until_true,
};
use jobs::{
    destination::{Destination, Vendor},
    outcome::DeadClass,
};
use queue::{acknowledgement::AckLimits, stopping::Stopping, wake::Bell};
use redis::AsyncTypedCommands;
use tokio::{sync::Semaphore, task::JoinHandle};

/// Answers the n-th list with a status.
type Script = Box<dyn Fn(usize, &[String]) -> u16 + Send>;

struct Told {
    script: Mutex<Script>,
    /// Every list, and whether it was accepted.
    lists: Mutex<Vec<(Vec<String>, bool)>>,
    /// A list is answered for each permit.
    answers: Semaphore,
}

impl Told {
    fn lists(&self) -> Vec<(Vec<String>, bool)> {
        self.lists.lock().unwrap().clone()
    }

    /// What was accepted, each once, in the order of the first time.
    fn accepted(&self) -> Vec<String> {
        let mut accepted = Vec::new();
        for (ids, _) in self.lists().into_iter().filter(|(_, accepted)| *accepted) {
            for id in ids {
                if !accepted.contains(&id) {
                    accepted.push(id);
                }
            }
        }
        accepted
    }
}

async fn answer(State(told): State<Arc<Told>>, body: String) -> StatusCode {
    told.answers.acquire().await.unwrap().forget();
    let list = form_urlencoded::parse(body.as_bytes()).find(|(key, _)| key == "changeIdList");
    let ids: Vec<String> = list.unwrap().1.split(',').map(str::to_owned).collect();
    let mut lists = told.lists.lock().unwrap();
    let status = told.script.lock().unwrap()(lists.len(), &ids);
    lists.push((ids, status == 200));
    StatusCode::from_u16(status).unwrap()
}

struct AlumnIq {
    url: String,
    told: Arc<Told>,
    server: JoinHandle<()>,
}

impl AlumnIq {
    async fn start() -> Self {
        let told = Arc::new(Told {
            script: Mutex::new(Box::new(|_, _| 200)),
            lists: Mutex::default(),
            answers: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/sync/address-change/work", put(answer))
            .with_state(Arc::clone(&told));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, told, server }
    }
}

impl Drop for AlumnIq {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Changes of one person that the CRM has, in this order, and whoever tells AlumnIQ of them.
struct Case {
    namespace: Namespace,
    told: Arc<Told>,
    acknowledger: Arc<Acknowledger>,
}

impl Case {
    async fn new(redis: &Redis, alumniq: &AlumnIq) -> Self {
        // The client wants one although nothing here is encrypted; a second installation is refused.
        let _ = rustls::crypto::ring::default_provider().install_default();
        redis.connect().await.flushall().await.unwrap();
        alumniq.told.lists.lock().unwrap().clear();
        let namespace = Namespace::of_crm(redis).await;
        let settings = ClientSettings::default();
        let client = AlumniqClient::new(&alumniq.url, "key".into(), settings).unwrap();
        let acknowledger = Acknowledger {
            queue: namespace.queue.clone(),
            client: Arc::new(client),
            limits: AckLimits {
                max_batch: 200,
                max_wait: Duration::ZERO,
                eager: true,
                lease: LONG,
            },
            told_on_fetch: false,
            acknowledged: Arc::default(),
            controls_refused: AtomicU32::new(0),
            worker: "w1".to_owned(),
            traces: Traces::default(),
        };
        Self {
            namespace,
            told: Arc::clone(&alumniq.told),
            acknowledger: Arc::new(acknowledger),
        }
    }

    fn script(&self, script: impl Fn(usize, &[String]) -> u16 + Send + 'static) {
        *self.told.script.lock().unwrap() = Box::new(script);
    }

    async fn applied(&self, ids: impl IntoIterator<Item = usize>) {
        for n in ids {
            let row = change(&n.to_string(), Some("ada"), n as i64);
            self.namespace.enqueue(vec![row]).await;
        }
        self.namespace.apply_all(Destination::Crm).await;
    }

    /// AlumnIQ has accepted something before.
    async fn has_accepted_one(&self) {
        self.applied([0]).await;
        self.works_until("0 is accepted", async |it| is_over(it).await)
            .await;
        self.told.lists.lock().unwrap().clear();
    }

    async fn works_until(&self, what: &str, is_so: impl AsyncFn(&Namespace) -> bool) {
        let (acknowledger, stopping) = (Arc::clone(&self.acknowledger), Stopping::default());
        let beat = Heartbeats::default().register("acknowledger", LONG);
        let stop = stopping.clone();
        let works = tokio::spawn(async move {
            acknowledger.run(&Bell::default(), &beat, &stop).await;
        });
        until_true(what, async || is_so(&self.namespace).await).await;
        stopping.closing.cancel();
        works.await.unwrap();
    }

    /// Until everything is accepted or dead; gates are not waited for.
    async fn works_to_the_end(&mut self) {
        while !is_over(&self.namespace).await {
            self.works_until("all is told, or AlumnIQ is paused", async |it| {
                is_over(it).await || it.is_paused(Vendor::Alumniq).await
            })
            .await;
            if self.namespace.is_paused(Vendor::Alumniq).await {
                self.namespace.gates_time_has_come(Vendor::Alumniq).await;
            }
        }
    }

    async fn letters(&self, of: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        let mut letters = BTreeSet::new();
        for n in of {
            let letter = self.namespace.letter(Vendor::Alumniq, &n.to_string()).await;
            assert!(matches!(letter, None | Some(DeadClass::AckRejected)));
            letters.extend(letter.map(|_| n));
        }
        letters
    }
}

/// Nothing is on its way.
async fn is_over(namespace: &Namespace) -> bool {
    namespace.books().await.in_flight == 0
}

fn ids(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|n| n.to_string()).collect()
}

/// 400 where one of these stands in the list.
fn refuses(poison: &[usize]) -> impl Fn(&[String]) -> u16 + Send + 'static {
    let poison = ids(poison.iter().copied());
    move |list| match list.iter().any(|id| poison.contains(id)) {
        true => 400,
        false => 200,
    }
}

#[tokio::test]
async fn an_outage_at_any_moment_of_a_halving_leaves_no_dead_letter() {
    let (redis, alumniq) = (Redis::start().await, AlumnIq::start().await);
    for (down, has_accepted_one) in [(400, false), (500, false), (400, true), (500, true)] {
        for moment in 0..16 {
            let mut it = Case::new(&redis, &alumniq).await;
            it.script(|_, _| 200);
            if has_accepted_one {
                it.has_accepted_one().await;
            }
            it.applied(1..=6).await;
            let sound = refuses(&[3]);
            it.script(move |n, list| if n < moment { sound(list) } else { down });
            it.works_until("all is told, or AlumnIQ is paused", async |it| {
                is_over(it).await || it.is_paused(Vendor::Alumniq).await
            })
            .await;
            let asked = it.told.lists().len();
            let context =
                format!("{down} from call {moment} on, {has_accepted_one}, {asked} calls");
            let letters = it.letters(1..=6).await;
            assert!(letters.is_subset(&[3].into()), "{context}: {letters:?}");

            let sound = refuses(&[3]);
            it.script(move |_, list| sound(list));
            it.works_to_the_end().await;
            assert_eq!(it.letters(1..=6).await, [3].into(), "{context}");
            let accepted: BTreeSet<String> = it.told.accepted().into_iter().collect();
            assert!(ids([1, 2, 4, 5, 6]).iter().all(|id| accepted.contains(id)));
            assert!(!accepted.contains("3"));
        }
    }
}

#[tokio::test]
async fn a_trouble_that_passes_kills_nothing_and_changes_no_order() {
    let (redis, alumniq) = (Redis::start().await, AlumnIq::start().await);
    for status in [400, 500] {
        for (first, many) in (0..8).flat_map(|first| (1..6).map(move |many| (first, many))) {
            let mut it = Case::new(&redis, &alumniq).await;
            it.script(|_, _| 200);
            it.has_accepted_one().await;
            it.applied(1..=5).await;
            // The list itself is always refused first, so that it is halved.
            let troubled = move |n| n == 0 || (first..first + many).contains(&n);
            it.script(move |n, _| if troubled(n) { status } else { 200 });
            it.works_to_the_end().await;
            let context = format!("{status} for {many} calls from {first} on");
            assert_eq!(it.letters(1..=5).await, BTreeSet::new(), "{context}");
            let mut accepted = it.told.accepted();
            accepted.retain(|id| id != "0");
            assert_eq!(accepted, ids(1..=5), "{context}: {:?}", it.told.lists());
        }
    }
}

#[tokio::test]
async fn a_refused_id_that_stands_alone_is_known_by_what_alumniq_accepted_before() {
    let (redis, alumniq) = (Redis::start().await, AlumnIq::start().await);
    let mut it = Case::new(&redis, &alumniq).await;
    it.script(|_, _| 200);
    it.has_accepted_one().await;
    it.applied([7]).await;
    let sound = refuses(&[7]);
    it.script(move |_, list| sound(list));
    it.works_to_the_end().await;
    assert_eq!(it.letters([7]).await, [7].into());
    assert!(!it.namespace.is_paused(Vendor::Alumniq).await);
}

#[tokio::test]
async fn while_alumniq_has_accepted_nothing_a_refused_id_pauses_and_says_so() {
    let (redis, alumniq) = (Redis::start().await, AlumnIq::start().await);
    let mut it = Case::new(&redis, &alumniq).await;
    it.applied([7]).await;
    let sound = refuses(&[7]);
    it.script(move |_, list| sound(list));
    for _ in 0..3 {
        it.works_until("AlumnIQ is paused", async |it| {
            it.is_paused(Vendor::Alumniq).await
        })
        .await;
        let pause = it.namespace.queue.status().await.unwrap().pauses;
        let cause = &pause[&Vendor::Alumniq].cause;
        assert!(cause.contains("the last was 7"), "{cause}");
        assert_eq!(it.letters([7]).await, BTreeSet::new());
        it.namespace
            .queue
            .resume(Vendor::Alumniq, &tester())
            .await
            .unwrap();
    }
    it.applied([8]).await;
    it.works_to_the_end().await;
    assert_eq!(it.letters([7, 8]).await, [7].into());
    assert_eq!(it.told.accepted(), ["8"]);
}

#[tokio::test]
async fn many_refused_ids_in_a_row_are_all_found() {
    let (redis, alumniq) = (Redis::start().await, AlumnIq::start().await);
    let mut it = Case::new(&redis, &alumniq).await;
    it.script(|_, _| 200);
    it.has_accepted_one().await;
    it.applied(1..=40).await;
    let poison: Vec<usize> = (10..30).collect();
    let sound = refuses(&poison);
    it.script(move |_, list| sound(list));
    it.works_to_the_end().await;
    assert_eq!(it.letters(1..=40).await, poison.into_iter().collect());
}

#[tokio::test]
async fn an_alumniq_that_accepts_no_id_twice_is_told_everything_all_the_same() {
    let (redis, alumniq) = (Redis::start().await, AlumnIq::start().await);
    let mut it = Case::new(&redis, &alumniq).await;
    let (sound, once) = (refuses(&[3]), Mutex::new(BTreeSet::new()));
    it.script(move |_, list| {
        let mut once = once.lock().unwrap();
        if sound(list) == 400 || list.iter().any(|id| once.contains(id)) {
            return 400;
        }
        once.extend(list.to_vec());
        200
    });
    it.applied(1..=6).await;
    it.works_to_the_end().await;
    it.applied(7..=8).await;
    it.works_to_the_end().await;
    assert_eq!(it.letters(1..=8).await, [3].into());
    assert_eq!(it.told.accepted().len(), 7);
}

#[tokio::test]
async fn a_list_whose_lease_was_lost_is_told_no_further() {
    let (redis, alumniq) = (Redis::start().await, AlumnIq::start().await);
    let it = Case::new(&redis, &alumniq).await;
    it.applied(1..=4).await;
    it.script(|n, _| if n == 0 { 400 } else { 200 });
    // The list and its first half are answered, and then nothing is until Redis is empty.
    it.told.answers.forget_permits(Semaphore::MAX_PERMITS);
    it.told.answers.add_permits(1);
    let mut connection = redis.connect().await;
    let told = Arc::clone(&it.told);
    let empties = async move {
        until_true("the list was refused", async || !told.lists().is_empty()).await;
        connection.flushall().await.unwrap();
        told.answers.add_permits(100);
    };
    let told = Arc::clone(&it.told);
    tokio::join!(
        empties,
        it.works_until("the first half was accepted", async |_| told.lists().len()
            >= 2)
    );
    assert_eq!(it.told.accepted(), ["1", "2"]);
    assert_eq!(it.told.lists().len(), 2);
}
