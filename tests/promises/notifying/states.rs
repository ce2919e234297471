//! Which states are told, and which are not.

use harness::{
    redis::Redis,
    vendors::{acknowledged, down, vendors, vendors_with},
    waiting::until_true,
};
use sandbox::{Fault, Faults, SandboxOptions};
use serde_json::json;

use super::{EVERYTHING, IDLE, arrivals, events, is_signed, taken, telling, told};

#[tokio::test]
async fn two_processes_tell_once_that_a_vendor_is_down_and_once_that_it_is_back() {
    const CHANGES: usize = 40;
    let sandbox = vendors(CHANGES, 20).await;
    sandbox.set_faults(Faults {
        salsa: down(Fault::Unavailable),
        ..Faults::default()
    });
    let redis = Redis::start().await;
    let relay = telling(&sandbox, &redis);
    let services = [relay.start(EVERYTHING).await, relay.start(EVERYTHING).await];
    let paused = told(&sandbox, "destination_paused salsa").await;
    assert_eq!(paused["reason"], "outage", "{paused}");
    assert!(
        paused["cause"].as_str().unwrap().contains("503"),
        "{paused}"
    );
    sandbox.set_faults(Faults::default());
    acknowledged(&sandbox, CHANGES).await;
    let resumed = told(&sandbox, "destination_resumed salsa").await;
    assert!(resumed["lasted_seconds"].is_u64(), "{resumed}");
    // Both have looked again by the time when something later is told.
    for command in ["pause", "resume"] {
        relay.run(&[command, "crm"]).await.expect(0);
        told(&sandbox, &format!("destination_{command}d crm")).await;
    }
    assert_eq!(
        events(&sandbox),
        [
            "destination_paused salsa",
            "destination_resumed salsa",
            "destination_paused crm",
            "destination_resumed crm",
        ]
    );
    // Once, but for a call that a slow machine gave up.
    let given_up = services.iter().map(|service| {
        let log = service.log();
        log.matches("could not be told").count() + log.matches("lease of a notice was lost").count()
    });
    assert!(arrivals(&sandbox).values().sum::<usize>() <= 4 + given_up.sum::<usize>());
    for posted in sandbox.notifications() {
        assert!(is_signed(&posted), "{posted:?}");
        assert_eq!(posted.headers["webhook-id"], posted.json()["id"]);
    }
    for service in services {
        service.stop().await;
    }
}

#[tokio::test]
async fn cron_hears_of_dead_letters_by_class_when_its_command_ends_and_of_their_end() {
    let sandbox = vendors_with(SandboxOptions {
        changes: 60,
        people: 30,
        missing_in_crm: 2,
        anonymous: 1,
        ..SandboxOptions::default()
    })
    .await;
    let redis = Redis::start().await;
    // Far longer than the command runs: who looks later is nobody, so it does not wait.
    let relay = telling(&sandbox, &redis).set("notify.after", "1h");
    relay.run(&["sync", "--wait"]).await.expect(3);
    let letters = relay.dead().await;
    let count = |class: &str| {
        let at_the_crm = letters
            .iter()
            .filter(|letter| letter["destination"] == "crm");
        at_the_crm.filter(|letter| letter["class"] == class).count()
    };
    let appeared = told(&sandbox, "dead_letters_appeared crm").await;
    assert_eq!(
        appeared["counts"],
        json!({ "anonymous": count("anonymous"), "unmatched": count("unmatched") })
    );
    assert!(count("unmatched") > 0);
    told(&sandbox, "dead_letters_appeared salsa").await;

    relay.run(&["sync", "--wait"]).await.expect(3);
    assert_eq!(taken(&sandbox).len(), 2, "what is known is not repeated");
    sandbox.repair();
    relay
        .run(&["dead", "replay", "--class", "unmatched"])
        .await
        .expect(0);
    let discard = [
        "dead",
        "discard",
        "--class",
        "anonymous",
        "--reason",
        "nobody",
    ];
    relay.run(&discard).await.expect(0);
    relay.run(&["sync", "--wait"]).await.expect(0);
    let mut last = events(&sandbox).split_off(2);
    last.sort();
    assert_eq!(
        last,
        ["dead_letters_cleared crm", "dead_letters_cleared salsa"]
    );
    // Nobody is named.
    for body in taken(&sandbox) {
        assert!(body.get("xid").is_none(), "{body}");
        for letter in &letters {
            let (id, xid) = (letter["change_id"].as_str(), letter["xid"].as_str());
            let named = [id, xid].into_iter().flatten().any(|name| {
                let words = body["text"].as_str().unwrap().split_whitespace();
                words.into_iter().any(|word| word == name)
            });
            assert!(!named, "{body}");
        }
    }
}

#[tokio::test]
async fn books_that_somebody_broke_are_told_and_so_is_their_mending() {
    let sandbox = vendors(1, 1).await;
    let redis = Redis::start().await;
    let relay = telling(&sandbox, &redis);
    let service = relay.start(IDLE).await;
    redis.command("HINCRBY {sandbox}:counters fetched 3").await;
    let off = told(&sandbox, "books_off").await;
    assert_eq!(off["difference"], 3, "{off}");
    redis.command("HINCRBY {sandbox}:counters fetched -3").await;
    told(&sandbox, "books_back").await;
    service.stop().await;
}

#[tokio::test]
async fn an_emptied_redis_makes_no_noise_and_a_wrong_clock_signs_with_redis_time() {
    let sandbox = vendors(1, 1).await;
    let redis = Redis::start().await;
    let relay = telling(&sandbox, &redis).with_clock(3_600);
    let service = relay.start(IDLE).await;
    relay.run(&["pause", "salsa"]).await.expect(0);
    told(&sandbox, "destination_paused salsa").await;
    redis.command("FLUSHALL").await;
    relay.run(&["pause", "crm"]).await.expect(0);
    told(&sandbox, "destination_paused crm").await;
    assert_eq!(
        events(&sandbox),
        ["destination_paused salsa", "destination_paused crm"]
    );
    assert!(sandbox.notifications().iter().all(is_signed));
    service.stop().await;
}

#[tokio::test]
async fn what_does_not_last_is_told_by_nobody() {
    const CHANGES: usize = 20;
    let sandbox = vendors(CHANGES, 10).await;
    let redis = Redis::start().await;
    let relay = telling(&sandbox, &redis).set("notify.after", "1h");
    let service = relay.start(EVERYTHING).await;
    relay.run(&["pause", "salsa"]).await.expect(0);
    let notice = "HGET {sandbox}:notice:books differs";
    redis.command("HINCRBY {sandbox}:counters fetched 1").await;
    until_true("the process has looked", async || {
        redis.command(notice).await != redis::Value::Nil
    })
    .await;
    redis.command("HINCRBY {sandbox}:counters fetched -1").await;
    relay.run(&["resume", "salsa"]).await.expect(0);
    acknowledged(&sandbox, CHANGES).await;
    until_true("the process has looked again", async || {
        redis.command(notice).await == redis::Value::Nil
    })
    .await;
    service.stop().await;
    assert!(sandbox.notifications().is_empty());
}
