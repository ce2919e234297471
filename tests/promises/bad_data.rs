//! Rows and answers as no document promises them: one row's trouble is its own, and nothing is lost.

use harness::{
    redis::Redis,
    relay::{Relay, text},
    vendors::{acknowledged, vendors},
};
use sandbox::{Fault, Faults, Instead, NewChanges, Sandbox, VendorFaults};
use serde_json::{Value, json};

fn rows(rows: Vec<Value>) -> NewChanges {
    NewChanges {
        rows,
        ..NewChanges::default()
    }
}

#[tokio::test]
async fn rows_of_every_wrong_shape_become_dead_letters_and_everyone_else_goes_on() {
    const CHANGES: usize = 40;
    let sandbox = vendors(CHANGES, 15).await;
    let deep = (0..100).fold(json!("x"), |inner, _| json!([inner]));
    sandbox.add_changes(&rows(vec![
        json!("no object"),
        json!(["changeId", "1"]),
        Value::Null,
        json!({ "xid": "1" }),
        json!({ "changeId": { "value": 5 } }),
        json!({ "changeId": "d-1", "xid": deep }),
        json!({ "changeId": "d-2", "xid": "1", "changedOn": "the other day" }),
        json!({ "changeId": "one,two", "xid": "1" }),
        json!({ "changeId": "x".repeat(5_000), "xid": "1" }),
    ]));
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    relay.run(&["sync", "--wait"]).await.expect(3);
    assert_eq!(sandbox.report().acknowledged, CHANGES);
    let letters = relay.dead().await;
    assert_eq!(letters.len(), 9, "{letters:#?}");
    for letter in &letters {
        assert_eq!(letter["class"], "undecodable", "{letter}");
        assert!(!text(&letter["cause"]).is_empty() && !text(&letter["advice"]).is_empty());
        let id = text(&letter["change_id"]);
        relay.run(&["dead", "show", &id]).await.expect(0);
        let shown = relay.show(&id).await;
        assert_eq!(
            shown["destinations"],
            json!({}),
            "no destination has seen it"
        );
    }
    // The same rows at the next fetch are the same letters.
    relay.run(&["sync", "--wait"]).await;
    assert_eq!(relay.dead().await, letters);
    assert_eq!(relay.status().await["books"]["difference"], 0);
}

/// What the sandbox holds of a person.
async fn person(sandbox: &Sandbox, xid: &str) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("http://{}/_sandbox/person/{xid}", sandbox.addr());
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

/// The rows of `sandbox`'s first `count` changes, with these employers, as AlumnIQ's next answer.
fn feed_in(sandbox: &Sandbox, employers: &[&str], content_type: &str) -> Vec<String> {
    let ids = sandbox.report().unacknowledged;
    let rows: Vec<Value> = ids
        .iter()
        .zip(employers)
        .map(|(id, employer)| {
            let mut row = sandbox.change(id).unwrap().row;
            row["employer"] = json!(employer);
            row
        })
        .collect();
    sandbox.set_faults(Faults {
        alumniq: VendorFaults {
            operations: vec!["fetch".to_owned()],
            next: vec![Fault::Instead],
            instead: Instead {
                content_type: content_type.to_owned(),
                body: json!(rows).to_string(),
                charset: "windows-1252".to_owned(),
                ..Instead::default()
            },
            ..VendorFaults::default()
        },
        ..Faults::default()
    });
    ids
}

#[tokio::test]
async fn text_arrives_as_it_was_written_in_whatever_charset_alumniq_declares() {
    let sandbox = vendors(2, 2).await;
    let ids = feed_in(
        &sandbox,
        &["Nestl\u{e9} S.A.", "Plain Ltd"],
        "application/json;charset=ISO-8859-1",
    );
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    relay.run(&["sync", "--wait"]).await.expect(0);
    let xid = sandbox.change(&ids[0]).unwrap().xid.unwrap();
    let held = person(&sandbox, &xid).await;
    assert!(held.contains("Nestl\u{e9} S.A."), "{held}");
}

#[tokio::test]
async fn bytes_that_are_no_text_are_one_dead_letter_and_never_a_replacement_character() {
    let sandbox = vendors(3, 3).await;
    let ids = feed_in(
        &sandbox,
        &["Plain Ltd", "Nestl\u{e9} S.A.", "Simple Ltd"],
        "application/json",
    );
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    relay.run(&["sync", "--wait"]).await.expect(3);
    assert_eq!(sandbox.report().acknowledged, 2);
    let letters = relay.dead().await;
    assert!(!letters.is_empty());
    for letter in &letters {
        assert_eq!(letter["change_id"], ids[1].as_str(), "{letter}");
        assert_eq!(letter["class"], "undecodable", "{letter}");
        assert!(text(&letter["cause"]).contains("`employer`"), "{letter}");
    }
    for id in &ids {
        let xid = sandbox.change(id).unwrap().xid.unwrap();
        let held = person(&sandbox, &xid).await;
        assert!(!held.contains(['\u{fffd}', '\u{fdd0}']), "{held}");
    }
}

#[tokio::test]
async fn a_field_of_ten_megabytes_is_one_dead_letter() {
    const CHANGES: usize = 30;
    let sandbox = vendors(CHANGES, 10).await;
    let person = sandbox.add_changes(&NewChanges {
        count: 1,
        ..NewChanges::default()
    });
    let xid = sandbox.change(&person[0]).unwrap().xid.unwrap();
    let huge = "Ü".repeat(5 * 1024 * 1024);
    sandbox.add_changes(&rows(vec![
        json!({ "changeId": "huge", "xid": xid, "employer": huge, "changedOn": "2000-01-01 00:00:00" }),
    ]));
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("alumniq.lookback_days", "366");
    relay.run(&["sync", "--wait"]).await.expect(0);
    relay
        .run(&["sync", "--xid", &xid, "--wait"])
        .await
        .expect(3);
    assert_eq!(sandbox.report().acknowledged, CHANGES + 1);
    let letters = relay.dead().await;
    assert!(
        letters.iter().all(|letter| letter["change_id"] == "huge"),
        "{letters:?}"
    );
    for letter in &letters {
        assert!(
            letter.to_string().len() < 2_000,
            "a letter does not quote the row"
        );
    }
}

#[tokio::test]
async fn a_change_that_stands_twice_in_a_block_is_applied_once() {
    let sandbox = vendors(30, 10).await;
    let id = sandbox.add_changes(&NewChanges {
        count: 1,
        ..NewChanges::default()
    });
    let row = sandbox.change(&id[0]).unwrap().row;
    sandbox.add_changes(&rows(vec![row.clone(), row]));
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    let synced = relay.json(&["sync", "--wait", "--json"]).await;
    assert_eq!(
        (&synced["fetched"], &synced["duplicates"]),
        (&33.into(), &2.into()),
        "{synced}"
    );
    assert_eq!(synced["acknowledged"], 31, "{synced}");
    let report = sandbox.report();
    assert_eq!(report.repeats, []);
    assert_eq!(report.unprocessed, 0);
}

#[tokio::test]
async fn vendors_that_answer_html_are_waited_for_and_an_html_feed_fails_the_fetch() {
    const CHANGES: usize = 60;
    let sandbox = vendors(CHANGES, 20).await;
    let html = |times| VendorFaults {
        next: [Fault::HtmlInOk, Fault::HtmlPage].repeat(times),
        ..VendorFaults::default()
    };
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    sandbox.set_faults(Faults {
        alumniq: VendorFaults {
            rates: [(Fault::HtmlInOk, 1.0)].into(),
            ..VendorFaults::default()
        },
        ..Faults::default()
    });
    let failed = relay.run(&["sync", "--wait"]).await.expect(1);
    assert!(failed.said().contains("HTML"), "{}", failed.stderr);

    sandbox.set_faults(Faults {
        crm: html(2),
        salsa: html(2),
        ..Faults::default()
    });
    let service = relay.start("producer,crm,salsa,acknowledger").await;
    acknowledged(&sandbox, CHANGES).await;
    assert_eq!(relay.dead_ids().await, Vec::<String>::new());
    service.stop().await;
}
