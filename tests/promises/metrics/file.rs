//! `sync --metrics-file`: what cron leaves behind for node_exporter.

use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use harness::{
    exposition::Exposition,
    redis::Redis,
    relay::Relay,
    service::Exit,
    vendors::{down, vendors, vendors_with},
    waiting::until_true,
};
use sandbox::{Fault, Faults, SandboxOptions};

use super::everything_is_as_defined;

const CHANGES: usize = 20;

#[track_caller]
fn read(file: &Path) -> Exposition {
    let exposition = Exposition::parse(&std::fs::read_to_string(file).unwrap());
    everything_is_as_defined(&exposition);
    exposition
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs_f64()
}

/// A directory for files, so that nothing else is in it.
fn collector(relay: &Relay) -> (std::path::PathBuf, String) {
    let directory = relay.path("collector");
    std::fs::create_dir(&directory).unwrap();
    let file = directory.join("relay.prom");
    let name = file.to_str().unwrap().to_owned();
    (file, name)
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[tokio::test]
async fn a_sync_leaves_its_metrics_and_how_it_ended() {
    let sandbox = vendors_with(SandboxOptions {
        changes: CHANGES,
        people: 10,
        missing_in_crm: 1,
        ..SandboxOptions::default()
    })
    .await;
    let relay = Relay::new(&sandbox, None);
    let (file, name) = collector(&relay);
    let sync = ["sync", "--wait", "--metrics-file", &name];
    let before = now();
    relay.run(&sync).await.expect(3);
    let first = read(&file);
    let acknowledged = sandbox.report().acknowledged as f64;
    for (metric, labels, value) in [
        ("last_sync_exit_code", &[][..], 3.0),
        ("changes_fetched_total", &[], CHANGES as f64),
        ("changes_acknowledged_total", &[], acknowledged),
        ("books", &[("entry", "acknowledged")], acknowledged),
        ("books_difference", &[], 0.0),
        ("dead_letters", &[], CHANGES as f64 - acknowledged),
        ("workers", &[], 0.0),
        ("redis_up", &[], 1.0),
    ] {
        assert_eq!(first.sum(metric, labels), Some(value), "{metric}");
    }
    let ended = first.sum("last_sync_timestamp_seconds", &[]).unwrap();
    assert!((before..=now()).contains(&ended));
    let fetched = first.sum("last_successful_fetch_timestamp_seconds", &[]);
    assert!(fetched.unwrap() >= before.floor());
    for absent in ["leader", "fetch_interval_seconds"] {
        assert_eq!(first.sum(absent, &[]), None, "{absent}");
    }

    sandbox.repair();
    let replay = ["dead", "replay", "--all"];
    relay.run(&replay).await.expect(0);
    let inode = std::fs::metadata(&file).unwrap().ino();
    relay.run(&sync).await.expect(0);
    let second = read(&file);
    assert_eq!(second.sum("last_sync_exit_code", &[]), Some(0.0));
    assert!(second.sum("last_sync_timestamp_seconds", &[]) > Some(ended));
    let all = second.sum("books", &[("entry", "acknowledged")]);
    assert_eq!(all, Some(CHANGES as f64));
    let metadata = std::fs::metadata(&file).unwrap();
    assert_ne!(
        metadata.ino(),
        inode,
        "the file is another one, not written over"
    );
    assert_eq!(metadata.mode() & 0o7777, 0o644, "node_exporter may read it");
    assert_eq!(names_in(file.parent().unwrap()), ["relay.prom"]);
}

#[tokio::test]
async fn a_sync_that_fails_says_so_in_its_file() {
    let sandbox = vendors(CHANGES, 10).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let (file, name) = collector(&relay);
    let sync = ["sync", "--metrics-file", &name];
    sandbox.set_faults(Faults {
        alumniq: down(Fault::Unavailable),
        ..Faults::default()
    });
    relay.run(&sync).await.expect(1);
    let unfetched = read(&file);
    assert_eq!(unfetched.sum("last_sync_exit_code", &[]), Some(1.0));
    assert_eq!(unfetched.sum("redis_up", &[]), Some(1.0));
    assert_eq!(unfetched.sum("books", &[]), Some(0.0));
    let refused = unfetched.sum("vendor_requests_total", &[("status", "503")]);
    assert!(refused > Some(0.0));

    let relay = relay.set("redis.url", "redis://127.0.0.1:1");
    relay.run(&sync).await.expect(1);
    let without_redis = read(&file);
    assert_eq!(without_redis.sum("last_sync_exit_code", &[]), Some(1.0));
    assert_eq!(without_redis.sum("redis_up", &[]), Some(0.0));
    assert_eq!(without_redis.sum("books", &[]), None, "nobody can know");
}

#[tokio::test]
async fn a_sync_that_is_interrupted_leaves_its_file_and_one_that_cannot_write_it_fails() {
    let sandbox = vendors(CHANGES, 10).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let (file, name) = collector(&relay);
    let sync = ["sync", "--wait", "--metrics-file", &name];
    let fetched = async || {
        until_true("the changes are fetched", async || {
            relay.status().await["books"]["fetched"] == CHANGES
        })
        .await;
    };
    relay.run(&["pause", "crm"]).await.expect(0);
    let mut interrupted = relay.spawn(&sync);
    fetched().await;
    interrupted.signal("TERM");
    assert_eq!(interrupted.ended().await, Exit::Code(143));
    let left = read(&file);
    assert_eq!(left.sum("last_sync_exit_code", &[]), Some(143.0));
    let paused = [("destination", "crm"), ("reason", "operator")];
    assert_eq!(left.sum("destination_paused", &paused), Some(1.0));
    let since = [("destination", "crm")];
    let since = left.sum("destination_paused_since_timestamp_seconds", &since);
    assert!((1.7e9..=now()).contains(&since.unwrap()));
    assert_eq!(
        left.sum("books", &[("entry", "in_flight")]),
        Some(CHANGES as f64)
    );

    // The directory goes after it was found good.
    let mut unwritable = relay.spawn(&sync);
    until_true("it asks AlumnIQ", async || {
        sandbox
            .report()
            .traffic
            .calls_of(sandbox::Vendor::Alumniq, "fetch")
            > 1
    })
    .await;
    std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
    relay.run(&["resume", "crm"]).await.expect(0);
    assert_eq!(unwritable.ended().await, Exit::Code(1));
    let said = unwritable.log();
    assert!(said.contains("the metrics file"), "{said}");
    assert_eq!(sandbox.report().acknowledged, CHANGES, "the work is done");
}

#[tokio::test]
async fn a_place_that_cannot_be_written_to_is_refused_before_anything_is_fetched() {
    let sandbox = vendors(CHANGES, 10).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    std::fs::create_dir(relay.path("directory.prom")).unwrap();
    let path = |name: &str| relay.path(name).to_str().unwrap().to_owned();
    for (file, why) in [
        (
            path("relay.txt"),
            ".prom: node_exporter reads no other files",
        ),
        (path("nowhere/relay.prom"), "No such file or directory"),
        (path("directory.prom"), "is a directory"),
    ] {
        let refused = relay
            .run(&["sync", "--metrics-file", &file])
            .await
            .expect(2);
        assert!(refused.said().contains(why), "{}", refused.said());
    }
    assert!(sandbox.report().traffic.calls.is_empty());
}

#[tokio::test]
async fn a_reader_sees_a_whole_file_at_every_moment() {
    let sandbox = vendors(CHANGES, 10).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let (file, name) = collector(&relay);
    let done = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (file, done) = (file.clone(), Arc::clone(&done));
        move || {
            let mut seen = 0;
            while !done.load(Ordering::Relaxed) {
                if let Ok(text) = std::fs::read_to_string(&file) {
                    let whole = Exposition::parse(&text);
                    assert!(whole.sum("last_sync_exit_code", &[]).is_some());
                    seen += 1;
                }
            }
            seen
        }
    });
    for _ in 0..5 {
        relay
            .run(&["sync", "--metrics-file", &name])
            .await
            .expect(0);
    }
    done.store(true, Ordering::Relaxed);
    assert!(reader.join().unwrap() > 0);
}
