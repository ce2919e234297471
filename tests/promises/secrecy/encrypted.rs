use std::time::Duration;

use harness::{
    namespace::{Namespace, dead, done, retry, settlement, tester},
    redis::Redis,
};
use jobs::{
    destination::{
        Destination::{Crm, Salsa},
        Vendor,
    },
    outcome::DeadClass,
};
use queue::{
    editing::Edited,
    sealing::{Rotated, Sealing},
    settlement::Settlement,
};
use redis::AsyncTypedCommands;

use super::{VALUES, XID, files, holds, holds_none, memory, row, sealed_with};

const EVERYTHING: u32 = 1_000;

#[tokio::test]
async fn with_a_key_no_value_of_a_row_appears_in_any_state() {
    let redis = Redis::start_with(&["--appendfsync", "always"]).await;
    let mut namespace = Namespace::with(&redis, |settings| {
        settings.seals = super::seals(Some(7), &[]);
        settings.keep_payload = harness::redis::KEEP;
    })
    .await;
    let is_secret = async |namespace: &mut Namespace, state: &str| {
        let bytes = memory(namespace).await;
        assert!(
            holds(&bytes, XID),
            "{state}: names of keys are not encrypted, and this looked at none"
        );
        holds_none(state, &bytes, &VALUES);
    };
    namespace
        .enqueue((1..=4).map(|n| row(&n.to_string(), n)).collect())
        .await;
    is_secret(&mut namespace, "queued").await;
    let running = namespace.claim_one(Crm).await;
    let words = running.row.as_ref().unwrap().get();
    assert!(VALUES.iter().all(|value| words.contains(value)), "{words}");
    is_secret(&mut namespace, "running").await;
    assert!(namespace.settle(Crm, &running, retry(1)).await);
    namespace.age("due:crm").await;
    is_secret(&mut namespace, "waiting for a retry").await;
    let again = namespace.claim_one(Crm).await;
    let document = again.row.clone().unwrap();
    let queue = namespace.queue.clone();
    let settlement = Settlement {
        sent: Some(queue.stored_document(Crm, "1", document.get())),
        ..settlement(&again, dead(DeadClass::Rejected))
    };
    queue.settle(Crm, "worker", &[settlement]).await.unwrap();
    is_secret(&mut namespace, "dead").await;
    let sent = queue.sent(Vendor::Crm, "1").await.unwrap();
    assert_eq!(sent.as_deref(), Some(document.get()));
    // AlumnIQ still lists it, and the row of a dead letter is written anew.
    namespace.enqueue(vec![row("1", 1)]).await;
    is_secret(&mut namespace, "listed again").await;
    let (_, stored) = queue.row("1").await.unwrap().unwrap();
    let by = tester();
    let fields = ["jobTitle".to_owned()];
    let edited = queue.edit(Vendor::Crm, "1", &stored, &stored, &fields, &by);
    assert_eq!(edited.await.unwrap(), Edited::Replayed);
    is_secret(&mut namespace, "edited and replayed").await;
    assert_eq!(queue.edits("1").await.unwrap().len(), 1);
    namespace.apply_all(Crm).await;
    namespace.apply_all(Salsa).await;
    is_secret(&mut namespace, "applied").await;
    assert_eq!(namespace.acknowledge_all().await.len(), 4);
    let kept = memory(&mut namespace).await;
    assert!(holds(&kept, ":rows:"), "history.keep_payload keeps the row");
    holds_none("acknowledged, with its payload kept", &kept, &VALUES);
    redis.command("SAVE").await;
    let files = files(&redis);
    assert!(holds(&files, XID), "the files were not looked into");
    holds_none("the files", &files, &VALUES);
}

#[tokio::test]
async fn without_a_key_the_same_search_finds_every_value() {
    let redis = Redis::start_with(&["--appendfsync", "always"]).await;
    let mut namespace = Namespace::new(&redis).await;
    namespace.enqueue(vec![row("1", 1)]).await;
    let (memory, files) = (memory(&mut namespace).await, files(&redis));
    for value in VALUES {
        assert!(holds(&memory, value) && holds(&files, value), "{value}");
    }
}

#[tokio::test]
async fn a_payload_that_was_altered_or_moved_is_a_dead_letter_and_is_mended_by_the_next_fetch() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::with(&redis, |settings| {
        settings.destinations = vec![Crm];
        settings.seals = super::seals(Some(7), &[]);
    })
    .await;
    namespace.enqueue(vec![row("1", 1), row("2", 2)]).await;
    let moved = namespace.stored("2").await.unwrap();
    namespace.store("1", &moved).await;
    let lease = namespace.claim_one(Crm).await;
    let why = lease.row.clone().unwrap_err();
    assert!(why.contains("altered in Redis"), "{why}");
    assert!(
        namespace
            .settle(Crm, &lease, dead(DeadClass::Undecodable))
            .await
    );
    namespace.enqueue(vec![row("1", 1)]).await;
    namespace.replay(Vendor::Crm, "1", false).await;
    assert!(namespace.claim_one(Crm).await.row.is_ok());
}

#[tokio::test]
async fn a_rotation_beside_working_processes_loses_nothing_and_the_old_key_can_go() {
    const MANY: i64 = 300;
    let redis = Redis::start().await;
    let old = sealed_with(&redis, Some(7), &[]).await;
    old.enqueue((1..=MANY).map(|n| row(&n.to_string(), n)).collect())
        .await;
    let new = sealed_with(&redis, Some(8), &[7]).await;
    let looked = new.queue.sealing(EVERYTHING).await.unwrap();
    assert_eq!(
        looked,
        Sealing {
            seen: MANY as u64,
            behind: MANY as u64,
            whole: true
        }
    );
    // One with both keys applies while another rotates.
    let working = async {
        for _ in 0..MANY / 2 {
            let lease = new.claim_one(Crm).await;
            assert!(lease.row.is_ok(), "{:?}", lease.row);
            assert!(new.settle(Crm, &lease, done()).await);
        }
    };
    let (rotated, ()) = tokio::join!(new.queue.rotate(|_| {}), working);
    assert_eq!(
        rotated.unwrap(),
        Rotated {
            resealed: MANY as u64,
            ..Rotated::default()
        }
    );
    let looked = new.queue.sealing(EVERYTHING).await.unwrap();
    assert_eq!((looked.seen, looked.behind), (MANY as u64, 0));
    let without_old = sealed_with(&redis, Some(8), &[]).await;
    assert!(without_old.queue.missing_keys().await.unwrap().is_empty());
    for destination in [Crm, Salsa] {
        loop {
            let leases = without_old.claim(destination).await;
            if leases.is_empty() {
                break;
            }
            for lease in leases {
                let row = lease.row.clone().unwrap();
                assert!(row.get().contains(VALUES[0]));
                assert!(without_old.settle(destination, &lease, done()).await);
            }
        }
    }
    let books = without_old.books().await;
    assert_eq!((books.fetched, books.dead, books.difference), (MANY, 0, 0));
}

#[tokio::test]
async fn a_row_that_changes_while_it_is_sealed_anew_keeps_its_newer_content() {
    let redis = Redis::start().await;
    let old = sealed_with(&redis, Some(7), &[]).await;
    old.enqueue((1..=50).map(|n| row(&n.to_string(), n)).collect())
        .await;
    let mut new = sealed_with(&redis, Some(8), &[7]).await;
    // Whoever writes beside it writes other bytes each time; the last of them must stand in the end.
    let mut writer = redis.connect().await;
    let (key, place) = (new.key("changes"), "{campus}:change:9");
    let newest = r#"{"newest":true}"#;
    let written = |n: u8| {
        let text = if n == 100 {
            newest.to_owned()
        } else {
            format!(r#"{{"n":{n}}}"#)
        };
        let sealed = super::seals(Some(7), &[]).seal(place, &text);
        format!(r#"1000000000000{{"sealed":"{sealed}","xid":"{XID}"}}"#)
    };
    let writing = async {
        for n in 0..=100 {
            writer.hset(&key, "9", written(n)).await.unwrap();
        }
    };
    let (rotated, ()) = tokio::join!(new.queue.rotate(|_| {}), writing);
    rotated.unwrap();
    new.queue.rotate(|_| {}).await.unwrap();
    let stored = new.stored("9").await.unwrap();
    let sealed = stored.split('"').nth(3).unwrap();
    assert_eq!(
        super::seals(Some(8), &[]).open(place, sealed).unwrap(),
        newest
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_keeps_the_key_of_a_process_that_still_seals_under_it() {
    let redis = Redis::start().await;
    let old = sealed_with(&redis, Some(7), &[]).await;
    old.enqueue(vec![row("1", 1)]).await;
    let new = sealed_with(&redis, Some(8), &[7]).await;
    // It comes after the round that found everything done, and before the key would be forgotten.
    let mut is_late = true;
    let straggler = old.queue.clone();
    let rotating = new.queue.rotate(|_| {
        if std::mem::take(&mut is_late) {
            let straggler = straggler.clone();
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async {
                    straggler
                        .enqueue(harness::namespace::EARLY, &[row("2", 2)])
                        .await
                        .unwrap();
                });
            });
        }
    });
    let rotated = rotating.await.unwrap();
    assert_eq!(rotated.in_use, ["8263b094"]);
    assert_eq!(new.queue.rotate(|_| {}).await.unwrap().in_use, [""; 0]);
}

#[tokio::test]
async fn payloads_from_before_the_key_are_sealed_and_without_one_all_are_opened_again() {
    let redis = Redis::start().await;
    let mut plain = Namespace::new(&redis).await;
    plain.enqueue(vec![row("1", 1)]).await;
    let before = plain.snapshot().await;
    let sealed = sealed_with(&redis, Some(7), &[]).await;
    assert_eq!(sealed.queue.rotate(|_| {}).await.unwrap().resealed, 1);
    holds_none("sealed", &memory(&mut plain).await, &VALUES);
    let opener = sealed_with(&redis, None, &[7]).await;
    assert_eq!(opener.queue.rotate(|_| {}).await.unwrap().resealed, 1);
    assert_eq!(plain.snapshot().await, before);
}

#[tokio::test]
async fn sent_documents_and_edits_come_under_the_new_key_too() {
    let redis = Redis::start().await;
    let old = sealed_with(&redis, Some(7), &[]).await;
    old.enqueue(vec![row("1", 1)]).await;
    let by = tester();
    for destination in [Crm, Salsa] {
        let lease = old.claim_one(destination).await;
        let settlement = Settlement {
            sent: Some(old.queue.stored_document(destination, "1", r#"{"a":1}"#)),
            ..settlement(&lease, dead(DeadClass::Rejected))
        };
        let settled = old.queue.settle(destination, "worker", &[settlement]).await;
        settled.unwrap();
    }
    let (_, stored) = old.queue.row("1").await.unwrap().unwrap();
    let (fields, queue) = (["jobTitle".to_owned()], &old.queue);
    let edited = queue.edit(Vendor::Crm, "1", &stored, &stored, &fields, &by);
    assert_eq!(edited.await.unwrap(), Edited::Replayed);
    let before = old.queue.edits("1").await.unwrap();

    let new = sealed_with(&redis, Some(8), &[7]).await;
    let rotated = new.queue.rotate(|_| {}).await.unwrap();
    assert_eq!(rotated.resealed, 3, "a row, a document, an edit");
    let only_new = sealed_with(&redis, Some(8), &[]).await;
    let sent = only_new.queue.sent(Vendor::Salsa, "1").await.unwrap();
    assert_eq!(sent.as_deref(), Some(r#"{"a":1}"#));
    let after = only_new.queue.edits("1").await.unwrap();
    assert_eq!(format!("{after:?}"), format!("{before:?}"));
}

#[tokio::test]
async fn what_is_sealed_anew_keeps_its_expiry() {
    let redis = Redis::start().await;
    let old = Namespace::with(&redis, |settings| {
        settings.destinations = vec![Crm];
        settings.seals = super::seals(Some(7), &[]);
        settings.keep_payload = Duration::from_secs(1_800);
    })
    .await;
    old.enqueue(vec![row("1", 1)]).await;
    old.apply_all(Crm).await;
    assert_eq!(old.acknowledge_all().await, ["1"]);
    let mut new = Namespace::with(&redis, |settings| {
        settings.destinations = vec![Crm];
        settings.seals = super::seals(Some(8), &[7]);
    })
    .await;
    assert_eq!(new.queue.rotate(|_| {}).await.unwrap().resealed, 1);
    let snapshot = new.snapshot().await;
    let bucket = snapshot.bucket_of("rows", "1").unwrap();
    // At most a quarter longer than asked for.
    let ttl = snapshot.ttl(bucket).unwrap();
    assert!((1..=2_250_000).contains(&ttl), "{ttl}");
}
