//! `status --watch` on a real pseudo-terminal, and where there is none.

use std::process::Command;

use alumniq_relay::sandbox::NewChanges;

use crate::harness::{
    redis::Redis, relay::Relay, terminal::Terminal, vendors::vendors, waiting::until,
};

const WATCH: &[&str] = &["status", "--watch"];
const ENTERED: &str = "\u{1b}[?1049h";
const LEFT: &str = "\u{1b}[?1049l";
const CURSOR_BACK: &str = "\u{1b}[?25h";

/// The terminal is as it was: its own screen, with its cursor.
#[track_caller]
fn is_restored(terminal: &Terminal) {
    let written = terminal.written();
    let left = written.rfind(LEFT).unwrap_or_else(|| panic!("{written:?}"));
    assert!(written.find(ENTERED).unwrap() < left, "{written:?}");
    assert!(written.contains(CURSOR_BACK), "{written:?}");
    assert!(!written[left..].contains(ENTERED), "{written:?}");
}

#[tokio::test]
async fn the_screen_tells_what_needs_a_person_and_q_leaves_it_as_it_was() {
    let sandbox = vendors(10, 5).await;
    sandbox.add_changes(&NewChanges {
        count: 2,
        xid: Some("nobody-knows-me".to_owned()),
        ..NewChanges::default()
    });
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    relay.run(&["sync", "--wait"]).await.expect(3);
    let mut terminal = relay.on_terminal(80, 24, WATCH);
    terminal.shows("2 changes need a person").await;
    for text in [
        "crm unmatched: ",
        "12 fetched = 10 acknowledged",
        "q, Esc or Ctrl-C leaves",
    ] {
        terminal.shows(text).await;
    }
    assert!(terminal.lines()[0].starts_with("2 changes need a person"));
    relay.run(&["pause", "salsa"]).await.expect(0);
    terminal.shows("salsa is paused by an operator").await;
    assert!(terminal.lines().len() <= 24);
    terminal.types("q").await;
    assert_eq!(terminal.ended().await, 0);
    is_restored(&terminal);
}

#[tokio::test]
async fn a_redis_that_falls_silent_is_told_and_comes_back() {
    let sandbox = vendors(5, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("redis.response_timeout", "1s");
    relay.run(&["sync", "--wait"]).await.expect(0);
    let mut terminal = relay.on_terminal(60, 20, WATCH);
    terminal.shows("Everything is through.").await;
    redis.signal("STOP");
    terminal.shows("Redis does not answer").await;
    terminal.shows("Everything is through.").await;
    redis.signal("CONT");
    terminal.shows_no("Redis does not answer").await;
    // Ctrl-C, as a key.
    terminal.types("\u{3}").await;
    assert_eq!(terminal.ended().await, 0);
    is_restored(&terminal);
}

#[tokio::test]
async fn a_signal_leaves_the_terminal_as_it_was() {
    let sandbox = vendors(5, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).with_variable("NO_COLOR", "1");
    for signal in ["TERM", "HUP", "INT"] {
        let mut terminal = relay.on_terminal(40, 24, WATCH);
        terminal.shows("Nothing was fetched yet.").await;
        let pid = terminal.pid().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
        terminal.ended().await;
        is_restored(&terminal);
        let written = terminal.written();
        for colour in ["\u{1b}[38;5;", "\u{1b}[31m", "\u{1b}[32m"] {
            assert!(!written.contains(colour), "{signal}: {written:?}");
        }
    }
}

#[tokio::test]
async fn where_there_is_no_terminal_lines_are_printed_again_and_again() {
    let sandbox = vendors(5, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let service = relay.spawn(WATCH);
    let text = until("two looks are printed", async || {
        let text = service.printed();
        (text.matches("Nothing was fetched yet.").count() >= 2).then_some(text)
    })
    .await;
    assert!(!text.contains('\u{1b}'), "{text:?}");
}
