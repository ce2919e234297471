use std::collections::{BTreeMap, HashSet};

use super::*;

fn generate(options: SandboxOptions) -> (Generator, Vec<PublishedChange>) {
    let timezone = TimeZone::get("America/New_York").unwrap();
    let mut generator = Generator::new(&options, timezone).unwrap();
    let changes = generator.first_changes();
    (generator, changes)
}

fn dated(changes: usize) -> SandboxOptions {
    SandboxOptions {
        changes,
        until: Some(jiff::civil::date(2025, 11, 20)),
        ..SandboxOptions::default()
    }
}

#[test]
fn the_same_seed_gives_the_same_rows() {
    let rows = |seed| {
        let options = SandboxOptions { seed, ..dated(200) };
        let (_, changes) = generate(options);
        changes
            .into_iter()
            .map(|change| change.row)
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(5), rows(5));
    assert_ne!(rows(5), rows(6));
}

#[test]
fn one_day_exceeds_the_cap_of_the_feed_when_there_are_changes_enough() {
    for (changes, days) in [(600, 7), (2000, 7), (1200, 2), (20_000, 30)] {
        let (_, published) = generate(SandboxOptions {
            days,
            ..dated(changes)
        });
        let mut by_day: BTreeMap<Date, usize> = BTreeMap::new();
        for change in &published {
            *by_day.entry(change.date).or_default() += 1;
        }
        assert!(
            by_day.values().any(|&count| count > 500),
            "{changes}: {by_day:?}"
        );
        assert!(by_day.len() <= days as usize);
        assert_eq!(by_day.keys().last(), Some(&jiff::civil::date(2025, 11, 20)));
    }
}

#[test]
fn change_ids_are_unique_rise_with_time_and_gain_a_digit() {
    let (_, changes) = generate(dated(2000));
    let ids: HashSet<_> = changes.iter().map(|change| &change.id).collect();
    assert_eq!(ids.len(), 2000);
    assert!(changes.is_sorted_by_key(|change| change.at_millis));
    let lengths: HashSet<_> = changes.iter().map(|change| change.id.len()).collect();
    assert_eq!(lengths.len(), 2);
}

#[test]
fn some_people_change_twice_within_a_second() {
    let (_, changes) = generate(dated(2000));
    let same = |pair: &[PublishedChange]| {
        pair[0].xid == pair[1].xid && pair[0].at_millis == pair[1].at_millis
    };
    assert!(changes.windows(2).filter(|pair| same(pair)).count() > 20);
}

#[test]
fn numbers_come_as_numbers_and_as_text() {
    let (_, changes) = generate(dated(500));
    let rows: Vec<Value> = changes
        .iter()
        .map(|change| serde_json::from_slice(&change.row).unwrap())
        .collect();
    for key in ["changeId", "xid", "postalCode"] {
        assert!(rows.iter().any(|row| row[key].is_number()), "{key}");
        assert!(rows.iter().any(|row| row[key].is_string()), "{key}");
    }
}

#[test]
fn as_many_rows_are_flawed_as_asked_for() {
    let options = SandboxOptions {
        anonymous: 5,
        invalid_fields: 4,
        invalid_phones: 3,
        undecodable: 2,
        missing_in_crm: 6,
        missing_in_salsa: 7,
        ..dated(300)
    };
    let (generator, changes) = generate(options);
    let text = |change: &PublishedChange| String::from_utf8(change.row.to_vec()).unwrap();
    let with = |word: &str| {
        changes
            .iter()
            .filter(|change| text(change).contains(word))
            .count()
    };
    assert_eq!(
        changes.iter().filter(|change| change.xid.is_none()).count(),
        5
    );
    assert_eq!(with("Conglomerate"), 4);
    assert_eq!(with("front desk\""), 3);
    assert_eq!(
        changes
            .iter()
            .filter(|change| change.corrected.is_some())
            .count(),
        5
    );
    assert_eq!(generator.people().filter(|(_, gaps)| gaps.crm).count(), 6);
    assert_eq!(generator.people().filter(|(_, gaps)| gaps.salsa).count(), 7);
}

#[test]
fn impossible_options_are_refused_with_the_reason() {
    let refuse = |options: SandboxOptions| {
        Generator::new(&options, TimeZone::UTC)
            .map(|_| ())
            .unwrap_err()
    };
    assert!(
        refuse(SandboxOptions {
            anonymous: 3,
            ..dated(2)
        })
        .contains("ask for fewer")
    );
    assert!(
        refuse(SandboxOptions {
            missing_in_crm: 701,
            ..dated(2)
        })
        .contains("700 people")
    );
    assert!(
        refuse(SandboxOptions {
            people: 0,
            ..dated(2)
        })
        .contains("at least one person")
    );
}

#[test]
fn only_addresses_and_phones_reserved_for_examples_are_used() {
    let (generator, changes) = generate(dated(1000));
    let reserved = ["+1", "+4420794600", "+4411349600", "+6125550", "+6135550"];
    for change in changes {
        let row: Value = serde_json::from_slice(&change.row).unwrap();
        let phone = row["phone"].as_str().unwrap();
        assert!(
            reserved.iter().any(|block| phone.starts_with(block)),
            "{phone}"
        );
        assert!(
            !phone.starts_with("+1") || &phone[5..10] == "55501",
            "{phone}"
        );
        assert!(row["email"].as_str().unwrap().ends_with("@example.com"));
    }
    let private = |person: &Constituent| person.email.to_lowercase().ends_with("@example.org");
    assert!(generator.people().all(|(person, _)| private(person)));
}
