//! The overview answers first, and goes on counting.

use harness::vendors::down;
use sandbox::{Fault, Faults, NewChanges};

use super::{chromium::Browser, fleet::Fleet};

fn some(count: usize) -> NewChanges {
    NewChanges {
        count,
        ..NewChanges::default()
    }
}

const ACKNOWLEDGED: &str = "#flow [data-node=acknowledged]";

#[tokio::test]
async fn the_overview_counts_on_without_being_loaded_again() {
    let fleet = Fleet::of_changes(40).await;
    let browser = Browser::open(&fleet.console).await;
    browser.visit("/").await;
    browser.evaluate("window.loaded = 'once'", &[]).await;
    let says = |count: &'static str| move |text: &str| text.contains(count);
    browser.until_text(ACKNOWLEDGED, says("40")).await;
    for node in ["feed", "in-flight", "crm", "salsa"] {
        let node = format!("#flow [data-node={node}]");
        assert!(browser.text(&node).await.is_some(), "{node}");
    }
    let page = browser.page().await;
    assert!(page.contains("crm") && page.contains("producer"), "{page}");

    fleet.add(some(13)).await;
    browser.until_text(ACKNOWLEDGED, says("53")).await;
    assert_eq!(browser.evaluate("return window.loaded", &[]).await, "once");
    browser.close().await;
}

#[tokio::test]
async fn the_verdict_names_a_vendor_that_is_down_and_says_when_it_works_again() {
    let fleet = Fleet::of_changes(10).await;
    let browser = Browser::open(&fleet.console).await;
    browser.visit("/").await;
    browser
        .until_text(ACKNOWLEDGED, |text| text.contains("10"))
        .await;
    let well = browser.text("#verdict").await.unwrap();
    assert!(!well.contains("CRM"), "{well}");

    fleet.sandbox.set_faults(Faults {
        crm: down(Fault::Unavailable),
        ..Faults::default()
    });
    fleet.add(some(12)).await;
    browser
        .until_text("#verdict", |verdict| verdict.contains("CRM"))
        .await;
    browser
        .until_text("#flow [data-node=crm]", |node| {
            node.to_lowercase().contains("pause")
        })
        .await;
    fleet.sandbox.set_faults(Faults::default());
    browser
        .until_text("#verdict", |verdict| !verdict.contains("CRM"))
        .await;
    browser
        .until_text(ACKNOWLEDGED, |text| text.contains("22"))
        .await;
    browser.close().await;
}
