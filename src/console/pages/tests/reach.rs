//! Every page that can be come to, whoever looks and whatever others wrote into it.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use jobs::destination::Vendor;
use queue::audit::Actor;

use super::{
    super::links,
    stage::{HOSTILE, TestConsole, XID},
};
use crate::console::ConsoleTokens;

/// Every address that a page leads to: `href`, and where its forms go.
fn addresses(body: &str) -> BTreeSet<String> {
    ["href=\"", "action=\""]
        .into_iter()
        .flat_map(|name| body.split(name).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .map(|address| address.replace("&amp;", "&"))
        .map(|address| address.split('#').next().unwrap_or_default().to_owned())
        .filter(|address| !address.is_empty())
        .collect()
}

/// Every page that can be come to from the overview.
async fn crawl(stage: &TestConsole) -> Vec<(String, StatusCode, String)> {
    let mut todo = vec!["/".to_owned()];
    let mut seen = BTreeSet::from(["/".to_owned()]);
    let mut pages = Vec::new();
    while let Some(address) = todo.pop() {
        let (status, body) = stage.get(&address).await;
        // The runbook has a test of its own, and links within itself.
        let is_ours = body.starts_with("<!DOCTYPE html>");
        for next in addresses(&body).into_iter().filter(|_| is_ours) {
            assert!(
                next.starts_with('/') && !next.starts_with("//"),
                "{address} leads to {next}"
            );
            if seen.insert(next.clone()) {
                todo.push(next);
            }
        }
        pages.push((address, status, body));
    }
    pages
}

#[tokio::test]
async fn every_link_and_form_of_every_page_leads_somewhere() {
    let stage = TestConsole::new().await;
    stage.kill(&["41", "42", HOSTILE, "..", "a/b?c#d"]).await;
    stage
        .queue
        .pause(Vendor::Crm, &Actor::at_command("ana"))
        .await
        .unwrap();
    let pages = crawl(&stage).await;
    for page in [
        "/dead-letters",
        "/changes",
        "/destinations",
        "/audit",
        "/bulks",
        "/changes/41",
        "/dead-letters/alumniq/41/edit",
        "/dead-letters/alumniq/a%2Fb%3Fc%23d",
    ] {
        assert!(
            pages
                .iter()
                .any(|(address, status, _)| address == page && *status == StatusCode::OK),
            "{page}"
        );
    }
    for (address, status, _) in &pages {
        // What only forms go to is there, though not for a link.
        assert!(
            [StatusCode::OK, StatusCode::METHOD_NOT_ALLOWED].contains(status),
            "{address}: {status}"
        );
    }
}

#[tokio::test]
async fn what_others_wrote_stays_text_and_pages_bring_nothing_inline() {
    let stage = TestConsole::new().await;
    stage.kill(&[HOSTILE, "41"]).await;
    let by = Actor::at_command("<img src=x onerror=alert(1)>\u{202e}");
    stage.queue.pause(Vendor::Salsa, &by).await.unwrap();
    let pages = crawl(&stage).await;
    let mut shown = 0;
    for (address, _, body) in pages
        .iter()
        .filter(|(_, _, body)| body.starts_with("<!DOCTYPE html>"))
    {
        for bad in [
            "<script>",
            "<img",
            "<b>secret",
            " style=",
            "<style",
            "javascript:",
            "http:",
            "https:",
        ] {
            assert!(!body.contains(bad), "{address} has {bad}");
        }
        for element in body.split('<').filter_map(|rest| rest.split('>').next()) {
            // Quoted values apart, no attribute begins with "on".
            let names: String = element.split('"').step_by(2).collect();
            assert!(!names.contains(" on"), "{address}: <{element}>");
        }
        for form in body
            .split("<form")
            .skip(1)
            .map(|rest| rest.split("</form>").next().unwrap())
        {
            let sends = form.contains("method=\"post\"");
            assert_eq!(sends, form.contains("name=\"csrf\""), "{address}: {form}");
        }
        // Whatever turns the direction of text around is marked, and stands in none.
        for (before, _) in body
            .match_indices('\u{202e}')
            .map(|(at, _)| body.split_at(at))
        {
            assert!(before.rfind('"') > before.rfind('>'), "{address}");
        }
        shown += body.matches('\u{fffd}').count();
    }
    assert!(shown > 3);
}

#[tokio::test]
async fn a_viewer_sees_neither_people_nor_forms_that_act() {
    let tokens = ConsoleTokens {
        operator: Some("open-sesame".into()),
        viewer: Some("just-looking".into()),
    };
    let mut stage = TestConsole::guarded(tokens).await;
    stage.kill(&["41", "42"]).await;
    let by = Actor::at_command("ana");
    let (letter, why) = ([(Vendor::Alumniq, "42".to_owned())], "asked by Jane Roe");
    stage.queue.discard(&letter, false, why, &by).await.unwrap();
    assert_eq!(stage.get("/").await.0, StatusCode::SEE_OTHER);
    stage.token = Some("just-looking");
    for (address, status, body) in crawl(&stage).await {
        assert!(!body.contains("1001-"), "{address}");
        assert!(!body.contains("Jane"), "{address}");
        assert!(!body.contains("method=\"post\""), "{address}");
        assert_eq!(status, StatusCode::OK, "{address}");
    }
    stage.fetch("77").await;
    assert!(!stage.get("/changes/77").await.1.contains("1001-"));
    let person = links::person(XID);
    assert_eq!(stage.get(&person).await.0, StatusCode::FORBIDDEN);

    for address in [
        "/audit",
        "/changes/42",
        "/api/v1/audit",
        "/api/v1/changes/42",
    ] {
        let (_, body) = stage.get(address).await;
        assert!(
            body.contains("ana") && !body.contains("Jane"),
            "{address}: {body}"
        );
    }

    stage.token = Some("open-sesame");
    for address in [
        "/audit",
        "/changes/42",
        "/api/v1/audit",
        "/api/v1/changes/42",
    ] {
        let (_, body) = stage.get(address).await;
        assert!(body.contains("Jane"), "{address}: {body}");
    }
    assert!(stage.get("/changes/77").await.1.contains(&person));
    assert!(stage.get(&person).await.1.contains("data-change=\"77\""));
    let (_, body) = stage.get("/dead-letters").await;
    assert!(body.contains("Discard all"), "{body}");
}
