//! What processes do for the fleet, and what is only looked at.

use std::time::Duration;

use harness::namespace::LONG;
use jobs::destination::Vendor::Salsa;
use queue::{
    calls::{CallLimit, CallPurpose},
    leader::ProducerRecord,
    recent::RecentCall,
    standing::ChangeLookup,
};

use super::{Case, case, plain, step};
use crate::queue_aborts::{
    campus::{Campus, Outcome},
    stage::EVERYTHING,
};

const LIMIT: CallLimit = CallLimit {
    vendor: Salsa,
    configured: Some(60),
    published: Some(100),
};

async fn call_is_out(c: &mut Campus) -> Outcome {
    let ids = ["a".to_owned()];
    let queue = &c.stage.queue;
    queue
        .book_calls(&LIMIT, CallPurpose::Work, LONG, &ids)
        .await?;
    Ok(())
}

fn recent() -> RecentCall {
    RecentCall {
        vendor: Salsa,
        operation: "put".to_owned(),
        status: "200".to_owned(),
        ms: 20,
        changes: 3,
        at: "2026-01-01T00:00:00Z".to_owned(),
        request_id: "r".to_owned(),
        worker: "worker".to_owned(),
    }
}

/// Some memory, but not much, is left.
async fn make_room(c: &mut Campus) -> Outcome {
    let used = c.stage.redis.used_memory().await;
    c.stage
        .command(&format!("CONFIG SET maxmemory {}", used + used / 20))
        .await;
    let made = c.stage.queue.make_room().await;
    c.stage.command("CONFIG SET maxmemory 0").await;
    made?;
    Ok(())
}

pub fn cases() -> Vec<Case> {
    let mut cases = calls();
    cases.extend(fleet());
    cases.extend(administration());
    cases.extend(looks());
    cases
}

fn calls() -> Vec<Case> {
    vec![
        plain("call: acquire a permit", step!(c => call_is_out(c).await?)),
        case(
            "call: ended",
            step!(c => call_is_out(c).await?),
            step!(c => c.stage.queue.call_ended(Salsa, "a").await?),
        ),
        case(
            "call: not made",
            step!(c => call_is_out(c).await?),
            step!(c => c.stage.queue.call_unused(Salsa, "a").await?),
        ),
        plain(
            "limits: whose turn it is to ask",
            step!(c => _ = c.stage.queue.limits_turn(&LIMIT, LONG, LONG).await?),
        ),
        plain(
            "limits: read",
            step!(c => c.stage.queue.limits_told(Salsa, 100, 20).await?),
        ),
        plain(
            "limits: not read",
            step!(c => c.stage.queue.limits_untold(Salsa, LONG).await?),
        ),
        plain(
            "limits: a smaller batch",
            step!(c => c.stage.queue.batch_refused(Salsa, 10).await?),
        ),
        case(
            "limits: doubted",
            step!(c => c.stage.queue.limits_told(Salsa, 100, 20).await?),
            step!(c => c.stage.queue.doubt_limits(Salsa, Duration::from_secs(60)).await?),
        ),
    ]
}

fn fleet() -> Vec<Case> {
    vec![
        plain(
            "leader: acquire",
            step!(c => _ = c.stage.queue.lead("leader", LONG).await?),
        ),
        case(
            "leader: another one leads",
            step!(c => _ = c.stage.queue.lead("other", LONG).await?),
            step!(c => _ = c.stage.queue.lead("leader", LONG).await?),
        ),
        case(
            "leader: resign",
            step!(c => _ = c.stage.queue.lead("leader", LONG).await?),
            step!(c => c.stage.queue.resign("leader").await?),
        ),
        case(
            "producer: a fetch is over",
            step!(c => {
                let failed = ProducerRecord { error: Some("down".to_owned()), ..ProducerRecord::default() };
                c.stage.queue.record_fetch(None, &failed).await?
            }),
            step!(c => {
                let at = Some(c.stage.queue.now().await?);
                let good = ProducerRecord {
                    last_started: at, last_success: at, last_sweep: at, ..ProducerRecord::default()
                };
                c.stage.queue.record_fetch(None, &good).await?
            }),
        ),
        plain(
            "heartbeat",
            step!(c => _ = c.stage.queue.beat("worker", "{}", &[recent()]).await?),
        ),
        case(
            "heartbeat: the last one",
            step!(c => _ = c.stage.queue.beat("worker", "{}", &[recent()]).await?),
            step!(c => c.stage.queue.leave("worker").await?),
        ),
        plain("make room", step!(c => make_room(c).await?)),
    ]
}

fn administration() -> Vec<Case> {
    vec![
        plain(
            "admit",
            step!(c => {
                let admitted = c.stage.queue.clone().admit(EVERYTHING).await;
                admitted.map_err(|error| format!("{error:?}"))?
            }),
        ),
        plain(
            "adopt destinations",
            step!(c => {
                let admitted = c.stage.queue.clone().adopt_destinations(EVERYTHING).await;
                admitted.map_err(|error| format!("{error:?}"))?
            }),
        ),
        plain("connect", step!(c => _ = c.stage.reader().await?)),
        plain(
            "encryption: rotate",
            step!(c => _ = c.stage.rotating.rotate(|_| ()).await?),
        ),
        plain(
            "repair: nothing is damaged",
            step!(c => _ = c.repair(true).await?),
        ),
        case(
            "repair: the lists are gone",
            step!(c => c.stage.remove_type("list").await),
            step!(c => _ = c.repair(true).await?),
        ),
        plain(
            "empty",
            step!(c => {
                // What was applied is forgotten, and applied again.
                c.progress.applied.clear();
                c.stage.queue.empty().await?
            }),
        ),
    ]
}

fn looks() -> Vec<Case> {
    vec![
        plain(
            "look: status",
            step!(c => _ = c.stage.queue.status().await?),
        ),
        plain(
            "look: fleet",
            step!(c => _ = c.stage.queue.watched().await?),
        ),
        plain(
            "look: where changes are",
            step!(c => {
                let rows = c.progress.rows.iter();
                let asked: Vec<_> = rows
                    .map(|(id, row)| {
                        let change = crate::queue_aborts::campus::new_change(id, row);
                        ChangeLookup::of(id, row.xid, &change.order)
                    })
                    .collect();
                c.stage.queue.standing(&asked).await?
            }),
        ),
        plain(
            "look: what is settled",
            step!(c => {
                let ids: Vec<String> = c.progress.rows.keys().cloned().collect();
                _ = c.stage.queue.settled(&ids).await?
            }),
        ),
        plain(
            "look: open changes",
            step!(c => _ = c.stage.queue.open_changes(None).await?),
        ),
        plain(
            "look: a person",
            step!(c => _ = c.stage.queue.person("ada", None, 50).await?),
        ),
        plain(
            "look: encryption",
            step!(c => _ = c.stage.queue.sealing(100).await?),
        ),
        plain(
            "look: agreement",
            step!(c => _ = c.stage.queue.mismatch().await?),
        ),
        plain("look: defects", step!(c => _ = c.repair(false).await?)),
        plain(
            "look: is it empty",
            step!(c => _ = c.stage.queue.is_empty().await?),
        ),
    ]
}
