//! The runbook, which every process serves.

use super::{
    chromium::{Browser, PHONE},
    fleet::Fleet,
};

#[tokio::test]
async fn the_runbook_can_be_read_at_a_desk_and_on_a_phone() {
    let fleet = Fleet::of_changes(1).await;
    let browser = Browser::open(&fleet.console).await;
    browser.visit("/runbook").await;
    browser.until_text("h1", |title| !title.is_empty()).await;
    browser.look(PHONE).await;
    browser.fits(PHONE).await;
    browser.close().await;
}
