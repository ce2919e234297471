//! What the relay's user may do in Redis: the documented rule is enough, and nothing begins with less.

use harness::{
    redis::Redis,
    relay::Relay,
    vendors::{acknowledged, every_promise_held, vendors},
    waiting::until_true,
};
use queue::{Queue, QueueError, rights};
use sandbox::{NewChanges, Sandbox};

/// As the sandbox's configuration calls it.
const NAMESPACE: &str = "sandbox";

/// What is not needed: not by every Redis, or not for the work itself.
const DISPENSABLE: &[&str] = &[
    "-@all",
    "+cluster|slots",
    "+asking",
    "+select",
    "+info",
    "+config|get",
    "+bgrewriteaof",
    "+bgsave",
];

const TOKEN: &str = "operator-of-the-rights-test";

async fn allow(redis: &Redis, rule: &str) {
    redis
        .command(&format!("ACL SETUSER relay reset on >word {rule}"))
        .await;
}

/// The rule without one of its words.
fn rule_without(word: &str) -> String {
    let rule = rights::rule(NAMESPACE);
    let kept = rule.split(' ').filter(|kept| *kept != word);
    kept.collect::<Vec<_>>().join(" ")
}

/// The address with the user's name.
fn address(redis: &Redis) -> String {
    format!("{}?user=relay&pass=word", redis.url())
}

fn relay_of(sandbox: &Sandbox, redis: &Redis) -> Relay {
    Relay::new(sandbox, None).set("redis.url", &address(redis))
}

async fn keys(redis: &Redis) -> Vec<String> {
    redis::from_redis_value(redis.command("KEYS *").await).unwrap()
}

/// Changes of somebody whom neither vendor knows.
fn strangers(sandbox: &Sandbox, count: usize) -> Vec<String> {
    sandbox.add_changes(&NewChanges {
        count,
        xid: Some("nobody-knows-me".to_owned()),
        ..NewChanges::default()
    })
}

#[tokio::test]
async fn a_user_with_the_documented_rule_is_refused_nothing() {
    let sandbox = vendors(60, 20).await;
    let redis = Redis::start().await;
    allow(&redis, &rights::rule(NAMESPACE)).await;
    let relay = relay_of(&sandbox, &redis).set("console.operator_token", TOKEN);
    let key = relay.run(&["encryption", "key"]).await.expect(0).stdout;
    let relay = relay.with_variable("ALUMNIQ_RELAY_KEY", key.trim());
    let checked = relay.run(&["check", "--connect"]).await.expect(0);
    assert!(!checked.stdout.contains("warn"), "{}", checked.stdout);
    let service = relay.start("producer,crm,salsa,acknowledger,console").await;
    acknowledged(&sandbox, 60).await;
    let dead = strangers(&sandbox, 4);
    relay.run(&["sync", "--wait"]).await.expect(3);
    let known = sandbox.add_changes(&NewChanges {
        count: 1,
        ..NewChanges::default()
    });
    let xid = sandbox.change(&known[0]).unwrap().xid.unwrap();
    let server = format!("http://{}", service.address());
    for (code, line) in [
        (0, "status"),
        (0, "pause crm"),
        (0, "resume crm"),
        (0, "dead list"),
        (0, "dead groups"),
        (0, &format!("show {}", dead[0])),
        (0, &format!("dead show {}", dead[0])),
        (0, "reconcile --fix"),
        (0, &format!("dead replay {}", dead[0])),
        (3, "sync --wait"),
        (0, &format!("dead discard {} --reason test", dead[1])),
        (0, "sync"),
        (0, &format!("erase --xid {xid} --yes")),
        (0, "encryption rotate"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let ended = relay.run(&words).await;
        assert_eq!(ended.code, Some(code), "{line}: {}", ended.said());
    }
    let desk = Relay::with_config("")
        .with_variable("ALUMNIQ_RELAY_SERVER", &server)
        .with_variable("ALUMNIQ_RELAY_TOKEN", TOKEN);
    let bulk = ["dead", "discard", "--all", "--reason", "test"];
    desk.run(&bulk).await.expect(0);
    // The client wants one although nothing here is encrypted; a second installation is refused.
    let _ = rustls::crypto::ring::default_provider().install_default();
    for path in [
        "api/v1/status",
        "api/v1/audit",
        "api/v1/bulks",
        "api/v1/dead-letters/groups",
        &format!("api/v1/people/{xid}"),
        "api/v1/reconcile",
    ] {
        let url = format!("{server}/{path}");
        let asked = reqwest::Client::new().get(&url).bearer_auth(TOKEN).send();
        let answer = asked.await.unwrap();
        let status = answer.status();
        assert!(
            status.is_success(),
            "{url}: {}",
            answer.text().await.unwrap()
        );
    }
    service.stop().await;
    every_promise_held(&sandbox.report(), &dead, &[]);
    let refused: Vec<redis::Value> =
        redis::from_redis_value(redis.command("ACL LOG").await).unwrap();
    assert!(refused.is_empty(), "{refused:?}");
}

#[tokio::test]
async fn nothing_starts_while_any_right_is_missing_and_the_missing_one_is_named() {
    let redis = Redis::start().await;
    let others = redis.queue_with("others", |_| {}).await;
    let there = keys(&redis).await;
    let rule = rights::rule(NAMESPACE);
    for word in rule.split(' ') {
        allow(&redis, &rule_without(word)).await;
        let mut settings = others.settings().clone();
        settings.namespace = NAMESPACE.to_owned();
        settings.urls = vec![address(&redis)];
        match Queue::connect(settings).await {
            Ok(_) => assert!(DISPENSABLE.contains(&word), "{word} is not missed"),
            Err(QueueError::Rights(missing)) => {
                assert_eq!(missing.missing, [word], "{missing}");
                assert_eq!(missing.rule, rule);
            }
            Err(error) => panic!("without {word}: {error}"),
        }
    }
    assert_eq!(keys(&redis).await, there);
}

#[tokio::test]
async fn every_command_that_connects_names_the_missing_rights_and_the_rule_that_helps() {
    let sandbox = vendors(5, 5).await;
    let redis = Redis::start().await;
    let relay = relay_of(&sandbox, &redis);
    let rule = rights::rule(NAMESPACE);
    let channels = "&{sandbox}*";
    for (given, missing) in [
        (rule_without(channels), channels),
        (rule_without("+hincrby"), "+hincrby"),
        // As one may read that all of the namespace's keys are enough.
        (rule.replace("~{sandbox}*", "~{sandbox}:*"), "~{sandbox}*"),
    ] {
        allow(&redis, &given).await;
        for command in [
            &["run", "--roles", "crm"][..],
            &["sync"],
            &["status"],
            &["dead", "list"],
            &["check", "--connect"],
        ] {
            let said = relay.run(command).await.expect(1).said();
            let sentence = format!("the Redis user lacks rights: {missing}");
            assert!(said.contains(&sentence), "{command:?}: {said}");
            // A terminal's width breaks a line within a word of the rule, too.
            let letters = |text: &str| text.split_whitespace().collect::<String>();
            assert!(
                letters(&said).contains(&letters(&rule)),
                "{command:?}: {said}"
            );
        }
    }
    assert_eq!(keys(&redis).await, Vec::<String>::new());
    allow(&redis, &rule).await;
    relay.run(&["sync", "--wait"]).await.expect(0);
    every_promise_held(&sandbox.report(), &[], &[]);
}

#[tokio::test]
async fn a_right_that_is_taken_away_stops_the_fleet_and_nothing_is_lost_or_stuck() {
    const MANY: usize = 600;
    let sandbox = vendors(MANY, 200).await;
    let redis = Redis::start().await;
    let rule = rights::rule(NAMESPACE);
    allow(&redis, &rule).await;
    let relay = relay_of(&sandbox, &redis);
    let service = relay.start("producer,crm,salsa,acknowledger").await;
    for (word, goal) in [("+publish", 100), ("+hincrby", 200), ("+ping", 300)] {
        acknowledged(&sandbox, goal).await;
        let taken = word.replace('+', "-");
        redis.command(&format!("ACL SETUSER relay {taken}")).await;
        if word == "+hincrby" {
            let names = async || service.log().contains("lacks rights: +hincrby");
            until_true("the log names the right", names).await;
        }
        redis.command(&format!("ACL SETUSER relay {word}")).await;
    }
    acknowledged(&sandbox, MANY).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    service.stop().await;
}
