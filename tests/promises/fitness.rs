//! What is said of a Redis before any change is entrusted to it.

use harness::{redis::Redis, relay::Relay, vendors::vendors};

/// A server with these options: what `check --connect` says of it, its exit code, and whether `run` refuses.
async fn judged(options: &[&str], said: &[&str], code: i32, refused: bool) {
    let sandbox = vendors(5, 5).await;
    let redis = Redis::start_with(options).await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("redis.response_timeout", "30s");
    judged_by(&relay, said, code, refused).await;
}

async fn judged_by(relay: &Relay, said: &[&str], code: i32, refused: bool) {
    let checked = relay.run(&["check", "--connect"]).await.expect(code);
    for words in said {
        assert!(
            checked.stdout.contains(words),
            "{words}\n{}",
            checked.stdout
        );
    }
    if refused {
        // `sync` starts as `run` does, and ends by itself.
        for command in ["run", "sync"] {
            let ended = relay.run(&[command]).await.expect(1);
            for words in said {
                let what = words.rsplit("  ").next().unwrap();
                assert!(ended.said().contains(what), "{what}\n{}", ended.stderr);
            }
        }
    } else {
        let service = relay.start("crm").await;
        let warned = said
            .iter()
            .filter_map(|words| words.split_once("  redis    "));
        for (_, what) in warned.filter(|(mark, _)| *mark != "ok  ") {
            assert_eq!(
                service.log().matches(what).count(),
                1,
                "{what}\n{}",
                service.log()
            );
        }
        service.stop().await;
    }
}

#[tokio::test]
async fn an_append_only_redis_is_fit_and_says_what_a_power_failure_forgets() {
    let said = [
        "ok    redis    it writes its file once a second (appendfsync everysec)",
        "ok    redis    room for about ",
        "Everything works; nothing was written anywhere.",
    ];
    judged(&[], &said, 0, false).await;
}

#[tokio::test]
async fn a_redis_that_keeps_nothing_is_refused_and_the_key_that_allows_it_is_named() {
    let said = [
        "FAIL  redis    Redis keeps nothing on disk (appendonly no, save \"\")",
        "`redis.allow_no_persistence = true`",
    ];
    judged(&["--appendonly", "no"], &said, 1, true).await;
}

#[tokio::test]
async fn a_redis_that_evicts_is_refused_and_with_the_key_only_warned_of() {
    let sandbox = vendors(5, 5).await;
    let options = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"];
    let redis = Redis::start_with(&options).await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let what = "Redis throws keys away when it is full (maxmemory-policy allkeys-lru)";
    let (failed, warned) = (
        format!("FAIL  redis    {what}"),
        format!("warn  redis    {what}"),
    );
    judged_by(&relay, &[&failed], 1, true).await;
    let relay = relay.set("redis.allow_eviction", "true");
    judged_by(&relay, &[&warned], 0, false).await;
}

#[tokio::test]
async fn a_replica_is_refused() {
    let options = ["--replicaof", "127.0.0.1 1"];
    let said = ["FAIL  redis    this Redis is a read-only replica"];
    judged(&options, &said, 1, true).await;
}

#[tokio::test]
async fn a_redis_that_stands_still_fails_the_check_and_is_waited_for_by_the_service() {
    let said = [
        "FAIL  redis    Redis is full: ",
        "FAIL  redis    Redis has 0 good replicas and demands 2",
    ];
    let options = ["--maxmemory", "1", "--min-replicas-to-write", "2"];
    judged(&options, &said, 1, false).await;
}

#[tokio::test]
async fn a_redis_with_weaknesses_works_and_each_is_told_once_at_the_start() {
    let said = [
        "warn  redis    Redis leaves it to the system when its file is written (appendfsync no)",
        "warn  redis    Redis would throw keys away if it had a limit (maxmemory-policy volatile-lru)",
        "2 to look at",
    ];
    let options = ["--appendfsync", "no", "--maxmemory-policy", "volatile-lru"];
    judged(&options, &said, 0, false).await;
}

#[tokio::test]
async fn a_redis_that_hides_its_settings_is_used_and_says_what_cannot_be_judged() {
    let said = ["warn  redis    Redis does not tell its settings (CONFIG)"];
    judged(&["--rename-command", "CONFIG", ""], &said, 0, false).await;
    let said = [
        "ok    redis    of an unknown version, ",
        "warn  redis    Redis does not tell its version, whether it persists, whether it evicts, its settings",
    ];
    let hidden = [
        "--rename-command",
        "CONFIG",
        "",
        "--rename-command",
        "INFO",
        "",
    ];
    judged(&hidden, &said, 0, false).await;
}
