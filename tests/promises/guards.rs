//! Whatever can write to the queue passes one gate: a Redis that keeps what it is given, the keys, the destinations, the
//! layout.

use std::collections::BTreeSet;

use alumniq_relay::cli::Cli;
use clap::CommandFactory;
use harness::{
    namespace::{EARLY, Namespace},
    redis::Redis,
    relay::Relay,
    rows::change,
    snapshot::Snapshot,
    vendors::{acknowledged, every_promise_held, vendors},
    waiting::until_true,
};
use jobs::destination::Destination;
use queue::{QueueError, admission::Mismatch, seal::Seals};
use redis::AsyncTypedCommands;
use sandbox::NewChanges;

const KEY: &str = "ALUMNIQ_RELAY_KEY";

/// Two keys, as they are configured.
const OURS: &str = "0707070707070707070707070707070707070707070707070707070707070707";
const OTHER: &str = "0909090909090909090909090909090909090909090909090909090909090909";

/// What a command does with the queue of the configuration.
enum Does {
    /// It can write: with these arguments it would.
    Writes(&'static [&'static str]),
    /// It only looks.
    Reads(&'static [&'static str]),
    /// It never opens it.
    Nothing,
}

use Does::{Nothing, Reads, Writes};

/// Every command. With `--server` a command opens no queue: the process that it asks has passed the gate itself.
const COMMANDS: &[(&str, Does)] = &[
    ("run", Writes(&["run"])),
    ("sync", Writes(&["sync"])),
    ("reconcile", Writes(&["reconcile", "--fix"])),
    ("dead replay", Writes(&["dead", "replay", "--all"])),
    (
        "dead discard",
        Writes(&["dead", "discard", "--all", "--reason", "not wanted"]),
    ),
    ("pause", Writes(&["pause", "crm"])),
    ("resume", Writes(&["resume", "crm"])),
    ("erase", Writes(&["erase", "--xid", "nobody", "--yes"])),
    ("encryption rotate", Writes(&["encryption", "rotate"])),
    ("adopt-destinations", Writes(&["adopt-destinations"])),
    ("status", Reads(&["status"])),
    ("show", Reads(&["show", "1"])),
    ("dead list", Reads(&["dead", "list"])),
    ("dead groups", Reads(&["dead", "groups"])),
    ("dead show", Reads(&["dead", "show", "1"])),
    ("preview", Reads(&["preview"])),
    ("check", Reads(&["check", "--connect"])),
    // They count their calls in the fleet's limit, and nothing else.
    (
        "supporter search",
        Reads(&["supporter", "search", "--external-id", "1"]),
    ),
    ("supporter delete", Nothing),
    // Their Redis is their own; chaos refuses one that is not fit, see the rooms of both.
    ("demo", Nothing),
    ("chaos", Nothing),
    ("encryption key", Nothing),
    ("config print", Nothing),
    ("config example", Nothing),
    ("map test", Nothing),
    ("map try", Nothing),
    ("notify test", Nothing),
    ("sandbox", Nothing),
    ("contact update", Nothing),
    ("runbook", Nothing),
    ("schema", Nothing),
    ("man", Nothing),
    ("openapi", Nothing),
    ("completions", Nothing),
];

fn leaves(command: &clap::Command, path: &str, found: &mut BTreeSet<String>) {
    let below: Vec<_> = command.get_subcommands().collect();
    if below.is_empty() {
        found.insert(path.to_owned());
    }
    for command in below {
        let path = format!("{path} {}", command.get_name());
        leaves(command, path.trim_start(), found);
    }
}

#[test]
fn the_table_knows_every_command() {
    let mut found = BTreeSet::new();
    leaves(&Cli::command(), "", &mut found);
    let listed: BTreeSet<String> = COMMANDS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(listed, found);
}

/// Every command that writes is refused for this reason, and nothing in Redis is another.
async fn refused(relay: &Relay, redis: &Redis, why: &[&str]) {
    let mut connection = redis.connect().await;
    let before = Snapshot::take(&mut connection, "sandbox").await.untimed();
    for (name, does) in COMMANDS {
        let Writes(arguments) = does else { continue };
        let ended = relay.run(arguments).await;
        assert!(matches!(ended.code, Some(1 | 2)), "{name}: {ended:?}");
        let said = ended.said();
        assert!(why.iter().any(|why| said.contains(why)), "{name}: {said}");
        let after = Snapshot::take(&mut connection, "sandbox").await.untimed();
        assert_eq!(after, before, "{name}");
    }
}

/// No command that only looks is refused.
async fn readers_look(relay: &Relay) {
    for (name, does) in COMMANDS {
        let Reads(arguments) = does else { continue };
        let ended = relay.run(arguments).await;
        assert_ne!(ended.code, Some(2), "{name}: {}", ended.said());
    }
}

async fn readers_are_refused(relay: &Relay, why: &str) {
    for (name, does) in COMMANDS {
        let Reads(arguments) = does else { continue };
        let ended = relay.run(arguments).await;
        // `check` says it among its other findings, and fails.
        assert!(matches!(ended.code, Some(1 | 2)), "{name}: {ended:?}");
        // As one line, however it was broken.
        let said = ended.said().replace(['\n', '│'], " ");
        let said: Vec<_> = said.split_whitespace().collect();
        assert!(said.join(" ").contains(why), "{name}: {said:?}");
    }
}

#[tokio::test]
async fn no_command_writes_to_a_redis_that_could_lose_changes() {
    let sandbox = vendors(5, 5).await;
    for (options, why) in [
        (
            &["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"][..],
            "throws keys away when it is full",
        ),
        (&["--appendonly", "no"], "keeps nothing on disk"),
    ] {
        let redis = Redis::start_with(options).await;
        let relay = Relay::new(&sandbox, Some(&redis)).with_variable(KEY, OURS);
        refused(&relay, &redis, &[why]).await;
        readers_look(&relay).await;
    }
}

#[tokio::test]
async fn no_command_writes_to_a_namespace_that_it_does_not_agree_with() {
    let sandbox = vendors(5, 5).await;
    let redis = Redis::start().await;
    let ours = || Relay::new(&sandbox, Some(&redis)).with_variable(KEY, OURS);
    ours().run(&["sync"]).await.expect(0);
    let lacks = "which this process does not have";
    let keyless = Relay::new(&sandbox, Some(&redis));
    refused(&keyless, &redis, &[lacks, "there is no key"]).await;
    readers_look(&keyless).await;
    let wrong = Relay::new(&sandbox, Some(&redis)).with_variable(KEY, OTHER);
    refused(&wrong, &redis, &[lacks]).await;
    let without_salsa = ours().set("salsa.enabled", "false");
    let differs = "go to crm, salsa, and this process is configured for crm";
    let waits = "5 changes still wait for salsa";
    refused(&without_salsa, &redis, &[differs, waits]).await;
    let check = without_salsa.run(&["check", "--connect"]).await.expect(1);
    assert!(check.said().contains(differs), "{}", check.said());
    for schema in ["3", "1", ""] {
        let (command, shown) = match schema {
            "" => ("HDEL {sandbox}:namespace schema".to_owned(), "0"),
            schema => (
                format!("HSET {{sandbox}}:namespace schema {schema}"),
                schema,
            ),
        };
        redis.command(&command).await;
        let unknown = format!("in a layout that this program does not know (schema {shown})");
        refused(&ours(), &redis, &[&unknown]).await;
        readers_are_refused(&keyless, &unknown).await;
    }
    redis.command("HSET {sandbox}:namespace schema 2").await;
    ours().run(&["sync", "--wait"]).await.expect(0);
    every_promise_held(&sandbox.report(), &[], &[]);
}

#[tokio::test]
async fn of_two_processes_that_come_first_with_different_keys_one_is_refused() {
    let sandbox = vendors(10, 5).await;
    let redis = Redis::start().await;
    for round in 0..4 {
        let namespace = format!("fresh-{round}");
        let of = |key: &str| {
            Relay::new(&sandbox, Some(&redis))
                .set("namespace", &namespace)
                .with_variable(KEY, key)
        };
        let (ours, other) = (of(OURS), of(OTHER));
        let (first, second) = tokio::join!(ours.run(&["sync"]), other.run(&["sync"]));
        let mut codes = [first.code, second.code];
        codes.sort_unstable();
        assert_eq!(codes, [Some(0), Some(2)], "{first:?} {second:?}");
        let seals = format!("{{{namespace}}}:seals");
        let keys = redis.connect().await.hkeys(seals).await.unwrap();
        assert_eq!(keys.len(), 1, "{keys:?}");
    }
}

fn under(key: Option<u8>, old: &[u8]) -> Seals {
    let old: Vec<_> = old.iter().map(|byte| [*byte; 32]).collect();
    Seals::new(key.map(|byte| [byte; 32]).as_ref(), &old)
}

#[tokio::test]
async fn a_process_without_a_key_takes_nothing_in_once_one_with_a_key_has_come() {
    let redis = Redis::start().await;
    let keyless = Namespace::new(&redis).await;
    keyless.enqueue(vec![change("1", Some("ann"), 1)]).await;
    let sealed = Namespace::with(&redis, |settings| settings.seals = under(Some(7), &[])).await;
    let late = [change("2", Some("ann"), 2)];
    let refused = keyless.queue.enqueue(EARLY, &late).await;
    let keys = vec!["8263b094".to_owned()];
    assert!(
        matches!(&refused, Err(QueueError::Mismatch(mismatch)) if *mismatch == Mismatch::Keys(keys)),
        "{refused:?}"
    );
    assert_eq!(sealed.books().await.fetched, 1);
    sealed.enqueue(late.into()).await;
    assert_eq!(sealed.books().await.fetched, 2);
}

#[tokio::test]
async fn a_key_that_was_rotated_away_is_refused_in_a_process_that_still_seals_under_it() {
    let redis = Redis::start().await;
    let with = async |key, old: &[u8]| {
        Namespace::with(&redis, |settings| settings.seals = under(key, old)).await
    };
    let old = with(Some(7), &[]).await;
    old.enqueue(vec![change("1", Some("ann"), 1)]).await;
    let new = with(Some(8), &[7]).await;
    // While keys rotate both work.
    old.enqueue(vec![change("2", Some("ann"), 2)]).await;
    assert_eq!(new.queue.rotate(|_| {}).await.unwrap().in_use, [""; 0]);
    let refused = old
        .queue
        .enqueue(EARLY, &[change("3", Some("ann"), 3)])
        .await;
    assert!(
        matches!(refused, Err(QueueError::Mismatch(_))),
        "{refused:?}"
    );
    with(Some(8), &[])
        .await
        .enqueue(vec![change("3", Some("ann"), 3)])
        .await;
    assert_eq!(new.books().await.fetched, 3);
}

#[tokio::test]
async fn a_handle_that_was_not_admitted_reads_and_writes_nothing() {
    let redis = Redis::start().await;
    let reader = redis.reader_with("campus", |_| {}).await;
    let refused = reader.enqueue(EARLY, &[change("1", Some("ann"), 1)]).await;
    assert!(matches!(refused, Err(QueueError::ReadOnly)), "{refused:?}");
    assert_eq!(reader.status().await.unwrap().books.fetched, 0);
    assert!(reader.is_empty().await.unwrap());
}

#[tokio::test]
async fn an_emptied_namespace_learns_from_whoever_takes_something_in() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let before = namespace.snapshot().await;
    redis.command("FLUSHALL").await;
    assert!(namespace.snapshot().await.hash("namespace").is_empty());
    namespace.enqueue(vec![change("1", Some("ann"), 1)]).await;
    let after = namespace.snapshot().await;
    let (mut before, mut after) = (before.hash("namespace"), after.hash("namespace"));
    assert!(
        after.remove("since") > before.remove("since"),
        "it begins anew"
    );
    assert_eq!(after, before);
    assert_eq!(after.len(), 3);
    let both = redis.reader_with("campus", |settings| {
        settings.destinations = Destination::ALL.to_vec();
    });
    assert!(both.await.mismatch().await.unwrap().is_some());
}

#[tokio::test]
async fn destinations_change_by_a_command_once_nothing_waits_for_one_that_goes() {
    let sandbox = vendors(6, 3).await;
    let redis = Redis::start().await;
    let both = Relay::new(&sandbox, Some(&redis)).set("alumniq.poll", "every 10s");
    let crm = Relay::new(&sandbox, Some(&redis)).set("salsa.enabled", "false");
    both.run(&["pause", "salsa"]).await.expect(0);
    both.run(&["sync"]).await.expect(0);
    let refused = crm.run(&["adopt-destinations"]).await.expect(2).said();
    assert!(
        refused.contains("6 changes still wait for salsa"),
        "{refused}"
    );
    both.run(&["resume", "salsa"]).await.expect(0);
    let service = both.start("producer,crm,salsa,acknowledger").await;
    acknowledged(&sandbox, 6).await;
    let adopted = crm.run(&["adopt-destinations"]).await.expect(0).said();
    assert!(adopted.contains("go to crm"), "{adopted}");
    // What runs as before takes nothing in from now on, and says why.
    sandbox.add_changes(&NewChanges {
        count: 4,
        ..NewChanges::default()
    });
    until_true("the service compares itself", async || {
        service.log().contains("this process fetches nothing")
    })
    .await;
    let log = service.log();
    assert!(
        log.contains("go to crm, and this process is configured for crm, salsa"),
        "{log}"
    );
    assert_eq!(both.status().await["books"]["fetched"], 6);
    crm.run(&["sync", "--wait"]).await.expect(0);
    service.stop().await;
    assert_eq!(crm.status().await["books"]["acknowledged"], 10);
}
