//! Many dead letters at once: counted before, watched while, and stopped in the middle.

use harness::waiting::{until, until_true};
use sandbox::SandboxOptions;

use super::{
    chromium::Browser,
    fleet::{Fleet, quiet},
};

const CHANGES: usize = 80;

/// Slow enough to be watched, and to be stopped long before its end.
const RATE: &str = "2/s";

#[tokio::test]
async fn a_bulk_replay_says_how_many_shows_how_far_it_is_and_stops_when_it_is_told() {
    let fleet = Fleet::of(SandboxOptions {
        missing_in_crm: 20,
        ..quiet(CHANGES)
    })
    .await;
    let letters = fleet.settled(CHANGES).await.len();
    assert!(letters >= 20, "{letters}");
    let browser = Browser::open(&fleet.console).await;
    browser.visit("/").await;
    browser.press("#attention [data-group]", "Replay").await;
    browser
        .until_text("main", |page| page.contains(&letters.to_string()))
        .await;
    assert_eq!(
        fleet.relay.dead().await.len(),
        letters,
        "that was the preview"
    );
    browser.screenshot("bulk-preview").await;
    fleet.sandbox.repair();
    browser.fill("main [name=rate]", RATE).await;
    browser.press("main", "Replay").await;

    until_true("the bulk has a page", async || {
        browser.path().await.starts_with("/bulks/")
    })
    .await;
    browser.evaluate("window.loaded = 'once'", &[]).await;
    let progress = async |than: f64| {
        until("it goes on", async || {
            let script = "return document.querySelector('progress')?.value";
            let done = browser.evaluate(script, &[]).await.as_f64();
            done.filter(|done| *done > than)
        })
        .await
    };
    let first = progress(0.0).await;
    progress(first).await;
    assert_eq!(browser.evaluate("return window.loaded", &[]).await, "once");
    browser.screenshot("bulk-running").await;
    browser.press("main", "Cancel").await;
    browser
        .until_text("main", |page| page.to_lowercase().contains("cancelled"))
        .await;
    browser.screenshot("bulk-cancelled").await;
    let left = fleet.settled(CHANGES).await.len();
    assert!(0 < left && left < letters, "{left} of {letters} are left");
    browser.close().await;
}
