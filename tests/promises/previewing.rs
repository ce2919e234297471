//! `preview` shows what would happen, and makes none of it happen.

use std::{collections::BTreeMap, io, net::SocketAddr, os::fd::OwnedFd, process::Stdio};

use harness::{
    redis::Redis,
    relay::{Relay, text},
    rows::campus_now,
    service::Exit,
    snapshot::Snapshot,
    unread::abandoned,
    vendors::{vendors, vendors_with},
};
use jiff::ToSpan;
use sandbox::{CallCounts, NewChanges, Sandbox, SandboxOptions, Vendor};
use serde_json::Value;
use tokio::{io::AsyncReadExt, net::unix::pipe};

/// The namespace of the sandbox's configuration.
const NAMESPACE: &str = "sandbox";

async fn keyspace(redis: &Redis) -> Snapshot {
    let snapshot = Snapshot::take(&mut redis.connect().await, NAMESPACE).await;
    // The calls to Salsa are booked in the limit that the fleet shares: for a minute, and about no change.
    snapshot.without(&["places:salsa"]).untimed()
}

/// Which operations were called meanwhile.
fn called(before: &CallCounts, after: &CallCounts) -> BTreeMap<Vendor, Vec<String>> {
    let mut called: BTreeMap<Vendor, Vec<String>> = BTreeMap::new();
    for (vendor, operations) in after {
        for (operation, statuses) in operations {
            let earlier = before.get(vendor).and_then(|known| known.get(operation));
            if earlier != Some(statuses) {
                called.entry(*vendor).or_default().push(operation.clone());
            }
        }
    }
    called
}

/// Every change of a preview, with its person.
fn changes(previewed: &Value) -> Vec<(&Value, &Value)> {
    let people = previewed["people"].as_array().unwrap();
    let changes = people.iter().flat_map(|person| {
        let changes = person["changes"].as_array().unwrap();
        changes.iter().map(move |change| (&person["xid"], change))
    });
    changes.collect()
}

fn one_of(xid: &str) -> NewChanges {
    NewChanges {
        count: 1,
        xid: Some(xid.to_owned()),
        ..NewChanges::default()
    }
}

fn somebody(sandbox: &Sandbox) -> String {
    let first = &sandbox.report().unacknowledged[0];
    sandbox.change(first).unwrap().xid.unwrap()
}

#[tokio::test]
async fn a_preview_only_reads_and_leaves_redis_as_it_was() {
    const CHANGES: usize = 60;
    let sandbox = vendors_with(SandboxOptions {
        changes: CHANGES,
        people: 25,
        anonymous: 1,
        missing_in_salsa: 3,
        invalid_phones: 2,
        undecodable: 1,
        ..SandboxOptions::default()
    })
    .await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    relay.run(&["sync"]).await.expect(0);
    let xid = somebody(&sandbox);
    let fresh = sandbox.add_changes(&one_of(&xid)).remove(0);

    let (before, seen) = (keyspace(&redis).await, sandbox.report());
    let previewed = relay.run(&["preview", "--json"]).await.expect(3).json();
    let shown = relay.run(&["preview", "--xid", &xid]).await;
    assert!(
        shown.stdout.contains("Nothing was written anywhere."),
        "{}",
        shown.stdout
    );
    let after = sandbox.report();
    assert_eq!(keyspace(&redis).await, before);
    assert_eq!(after.traffic.writes, seen.traffic.writes);
    let expected = [
        (Vendor::Alumniq, vec!["fetch".to_owned()]),
        (Vendor::Salsa, vec!["search".to_owned()]),
    ];
    assert_eq!(
        called(&seen.traffic.calls, &after.traffic.calls),
        expected.into()
    );
    assert_eq!(after.unprocessed, CHANGES + 1, "AlumnIQ marked something");

    assert_eq!(previewed["previewed"], CHANGES + 1);
    assert_eq!(previewed["queue_asked"], true);
    for (_, change) in changes(&previewed) {
        let is_fresh = text(&change["change_id"]) == fresh;
        assert_eq!(change["queue"] == "new", is_fresh, "{change}");
    }
}

#[tokio::test]
async fn what_was_previewed_is_what_is_applied_and_what_would_die_dies() {
    let sandbox = vendors_with(SandboxOptions {
        changes: 80,
        people: 20,
        anonymous: 2,
        missing_in_salsa: 3,
        invalid_phones: 2,
        undecodable: 2,
        ..SandboxOptions::default()
    })
    .await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let previewed = relay.run(&["preview", "--json"]).await.expect(3).json();
    assert_eq!(previewed["previewed"], 80);
    assert_eq!(previewed["more"], false);

    relay.run(&["sync", "--wait"]).await.expect(3);
    let mut would_die: Vec<(String, String)> = Vec::new();
    let mut employers: BTreeMap<String, String> = BTreeMap::new();
    for (xid, change) in changes(&previewed) {
        assert_eq!(change["queue"], "new");
        for (vendor, would) in change["destinations"].as_object().unwrap() {
            if would["would"] == "die" {
                assert!(!text(&would["advice"]).is_empty());
                would_die.push((text(&change["change_id"]), vendor.clone()));
            }
        }
        let salsa = &change["destinations"]["salsa"];
        for field in salsa["fields"].as_array().into_iter().flatten() {
            if field["field"] == "custom.Employer" {
                let (xid, new) = (text(xid), text(&field["new"]));
                let before = employers.insert(xid, new);
                assert!(before.is_none() || field["old"] == before.unwrap());
            }
        }
    }
    let mut died: Vec<(String, String)> = relay
        .dead()
        .await
        .iter()
        .map(|letter| (text(&letter["change_id"]), text(&letter["destination"])))
        .collect();
    would_die.sort();
    died.sort();
    assert_eq!(would_die, died);
    assert!(employers.len() > 5, "{employers:?}");
    let found = employers.keys().flat_map(|xid| ["--external-id", xid]);
    let search: Vec<&str> = ["supporter", "search", "--json"]
        .into_iter()
        .chain(found)
        .collect();
    let supporters = relay.json(&search).await;
    for supporter in supporters["supporters"].as_array().unwrap() {
        let custom = supporter["customFieldValues"].as_array().unwrap();
        let employer = custom
            .iter()
            .find(|field| field["name"] == "Employer")
            .unwrap();
        let xid = text(&supporter["externalSystemId"]);
        assert_eq!(employer["value"], employers[&xid], "{xid}");
    }
}

#[tokio::test]
async fn a_change_that_would_come_too_late_is_told_to_be_stale() {
    let sandbox = vendors(5, 2).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let xid = somebody(&sandbox);
    relay.run(&["sync", "--wait"]).await.expect(0);
    sandbox.add_changes(&one_of(&xid));
    relay.run(&["sync", "--wait"]).await.expect(0);
    let earlier = campus_now().saturating_sub(1.hour());
    let late = sandbox.add_changes(&NewChanges {
        changed_on: Some(earlier),
        ..one_of(&xid)
    });
    let previewed = relay.run(&["preview", "--json"]).await.expect(3).json();
    let shown = changes(&previewed);
    assert_eq!(shown.len(), 1, "{previewed}");
    assert_eq!(text(&shown[0].1["change_id"]), late[0]);
    for destination in ["crm", "salsa"] {
        assert_eq!(shown[0].1["destinations"][destination]["class"], "stale");
    }
}

#[tokio::test]
async fn a_capped_feed_is_walked_and_the_limit_keeps_the_oldest() {
    const CHANGES: usize = 700;
    let sandbox = vendors(CHANGES, 200).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let all = relay.json(&["preview", "--limit", "10000", "--json"]).await;
    assert_eq!(all["previewed"], CHANGES);
    assert_eq!(all["more"], false);
    let some = relay.json(&["preview", "--limit", "20", "--json"]).await;
    assert_eq!(some["previewed"], 20);
    assert_eq!(some["more"], true);
    let mut oldest: Vec<(String, String)> = changes(&all)
        .into_iter()
        .map(|(_, change)| (text(&change["changed_on"]), text(&change["change_id"])))
        .collect();
    oldest.sort();
    let newest_shown = changes(&some)
        .into_iter()
        .map(|(_, change)| text(&change["changed_on"]))
        .max()
        .unwrap();
    assert!(
        newest_shown <= oldest[20].0,
        "{newest_shown} {:?}",
        oldest[20]
    );
}

#[tokio::test]
async fn without_a_redis_that_runs_none_is_started_and_nothing_is_told_to_be_known() {
    let sandbox = vendors(10, 5).await;
    let relay = Relay::new(&sandbox, None);
    let previewed = relay.json(&["preview", "--json"]).await;
    assert_eq!(previewed["queue_asked"], false);
    assert!(
        changes(&previewed)
            .iter()
            .all(|(_, change)| change["queue"].is_null())
    );
    assert!(relay.embedded_servers().is_empty());
    assert!(!relay.path("data").exists());
}

/// The most memory that a preview of that many changes takes, in bytes.
async fn memory_for(changes: usize, arguments: &[&str]) -> usize {
    let sandbox = vendors_with(SandboxOptions {
        changes,
        people: changes / 3,
        days: 1,
        ..SandboxOptions::default()
    })
    .await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let (reader, writer) = io::pipe().unwrap();
    let arguments = [&["preview", "--limit", "100000"], arguments].concat();
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let mut preview = relay.spawn_into(&arguments, writer.into(), Stdio::null(), nowhere);
    let mut reader = pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).unwrap();
    let (mut printed, mut peak) = (Vec::new(), None);
    loop {
        // It cannot end before all but the last 64 KiB of its output are read.
        peak = preview.peak_memory().or(peak);
        if reader.read_buf(&mut printed).await.unwrap() == 0 {
            break;
        }
    }
    assert_eq!(preview.ended().await, Exit::Code(0));
    let last = String::from_utf8_lossy(&printed[printed.len() - 1_000..]).into_owned();
    let count = match arguments.contains(&"--json") {
        true => format!("\"previewed\":{changes},"),
        false => format!("{changes} changes of "),
    };
    assert!(last.contains(&count), "{last}");
    peak.unwrap()
}

#[tokio::test]
async fn ten_times_as_many_changes_take_hardly_more_memory() {
    // What is sorted in memory, twice, and no more: it was 107 MiB when everything was held.
    const MORE: usize = 24 << 20;
    for arguments in [[].as_slice(), &["--json"]] {
        let few = memory_for(1_000, arguments).await;
        let many = memory_for(10_000, arguments).await;
        println!("{arguments:?}: {} KiB and {} KiB", few >> 10, many >> 10);
        let more = many.saturating_sub(few);
        assert!(more < MORE, "{arguments:?}: {few} bytes, and {more} more");
    }
}

#[tokio::test]
async fn a_preview_stops_when_its_reader_goes_away() {
    let sandbox = vendors(3_000, 3_000).await;
    let relay = Relay::new(&sandbox, None);
    let arguments = ["preview", "--limit", "100000"];
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let mut preview = relay.spawn_into(&arguments, abandoned(), Stdio::null(), nowhere);
    assert_eq!(preview.ended().await, Exit::Code(0));
    let searches = sandbox.report().traffic.calls_of(Vendor::Salsa, "search");
    // 20 people each: all of them would be 150.
    assert!(searches < 50, "{searches}");
}
