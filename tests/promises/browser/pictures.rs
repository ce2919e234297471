//! Pictures of every page in `target/screenshots`, and what every page has to have: one heading, a name for everything that can be pressed
//! or filled in, and no line wider than a phone.

use harness::{relay::text, waiting::until_true};
use sandbox::SandboxOptions;
use serde_json::json;

use super::{
    chromium::{Browser, DARK, DESK, Look, PHONE},
    fleet::{Fleet, VIEWER, quiet},
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

/// The page that the browser is at, by day, by night and on a phone.
async fn is_seen(browser: &Browser, name: &str) {
    browser
        .until_text("main", |text| !text.trim().is_empty())
        .await;
    is_fit_for_everybody(browser, name).await;
    for (look, mode) in [(DARK, "dark"), (PHONE, "phone"), (DESK, "light")] {
        browser.look(look).await;
        browser.fits(look).await;
        browser.screenshot(&format!("{name}-{mode}")).await;
    }
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
        is_seen(&browser, name).await;
        if *name == "not-found" {
            browser.forgive().await; // a 404 is said on the console
        }
    }
    browser
        .visit(&format!("/dead-letters/{where_dead}/{id}"))
        .await;
    browser.press("#row", "Show row data").await;
    browser.until_text("#row", |row| row.contains(&id)).await;
    is_seen(&browser, "row-data").await;
    the_edit_of(&browser, &format!("/dead-letters/{at}/{invalid}")).await;
    a_bulk(&browser).await;
    browser.close().await;
}

async fn the_edit_of(browser: &Browser, letter: &str) {
    browser.visit(letter).await;
    browser.press("main", "Edit and replay").await;
    let fields = "form.edit";
    browser
        .until_text(fields, |form| form.contains("Employer"))
        .await;
    is_seen(browser, "edit").await;
    let phone = "main [name='field.phone']";
    browser.fill(phone, "extension 12, mornings").await;
    browser.press(fields, "Preview").await;
    browser
        .until_text("#problems", |text| !text.is_empty())
        .await;
    is_seen(browser, "edit-refused").await;
    browser.forgive().await; // a 422 is said on the console
    browser.fill(phone, "+14155550100").await;
    browser.press(fields, "Preview").await;
    browser
        .until_text("form.confirm", |text| !text.is_empty())
        .await;
    is_seen(browser, "edit-preview").await;
}

async fn a_bulk(browser: &Browser) {
    browser.visit("/").await;
    browser.press("#attention [data-group]", "Replay").await;
    browser.fill("main [name=rate]", "20/m").await;
    browser.press("main", "Replay").await;
    until_true("the bulk has a page", async || {
        browser.path().await.starts_with("/bulks/")
    })
    .await;
    is_seen(browser, "bulk").await;
    browser.visit("/bulks").await;
    is_seen(browser, "bulks").await;
    browser.visit("/audit").await;
    is_seen(browser, "audit-filled").await;
}

#[tokio::test]
async fn what_strangers_and_viewers_see_is_fit_for_everybody_too() {
    let fleet = Fleet::guarded(quiet(4)).await;
    fleet.settled(4).await;
    let browser = Browser::open(&fleet.console).await;
    browser.visit("/").await;
    is_seen(&browser, "login").await;
    browser.log_in("Vera Viewer", VIEWER).await;
    is_seen(&browser, "viewer").await;
    for width in [1000, 1200, 1279, 1440] {
        let look = Look { width, ..DESK };
        browser.look(look).await;
        browser.fits(look).await;
    }
    browser.look(DESK).await;
    browser.visit("/people/1001").await;
    is_seen(&browser, "forbidden").await;
    browser.forgive().await; // a 403 is said on the console
    browser.close().await;
}
