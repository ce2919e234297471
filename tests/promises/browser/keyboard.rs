//! Everything can be reached and pressed without a pointer, and one sees where one is.

use harness::{relay::text, waiting::until_true};
use sandbox::SandboxOptions;
use thirtyfour::Key;

use super::{
    chromium::Browser,
    fleet::{Fleet, quiet},
};

#[tokio::test]
async fn a_change_is_found_and_replayed_with_the_keyboard_alone() {
    let fleet = Fleet::of(SandboxOptions {
        missing_in_crm: 1,
        ..quiet(12)
    })
    .await;
    let letter = fleet.settled(12).await.remove(0);
    let id = text(&letter["change_id"]);
    fleet.sandbox.repair();
    let browser = Browser::open(&fleet.console).await;
    browser.visit("/").await;
    browser
        .until_text("#attention", |text| text.contains("Look"))
        .await;
    browser.tab_to("Skip to").await;
    browser.press_key(Key::Enter).await;
    browser.tab_to("Look").await;
    browser.press_key(Key::Enter).await;
    browser.until_text("main", |page| page.contains(&id)).await;
    browser.tab_to(&id).await;
    browser.press_key(Key::Enter).await;
    until_true("the letter's page", async || {
        browser.path().await.ends_with(&id)
    })
    .await;
    browser.tab_to("Replay").await;
    browser.press_key(Key::Enter).await;
    until_true("AlumnIQ is told of it", async || fleet.acknowledged(&id)).await;
    browser.close().await;
}
