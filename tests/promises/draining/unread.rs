//! Outputs that nobody reads: a pipe that stays full, a terminal after Ctrl-S, a reader that has gone away.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::Stdio,
};

use harness::{
    exposition::Exposition,
    redis::Redis,
    relay::Relay,
    service::{Exit, Service},
    sockets::Port,
    terminal::Terminal,
    unread::{abandoned, stuck},
    vendors::{acknowledged, down, every_promise_held, vendors},
    waiting::until_true,
};
use sandbox::{Fault, Faults};

use super::{EVERY_ROLE, nothing_is_held_and_nothing_is_used_up};

const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

fn run_into(relay: &Relay, stderr: Stdio, at: SocketAddr) -> Service {
    let arguments = ["--log-format", "json", "run", "--roles", EVERY_ROLE];
    relay.spawn_into(&arguments, Stdio::null(), stderr, at)
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_no_change_no_probe_and_no_signal() {
    const CHANGES: usize = 1_500;
    let sandbox = vendors(CHANGES, 500).await;
    let redis = Redis::start().await;
    // The log, which names the port that was taken, can't be read.
    let port = Port::hold();
    let address = port.address();
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("console.listen", &address.to_string())
        .set("log.level", "trace");
    let (stderr, _reader) = stuck();
    let mut service = run_into(&relay, stderr, address);
    acknowledged(&sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    assert_eq!(service.get("/healthz").await.0, 200);
    assert_eq!(service.get("/readyz").await.0, 200);
    let metrics = Exposition::parse(&service.get("/metrics").await.1);
    let dropped = metrics.sum("log_lines_dropped_total", &[]);
    assert!(dropped > Some(0.0), "{dropped:?}");
    service.signal("TERM");
    assert_eq!(service.ended().await, Exit::Code(0));
    nothing_is_held_and_nothing_is_used_up(&relay, &redis).await;
}

#[tokio::test]
async fn a_service_whose_logs_reader_has_gone_away_works_and_drains() {
    const CHANGES: usize = 100;
    let sandbox = vendors(CHANGES, 50).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let mut service = run_into(&relay, abandoned(), NOWHERE);
    acknowledged(&sandbox, CHANGES).await;
    service.signal("TERM");
    assert_eq!(service.ended().await, Exit::Code(0));
}

#[tokio::test]
async fn sync_into_outputs_that_nobody_reads_settles_everything_and_one_signal_ends_it() {
    const CHANGES: usize = 200;
    let sandbox = vendors(CHANGES, 50).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("log.level", "trace");
    let ((stdout, _out), (stderr, _err)) = (stuck(), stuck());
    let arguments = ["sync", "--wait"];
    let mut sync = relay.spawn_into(&arguments, stdout, stderr, NOWHERE);
    acknowledged(&sandbox, CHANGES).await;
    until_true("it prints", async || prints(sync.pid())).await;
    sync.signal("INT");
    assert_eq!(sync.ended().await, Exit::Code(130));
    nothing_is_held_and_nothing_is_used_up(&relay, &redis).await;
}

#[tokio::test]
async fn one_signal_ends_commands_whose_output_nobody_reads() {
    let sandbox = vendors(5, 5).await;
    // Its own server: it ends with the command.
    let relay = Relay::new(&sandbox, None);
    relay.run(&["sync", "--wait"]).await.expect(0);
    for arguments in [
        ["status", "--watch"].as_slice(),
        &["status", "--json"],
        &["dead", "list"],
        &["check"],
        &["demo", "--changes", "20"],
    ] {
        let ((stdout, _out), (stderr, _err)) = (stuck(), stuck());
        let mut command = relay.spawn_into(arguments, stdout, stderr, NOWHERE);
        until_true("it prints", async || prints(command.pid())).await;
        command.signal("TERM");
        let ended = command.ended().await;
        let watches = arguments.contains(&"--watch");
        assert!(
            ended == Exit::Code(143) || watches && ended == Exit::Code(0),
            "{arguments:?}: {ended:?}"
        );
        assert_eq!(relay.embedded_servers(), [0; 0], "{arguments:?}");
    }
}

/// Whether the thread that writes to stdout has begun.
fn prints(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.flatten().any(|thread| {
        let name = std::fs::read_to_string(thread.path().join("comm"));
        name.is_ok_and(|name| name.trim() == "stdout")
    })
}

#[tokio::test]
async fn watching_ends_when_its_reader_goes_away() {
    let sandbox = vendors(5, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let arguments = ["status", "--watch", "--json"];
    let mut watching = relay.spawn_into(&arguments, abandoned(), abandoned(), NOWHERE);
    assert_eq!(watching.ended().await, Exit::Code(0));
}

#[tokio::test]
async fn a_terminal_that_is_stopped_stops_no_change() {
    const CHANGES: usize = 300;
    let sandbox = vendors(CHANGES, 100).await;
    sandbox.set_faults(Faults {
        crm: down(Fault::Unavailable),
        ..Faults::default()
    });
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("log.level", "trace");
    let arguments = ["sync", "--wait"];
    let mut terminal = Terminal::start(&relay, 80, 24, &arguments);
    terminal.shows("/300 applied").await;
    terminal.is_read(false);
    sandbox.set_faults(Faults::default());
    acknowledged(&sandbox, CHANGES).await;
    terminal.is_read(true);
    assert_eq!(terminal.ended().await, 0);
    terminal.shows("300 acknowledged").await;
}
