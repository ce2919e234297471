//! What `/metrics` shows while Redis is away.

use super::scrape;
use harness::{
    redis::Redis,
    relay::Relay,
    vendors::{acknowledged, vendors},
    waiting::until,
};

#[tokio::test]
async fn a_queue_that_cannot_be_read_is_not_shown_as_if_it_were_fresh() {
    const CHANGES: usize = 20;
    let sandbox = vendors(CHANGES, 10).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let service = relay.start("producer,crm,salsa,acknowledger").await;
    acknowledged(&sandbox, CHANGES).await;
    let shows = async |queue: bool| {
        let what = format!("the queue is shown: {queue}");
        until(&what, async || {
            let metrics = scrape(&service).await;
            let books = metrics.sum("books", &[("entry", "acknowledged")]);
            let shown = books == Some(CHANGES as f64);
            let up = metrics.sum("redis_up", &[]) == Some(1.0);
            let as_expected = shown == queue && up == queue && books.is_some() == queue;
            as_expected.then_some(metrics)
        })
        .await
    };
    shows(true).await;
    redis.signal("STOP");
    let away = shows(false).await;
    for gone in ["jobs", "dead_letters", "oldest_unacknowledged_seconds"] {
        assert_eq!(away.sum(gone, &[]), None, "{gone}");
    }
    let counted = away.sum("changes_acknowledged_total", &[]);
    assert_eq!(counted, Some(CHANGES as f64), "what it did itself is known");
    redis.signal("CONT");
    shows(true).await;
    service.stop().await;
}
