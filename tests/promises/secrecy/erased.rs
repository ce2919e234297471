use std::time::Duration;

use harness::{
    namespace::{LATE, Namespace, dead, done, tester},
    redis::{KEEP, Redis},
    relay::Relay,
    rows,
    vendors::vendors,
};
use jobs::{
    destination::{
        Destination::{Crm, Salsa},
        Vendor,
    },
    outcome::DeadClass,
};
use queue::{
    audit::{AuditAction, AuditFilter, Note},
    bulk::{BulkAction, BulkOrder, BulkState},
    erase::{Erased, Files},
    letters::LetterFilter,
};

use super::{VALUES, XID, files, holds, holds_none, memory, row};

const REWRITE: Duration = Duration::from_secs(60);

/// Nothing of hers, the name included.
fn everything() -> Vec<&'static str> {
    [&VALUES[..], &[XID]].concat()
}

/// Changes of hers in every state, and one of somebody else: 1 acknowledged with its row kept, 2 applied, 3 dead at the
/// CRM, 4 running there, 5 waiting.
async fn in_every_state(redis: &Redis) -> Namespace {
    let namespace = Namespace::with(redis, |settings| settings.keep_payload = KEEP).await;
    namespace
        .enqueue(vec![rows::change("100", Some("somebody else"), 1)])
        .await;
    for n in 1..=3 {
        namespace.enqueue(vec![row(&n.to_string(), n)]).await;
        namespace.apply_all(Salsa).await;
        let hers = namespace.claim(Crm).await;
        for lease in hers {
            let end = match n {
                3 => dead(DeadClass::Rejected),
                _ => done(),
            };
            assert!(namespace.settle(Crm, &lease, end).await);
        }
        if n == 1 {
            assert_eq!(namespace.acknowledge_all().await, ["100", "1"]);
        }
    }
    namespace.enqueue(vec![row("4", 4), row("5", 5)]).await;
    namespace
}

#[tokio::test]
async fn a_person_is_gone_from_every_key_and_value_and_then_from_the_files() {
    let redis = Redis::start_with(&["--appendfsync", "always", "--save", "3600 1"]).await;
    let mut namespace = in_every_state(&redis).await;
    redis.command("SAVE").await;
    let running = namespace.claim_one(Crm).await;
    assert_eq!(running.change_id, "4");
    let about = Note {
        change_ids: &["3".to_owned()],
        reason: "she said so",
        detail: "employer",
        ..Note::default()
    };
    let queue = namespace.queue.clone();
    queue
        .note(&tester(), AuditAction::Revealed, &about)
        .await
        .unwrap();
    let of_others = Note {
        change_ids: &["100".to_owned()],
        reason: "another's",
        ..Note::default()
    };
    queue
        .note(&tester(), AuditAction::Revealed, &of_others)
        .await
        .unwrap();

    let erased = queue
        .erase(XID, "request 17", false, &tester())
        .await
        .unwrap();
    assert_eq!(
        erased,
        Erased {
            discarded: 3,
            applied: 1,
            closed: 1,
            audit_entries: 1,
            arrived: 0
        }
    );
    holds_none("memory", &memory(&mut namespace).await, &everything());
    assert!(
        holds(&files(&redis), XID),
        "the files hold it until they are rewritten"
    );
    assert_eq!(queue.rewrite_files(REWRITE).await, Files::Rewritten);
    holds_none("the files", &files(&redis), &everything());

    assert!(
        !namespace.settle(Crm, &running, done()).await,
        "its lease ended"
    );
    assert_eq!(namespace.books().await.difference, 0);
    assert!(namespace.claim(Crm).await.is_empty() && namespace.claim(Salsa).await.is_empty());
    assert_eq!(
        namespace.acknowledge_all().await,
        ["2", "3", "4", "5"],
        "AlumnIQ is told"
    );
    let books = namespace.books().await;
    assert_eq!(
        (books.fetched, books.acknowledged, books.discarded),
        (6, 3, 3)
    );
    assert_eq!((books.in_flight, books.dead, books.difference), (0, 0, 0));
    // A fetch that began before AlumnIQ was told lists them still.
    assert_eq!(
        namespace
            .enqueue((1..=5).map(|n| row(&n.to_string(), n)).collect())
            .await
            .enqueued,
        0
    );
    holds_none(
        "after another fetch",
        &memory(&mut namespace).await,
        &everything(),
    );

    let audit = queue
        .audit(None, 10, &AuditFilter::default())
        .await
        .unwrap()
        .items;
    let reasons: Vec<_> = audit
        .iter()
        .map(|entry| (entry.action, entry.reason.as_deref()))
        .collect();
    assert_eq!(
        reasons,
        [
            (AuditAction::Erased, Some("request 17")),
            (AuditAction::Revealed, Some("another's")),
            (AuditAction::Revealed, None),
        ]
    );
}

#[tokio::test]
async fn where_alumniq_is_not_told_its_next_lists_bring_nothing_back() {
    let redis = Redis::start().await;
    let mut namespace = in_every_state(&redis).await;
    let erased = namespace
        .queue
        .erase(XID, "", true, &tester())
        .await
        .unwrap();
    assert_eq!((erased.discarded, erased.applied), (3, 1));
    assert_eq!(
        namespace.acknowledge_all().await,
        ["2"],
        "that one was applied"
    );
    let listed = (3..=5).map(|n| row(&n.to_string(), n)).collect::<Vec<_>>();
    let again = namespace.queue.enqueue(LATE, &listed).await.unwrap();
    assert_eq!((again.enqueued, again.duplicates), (0, 3));
    holds_none("memory", &memory(&mut namespace).await, &everything());
    assert_eq!(namespace.books().await.difference, 0);
}

/// How many calls of scripts the server has had.
async fn scripts_run(redis: &Redis) -> u64 {
    let info: String = redis::from_redis_value(redis.command("INFO commandstats").await).unwrap();
    let calls = info
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    let digits = calls.unwrap().split(',').next();
    digits.unwrap().parse().unwrap()
}

#[tokio::test]
async fn twenty_thousand_changes_of_one_person_go_in_bounded_steps_and_nobody_elses() {
    const MANY: i64 = 20_000;
    let redis = Redis::start().await;
    let mut namespace = Namespace::new(&redis).await;
    namespace
        .enqueue((1..=MANY).map(|n| row(&n.to_string(), n)).collect())
        .await;
    namespace
        .enqueue(vec![rows::change("other", Some("somebody else"), 1)])
        .await;
    let before = scripts_run(&redis).await;
    let erased = namespace
        .queue
        .erase(XID, "", false, &tester())
        .await
        .unwrap();
    assert_eq!(erased.discarded, MANY as u64);
    holds_none("memory", &memory(&mut namespace).await, &everything());
    assert_eq!(namespace.claim_one(Crm).await.change_id, "other");
    assert_eq!(namespace.claim_one(Salsa).await.change_id, "other");
    let books = namespace.books().await;
    assert_eq!((books.in_flight, books.difference), (MANY + 1, 0));
    let steps = scripts_run(&redis).await - before;
    assert!(steps >= MANY as u64 / 200, "{steps} calls");
}

#[tokio::test]
async fn a_person_without_data_and_one_whose_xid_begins_alike_lose_nothing() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::new(&redis).await;
    let longer = format!("{XID}-2");
    namespace
        .enqueue(vec![
            rows::change("1", Some(&longer), 1),
            rows::change("2", None, 1),
        ])
        .await;
    let before = namespace.snapshot().await.without(&["audit", "token"]);
    let erased = namespace
        .queue
        .erase(XID, "", false, &tester())
        .await
        .unwrap();
    assert_eq!(erased, Erased::default());
    let is_audit = |key: &str| key.starts_with("audit:");
    let after = namespace.snapshot().await.without(&["audit", "token"]);
    let entries: Vec<String> = after
        .keys()
        .filter(|key| is_audit(key))
        .map(str::to_owned)
        .collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(after.without(&[entries[0].as_str()]), before);
}

#[tokio::test]
async fn the_command_asks_first_and_says_what_is_left_elsewhere() {
    let sandbox = vendors(30, 6).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    relay.run(&["sync"]).await.expect(0);
    let xid = sandbox
        .report()
        .unacknowledged
        .iter()
        .find_map(|id| sandbox.change(id)?.xid)
        .unwrap();
    let refused = relay.run(&["erase", "--xid", &xid]).await.expect(2).said();
    assert!(
        refused.contains("no terminal to ask on") && refused.contains("--yes"),
        "{refused}"
    );
    let before = relay.status().await["books"].clone();
    assert_eq!(before["in_flight"], 30);

    let said = relay
        .run(&["erase", "--xid", &xid, "--yes"])
        .await
        .expect(0)
        .said();
    for part in [
        "AlumnIQ is told of them",
        "Redis has rewritten its files",
        "Not erased",
        "backups",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let again = relay
        .json(&["erase", "--xid", &xid, "--yes", "--json"])
        .await;
    assert_eq!(again["erasure"]["discarded"], 0);
    assert_eq!(again["erasure"]["files"], "rewritten");
    relay.run(&["sync", "--wait"]).await.expect(0);
    let books = relay.status().await["books"].clone();
    assert_eq!(
        (&books["in_flight"], &books["difference"]),
        (&0.into(), &0.into())
    );
    assert!(books["discarded"].as_u64().unwrap() > 0, "{books}");
    assert_eq!(sandbox.report().unacknowledged.len(), 0);
    let told = relay.dead().await;
    assert!(told.is_empty(), "{told:?}");
}

#[tokio::test]
async fn a_dead_letter_that_alumniq_refused_is_erased_without_telling_it() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(vec![row("1", 1)]).await;
    namespace.apply_all(Crm).await;
    let batch = namespace.claim_acknowledgements().await.unwrap();
    let end = queue::acknowledgement::AckEnd::Rejected {
        cause: "no such id".to_owned(),
        advice: "ask".to_owned(),
    };
    let ids = ["1".to_owned()];
    namespace
        .queue
        .settle_acknowledgements(batch.token, &end, &ids)
        .await
        .unwrap();
    assert_eq!(
        namespace.letter(Vendor::Alumniq, "1").await,
        Some(DeadClass::AckRejected)
    );
    let erased = namespace
        .queue
        .erase(XID, "", false, &tester())
        .await
        .unwrap();
    assert_eq!(erased.discarded, 1);
    assert!(namespace.acknowledge_all().await.is_empty());
    holds_none("memory", &memory(&mut namespace).await, &everything());
    let books = namespace.books().await;
    assert_eq!((books.discarded, books.dead, books.difference), (1, 0, 0));
}

#[tokio::test]
async fn a_bulk_that_was_ordered_for_a_person_forgets_whom() {
    let redis = Redis::start().await;
    let mut namespace = in_every_state(&redis).await;
    let queue = namespace.queue.clone();
    let order = |xid: &str| BulkOrder {
        action: BulkAction::Discard,
        filter: LetterFilter {
            xid: Some(xid.to_owned()),
            class: Some(DeadClass::Rejected),
            ..LetterFilter::default()
        },
        rate: None,
        reason: format!("asked for by {xid}"),
        apply_stale: false,
        keep_unacknowledged: false,
        by: tester(),
    };
    let hers = queue.start_bulk(&order(XID), 1, "").await.unwrap();
    let others = queue
        .start_bulk(&order("somebody else"), 1, "")
        .await
        .unwrap();
    queue.erase(XID, "", false, &tester()).await.unwrap();
    holds_none("memory", &memory(&mut namespace).await, &everything());
    let bulk = queue.bulk(&hers).await.unwrap().unwrap();
    assert_eq!(
        bulk.filter.xid.as_deref(),
        Some("erased"),
        "it is not about everybody now"
    );
    assert_eq!(bulk.filter.class, Some(DeadClass::Rejected));
    assert_eq!(
        (bulk.state, bulk.reason.as_str()),
        (BulkState::Running, "erased")
    );
    let bulk = queue.bulk(&others).await.unwrap().unwrap();
    assert_eq!(bulk.filter.xid.as_deref(), Some("somebody else"));
    assert_eq!(bulk.reason, "asked for by somebody else");
}
