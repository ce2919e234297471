use super::*;
use crate::console::pages::fixtures::{pause, status};

fn sentence(status: &Status) -> String {
    let verdict = judge(status, Some(&Destination::ALL));
    let parts = verdict.head.iter().map(|remark| match remark.left {
        Some(left) => format!("{}, tries again in {left:.0} s.", remark.text),
        None => format!("{}.", remark.text),
    });
    let tone = verdict.level.tone();
    let also = verdict.also.len();
    format!("{tone}+{also}: {}", parts.collect::<Vec<_>>().join(" "))
}

#[test]
fn what_is_in_order_is_said_in_one_sentence() {
    let mut quiet = status();
    quiet.books.fetched = 10;
    quiet.books.acknowledged = 10;
    assert_eq!(sentence(&quiet), "ok+0: Everything is through.");
    quiet.books.in_flight = 3;
    assert_eq!(sentence(&quiet), "ok+0: Everything is moving.");
    let mut new = status();
    new.producer.last_success = None;
    assert_eq!(sentence(&new), "ok+0: Nothing was fetched yet.");
}

#[test]
fn an_outage_comes_before_dead_letters_and_the_rest_is_not_called_moving_when_it_stands() {
    let mut status = status();
    status.books.dead = 12;
    assert_eq!(
        sentence(&status),
        "bad+0: 12 changes need a person. Everything else is through."
    );
    status.books.in_flight = 136;
    assert_eq!(
        sentence(&status),
        "bad+0: 12 changes need a person. Everything else is moving."
    );
    status.books.dead = 1;
    let down = pause(PauseReason::Outage, "it answers 503.", Some(42.0));
    status.pauses.insert(Vendor::Crm, down);
    assert_eq!(
        sentence(&status),
        "bad+0: The CRM is paused: it answers 503, tries again in 42 s. 1 change needs a person."
    );
    status.producer.key_days = Some(20);
    assert!(sentence(&status).starts_with("bad+1: The CRM is paused: it answers 503"));
}

#[test]
fn every_kind_of_pause_is_told_in_its_own_words() {
    for (vendor, reason, cause, left, expected) in [
        (
            Vendor::Crm,
            PauseReason::Outage,
            "it answers 503",
            Some(42.0),
            "wait+0: The CRM is paused: it answers 503, tries again in 42 s.",
        ),
        (
            Vendor::Salsa,
            PauseReason::Throttled,
            "too many calls",
            Some(3.0),
            "wait+0: Salsa is paused: too many calls, tries again in 3 s.",
        ),
        (
            Vendor::Salsa,
            PauseReason::Operator,
            "ana",
            None,
            "wait+0: Salsa is held by ana.",
        ),
        (
            Vendor::Salsa,
            PauseReason::Operator,
            "",
            None,
            "wait+0: Salsa is held by an operator.",
        ),
        (
            Vendor::Alumniq,
            PauseReason::Credentials,
            "401",
            Some(60.0),
            "bad+0: AlumnIQ refuses our credentials: 401, tries again in 60 s.",
        ),
    ] {
        let mut status = status();
        status.books.in_flight = 5;
        status.pauses.insert(vendor, pause(reason, cause, left));
        assert_eq!(sentence(&status), expected);
    }
}

#[test]
fn the_worst_comes_first_whatever_was_found_first() {
    let mut status = status();
    status.books.in_flight = 5;
    status.books.difference = -3;
    status.producer.key_days = Some(20);
    let held = pause(PauseReason::Operator, "ana", None);
    status.pauses.insert(Vendor::Salsa, held);
    status.books.dead = 2;
    assert_eq!(
        sentence(&status),
        "bad+2: The books are off by \u{2212}3 changes. Salsa is held by ana."
    );
}

#[test]
fn a_role_that_nobody_runs_is_grave_where_work_waits_for_it() {
    let mut status = status();
    status.workers.clear();
    let only = serde_json::json!({ "roles": ["producer", "salsa", "acknowledger"] });
    status.workers.insert("relay-1".to_owned(), only);
    assert_eq!(
        sentence(&status),
        "wait+0: No process runs the role `crm`: nobody carries changes to the CRM. Everything else is through."
    );
    status
        .destinations
        .entry(Destination::Crm)
        .or_default()
        .ready = 96;
    status.books.in_flight = 96;
    assert_eq!(
        sentence(&status),
        "bad+0: Nobody carries changes to the CRM: 96 changes wait."
    );
    status.workers.clear();
    assert_eq!(
        sentence(&status),
        "bad+0: No process of the fleet is running."
    );
    let without_crm = judge(&status, Some(&[Destination::Salsa]));
    assert_eq!(without_crm.head.len(), 2);
}

#[test]
fn a_failing_fetch_a_full_redis_and_an_expired_key_are_told() {
    let mut failing = status();
    failing.producer.error = Some("it answers 500".to_owned());
    assert_eq!(
        sentence(&failing),
        "bad+0: Fetching from AlumnIQ fails: it answers 500. Everything else is through."
    );
    failing.pauses.insert(
        Vendor::Alumniq,
        pause(PauseReason::Outage, "it answers 500", Some(9.0)),
    );
    assert_eq!(
        sentence(&failing),
        "wait+0: AlumnIQ is paused: it answers 500, tries again in 9 s."
    );
    for (days, expected) in [
        (31, "ok+0: Everything is through."),
        (
            30,
            "wait+0: AlumnIQ's key expires in 30 days. Everything else is through.",
        ),
        (
            7,
            "bad+0: AlumnIQ's key expires in 7 days. Everything else is through.",
        ),
        (
            1,
            "bad+0: AlumnIQ's key expires tomorrow. Everything else is through.",
        ),
        (
            0,
            "bad+0: AlumnIQ's key has expired. Everything else is through.",
        ),
    ] {
        let mut status = status();
        status.producer.key_days = Some(days);
        assert_eq!(sentence(&status), expected);
    }
    let mut full = status();
    full.memory = queue::room::Memory {
        used: 11,
        limit: 10,
    };
    assert!(sentence(&full).contains("Redis is full"));
    full.memory.used = 9;
    assert!(!sentence(&full).contains("Redis"));
}

#[test]
fn a_headline_takes_only_so_much_of_a_cause() {
    let mut status = status();
    let long = pause(PauseReason::Outage, &"é".repeat(500), Some(1.0));
    status.pauses.insert(Vendor::Crm, long);
    assert!(sentence(&status).chars().count() < 200);
}

#[test]
fn what_harms_most_is_said_first() {
    type Step = (&'static str, fn(&mut Status));
    let mut status = status();
    status.books.fetched = 10;
    let steps: [Step; 8] = [
        ("Everything is through", |_| {}),
        ("Everything is moving", |status| status.books.in_flight = 3),
        ("2 changes need a person", |status| status.books.dead = 2),
        ("Salsa is paused", |status| {
            let down = pause(PauseReason::Outage, "it answers 503", Some(42.0));
            status.pauses.insert(Vendor::Salsa, down);
        }),
        ("The books count -3 changes in flight", |status| {
            status.books.in_flight = -3
        }),
        ("Fetching from AlumnIQ fails", |status| {
            status.producer.error = Some("AlumnIQ answered 500".to_owned());
        }),
        ("The CRM refuses our credentials", |status| {
            let refused = pause(PauseReason::Credentials, "it answered 401", Some(42.0));
            status.pauses.insert(Vendor::Crm, refused);
        }),
        ("Redis refuses every write", |status| {
            status.writes_refused = Some("Redis is a replica".to_owned());
        }),
    ];
    for (begins, happens) in steps {
        happens(&mut status);
        let verdict = judge(&status, Some(&Destination::ALL));
        let first = &verdict.head[0].text;
        assert!(first.starts_with(begins), "{begins}: {first}");
    }
}

#[test]
fn a_key_that_alumniq_refuses_has_no_days_left() {
    let mut status = status();
    status.producer.key_days = Some(20);
    let refused = pause(PauseReason::Credentials, "it answered 401", None);
    status.pauses.insert(Vendor::Alumniq, refused);
    assert!(is_key_refused(&status));
    assert!(
        !sentence(&status).contains("expires"),
        "{}",
        sentence(&status)
    );
}

#[test]
fn where_no_process_is_expected_none_is_missing() {
    let mut status = status();
    status.books.fetched = 3;
    status.workers.clear();
    let verdict = judge(&status, None);
    assert_eq!(verdict.head[0].text, "Everything is through");
}
