use std::{os::unix::fs::FileExt, path::PathBuf};

use jobs::outcome::DeadClass;
use queue::intake::NewLetter;
use serde_json::{json, value::to_raw_value};

use super::*;

fn change(order: usize, id: usize) -> NewChange {
    NewChange {
        change_id: id.to_string(),
        xid: (!id.is_multiple_of(3)).then(|| format!("person {id}")),
        order: format!("{order:06}"),
        row: to_raw_value(&json!({ "changeId": id, "employer": "Zażółć ".repeat(id % 50) }))
            .unwrap(),
        letter: id.is_multiple_of(7).then(|| {
            NewLetter::new(
                DeadClass::Undecodable,
                "cause".to_owned(),
                "advice".to_owned(),
                id.is_multiple_of(2),
            )
        }),
        replaces: None,
        listed: None,
    }
}

fn shown(change: &NewChange) -> String {
    format!("{change:?}")
}

/// In the order in which they come out.
fn sorted(mut sorter: Sorter, changes: impl Iterator<Item = NewChange>) -> Vec<String> {
    changes.for_each(|change| sorter.push(change).unwrap());
    let mut sorted = sorter.sorted();
    let mut all = Vec::new();
    loop {
        let group = sorted.group().unwrap();
        if group.is_empty() {
            return all;
        }
        assert!(group.len() <= GROUP);
        all.extend(group.iter().map(shown));
    }
}

/// Mixed up, and several with the same place.
fn mixed() -> impl Iterator<Item = NewChange> {
    (0..1_500).map(|n| change((n * 7919) % 300, n))
}

/// As one sort in memory has them.
fn expected() -> Vec<String> {
    let mut changes: Vec<NewChange> = mixed().collect();
    changes.sort_by(|a, b| a.order.cmp(&b.order));
    changes.iter().map(shown).collect()
}

fn nowhere() -> RunFile {
    RunFile::at([PathBuf::from("/nonexistent")])
}

#[test]
fn whatever_is_held_or_written_away_the_order_is_that_of_one_stable_sort() {
    let expected = expected();
    for most in [1, 5_000, 50_000, usize::MAX] {
        for places in [
            vec![std::env::temp_dir()],
            vec!["/nonexistent".into(), "/tmp".into()],
            vec![],
        ] {
            let sorter = Sorter::holding(most, RunFile::at(places));
            assert!(sorted(sorter, mixed()) == expected, "holding {most}");
        }
    }
    assert!(sorted(Sorter::default(), std::iter::empty()).is_empty());
}

#[test]
fn a_row_longer_than_what_is_written_at_a_time_comes_back_whole() {
    let long = |id: usize| NewChange {
        row: to_raw_value(&"x".repeat(id * 10_000)).unwrap(),
        ..change(10 - id, id)
    };
    let sorter = Sorter::holding(1, RunFile::at([std::env::temp_dir()]));
    let expected: Vec<String> = (1..10).rev().map(|id| shown(&long(id))).collect();
    assert!(sorted(sorter, (1..10).map(long)) == expected);
}

#[test]
fn without_room_on_disk_the_memory_is_used_up_to_a_limit() {
    let heavy = || NewChange {
        row: to_raw_value(&"x".repeat(16 << 20)).unwrap(),
        ..change(1, 1)
    };
    let mut sorter = Sorter::holding(1, nowhere());
    let taken = (0..100)
        .take_while(|_| sorter.push(heavy()).is_ok())
        .count();
    assert_eq!(taken, HELD_WITHOUT_ROOM / (16 << 20) - 1);
}

#[test]
fn what_was_altered_on_disk_is_refused_and_nothing_of_it_can_be_read_there() {
    let mut runs = RunFile::at([std::env::temp_dir()]);
    let mut run = runs.write(&[change(1, 25)]).unwrap();
    let file = runs.file.unwrap();
    let mut bytes = vec![0; 1_000];
    let read = file.read_at(&mut bytes, 0).unwrap();
    let bytes = &bytes[..read];
    assert!(
        read > 200
            && !bytes
                .windows(8)
                .any(|part| part == b"employer" || part == b"person 2")
    );
    let other = if bytes[100] == b'A' { b'B' } else { b'A' };
    file.write_all_at(&[other], 100).unwrap();
    assert!(run.next().unwrap().is_err());
}
