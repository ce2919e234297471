//! Who may see and do what.

use harness::relay::text;
use sandbox::SandboxOptions;

use super::{
    chromium::Browser,
    fleet::{Fleet, OPERATOR, VIEWER, quiet},
};

/// What only an operator may press.
const ACTIONS: [&str; 7] = [
    "Replay",
    "Edit and replay",
    "Discard",
    "Pause",
    "Resume",
    "Cancel",
    "Show row data",
];

async fn offered(browser: &Browser) -> Vec<&'static str> {
    let mut offered = Vec::new();
    for action in ACTIONS {
        if browser.offers("main", action).await {
            offered.push(action);
        }
    }
    offered
}

#[tokio::test]
async fn a_viewer_sees_neither_people_nor_a_button_that_acts_and_an_operator_both() {
    let fleet = Fleet::guarded(SandboxOptions {
        missing_in_crm: 1,
        ..quiet(12)
    })
    .await;
    let letter = fleet.settled(12).await.remove(0);
    let (id, xid) = (text(&letter["change_id"]), text(&letter["xid"]));
    let row = fleet.sandbox.change(&id).unwrap().row;
    let personal =
        ["employer", "jobTitle", "address1", "email", "phone"].map(|field| row[field].as_str());
    let personal: Vec<_> = personal
        .into_iter()
        .flatten()
        .filter(|value| value.len() > 6 && !value.contains(['"', '\\']))
        .collect();
    assert!(!personal.is_empty(), "{row}");
    let one = format!("/dead-letters/crm/{id}");
    let pages = [
        "/",
        "/dead-letters",
        one.as_str(),
        "/destinations",
        "/audit",
        "/changes",
    ];
    let change = format!("/changes/{id}");

    let viewer = Browser::open(&fleet.console).await;
    viewer.visit(&one).await;
    assert!(
        viewer.path().await.starts_with("/login"),
        "nobody looks unknown"
    );
    viewer.log_in("Vera", VIEWER).await;
    for page in pages.iter().chain([&change.as_str()]) {
        viewer.visit(page).await;
        viewer.until_text("main", |text| !text.is_empty()).await;
        assert_eq!(offered(&viewer).await, [""; 0], "{page}");
        let source = viewer.source().await;
        for private in personal.iter().chain([&xid.as_str()]) {
            assert!(!source.contains(private), "{page} shows {private:?}");
        }
    }

    let operator = Browser::open(&fleet.console).await;
    operator.visit(&one).await;
    operator.log_in("Otto", OPERATOR).await;
    assert_eq!(operator.path().await, one, "where they wanted to go");
    let offers = offered(&operator).await;
    for action in ["Replay", "Discard", "Show row data"] {
        assert!(offers.contains(&action), "{offers:?}");
    }
    let letter = operator.page().await;
    assert!(letter.contains(&xid), "{letter}");
    let row = operator.text("#row").await.unwrap();
    assert!(!row.contains(personal[0]), "hidden until asked for: {row}");
    operator.press("#row", "Show row data").await;
    operator
        .until_text("#row", |row| row.contains(personal[0]))
        .await;
    operator.visit("/audit").await;
    let audit = operator
        .until_text("main", |text| text.contains("Otto"))
        .await;
    assert!(audit.contains("Vera"), "{audit}");
    assert_eq!(operator.count("[data-audit=revealed]").await, 1);
    viewer.close().await;
    operator.close().await;
}
