//! A row that a vendor's rule refuses is corrected on its page, and goes on its way.

use harness::{relay::text, waiting::until_true};
use sandbox::SandboxOptions;

use super::{
    chromium::{Browser, DESK, Look, WITHOUT_SCRIPTS},
    fleet::{Fleet, quiet},
};

const PHONE: &str = "main [name='field.phone']";

/// What a screen reader says of the field: whether it is wrong, and what is written beside it.
const SAID: &str = r"
    const field = document.querySelector(arguments[0]);
    const notes = (field.getAttribute('aria-describedby') ?? '').split(' ').filter(Boolean);
    return [field.getAttribute('aria-invalid'), notes.map(id => document.getElementById(id).innerText).join(' '), field.value];";

async fn from_the_refusal_to_the_acknowledgement(look: Look) {
    let fleet = Fleet::of(SandboxOptions {
        invalid_phones: 1,
        ..quiet(10)
    })
    .await;
    let letters = fleet.settled(10).await;
    let letter = letters.iter().find(|letter| letter["destination"] == "crm");
    let id = text(&letter.unwrap()["change_id"]);

    let browser = Browser::open_with(&fleet.console, look).await;
    browser.visit(&format!("/dead-letters/crm/{id}")).await;
    browser.press("main", "Edit and replay").await;
    browser
        .until_text("h1", |title| title.contains("Edit"))
        .await;
    browser.is_content().await;
    browser.fill(PHONE, "not a number either").await;
    browser.press("main", "Preview").await;
    browser
        .until_text("#problems", |problems| problems.contains("Phone"))
        .await;
    browser.forgive().await; // a 422 is said on the console
    let said = browser.evaluate(SAID, &[PHONE.into()]).await;
    assert_eq!(said[0], "true", "{said}");
    assert!(said[1].as_str().unwrap().contains("PhoneWork"), "{said}");
    assert_eq!(said[2], "not a number either", "what was typed is kept");
    assert_eq!(fleet.relay.dead().await, letters, "nothing was replayed");
    if look.scripts {
        browser.screenshot("edit-refused-light").await;
    }

    browser.fill(PHONE, "+14155550100").await;
    browser.press("main", "Preview").await;
    let preview = browser
        .until_text("main .document", |sent| sent.contains("PhoneWork"))
        .await;
    assert!(preview.contains("5550100"), "{preview}");
    assert_eq!(fleet.relay.dead().await, letters, "nothing was replayed");
    browser.press("main", "Edit and replay").await;
    until_true("AlumnIQ is told of it", async || fleet.acknowledged(&id)).await;
    browser.visit("/audit").await;
    let audit = browser
        .until_text("[data-audit=edited]", |entry| entry.contains("phone"))
        .await;
    assert!(audit.contains(&id), "{audit}");
    assert!(
        !browser.source().await.contains("555"),
        "which fields, not what is in them"
    );
    browser.close().await;
}

#[tokio::test]
async fn an_edit_that_the_mapping_refuses_names_the_field_and_one_that_it_takes_is_replayed() {
    from_the_refusal_to_the_acknowledgement(DESK).await;
}

#[tokio::test]
async fn the_same_is_edited_with_scripts_switched_off() {
    from_the_refusal_to_the_acknowledgement(WITHOUT_SCRIPTS).await;
}
