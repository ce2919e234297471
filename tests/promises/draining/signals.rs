//! Which signals drain, when they may come, and what the probes answer meanwhile.

use std::{os::unix::fs::PermissionsExt, path::Path};

use harness::{
    redis::Redis,
    relay::Relay,
    service::{Exit, Service},
    vendors::{acknowledged, every_promise_held, repeats, vendors},
    waiting::{until, until_true},
};
use sandbox::Faults;

use super::{EVERY_ROLE, events, nothing_is_held_and_nothing_is_used_up, of_kind, slow};

async fn calls_are_under_way(relay: &Relay) {
    until_true("calls are under way", async || {
        let status = relay.status().await;
        status["destinations"]["crm"]["running"].as_u64() > Some(0)
    })
    .await;
}

async fn drains(service: &Service) {
    until_true("it drains", async || service.log().contains("draining")).await;
}

#[tokio::test]
async fn sigterm_gives_back_what_has_not_begun_and_costs_no_change_an_attempt() {
    const CHANGES: usize = 400;
    let sandbox = vendors(CHANGES, 150).await;
    sandbox.set_faults(Faults {
        crm: slow(200),
        salsa: slow(300),
        ..Faults::default()
    });
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("worker.drain", "100s")
        .set("crm.concurrency", "8");
    let service = relay.start(EVERY_ROLE).await;
    until_true("it works", async || {
        let report = sandbox.report();
        report.applied.values().all(|applied| *applied > 20)
    })
    .await;
    service.stop().await;
    nothing_is_held_and_nothing_is_used_up(&relay, &redis).await;
    let status = relay.status().await;
    for destination in ["crm", "salsa"] {
        let ready = &status["destinations"][destination]["ready"];
        assert!(ready.as_u64() > Some(0), "it stopped in mid-run: {status}");
    }

    let again = relay.start(EVERY_ROLE).await;
    acknowledged(&sandbox, CHANGES).await;
    let report = sandbox.report();
    every_promise_held(&report, &[], &[]);
    assert_eq!(repeats(&report), 0, "what had begun was finished");
    again.stop().await;
    nothing_is_held_and_nothing_is_used_up(&relay, &redis).await;
    let events = events(&redis).await;
    assert_eq!(of_kind(&events, "done").len(), 2 * CHANGES);
}

#[tokio::test]
async fn a_draining_process_is_alive_and_not_ready_and_a_second_signal_ends_it_at_once() {
    const CHANGES: usize = 50;
    let sandbox = vendors(CHANGES, 20).await;
    sandbox.set_faults(Faults {
        crm: slow(600_000),
        ..Faults::default()
    });
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis))
        .set("worker.drain", "600s")
        .set("worker.lease", "2s")
        .set("crm.timeout", "300s");
    let mut service = relay.start(EVERY_ROLE).await;
    calls_are_under_way(&relay).await;
    until_true("it is ready", async || {
        service.get("/readyz").await.0 == 200
    })
    .await;

    service.signal("TERM");
    drains(&service).await;
    assert_eq!(service.get("/readyz").await.0, 503);
    assert_eq!(service.get("/healthz").await.0, 200);
    assert_eq!(service.get("/metrics").await.0, 200);
    let status = relay.status().await;
    let running = status["destinations"]["crm"]["running"].as_u64();
    assert!(running > Some(0), "it waits for its calls: {status}");

    service.signal("TERM");
    assert_eq!(service.ended().await, Exit::Code(143));
    sandbox.set_faults(Faults::default());
    let other = relay.start(EVERY_ROLE).await;
    acknowledged(&sandbox, CHANGES).await;
    every_promise_held(&sandbox.report(), &[], &[]);
    other.stop().await;
    let events = events(&redis).await;
    assert!(
        !of_kind(&events, "lease_expired").is_empty(),
        "nothing was given back: its leases had to end"
    );
}

#[tokio::test]
async fn a_terminal_that_closes_drains_and_says_so_twice_in_vain() {
    const CHANGES: usize = 50;
    let sandbox = vendors(CHANGES, 20).await;
    sandbox.set_faults(Faults {
        crm: slow(4_000),
        ..Faults::default()
    });
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("worker.drain", "100s");
    // Whatever started the tests may ignore hangups, and its children would inherit that.
    let heeding = ["env", "--default-signal=HUP"];
    let mut service = relay.start_through(&heeding, EVERY_ROLE).await;
    calls_are_under_way(&relay).await;
    service.signal("HUP");
    drains(&service).await;
    service.signal("HUP");
    assert_eq!(service.ended().await, Exit::Code(0));
    nothing_is_held_and_nothing_is_used_up(&relay, &redis).await;
    assert!(of_kind(&events(&redis).await, "given_back").is_empty());
}

#[tokio::test]
async fn a_hangup_that_is_ignored_stays_ignored() {
    let sandbox = vendors(10, 5).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let service = relay.start_through(&["nohup"], EVERY_ROLE).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(ignored.unwrap().trim(), 16).unwrap();
    assert_eq!(ignored & 1, 1, "nohup asked for it: {status}");
    service.stop().await;
}

/// A `redis-server` that never answers, and tells its process in `redis.pid`.
fn speechless_server(relay: &Relay) -> String {
    let program = relay.path("speechless");
    let text = "#!/bin/sh\n\
         [ \"$1\" = --version ] && { echo 'Redis server v=7.0.15'; exit; }\n\
         echo $$ > redis.pid.new && mv redis.pid.new redis.pid\n\
         exec sleep 600\n";
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    program.display().to_string()
}

async fn started_server(directory: &Path) -> u32 {
    let file = directory.join("redis.pid");
    until("its redis-server has started", async || {
        std::fs::read_to_string(&file).ok()?.trim().parse().ok()
    })
    .await
}

/// Whether the process is gone, or nothing but a status that nobody has asked for.
fn is_gone(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

#[tokio::test]
async fn a_signal_during_the_start_ends_the_process_and_the_server_that_it_was_starting() {
    let sandbox = vendors(10, 5).await;
    for (arguments, signal, code) in [
        (&["run"][..], "TERM", 0),
        (&["sync", "--wait"][..], "INT", 130),
        (&["sync"][..], "TERM", 143),
        (&["status"][..], "INT", 130),
        (&["check", "--connect"][..], "TERM", 143),
    ] {
        let relay = Relay::new(&sandbox, None);
        let server = speechless_server(&relay);
        let relay = relay.set("redis.server", &server);
        // `check` starts its server in a temporary directory as long as there is none with data.
        let mut process = relay.spawn(arguments);
        let home = match arguments[0] {
            "check" => {
                until("its directory is made", async || {
                    let mut entries = std::fs::read_dir(relay.temporary()).unwrap();
                    entries.next().map(|entry| entry.unwrap().path())
                })
                .await
            }
            _ => relay.path("data/redis"),
        };
        let server = started_server(&home).await;
        process.signal(signal);
        assert_eq!(process.ended().await, Exit::Code(code), "{arguments:?}");
        until_true("its server is gone", async || is_gone(server)).await;
        let left = std::fs::read_dir(relay.temporary()).unwrap().count();
        assert_eq!(left, 0, "{arguments:?} left a temporary directory");
    }
}
