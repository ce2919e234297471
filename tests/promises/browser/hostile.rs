//! What people write into their employer's name, and vendors into their refusals, is shown and never run.

use harness::rows::campus_now;
use sandbox::NewChanges;
use serde_json::json;

use super::{chromium::Browser, fleet::Fleet};

/// Each would do something if it were taken for anything but text.
const STRINGS: [&str; 8] = [
    "<script>alert('employer')</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload=alert(2)>",
    "' onmouseover='alert(3)' x='",
    "</title></textarea><iframe srcdoc='<script>parent.alert(4)</script>'>",
    "javascript:alert(5)//",
    "{{ 7 * 7 }} ${7*7} <%= 7*7 %>",
    "left \u{202e}thgir\u{202c} <!-- --> &lt;b&gt;bold&lt;/b&gt;",
];

/// Whatever such a string could have put into the page.
const INJECTED: &str = "main script, main img, main iframe, main svg[onload], [onerror], [onmouseover], [srcdoc], \
                        a[href^='javascript:']";

/// Every address on the page that begins like this.
async fn links(browser: &Browser, prefix: &str) -> Vec<String> {
    let script =
        "return [...document.querySelectorAll('main a[href]')].map(a => a.getAttribute('href'))";
    let all: Vec<String> = serde_json::from_value(browser.evaluate(script, &[]).await).unwrap();
    let mut links: Vec<_> = all
        .into_iter()
        .filter(|link| link.starts_with(prefix))
        .collect();
    links.sort();
    links.dedup();
    links
}

async fn is_inert(browser: &Browser, page: &str) {
    browser
        .until_text("main", |text| !text.trim().is_empty())
        .await;
    assert_eq!(browser.dialog().await, None, "{page}");
    assert_eq!(browser.count(INJECTED).await, 0, "{page}");
    browser.is_content().await; // the policy was not even needed
}

#[tokio::test]
async fn hostile_strings_are_shown_as_text_and_nothing_else() {
    let fleet = Fleet::of_changes(2).await;
    let today = campus_now().date();
    let row = |hostile: &&str| {
        json!({
            "changeId": hostile.replace(' ', "/"), "xid": format!("person {hostile}"), "changedOn": format!("{today} 00:00:00"),
            "employer": hostile, "jobTitle": hostile, "city": hostile, "source": hostile,
        })
    };
    fleet
        .add(NewChanges {
            rows: STRINGS.iter().map(row).collect(),
            ..NewChanges::default()
        })
        .await;
    let letters = fleet.settled(2 + STRINGS.len()).await;
    assert_eq!(
        letters.len(),
        2 * STRINGS.len(),
        "nobody knows these people"
    );

    let browser = Browser::open(&fleet.console).await;
    browser.visit("/").await;
    browser
        .until_text("#attention", |text| text.contains("Look"))
        .await;
    is_inert(&browser, "/").await;
    browser.visit("/dead-letters").await;
    is_inert(&browser, "/dead-letters").await;
    let list = browser.page().await;
    for plain in &STRINGS[..7] {
        assert!(list.contains(plain), "{plain} is shown: {list}");
    }
    let mut pages = links(&browser, "/dead-letters/crm/").await;
    assert_eq!(pages.len(), STRINGS.len());
    pages.extend(links(&browser, "/people/").await);
    assert_eq!(pages.len(), 2 * STRINGS.len());
    for page in &pages.clone()[..STRINGS.len()] {
        pages.push(page.replace("/dead-letters/crm/", "/changes/"));
    }
    for page in &pages {
        browser.visit(page).await;
        is_inert(&browser, page).await;
        if page.starts_with("/dead-letters/") {
            browser.press("#row", "Show row data").await;
            browser
                .until_text("#row", |row| row.contains("employer"))
                .await;
            is_inert(&browser, page).await;
            browser.visit(&format!("{page}/edit")).await;
            is_inert(&browser, page).await;
            let typed = "return document.querySelector(\"[name='field.employer']\").value";
            let employer = browser.evaluate(typed, &[]).await;
            assert!(
                STRINGS.iter().any(|string| employer == *string),
                "{employer}"
            );
        }
    }
    browser.close().await;
}
