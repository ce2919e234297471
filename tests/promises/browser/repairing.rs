//! Finding why a change is stuck, mending the cause, and replaying it until AlumnIQ was told.

use harness::{relay::text, waiting::until_true};
use sandbox::SandboxOptions;

use super::{
    chromium::{Browser, DESK, Look, WITHOUT_SCRIPTS},
    fleet::{Fleet, quiet},
};

async fn from_the_verdict_to_the_acknowledgement(look: Look) {
    let fleet = Fleet::of(SandboxOptions {
        missing_in_crm: 1,
        ..quiet(20)
    })
    .await;
    let letter = fleet.settled(20).await.remove(0);
    let (id, cause) = (text(&letter["change_id"]), text(&letter["cause"]));

    let browser = Browser::open_with(&fleet.console, look).await;
    browser.visit("/").await;
    browser
        .until_text("#verdict", |verdict| verdict.contains("need"))
        .await;
    // Two clicks: what needs a person, and which change.
    browser.press("#attention [data-group]", "Look").await;
    browser.until_text("main", |page| page.contains(&id)).await;
    let row = format!("main [data-letter='crm/{id}']");
    browser.press(&row, &id).await;
    let page = browser
        .until_text("main", |page| page.contains(&cause))
        .await;
    assert!(page.contains("unmatched"), "{page}");
    // Keys and values are set in type, without the marks around them; and it begins as a sentence does.
    let advice = text(&letter["advice"]).replace('`', "");
    assert!(page.contains(&advice[1..]), "{advice}: {page}");
    browser.screenshot("letter-unmatched").await;

    fleet.sandbox.repair();
    browser.press("main", "Replay").await;
    until_true("AlumnIQ is told of it", async || fleet.acknowledged(&id)).await;
    browser.visit(&format!("/changes/{id}")).await;
    browser
        .until_text("main", |page| page.contains("acknowledged"))
        .await;
    assert!(
        browser.page().await.contains("Replayed"),
        "the timeline tells of it"
    );
    browser.visit("/audit").await;
    browser.until_text("main", |page| page.contains(&id)).await;
    browser.close().await;
}

#[tokio::test]
async fn from_the_verdict_to_the_cause_in_two_clicks_and_on_to_the_acknowledgement() {
    from_the_verdict_to_the_acknowledgement(DESK).await;
}

#[tokio::test]
async fn the_same_way_is_open_with_scripts_switched_off() {
    from_the_verdict_to_the_acknowledgement(WITHOUT_SCRIPTS).await;
}
