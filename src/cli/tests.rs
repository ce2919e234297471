use clap::{CommandFactory, ValueEnum};
use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::pipeline::roles::Role;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_documented_command_parses() {
    for line in [
        "alumniq-relay demo --changes 2000 --people 700 --faults --seed 3",
        "alumniq-relay chaos",
        "alumniq-relay chaos --changes 3000 --people 800 --workers 3 --seed 7 --faults kill,stop --json",
        "alumniq-relay chaos --redis redis://127.0.0.1:6379/3 --without redis-empty,skew --logs here",
        "alumniq-relay run",
        "alumniq-relay run --roles producer,crm,salsa,acknowledger,console",
        "alumniq-relay sync",
        "alumniq-relay sync --on 2026-11-21 --wait --json",
        "alumniq-relay sync --since 2026-11-21",
        "alumniq-relay sync --xid 0012",
        "alumniq-relay sync --wait --metrics-file /var/lib/prometheus/node-exporter/alumniq.prom",
        "alumniq-relay preview",
        "alumniq-relay preview --on 2026-11-21 --limit 5 --json",
        "alumniq-relay preview --xid 0012",
        "alumniq-relay reconcile",
        "alumniq-relay reconcile --since 2026-11-01 --until 2026-11-15 --fix --json",
        "alumniq-relay status --json --watch",
        "alumniq-relay show 123 --json",
        "alumniq-relay dead list --destination crm --class stale --xid 7 --since 3d --until 2026-11-21 --json",
        "alumniq-relay dead list --newest --cause 0123456789ab",
        "alumniq-relay dead groups --class stale --json",
        "alumniq-relay dead replay --cause unmatched",
        "alumniq-relay dead show 1",
        "alumniq-relay dead replay 1 2 --destination salsa",
        "alumniq-relay dead replay --all --rate 10/s --dry-run --apply-stale",
        "alumniq-relay dead replay --class unmatched",
        "alumniq-relay dead discard 1 --reason gone --keep-unacknowledged",
        "alumniq-relay dead discard --all --dry-run",
        "alumniq-relay pause crm",
        "alumniq-relay resume salsa",
        "alumniq-relay check --connect",
        "alumniq-relay notify test",
        "alumniq-relay config print --config other.toml",
        "alumniq-relay --config other.toml config example",
        "alumniq-relay sandbox --listen 127.0.0.1:0 --changes 10 --people 3 --seed 1 --days 2",
        "alumniq-relay supporter search --email a@example.org --email b@example.org",
        "alumniq-relay supporter delete 1 2 --yes",
        "alumniq-relay contact update -",
        "alumniq-relay completions zsh",
        "alumniq-relay man --dir pages",
        "alumniq-relay schema",
        "alumniq-relay schema dead list",
        "alumniq-relay map try - --json",
        "alumniq-relay map try row.json",
        "alumniq-relay map test --json --config other.toml",
        "alumniq-relay runbook",
        "alumniq-relay runbook exit code 3",
        "alumniq-relay status -vv --log-format json",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_is_right() {
    for (line, says) in [
        (
            "alumniq-relay sync --on 2026-11-21 --xid 7",
            "cannot be used with",
        ),
        ("alumniq-relay sync --since 2026-02-30", "YYYY-MM-DD"),
        (
            "alumniq-relay preview --on 2026-11-21 --xid 7",
            "cannot be used with",
        ),
        ("alumniq-relay preview --limit 0", "1..="),
        ("alumniq-relay reconcile --until 2026-11-21", "--since"),
        (
            "alumniq-relay reconcile --on 2026-11-21 --since 2026-11-20",
            "cannot be used with",
        ),
        ("alumniq-relay sync --on yesterday", "YYYY-MM-DD"),
        ("alumniq-relay dead replay", "required"),
        ("alumniq-relay dead discard --reason x", "required"),
        ("alumniq-relay dead discard --all", "--reason"),
        (
            "alumniq-relay dead discard --all --reason=",
            "a reason is required",
        ),
        ("alumniq-relay dead replay 1 --all", "cannot be used with"),
        ("alumniq-relay dead replay --all --rate fast", "10/s"),
        ("alumniq-relay dead replay --all --rate 0/s", "10/s"),
        (
            "alumniq-relay dead replay --all --rate 4000000000/s",
            "10/s",
        ),
        ("alumniq-relay dead list --cursor 5", "no cursor"),
        (
            "alumniq-relay dead list --cursor 1/crm/stail/5",
            "no cursor",
        ),
        (
            "alumniq-relay dead list --cursor x/crm/stale/5",
            "no cursor",
        ),
        ("alumniq-relay dead list --class stail", "stale"),
        ("alumniq-relay dead list --since soon", "how long ago"),
        ("alumniq-relay pause mail", "crm"),
        ("alumniq-relay run --roles crm,sales", "salsa"),
        ("alumniq-relay demo --changes 0", "1..="),
        ("alumniq-relay chaos --workers 1", "2..="),
        ("alumniq-relay chaos --faults fire", "redis-kill"),
        (
            "alumniq-relay chaos --faults kill --without stop",
            "cannot be used with",
        ),
        ("alumniq-relay supporter search", "required"),
        (
            "alumniq-relay supporter search --id 1 --email a@b.c",
            "cannot be used with",
        ),
        ("alumniq-relay status -q -v", "cannot be used with"),
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(says), "{line}: {error}");
    }
}

fn read(line: &str) -> Result<Cli, clap::Error> {
    Cli::read(line.split_whitespace())
}

/// A line of each command.
const EVERY_COMMAND: [(&str, bool); 26] = [
    ("demo", false),
    ("chaos", false),
    ("run", false),
    ("sync", false),
    ("preview", false),
    ("reconcile", true),
    ("status", true),
    ("show 1", true),
    ("dead list", true),
    ("dead discard 1 --reason x", true),
    ("pause crm", true),
    ("resume crm", true),
    ("erase --xid 1", true),
    ("encryption rotate", false),
    ("adopt-destinations", false),
    ("check", false),
    ("config print", false),
    ("map test", false),
    ("notify test", false),
    ("sandbox", false),
    ("supporter delete 1", false),
    ("contact update -", false),
    ("runbook", false),
    ("schema", false),
    ("man", false),
    ("openapi", false),
];

#[test]
fn a_command_that_asks_no_server_refuses_one_and_the_others_take_it() {
    for (command, asks) in EVERY_COMMAND {
        for flag in ["--server http://relay", "--token-file token"] {
            for line in [
                format!("alumniq-relay {command} {flag}"),
                format!("alumniq-relay {flag} {command}"),
            ] {
                let read = read(&line);
                assert_eq!(read.is_ok(), asks, "{line}");
                if let Err(error) = read {
                    assert_eq!(error.exit_code(), 2, "{line}");
                    let said = error.to_string();
                    assert!(said.contains("is not for this command"), "{line}: {said}");
                }
            }
        }
        assert!(
            read(&format!("alumniq-relay {command}")).is_ok(),
            "{command}"
        );
    }
    let named = |command: &clap::Command| command.get_name().to_owned();
    let all = Cli::command()
        .get_subcommands()
        .map(named)
        .collect::<std::collections::BTreeSet<_>>();
    let here = EVERY_COMMAND.map(|(line, _)| line.split(' ').next().unwrap_or(line).to_owned());
    let here = here.into_iter().chain(["completions".to_owned()]).collect();
    assert_eq!(all, here, "a command is missing in the list above");
}

#[test]
fn an_empty_server_is_wrong_usage_and_not_the_redis_that_is_near() {
    for command in [
        "status",
        "dead replay --all",
        "dead discard 1 --reason x",
        "erase --xid 1",
    ] {
        let error = read(&format!("alumniq-relay {command} --server=")).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{command}");
        assert!(error.to_string().contains("--server is empty"), "{error}");
    }
}

#[test]
fn the_help_and_the_readme_have_the_sentence_of_exit_codes() {
    let unwrapped = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let sentence = crate::exit::Exit::sentence();
    let help = Cli::command().render_help().to_string();
    assert!(unwrapped(&help).contains(&sentence), "{help}");
    let readme = unwrapped(include_str!("../../README.md"));
    assert!(readme.contains(&sentence), "README.md has not: {sentence}");
}

#[test]
fn a_process_without_roles_named_takes_every_role() {
    let Command::Run(run) = parse("alumniq-relay run").unwrap().command else {
        panic!("not run");
    };
    assert_eq!(run.roles, Role::value_variants());
}

#[test]
fn a_moment_is_a_campus_day_an_instant_or_a_while_ago() {
    use jiff::{Timestamp, tz::TimeZone};
    let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    let campus = TimeZone::get("America/New_York").unwrap();
    for (text, meant) in [
        ("2026-11-20", "2026-11-20T05:00:00Z"),
        ("2026-11-20T01:00:00Z", "2026-11-20T01:00:00Z"),
        ("2026-11-20T01:00:00-05:00", "2026-11-20T06:00:00Z"),
        ("2h", "2026-11-21T10:00:00Z"),
    ] {
        let moment: value::Moment = text.parse().unwrap();
        assert_eq!(
            moment.instant(now, &campus).unwrap().to_string(),
            meant,
            "{text}"
        );
    }
    // What the calendar cannot hold is wrong usage, not the nearest day that it can.
    for text in [
        "500000years",
        "9999-12-31",
        "-0001-01-01",
        "2026-02-31",
        "0",
        "2026-02-31T00:00:00Z",
    ] {
        assert!(text.parse::<value::Moment>().is_err(), "{text}");
        assert!(value::day(text).is_err(), "{text}");
    }
    for text in ["9999-12-29", "0001-01-01", "99999w"] {
        let moment: value::Moment = text.parse().unwrap();
        assert!(moment.instant(now, &campus).is_ok(), "{text}");
    }
}

#[test]
fn verbosity_overrides_the_configured_level() {
    let flag = |line: &str| parse(line).unwrap().global.log_flag();
    assert_eq!(flag("alumniq-relay status"), None);
    assert_eq!(flag("alumniq-relay status -q"), Some("error"));
    assert_eq!(
        flag("alumniq-relay status -v"),
        Some("info,alumniq_relay=debug")
    );
    assert_eq!(flag("alumniq-relay status -vv"), Some("trace"));
}

/// A command line of words that are known, nearly known, or anything.
fn any_line() -> impl Strategy<Value = Vec<String>> {
    let word = select(vec![
        "demo",
        "run",
        "sync",
        "status",
        "show",
        "dead",
        "list",
        "replay",
        "discard",
        "pause",
        "resume",
        "check",
        "config",
        "print",
        "sandbox",
        "supporter",
        "search",
        "delete",
        "contact",
        "update",
        "completions",
        "--json",
        "--wait",
        "--all",
        "--on",
        "--since",
        "--until",
        "--xid",
        "--cursor",
        "--rate",
        "--class",
        "--destination",
        "--limit",
        "--reason",
        "--",
        "--roles",
        "--timezone",
        "--listen",
        "--changes",
        "-vvv",
        "-n",
        "crm",
        "stale",
        "1/crm/stale/a/b",
        "9999-12-31",
        "-9999-01-01",
        "10/s",
        "1e9/s",
        "4294967295/s",
        "9999999999999999999y",
        "-1",
        "0",
        "99999999999999999999",
        "",
        "=",
        "2026-11-21T00:00:00Z",
        "1s 1s",
        "a\u{0}b",
        "\u{202e}",
        "../../etc/passwd",
        "{}*",
        "\u{1b}[2J",
    ]);
    let word = prop_oneof![6 => word.prop_map(str::to_owned), 1 => "\\PC{0,12}"];
    vec(word, 0..7)
}

proptest! {
    #[test]
    fn any_command_line_is_understood_or_wrong_usage(words in any_line()) {
        let line = std::iter::once("alumniq-relay".to_owned()).chain(words);
        match Cli::try_parse_from(line) {
            Ok(cli) => {
                let now = jiff::Timestamp::UNIX_EPOCH;
                if let Command::Dead(DeadCommand::List(list)) = &cli.command {
                    for moment in [&list.filter.since, &list.filter.until].into_iter().flatten() {
                        let _ = moment.instant(now, &jiff::tz::TimeZone::UTC);
                    }
                    let again = list.cursor.as_ref().map(|cursor| cursor.to_string().parse());
                    prop_assert_eq!(again, list.cursor.clone().map(Ok));
                }
                if let Command::Dead(DeadCommand::Replay(replay)) = &cli.command {
                    prop_assert!(replay.rate.is_none_or(|rate| !rate.interval().is_zero()));
                }
            }
            Err(error) => prop_assert!(matches!(error.exit_code(), 0 | 2)),
        }
    }
}
