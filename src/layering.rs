//! Imports point one way: from the rooms above to those below.

mod files;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use self::files::{CrateFiles, File};

/// The rooms from the top down, as the crate's documentation lists them.
const ROOMS: [&str; 11] = [
    "commands",
    "console",
    "cli",
    "operations",
    "pipeline",
    "observe",
    "vendors",
    "config",
    "runbook",
    "exit",
    "visible",
];

/// All that `config` may use beside the crates `jobs` and `transport`: what was configured is told to the other rooms.
const OF_CONFIG: [&str; 2] = ["config", "visible"];

/// A path from the repository's root.
fn path(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every file of this crate with the room that it is in.
fn sources() -> Vec<(String, File)> {
    let files = CrateFiles::below(&path("src")).0.into_iter();
    let in_rooms = files.filter_map(|(module, file)| Some((module.into_iter().next()?, file)));
    in_rooms.collect()
}

fn rank(room: &str) -> Option<usize> {
    ROOMS.iter().position(|known| *known == room)
}

#[test]
fn every_room_uses_only_those_below_it() {
    let mut wrong = Vec::new();
    for (room, file) in sources() {
        let Some(from) = rank(&room) else {
            continue;
        };
        let named: BTreeSet<_> = file.named.iter().filter_map(|path| path.first()).collect();
        for named in named {
            if rank(named).is_some_and(|to| to < from) {
                wrong.push(format!("{}: {room} -> {named}", file.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What two files need of each other belongs in a third.
#[test]
fn no_two_files_use_each_other() {
    const CRATES: [&str; 6] = [
        "src",
        "src/queue",
        "src/sandbox",
        "src/transport",
        "jobs/src",
        "tests/harness",
    ];
    for root in CRATES {
        let files = CrateFiles::below(&path(root));
        assert_eq!(files.circle(), None, "{root}");
    }
}

#[test]
fn every_room_has_its_place() {
    let files = ["main", "documented", "layering"];
    let homeless: Vec<String> = sources()
        .into_iter()
        .map(|(room, _)| room)
        .filter(|room| rank(room).is_none() && !files.contains(&room.as_str()))
        .collect();
    assert!(homeless.is_empty(), "{homeless:?}");
    let documented = fs::read_to_string(path("src/lib.rs")).unwrap();
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
fn neither_the_vendors_nor_the_configuration_know_the_queue() {
    for (room, File { path, code, .. }) in sources() {
        for krate in ["queue::", "sandbox::"] {
            let mut named = code.match_indices(krate);
            let names_crate = named.any(|(at, _)| !code[..at].ends_with([':', '_']));
            let is_closed = ["vendors", "config"].contains(&room.as_str());
            assert!(
                !is_closed || !names_crate,
                "{} names {krate}",
                path.display()
            );
        }
    }
}

#[test]
fn the_configuration_depends_on_no_other_room() {
    let files = sources().into_iter().filter(|(room, _)| room == "config");
    for (_, file) in files {
        let rooms = file.named.iter().filter_map(|path| path.first());
        let others: Vec<_> = rooms
            .filter(|room| !OF_CONFIG.contains(&room.as_str()))
            .collect();
        assert!(others.is_empty(), "{}: {others:?}", file.path.display());
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
    for (room, File { path, code, .. }) in sources() {
        let code: String = code.split_whitespace().collect();
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

/// The paths that a page quotes. A file's name alone is in the folder of the path before it.
fn quoted_paths(page: &str) -> Vec<PathBuf> {
    let mut folder = PathBuf::new();
    let mut paths = Vec::new();
    for quoted in page.split('`').skip(1).step_by(2) {
        let is_path = ["src/", "jobs/", "deploy/", "tests/"]
            .iter()
            .any(|top| quoted.starts_with(top));
        let is_name = !quoted.contains(['/', ' ', '*'])
            && [".rs", ".lua"].iter().any(|end| quoted.ends_with(end));
        if is_path && quoted.ends_with('/') {
            folder = PathBuf::from(quoted);
            paths.push(folder.clone());
        } else if is_path {
            paths.push(PathBuf::from(quoted));
            folder = paths[paths.len() - 1].with_file_name("");
        } else if is_name {
            paths.push(folder.join(quoted));
        }
    }
    paths
}

#[test]
fn every_path_in_the_pages_for_engineers_exists_and_every_room_is_on_one() {
    let pages = [
        include_str!("../deploy/architecture.md"),
        include_str!("queue/README.md"),
    ];
    let paths: Vec<_> = pages.into_iter().flat_map(quoted_paths).collect();
    let missing: Vec<_> = paths
        .iter()
        .filter(|quoted| !path("").join(quoted).exists())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    for room in ROOMS {
        let places = [format!("src/{room}/"), format!("src/{room}.rs")].map(PathBuf::from);
        assert!(
            places.iter().any(|place| paths.contains(place)),
            "{room} is not on the page"
        );
    }
}

#[test]
fn the_walk_of_one_change_names_as_many_files_as_it_says() {
    let page = include_str!("../deploy/architecture.md");
    let walk = page
        .split("\n## ")
        .find(|part| part.starts_with("One change,"));
    let walk = walk.expect("the page has the walk");
    let files: BTreeSet<_> = quoted_paths(walk)
        .into_iter()
        .filter(|quoted| path("").join(quoted).is_file())
        .collect();
    let said = format!("It names {} files", files.len());
    assert!(walk.contains(&said), "{said}");
}
