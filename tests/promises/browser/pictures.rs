//! Pictures of every page, and what every page has to have: one heading, a name for everything that can be pressed
//! or filled in, and no line wider than a phone.

use alumniq_relay::sandbox::SandboxOptions;
use serde_json::json;

use super::fleet::{Fleet, quiet};
use crate::harness::{
    browser::{Browser, DARK, DESK, PHONE},
    relay::text,
};

/// What somebody would hear nothing of.
const NAMELESS: &str = r"
    const named = e => e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim() || e.title;
    const fields = [...document.querySelectorAll('button, a[href], select, textarea, input:not([type=hidden])')];
    return fields.filter(e => !named(e)).map(e => e.outerHTML)";

async fn is_fit_for_everybody(browser: &Browser, page: &str) {
    assert_eq!(browser.count("h1").await, 1, "{page} has one heading");
    assert_eq!(browser.count("main").await, 1, "{page} has one main part");
    assert_eq!(browser.evaluate(NAMELESS, &[]).await, json!([]), "{page}");
    let language = "return document.documentElement.lang";
    assert_eq!(browser.evaluate(language, &[]).await, "en", "{page}");
}

#[tokio::test]
async fn every_page_is_fit_for_everybody_at_a_desk_at_night_and_on_a_phone() {
    const CHANGES: usize = 120;
    let fleet = Fleet::of(SandboxOptions {
        missing_in_crm: 4,
        missing_in_salsa: 2,
        invalid_phones: 2,
        invalid_fields: 3,
        anonymous: 1,
        undecodable: 1,
        ..quiet(CHANGES)
    })
    .await;
    let letters = fleet.settled(CHANGES).await;
    let of = |class: &str| {
        let letter = letters.iter().find(|letter| letter["class"] == class);
        letter.unwrap_or_else(|| panic!("no letter is {class}"))
    };
    fleet.relay.run(&["pause", "salsa"]).await.expect(0);
    let unmatched = of("unmatched");
    let (id, xid) = (text(&unmatched["change_id"]), text(&unmatched["xid"]));
    let where_dead = text(&unmatched["destination"]);
    let invalid = text(&of("validation")["change_id"]);
    let at = text(&of("validation")["destination"]);
    let pages = [
        ("overview", "/".to_owned()),
        ("letters", "/dead-letters".to_owned()),
        (
            "letters-filtered",
            "/dead-letters?destination=crm&class=unmatched".to_owned(),
        ),
        ("letter", format!("/dead-letters/{where_dead}/{id}")),
        ("letter-validation", format!("/dead-letters/{at}/{invalid}")),
        ("replay", "/dead-letters/replay?destination=crm".to_owned()),
        (
            "discard",
            "/dead-letters/discard?class=validation".to_owned(),
        ),
        ("changes", "/changes".to_owned()),
        ("change", format!("/changes/{id}")),
        ("person", format!("/people/{xid}")),
        ("destinations", "/destinations".to_owned()),
        ("audit", "/audit".to_owned()),
        ("not-found", "/changes/no-such-change".to_owned()),
    ];
    let browser = Browser::open(&fleet.console).await;
    for (name, page) in &pages {
        browser.visit(page).await;
        browser.until_text("main", |text| !text.is_empty()).await;
        is_fit_for_everybody(&browser, page).await;
        for (look, mode) in [(DESK, "light"), (DARK, "dark"), (PHONE, "phone")] {
            browser.look(look).await;
            browser.screenshot(&format!("{name}-{mode}")).await;
            browser.fits(look).await;
        }
        if *name == "not-found" {
            browser.forgive().await; // a 404 is said on the console
        }
    }
    browser.close().await;
}
