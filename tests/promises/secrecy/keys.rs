use harness::{
    namespace::Namespace,
    redis::Redis,
    relay::Relay,
    vendors::{every_promise_held, vendors},
};
use jobs::destination::Destination::{Crm, Salsa};
use queue::{Queue, QueueSettings};

use super::{VALUES, files, holds_none, row, sealed_with, seals};

const KEY: &str = "ALUMNIQ_RELAY_KEY";

async fn made(relay: &Relay) -> String {
    let made = relay.run(&["encryption", "key"]).await.expect(0).stdout;
    assert_eq!(made.trim().len(), 44, "{made}");
    made.trim().to_owned()
}

#[tokio::test]
async fn changes_go_their_way_encrypted_and_keys_rotate_by_the_commands() {
    let sandbox = vendors(40, 15).await;
    let redis = Redis::start_with(&["--appendfsync", "always"]).await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let (first, second) = (made(&relay).await, made(&relay).await);
    assert_ne!(first, second);
    let relay = relay.with_variable(KEY, &first);
    relay.run(&["sync"]).await.expect(0);
    let employers: Vec<String> = sandbox
        .report()
        .unacknowledged
        .iter()
        .filter_map(|id| {
            sandbox
                .change(id)?
                .row
                .get("employer")?
                .as_str()
                .map(str::to_owned)
        })
        .filter(|employer| employer.len() > 6)
        .collect();
    assert!(employers.len() > 5, "{employers:?}");
    let employers: Vec<&str> = employers.iter().map(String::as_str).collect();
    holds_none("the files", &files(&redis), &employers);

    for command in [&["sync", "--wait"][..], &["run", "--roles", "crm"]] {
        let refused = Relay::new(&sandbox, Some(&redis))
            .run(command)
            .await
            .expect(2)
            .said();
        assert!(
            refused.contains("which this process does not have"),
            "{refused}"
        );
        assert!(refused.contains("encryption.old_keys"), "{refused}");
    }
    let check = Relay::new(&sandbox, Some(&redis))
        .run(&["check", "--connect"])
        .await
        .expect(1)
        .said();
    assert!(check.contains("a key that is not configured"), "{check}");

    let relay = relay
        .with_variable(KEY, &second)
        .set("encryption.old_keys", &first);
    let check = relay.run(&["check", "--connect"]).await.expect(0).said();
    assert!(
        check.contains("of 40 payloads, 40 are not under the current key"),
        "{check}"
    );
    let rotated = relay.json(&["encryption", "rotate", "--json"]).await;
    assert_eq!(rotated["resealed"], 40);
    assert_eq!(rotated["keys_still_in_use"], serde_json::json!([]));
    let relay = relay.without("ALUMNIQ_RELAY__ENCRYPTION__OLD_KEYS");
    let check = relay.run(&["check", "--connect"]).await.expect(0).said();
    assert!(
        check.contains("of 40 payloads, all are under the current key"),
        "{check}"
    );
    relay.run(&["sync", "--wait"]).await.expect(0);
    every_promise_held(&sandbox.report(), &[], &[]);
}

#[tokio::test]
async fn what_a_process_cannot_open_waits_for_one_that_can_and_costs_nothing() {
    let redis = Redis::start().await;
    let mut keyless = Namespace::new(&redis).await;
    let sealed = sealed_with(&redis, Some(7), &[]).await;
    sealed.enqueue(vec![row("1", 1), row("2", 2)]).await;
    let claimed = keyless.claim_as(Crm, "keyless", 10).await;
    assert!(claimed.leases.is_empty() && claimed.died.is_empty());
    let locked = claimed.locked.unwrap();
    assert_eq!(
        (locked.change_id.as_str(), locked.key.as_str()),
        ("1", "8263b094")
    );
    let snapshot = keyless.snapshot().await;
    assert!(snapshot.hash("crashes:crm").is_empty() && snapshot.hash("attempts:crm").is_empty());
    keyless.age("due:crm").await;
    let lease = sealed.claim_one(Crm).await;
    assert_eq!(lease.change_id, "1", "the older one first, as ever");
    assert!(lease.row.unwrap().get().contains(VALUES[0]));
    assert_eq!(keyless.books().await.difference, 0);
}

#[tokio::test]
async fn a_change_that_a_process_cannot_open_stands_in_nobodys_way() {
    let redis = Redis::start().await;
    let plain = Namespace::new(&redis).await;
    plain
        .enqueue(vec![harness::rows::change("9", Some("somebody else"), 1)])
        .await;
    let sealed = sealed_with(&redis, Some(7), &[]).await;
    sealed.enqueue(vec![row("1", 1)]).await;
    let mut claimed = plain.claim(Salsa).await;
    claimed.extend(plain.claim(Salsa).await);
    let ids: Vec<&str> = claimed
        .iter()
        .map(|lease| lease.change_id.as_str())
        .collect();
    assert_eq!(ids, ["9"]);
}

#[tokio::test]
async fn a_rotation_without_a_key_that_is_in_use_does_nothing_and_names_it() {
    let redis = Redis::start().await;
    let mut sealed = sealed_with(&redis, Some(7), &[]).await;
    sealed.enqueue(vec![row("1", 1)]).await;
    let before = sealed.snapshot().await;
    let with_another = |settings: &mut QueueSettings| settings.seals = seals(Some(9), &[]);
    let stranger = redis.reader_with("campus", with_another).await;
    assert_eq!(stranger.missing_keys().await.unwrap(), ["8263b094"]);
    let refused = stranger.rotate(|_| {}).await.unwrap_err().to_string();
    assert!(refused.contains("8263b094"), "{refused}");
    assert_eq!(sealed.snapshot().await, before);
}

#[tokio::test]
async fn words_in_a_row_are_never_taken_for_a_key() {
    let redis = Redis::start().await;
    let namespace = Namespace::new(&redis).await;
    let hostile = serde_json::json!({"sealed": "sealed:deadbeef:AAAA", "x": "\",\"sealed\":\"sealed:deadbeef:"});
    let mut change = row("1", 1);
    change.row = serde_json::value::to_raw_value(&hostile).unwrap();
    change.xid = None;
    namespace.enqueue(vec![change]).await;
    assert!(namespace.queue.missing_keys().await.unwrap().is_empty());
    assert!(namespace.claim_one(Crm).await.row.is_ok());
}

/// The settings are printed with errors and logs.
#[tokio::test]
async fn settings_show_the_names_of_keys_only() {
    let redis = Redis::start().await;
    let queue: Queue = sealed_with(&redis, Some(7), &[8]).await.queue;
    let settings: &QueueSettings = queue.settings();
    let shown = format!("{settings:?}");
    assert!(
        shown.contains("8263b094") && !shown.contains("7, 7"),
        "{shown}"
    );
}
