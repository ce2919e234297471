//! The mapping tried, tested and linted, without network, Redis or secrets.

use harness::relay::{Ended, Relay};
use sandbox::SANDBOX_API_KEY;
use serde_json::json;

const LEAST: &str = r#"
[alumniq]
url = "http://127.0.0.1:9/index.cfm"
timezone = "America/Los_Angeles"
[crm]
url = "http://127.0.0.1:9/crms/api"
"#;

/// Nothing can be called from here: no secret, no Redis, and vendors where nobody listens.
fn bare(lines: &str) -> Relay {
    Relay::with_config(&format!("{LEAST}{lines}"))
        .without("ALUMNIQ_API_KEY")
        .without("CRM_USERNAME")
        .without("CRM_PASSWORD")
        .without("SALSA_AUTH_TOKEN")
        .set("redis.url", "redis://127.0.0.1:9")
}

async fn tries(relay: &Relay, rows: &str, more: &[&str]) -> Ended {
    std::fs::write(relay.path("rows.json"), rows).unwrap();
    relay
        .run(&[&["map", "try", "rows.json"], more].concat())
        .await
}

#[tokio::test]
async fn a_row_is_tried_without_secrets_redis_or_vendors() {
    let relay = bare("");
    let row = r#"{"changeId": 7, "xid": "42", "employer": "Acme", "work_email": "ann@example.org", "shoe_size": 43}"#;
    let tried = tries(&relay, row, &["--json"]).await.expect(0).json();
    let item = &tried["items"][0];
    assert_eq!(item["change_id"], "7");
    assert_eq!(item["unmapped"], json!(["shoe_size"]));
    let (crm, salsa) = (&item["destinations"]["crm"], &item["destinations"]["salsa"]);
    assert_eq!(crm["document"]["EmailAddress2"], "ann@example.org");
    assert_eq!(salsa["laid_over"]["custom.Employer"], "Acme");
    assert_eq!(salsa["document"]["externalSystemId"], "42");
    let said = tries(&relay, row, &[]).await.expect(0).said();
    for text in [
        "change 7",
        "Employer: Acme",
        "nothing maps shoe_size",
        "for somebody who has nothing yet",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
    assert!(relay.embedded_servers().is_empty());
}

#[tokio::test]
async fn rows_that_would_die_are_told_with_class_cause_and_advice() {
    let relay = bare("");
    let rows =
        r#"[{"changeId": 1, "city": "Ulm"}, {"changeId": 2, "xid": "3", "phone": {"a": 1}}]"#;
    let tried = tries(&relay, rows, &["--json"]).await.expect(3).json();
    let dead =
        |at: usize, to: &str| tried["items"][at]["destinations"][to]["dead"]["class"].clone();
    assert_eq!(dead(0, "crm"), "anonymous");
    assert_eq!(dead(1, "salsa"), "undecodable");
    let said = tries(&relay, rows, &[]).await.expect(3).said();
    assert!(
        said.contains("a dead letter of class anonymous why:"),
        "{said}"
    );
    assert!(said.contains("advice:"), "{said}");
}

#[tokio::test]
async fn what_is_no_row_is_wrong_usage() {
    let relay = bare("");
    let broken = tries(&relay, "{", &[]).await.expect(2);
    assert!(broken.said().contains("is no JSON"), "{}", broken.stderr);
    let missing = relay.run(&["map", "try", "nowhere.json"]).await.expect(2);
    assert!(
        missing.said().contains("nowhere.json cannot be read"),
        "{}",
        missing.stderr
    );
}

const EXAMPLES: &str = r#"
[[map.test]]
name = "an employer goes to Salsa"
row = { changeId = 1, xid = "42", employer = "Acme" }
salsa = { externalSystemId = "42", custom.Employer = "Acme" }

[[map.test]]
name = "a phone goes to the CRM"
contains = true
row = { changeId = 2, xid = "42", phone = "+13605550100" }
crm.PhoneWork = "+13605550199"
"#;

#[tokio::test]
async fn an_example_that_fails_shows_what_differs_and_fails_the_command() {
    let relay = bare(EXAMPLES);
    let report = relay.run(&["map", "test", "--json"]).await.expect(1).json();
    assert_eq!(
        (&report["passed"], &report["failed"]),
        (&json!(1), &json!(1))
    );
    let failed = &report["items"][1];
    assert_eq!(failed["place"], "relay.toml:17:17");
    assert_eq!(
        failed["differences"],
        json!([{"destination": "crm", "field": "PhoneWork", "expected": "+13605550199", "got": "+13605550100"}])
    );
    let said = relay.run(&["map", "test"]).await.expect(1).said();
    for text in [
        "ok an employer goes to Salsa",
        "FAIL a phone goes to the CRM relay.toml:17:17",
        "crm.PhoneWork - \"+13605550199\" + \"+13605550100\"",
        "1 of 2 examples fail",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
    let right = bare(&EXAMPLES.replace("0199", "0100"));
    let said = right.run(&["map", "test"]).await.expect(0).said();
    assert!(said.contains("all 2 examples hold"), "{said}");
    let none = bare("").run(&["map", "test"]).await.expect(0).said();
    assert!(none.contains("There are no examples"), "{none}");
}

#[tokio::test]
async fn check_runs_the_examples_and_points_at_what_does_nothing() {
    let lint = "[salsa.map]\ncustom.Employer = \"{{ employer }}\"\n";
    let relay = bare(&format!("{lint}{EXAMPLES}"))
        .with_variable("ALUMNIQ_API_KEY", SANDBOX_API_KEY)
        .with_variable("CRM_USERNAME", "u")
        .with_variable("CRM_PASSWORD", "p")
        .with_variable("SALSA_AUTH_TOKEN", "t");
    let checked = relay.run(&["check"]).await.expect(1);
    let said = checked.said();
    for text in [
        "warn map relay.toml:8:19: `salsa.map.custom.Employer` is the default, word for word",
        "FAIL map relay.toml:19:17: the example \"a phone goes to the CRM\" fails",
        "does nothing",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
    let tested = relay.run(&["map", "test"]).await.expect(1);
    assert!(
        tested.stderr.contains("\"{{ employer }}\""),
        "{}",
        tested.stderr
    );
    let good = bare("")
        .with_variable("ALUMNIQ_API_KEY", SANDBOX_API_KEY)
        .set("salsa.enabled", "false")
        .set("crm.auth", "none");
    let said = good.run(&["check"]).await.expect(0).said();
    assert!(!said.contains(" map "), "{said}");
}
