//! Wrong usage and configuration: what it is, where it stands and what to do, and nothing is called.

use harness::{redis::Redis, relay::Relay, sockets::Port, vendors::vendors, waiting::until_true};
use sandbox::Sandbox;

/// Runs `arguments`, which must fail with `code` and say every one of `words`; no vendor may be called.
async fn refused(relay: &Relay, sandbox: &Sandbox, arguments: &[&str], code: i32, words: &[&str]) {
    let said = relay.run(arguments).await.expect(code).said();
    for word in words {
        assert!(
            said.contains(word),
            "{arguments:?} does not say {word:?}: {said}"
        );
    }
    assert!(!said.contains("panicked"), "{said}");
    assert!(
        sandbox.report().traffic.calls.is_empty(),
        "{arguments:?} called a vendor"
    );
}

#[tokio::test]
async fn wrong_arguments_are_refused_with_what_to_write_instead() {
    let sandbox = vendors(1, 1).await;
    let relay = Relay::new(&sandbox, None);
    let two_filters = ["sync", "--on", "2026-11-20", "--since", "2026-11-01"];
    for (arguments, words) in [
        (
            &two_filters[..],
            &["--on", "--since", "cannot be used with"][..],
        ),
        (
            &["sync", "--xid", "1", "--on", "2026-11-20"],
            &["cannot be used with"],
        ),
        (
            &["sync", "--since", "2026-02-30"],
            &["--since", "YYYY-MM-DD"],
        ),
        (&["sync", "--on", "20.11.2026"], &["--on", "YYYY-MM-DD"]),
        (&["sync", "--xid", " "], &["--xid", "blank"]),
        (&["run", "--roles", "crm,sales"], &["sales", "salsa"]),
        (&["pause", "alumnus"], &["crm", "salsa"]),
        (&["dead", "replay", "--class", "stail", "--all"], &["stale"]),
        (&["dead", "replay", "--all", "--rate", "fast"], &["10/s"]),
        (&["snc"], &["sync"]),
    ] {
        refused(&relay, &sandbox, arguments, 2, words).await;
    }
    assert!(relay.embedded_servers().is_empty());
}

#[tokio::test]
async fn a_wrong_configuration_is_told_with_its_line_and_the_remedy() {
    let sandbox = vendors(1, 1).await;
    let with = |text: &str| Relay::new(&sandbox, None).append(text);
    // The sandbox's file ends in the table [salsa].
    for (relay, words) in [
        (
            with("create_mising = true\n"),
            &["relay.toml:", "salsa.create_mising", "create_missing"][..],
        ),
        (
            with("[crm.map]\nPhoneWork = \"{{ phon }}\"\n"),
            &["relay.toml:", "crm.map.PhoneWork", "phon", "`phone`"],
        ),
        (
            with("[salsa.map]\n\"contacts.WORK_FON\" = \"{{ phone }}\"\n"),
            &["relay.toml:", "WORK_PHONE"],
        ),
        (
            with("[alumniq.fields]\nemployer = [\"jobTitle\"]\n"),
            &["jobTitle", "employer"],
        ),
        (
            with("max_attempts = \"many\"\n"),
            &["relay.toml:", "salsa.max_attempts"],
        ),
        (with("enabled = maybe\n"), &["relay.toml:", "TOML"]),
        (
            Relay::new(&sandbox, None).set("alumniq.timezone", "America/Bosten"),
            &["ALUMNIQ_RELAY__ALUMNIQ__TIMEZONE", "no IANA time zone"],
        ),
        (
            Relay::new(&sandbox, None).set("alumniq.pol", "every 1h"),
            &[
                "ALUMNIQ_RELAY__ALUMNIQ__POL",
                "ALUMNIQ_RELAY__ALUMNIQ__POLL",
            ],
        ),
        (
            Relay::new(&sandbox, None).without("SALSA_AUTH_TOKEN"),
            &["salsa.token", "SALSA_AUTH_TOKEN"],
        ),
        (
            Relay::new(&sandbox, None).without("ALUMNIQ_API_KEY"),
            &["alumniq.api_key", "ALUMNIQ_API_KEY"],
        ),
    ] {
        refused(&relay, &sandbox, &["run"], 2, words).await;
        assert!(relay.embedded_servers().is_empty());
    }
}

#[tokio::test]
async fn a_missing_configuration_file_is_told_with_how_to_make_one() {
    let sandbox = vendors(1, 1).await;
    let named = ["-c", "elsewhere.toml", "run"];
    let without = |relay: Relay| {
        std::fs::remove_file(relay.path("relay.toml")).unwrap();
        relay
    };
    let relay = without(Relay::with_config(""));
    refused(
        &relay,
        &sandbox,
        &["run"],
        2,
        &["relay.toml", "config example"],
    )
    .await;
    refused(
        &relay,
        &sandbox,
        &named,
        2,
        &["elsewhere.toml", "config example"],
    )
    .await;
    let by_environment = without(Relay::new(&sandbox, None));
    let words = [
        "no relay.toml in this folder",
        "alumniq.url",
        "ALUMNIQ_RELAY__ALUMNIQ__URL",
    ];
    refused(&by_environment, &sandbox, &["run"], 2, &words).await;
}

#[tokio::test]
async fn a_port_in_use_is_told_with_the_key_to_change() {
    let sandbox = vendors(1, 1).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let relay = Relay::new(&sandbox, None).set("console.listen", &address);
    refused(
        &relay,
        &sandbox,
        &["run"],
        1,
        &[&address, "console.listen", "choose another"],
    )
    .await;
}

#[tokio::test]
async fn no_redis_is_told_with_where_it_was_looked_for() {
    let sandbox = vendors(1, 1).await;
    let port = Port::hold();
    let nowhere = port.address();
    let url = format!("redis://relay:hunter2@{nowhere}");
    let relay = Relay::new(&sandbox, None).set("redis.url", &url);
    for command in ["status", "sync"] {
        refused(
            &relay,
            &sandbox,
            &[command],
            1,
            &[&nowhere.to_string(), "redis.url"],
        )
        .await;
        assert!(!relay.run(&[command]).await.said().contains("hunter2"));
    }
    // The service waits for it.
    let service = relay.spawn(&["--log-format", "json", "run"]);
    until_true("the service says where it looks", async || {
        service.log().contains(&nowhere.to_string()) && service.log().contains("redis.url")
    })
    .await;
    assert!(!service.log().contains("hunter2"), "{}", service.log());
    service.stop().await;
    let relay = Relay::new(&sandbox, None).set("redis.server", "no-such-redis-server");
    let words = [
        "no-such-redis-server",
        "apt-get install redis-server",
        "redis.url",
    ];
    refused(&relay, &sandbox, &["run"], 1, &words).await;
}

#[tokio::test]
async fn a_redis_that_could_lose_changes_is_refused_unless_a_key_allows_it() {
    let sandbox = vendors(1, 1).await;
    for (settings, allowing) in [
        (&[("appendonly", "no")][..], "redis.allow_no_persistence"),
        (
            &[("maxmemory", "100mb"), ("maxmemory-policy", "allkeys-lru")],
            "redis.allow_eviction",
        ),
    ] {
        let redis = Redis::start().await;
        let mut connection = redis.connect().await;
        for (name, value) in settings {
            let set = redis::cmd("CONFIG")
                .arg(&["SET", name, value])
                .query_async(&mut connection)
                .await;
            let _: () = set.unwrap();
        }
        let relay = |value: &str| Relay::new(&sandbox, Some(&redis)).set(allowing, value);
        for command in [&["run"][..], &["sync", "--wait"]] {
            refused(&relay("false"), &sandbox, command, 1, &[allowing]).await;
        }
        let sandbox = vendors(1, 1).await;
        let allowed = Relay::new(&sandbox, Some(&redis)).set(allowing, "true");
        let synced = allowed.run(&["sync", "--on", "2001-01-01"]).await.expect(0);
        assert!(synced.stderr.contains("WARN"), "{}", synced.stderr);
    }
}

#[tokio::test]
async fn of_very_many_wrong_keys_the_first_are_shown_and_all_are_counted() {
    let sandbox = vendors(1, 1).await;
    let wrong: String = (0..10_000).map(|n| format!("wrong_{n} = 1\n")).collect();
    // The sandbox's file ends in the table [salsa].
    let relay = Relay::new(&sandbox, None).append(&wrong);
    for command in ["check", "sync"] {
        let ended = relay.run(&[command]).await.expect(2);
        assert!(ended.stderr.len() < 64 * 1024, "{}", ended.stderr.len());
        let said = ended.said();
        assert!(
            said.contains("has 10000 problems; the first 25 are"),
            "{said}"
        );
        assert!(
            said.contains("wrong_0") && !said.contains("wrong_9999"),
            "{said}"
        );
    }
}
