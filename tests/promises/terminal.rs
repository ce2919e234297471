//! `status --watch` and `sync --wait` on a real pseudo-terminal, and where there is none.

use std::process::Command;

use harness::{
    redis::Redis, relay::Relay, service::Exit, terminal::Terminal, vendors::vendors, waiting::until,
};
use sandbox::NewChanges;

const WATCH: &[&str] = &["status", "--watch"];

/// The terminal is as it was: no mode was switched, and the cursor is at the beginning of a line.
#[track_caller]
fn is_in_order(terminal: &Terminal) {
    let written = terminal.written();
    assert!(!written.contains("\u{1b}[?"), "{written:?}");
    let end = written.replace("\u{1b}[J", "").replace("^C", "");
    assert!(end.ends_with("\r\n"), "{written:?}");
}

#[tokio::test]
async fn the_table_is_redrawn_in_place_and_ctrl_c_ends_it() {
    let sandbox = vendors(10, 5).await;
    sandbox.add_changes(&NewChanges {
        count: 2,
        xid: Some("nobody-knows-me".to_owned()),
        ..NewChanges::default()
    });
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    relay.run(&["sync", "--wait"]).await.expect(3);
    let mut terminal = Terminal::start(&relay, 80, 24, WATCH);
    terminal.shows("2 changes need a person").await;
    for text in [
        "dead letters       2 crm unmatched",
        "12 fetched = 10 acknowledged",
        "Ctrl-C ends",
    ] {
        terminal.shows(text).await;
    }
    assert!(terminal.lines()[0].starts_with("2 changes need a person"));
    relay.run(&["pause", "salsa"]).await.expect(0);
    terminal.shows("paused by").await;
    let lines = terminal.lines();
    assert!(lines[0].starts_with("Salsa is held by"), "{lines:#?}");
    assert!(lines.len() <= 24, "{lines:#?}");
    let books = lines.iter().filter(|line| line.contains("12 fetched"));
    assert_eq!(books.count(), 1, "{lines:#?}");
    terminal.types("\u{3}").await;
    assert_eq!(terminal.ended().await, 0);
    is_in_order(&terminal);
}

#[tokio::test]
async fn the_table_fits_a_small_window() {
    let sandbox = vendors(5, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let mut terminal = Terminal::start(&relay, 30, 8, WATCH);
    terminal.shows("Ctrl-C ends").await;
    terminal.shows("more lines").await;
    let lines = terminal.lines();
    assert!(lines.len() < 8, "{lines:#?}");
    assert!(
        lines.iter().all(|line| line.chars().count() <= 30),
        "{lines:#?}"
    );
    assert!(lines.iter().any(|line| line.ends_with('…')), "{lines:#?}");
    terminal.types("\u{3}").await;
    assert_eq!(terminal.ended().await, 0);
}

#[tokio::test]
async fn a_redis_that_falls_silent_is_told_and_comes_back() {
    let sandbox = vendors(5, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("redis.response_timeout", "1s");
    relay.run(&["sync", "--wait"]).await.expect(0);
    let mut terminal = Terminal::start(&relay, 60, 20, WATCH);
    terminal.shows("Everything is through.").await;
    redis.signal("STOP");
    terminal.shows("Redis does not answer").await;
    terminal.shows("Everything is through.").await;
    redis.signal("CONT");
    terminal.shows_no("Redis does not answer").await;
    terminal.types("\u{3}").await;
    assert_eq!(terminal.ended().await, 0);
    is_in_order(&terminal);
}

#[tokio::test]
async fn a_signal_leaves_the_terminal_as_it_was() {
    let sandbox = vendors(5, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    for signal in ["TERM", "HUP", "INT"] {
        let mut terminal = Terminal::start(&relay, 40, 24, WATCH);
        terminal.shows("Nothing was fetched yet.").await;
        let pid = terminal.pid().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
        terminal.ended().await;
        is_in_order(&terminal);
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
    assert!(text.contains("\n\nNothing was fetched yet."), "{text:?}");
}

#[tokio::test]
async fn the_bar_of_a_sync_shows_what_is_applied_before_anything_is_acknowledged() {
    let sandbox = vendors(5, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    relay.run(&["pause", "alumniq"]).await.expect(0);
    let mut terminal = Terminal::start(&relay, 120, 24, &["sync", "--wait"]);
    terminal.shows("5/5 applied  0 acknowledged").await;
    relay.run(&["resume", "alumniq"]).await.expect(0);
    assert_eq!(terminal.ended().await, 0);
}

#[tokio::test]
async fn a_sync_without_a_terminal_logs_now_and_then_how_far_it_is_and_no_line_a_change() {
    let sandbox = vendors(5, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    relay.run(&["pause", "crm"]).await.expect(0);
    let mut sync = relay.spawn(&["sync", "--wait"]);
    let log = until("it says how far it is", async || {
        let log = sync.log();
        log.contains("changes applied").then_some(log)
    })
    .await;
    let expected = "0 of 5 changes applied (0.0 a second), 0 acknowledged; crm paused (operator)";
    assert!(log.contains(expected), "{log}");
    relay.run(&["resume", "crm"]).await.expect(0);
    assert_eq!(sync.ended().await, Exit::Code(0));
    assert!(
        !sync.log().contains("alumniq_relay::change"),
        "{}",
        sync.log()
    );
}
