use std::collections::BTreeMap;

use jobs::{destination::Destination, outcome::PauseReason};
use ratatui::{Terminal, backend::TestBackend, style::Color};
use serde_json::json;

use super::*;
use crate::queue::{
    room::Memory,
    stats::{Books, ProducerStatus},
};

fn status() -> Status {
    let counts = |waiting, dead| DestinationStatus {
        waiting,
        ready: 2,
        running: 3,
        retry: 4,
        dead,
        applied: 0,
        paused: false,
    };
    Status {
        books: Books {
            fetched: 120,
            acknowledged: 90,
            discarded: 1,
            in_flight: 22,
            dead: 7,
            difference: 0,
        },
        destinations: BTreeMap::from([
            (Destination::Crm, counts(1, 7)),
            (Destination::Salsa, counts(9, 0)),
        ]),
        dead_letters: BTreeMap::new(),
        pauses: BTreeMap::from([(
            Vendor::Salsa,
            Pause {
                reason: PauseReason::Throttled,
                cause: "429 Too Many\u{1b}[2J Requests".to_owned(),
                since: String::new(),
                since_timestamp_seconds: 0.0,
                seconds_left: Some(75.0),
            },
        )]),
        to_acknowledge: 5,
        acknowledging: 1,
        oldest_unacknowledged_seconds: 4_000.0,
        oldest_in_flight_seconds: BTreeMap::new(),
        refused_settles: 0,
        rates: BTreeMap::new(),
        producer: ProducerStatus {
            leader: Some("host-1".to_owned()),
            last_success: None,
            last_success_timestamp_seconds: None,
            last_sweep_timestamp_seconds: None,
            error: None,
            key_days: None,
        },
        workers: BTreeMap::from([
            ("host-1".to_owned(), json!({"roles": ["producer", "crm"]})),
            (
                "host-2".to_owned(),
                json!({"roles": ["salsa", "acknowledger"]}),
            ),
        ]),
        writes_refused: None,
        memory: Memory::default(),
        last_check: None,
    }
}

fn seen() -> Seen {
    let line = |class, count, cause: &str| LetterLine {
        vendor: Vendor::Crm,
        class,
        count,
        cause: cause.to_owned(),
    };
    Seen {
        status: status(),
        letters: vec![
            line(
                DeadClass::Unmatched,
                6,
                "no contact has this StudentInstitutionId",
            ),
            line(
                DeadClass::Validation,
                1,
                "PhoneWork has 140 characters, at most 100 are allowed",
            ),
        ],
        at: "2026-11-21T12:00:00Z".parse().unwrap(),
    }
}

fn view() -> View {
    let mut view = View::of("Redis");
    view.take(Ok(seen()));
    view
}

/// The screen's lines, without the blanks at their ends.
fn shown(view: &View, width: u16, height: u16) -> Vec<String> {
    let buffer = drawn(view, width, height, true);
    let row = |y| {
        let cells = (0..width).map(|x| buffer[(x, y)].symbol().to_owned());
        cells.collect::<String>().trim_end().to_owned()
    };
    (0..height).map(row).collect()
}

fn drawn(view: &View, width: u16, height: u16, colours: bool) -> ratatui::buffer::Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, view, colours)).unwrap();
    terminal.backend().buffer().clone()
}

/// Where the line is that has `text`.
#[track_caller]
fn line(lines: &[String], text: &str) -> usize {
    let found = lines.iter().position(|line| line.contains(text));
    found.unwrap_or_else(|| panic!("no {text:?} in {lines:#?}"))
}

#[test]
fn eighty_columns_show_everything_in_the_order_of_an_operators_questions() {
    let lines = shown(&view(), 80, 24);
    assert_eq!(
        lines[0],
        "7 changes need a person: `alumniq-relay dead list`."
    );
    let order = [
        "waiting     ready   running     retry      dead",
        "crm              1         2         3         4         7",
        "salsa            9         2         3         4         0",
        "to acknowledge 6, the oldest 1 h 6 min ago",
        "salsa is paused for 1 min 15 s: 429 Too Many [2J Requests",
        "     6 crm unmatched: no contact has this StudentInstitutionId",
        "     1 crm validation: PhoneWork has 140 characters",
        "2 processes",
        "host-1  producer, crm, leads",
        "host-2  salsa, acknowledger",
        "120 fetched = 90 acknowledged + 1 discarded + 22 in flight + 7 dead",
        "q, Esc or Ctrl-C leaves",
    ]
    .map(|text| line(&lines, text));
    assert!(order.is_sorted(), "{lines:#?}");
    assert_eq!(order.last(), Some(&23));
}

#[test]
fn forty_columns_are_readable_and_show_where_a_line_was_cut() {
    let lines = shown(&view(), 40, 24);
    for whole in [
        "          wait ready   run retry  dead",
        "crm          1     2     3     4     7",
        "91 of 120 through, the books balance",
        "host-1  producer, crm, leads",
    ] {
        line(&lines, whole);
    }
    let cut = line(&lines, "salsa is paused for 1 min 15 s: 429 Too");
    assert!(lines[cut].ends_with('…'), "{lines:#?}");
    assert!(lines[0].starts_with("7 changes need a person"));
}

#[test]
fn a_low_screen_keeps_the_verdict_the_destinations_and_the_books() {
    for height in [10, 12, 14, 16] {
        let lines = shown(&view(), 80, height);
        assert!(lines[0].contains("need a person"), "{lines:#?}");
        line(&lines, "salsa            9");
        line(&lines, "120 fetched = ");
        line(&lines, "leaves");
    }
    let lines = shown(&view(), 80, 14);
    line(&lines, "more");
    for (width, height) in [(1, 1), (3, 2), (40, 4), (200, 60)] {
        shown(&view(), width, height);
    }
}

#[test]
fn a_countdown_goes_on_between_two_looks_and_ends() {
    let mut view = view();
    view.age = Duration::from_secs(20);
    line(&shown(&view, 80, 24), "salsa is paused for 55 s");
    view.age = Duration::from_secs(90);
    line(&shown(&view, 80, 24), "salsa is paused and trying again");
}

#[test]
fn a_redis_that_is_away_is_told_beside_what_was_seen_last_and_the_next_look_takes_it_back() {
    let mut view = View::of("Redis");
    line(&shown(&view, 80, 24), "Looking");
    view.take(Err("connection\n refused".to_owned()));
    let lines = shown(&view, 80, 24);
    line(&lines, "Redis does not answer");
    line(&lines, "connection refused");
    view.take(Ok(seen()));
    assert!(shown(&view, 80, 24)[0].contains("need a person"));
    view.take(Err("connection refused".to_owned()));
    let lines = shown(&view, 80, 24);
    assert_eq!(line(&lines, "Redis does not answer"), 0);
    assert!(line(&lines, "What was seen at") < line(&lines, "need a person"));
    view.take(Ok(seen()));
    assert!(
        !shown(&view, 80, 24)
            .concat()
            .contains("Redis does not answer")
    );
}

#[test]
fn without_colours_nothing_is_coloured() {
    let colours = |on| {
        let buffer = drawn(&view(), 80, 24, on);
        let cells = buffer.content().iter();
        cells
            .filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
            .count()
    };
    assert!(colours(true) > 0);
    assert_eq!(colours(false), 0);
}

#[test]
fn books_that_are_off_are_told() {
    let mut off = seen();
    off.status.books.difference = 3;
    let mut view = View::of("Redis");
    view.take(Ok(off));
    line(&shown(&view, 40, 24), "THE BOOKS ARE OFF BY 3");
}

#[test]
fn a_duration_has_two_units_at_most() {
    for (seconds, shown) in [
        (-1.0, "0 s"),
        (7.4, "7 s"),
        (725.0, "12 min 5 s"),
        (7_200.0, "2 h 0 min"),
        (273_600.0, "3 d 4 h"),
    ] {
        assert_eq!(duration(seconds), shown);
    }
}
