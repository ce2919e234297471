//! What commands print: JSON as its schema says, and dead letters by their causes.

use std::collections::BTreeSet;

use harness::{
    redis::Redis,
    relay::{Relay, text},
    vendors::vendors,
};
use sandbox::NewChanges;
use serde_json::Value;

/// Holds what a command prints against its schema, and each key against what the schema explains.
async fn is_as_described(relay: &Relay, name: &str, printed: &Value) {
    let schema = relay.json(&["schema", name]).await;
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(printed)
        .map(|error| error.to_string())
        .collect();
    assert!(wrong.is_empty(), "{name}: {wrong:?} in {printed}");
    for key in printed.as_object().unwrap().keys() {
        assert!(
            schema["properties"][key].is_object(),
            "{name}: {key} is not explained"
        );
    }
}

#[tokio::test]
async fn what_each_command_prints_is_what_its_schema_says() {
    let sandbox = vendors(6, 3).await;
    let dead = sandbox.add_changes(&NewChanges {
        count: 1,
        xid: Some("nobody-knows-me".to_owned()),
        ..NewChanges::default()
    });
    let id = dead[0].as_str();
    let redis = Redis::start().await;
    let example = "\n[[map.test]]\nname = \"a\"\nrow = { changeId = 1, xid = \"2\" }\ncrm.dead = \"anonymous\"\n";
    let relay = Relay::new(&sandbox, Some(&redis)).append(example);
    std::fs::write(
        relay.path("row.json"),
        r#"[{"changeId": 1, "xid": "2"}, {"changeId": 2}]"#,
    )
    .unwrap();
    std::fs::write(
        relay.path("contact.json"),
        r#"{"StudentInstitutionId": "nobody"}"#,
    )
    .unwrap();
    let commands: [(&str, &[&str], i32); 14] = [
        ("sync", &["sync", "--wait"], 3),
        ("status", &["status"], 0),
        ("show", &["show", id], 0),
        ("dead-list", &["dead", "list"], 0),
        ("dead-groups", &["dead", "groups"], 0),
        ("dead-show", &["dead", "show", id], 0),
        ("dead-replay", &["dead", "replay", id, "--dry-run"], 0),
        ("dead-discard", &["dead", "discard", id, "--dry-run"], 0),
        ("preview", &["preview"], 0),
        ("reconcile", &["reconcile"], 0),
        ("map-try", &["map", "try", "row.json"], 3),
        ("map-test", &["map", "test"], 1),
        (
            "supporter-search",
            &["supporter", "search", "--modified-since", "30d"],
            0,
        ),
        ("contact-update", &["contact", "update", "contact.json"], 3),
    ];
    let mut seen = BTreeSet::new();
    for (name, arguments, code) in commands {
        let printed = relay
            .run(&[arguments, &["--json"]].concat())
            .await
            .expect(code)
            .json();
        is_as_described(&relay, name, &printed).await;
        seen.insert(name.to_owned());
    }
    let nobody = "00000000-af08-42bb-8ca2-50fc232e7b40";
    let deleted = relay
        .run(&["supporter", "delete", nobody, "--yes", "--json"])
        .await
        .expect(3);
    is_as_described(&relay, "supporter-delete", &deleted.json()).await;
    let erased = relay
        .run(&["erase", "--xid", "nobody-knows-me", "--yes", "--json"])
        .await;
    is_as_described(&relay, "erase", &erased.json()).await;
    let key = relay.run(&["encryption", "key"]).await.expect(0).stdout;
    let relay = relay.set("encryption.key", key.trim());
    let rotated = relay.run(&["encryption", "rotate", "--json"]).await;
    is_as_described(&relay, "encryption-rotate", &rotated.json()).await;
    // Its own room runs it, with `--json`.
    seen.extend(["supporter-delete", "erase", "encryption-rotate", "chaos"].map(str::to_owned));
    let listed = relay.run(&["schema"]).await.expect(0).stdout;
    let names: BTreeSet<String> = listed
        .lines()
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect();
    assert_eq!(seen, names);
    let unknown = relay.run(&["schema", "dead", "lists"]).await.expect(2);
    assert!(unknown.said().contains("dead-lists"), "{}", unknown.stderr);
}

#[tokio::test]
async fn dead_letters_are_found_by_their_cause_and_listed_newest_first() {
    let sandbox = vendors(3, 3).await;
    for xid in ["nobody-1", "nobody-2", "nobody-3"] {
        sandbox.add_changes(&NewChanges {
            count: 1,
            xid: Some(xid.to_owned()),
            ..NewChanges::default()
        });
    }
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis));
    relay.run(&["sync", "--wait"]).await.expect(3);
    let groups = relay
        .json(&["dead", "groups", "--destination", "crm", "--json"])
        .await;
    assert_eq!(groups["items"].as_array().unwrap().len(), 1, "{groups}");
    let group = &groups["items"][0];
    assert_eq!(
        (&group["class"], &group["count"]),
        (&"unmatched".into(), &3.into())
    );
    let (key, words) = (text(&group["cause"]), text(&group["text"]));
    let ids = async |more: &[&str]| -> Vec<String> {
        let page = relay
            .json(&[&["dead", "list", "--json"], more].concat())
            .await;
        let items = page["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|letter| text(&letter["change_id"]))
            .collect()
    };
    let oldest_first = ids(&["--cause", &key]).await;
    assert_eq!(oldest_first.len(), 3);
    let mut newest_first = ids(&[
        "--cause",
        &words.to_uppercase(),
        "--newest",
        "--destination",
        "crm",
    ])
    .await;
    newest_first.reverse();
    assert_eq!(newest_first, oldest_first);
    let none = relay
        .run(&["dead", "list", "--cause", "no such words"])
        .await
        .expect(2);
    assert!(none.said().contains("dead groups"), "{}", none.stderr);
    let both = relay
        .run(&["dead", "replay", "--cause", "o", "--dry-run"])
        .await
        .expect(2);
    assert!(
        both.said().contains("several causes have"),
        "{}",
        both.stderr
    );
    let table = relay.run(&["dead", "groups"]).await.expect(0).said();
    assert!(
        table.contains(&key) && table.contains("in 2 groups"),
        "{table}"
    );
    let replayed = relay
        .json(&["dead", "replay", "--cause", &key, "--dry-run", "--json"])
        .await;
    assert_eq!(replayed["letters"], 3);
}
