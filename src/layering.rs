//! Imports point one way: from the rooms above to those below.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The rooms from the top down, as the crate's documentation lists them.
const ROOMS: [&str; 11] = [
    "commands",
    "console",
    "cli",
    "operations",
    "pipeline",
    "observe",
    "config",
    "vendors",
    "runbook",
    "exit",
    "visible",
];

/// What a room below `pipeline` must not name although it is a crate of its own.
const NOT_OF_VENDORS: [&str; 2] = ["queue", "sandbox"];

/// Every source file of this crate with the room that it is in; those of tests are left out, and so are the crates whose
/// folders are beside the rooms.
fn sources() -> Vec<(String, PathBuf)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.join("Cargo.toml").exists() || path.ends_with("tests") {
                continue;
            }
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|is| is == "rs") && !path.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&src, &mut found);
    let room = |path: &Path| {
        let first = path.strip_prefix(&src).unwrap().iter().next().unwrap();
        first.to_str().unwrap().trim_end_matches(".rs").to_owned()
    };
    found.into_iter().map(|path| (room(&path), path)).collect()
}

/// The program's own part of a file, without its comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let own = text.split("#[cfg(test)]\nmod ").next().unwrap();
    own.lines()
        .map(|line| line.split("//").next().unwrap())
        .collect()
}

/// The first names behind `crate::`, grouped or not.
fn rooms_named(code: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
        text[..end.unwrap_or(text.len())].to_owned()
    };
    let mut named = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let Some(group) = after.strip_prefix('{') else {
            named.insert(word(after));
            continue;
        };
        let (mut depth, mut begins) = (0, true);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if begins && c.is_alphabetic() => {
                    named.insert(word(&group[at..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    named
}

fn rank(room: &str) -> Option<usize> {
    ROOMS.iter().position(|known| *known == room)
}

#[test]
fn every_room_uses_only_those_below_it() {
    let mut wrong = Vec::new();
    for (room, path) in sources() {
        let Some(from) = rank(&room) else {
            continue;
        };
        for named in rooms_named(&code(&path)) {
            if rank(&named).is_some_and(|to| to < from) {
                wrong.push(format!("{}: {room} -> {named}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_room_has_its_place() {
    let files = ["lib", "main", "documented", "layering"];
    let homeless: Vec<String> = sources()
        .into_iter()
        .map(|(room, _)| room)
        .filter(|room| rank(room).is_none() && !files.contains(&room.as_str()))
        .collect();
    assert!(homeless.is_empty(), "{homeless:?}");
    let documented = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"));
    let documented = documented.unwrap();
    let places: Vec<_> = ROOMS
        .iter()
        .map(|room| documented.find(&format!("[`{room}`]")))
        .collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "the documentation lists the rooms in another order: {places:?}"
    );
}

#[test]
fn vendors_do_not_know_the_queue() {
    for (room, path) in sources() {
        let code = code(&path);
        if room == "vendors" {
            for krate in NOT_OF_VENDORS {
                let names = code.contains(&format!("use {krate}::"))
                    || code.contains(&format!(" {krate}::"));
                assert!(!names, "{} names {krate}", path.display());
            }
        }
    }
}

/// What operators do to the queue goes through `operations`: there it has one rule for the command line, the pages and
/// the API. The compiler keeps the queue of `Operations` private; this keeps to it who has one of their own.
#[test]
fn what_operators_do_goes_through_operations() {
    let transitions = [
        "discard",
        "replay",
        "pause",
        "resume",
        "erase",
        "edit",
        "start_bulk",
        "cancel_bulk",
    ];
    let mut wrong = Vec::new();
    for (room, path) in sources() {
        let code: String = code(&path).split_whitespace().collect();
        let calls = |call: String| code.contains(&call);
        if ["console", "commands"].contains(&room.as_str()) {
            let called = transitions
                .into_iter()
                .filter(|to| calls(format!("queue.{to}(")));
            wrong.extend(called.map(|to| format!("{}: queue.{to}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_group_of_imports_names_each_of_its_rooms() {
    let code = "use crate::{a::{b, c}, d::e, f}; crate::g::h(); pub use crate::{i};";
    let named: Vec<_> = rooms_named(code).into_iter().collect();
    assert_eq!(named, ["a", "d", "f", "g", "i"]);
}

#[test]
fn every_path_in_the_architecture_page_exists_and_every_room_is_on_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = include_str!("../deploy/architecture.md");
    let quoted = page.split('`').skip(1).step_by(2);
    let paths: Vec<&str> = quoted
        .filter(|text| {
            ["src/", "jobs/", "deploy/"]
                .iter()
                .any(|top| text.starts_with(top))
        })
        .collect();
    let missing: Vec<_> = paths
        .iter()
        .filter(|path| !root.join(path).exists())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    for room in ROOMS {
        let (folder, file) = (format!("src/{room}/"), format!("src/{room}.rs"));
        assert!(
            paths.contains(&folder.as_str()) || paths.contains(&file.as_str()),
            "{room} is not on the page"
        );
    }
}
