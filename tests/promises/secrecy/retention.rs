use std::time::Duration;

use harness::{
    namespace::{Namespace, tester},
    redis::Redis,
    waiting::until_true,
};
use jobs::destination::Destination::Crm;
use queue::audit::{AuditAction, AuditFilter, Note};

use super::{VALUES, XID, holds, holds_none, memory, row};

const SHORT: Duration = Duration::from_millis(1_500);

#[tokio::test]
async fn what_is_kept_of_a_closed_change_is_gone_after_its_time() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::with(&redis, |settings| {
        settings.destinations = vec![Crm];
        settings.keep = SHORT;
        settings.keep_payload = SHORT;
    })
    .await;
    namespace.enqueue(vec![row("1", 1)]).await;
    namespace.apply_all(Crm).await;
    assert_eq!(namespace.acknowledge_all().await, ["1"]);
    until_true("row, marker, timeline and index have expired", async || {
        let snapshot = namespace.snapshot().await;
        let kinds = ["closed:", "rows:", "past:", "edits:"];
        let mut left = snapshot.keys();
        !left.any(|key| kinds.iter().any(|kind| key.starts_with(kind)))
    })
    .await;
    let bytes = memory(&mut namespace).await;
    holds_none("memory", &bytes, &VALUES);
    assert!(
        holds(&bytes, XID),
        "what was applied last is remembered under the xid, see `erase`"
    );
}

#[tokio::test]
async fn an_entry_of_the_audit_is_gone_after_its_time() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::with(&redis, |settings| settings.keep_audit = SHORT).await;
    let note = Note {
        reason: "a word that is looked for",
        ..Note::default()
    };
    let queue = namespace.queue.clone();
    queue
        .note(&tester(), AuditAction::Revealed, &note)
        .await
        .unwrap();
    assert!(holds(&memory(&mut namespace).await, note.reason));
    until_true("it has expired", async || {
        let page = queue
            .audit(None, 10, &AuditFilter::default())
            .await
            .unwrap();
        page.items.is_empty() && !holds(&memory(&mut namespace).await, note.reason)
    })
    .await;
}
