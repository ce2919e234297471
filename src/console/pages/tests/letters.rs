//! One dead letter, and the list of them.

use std::collections::BTreeSet;

use axum::http::{StatusCode, header};

use serde_json::json;

use super::stage::{TestConsole, XID};
use crate::operations::reason::MAX_REASON;

#[tokio::test]
async fn a_letter_is_discarded_with_a_reason_and_it_stands_in_the_audit() {
    let stage = TestConsole::new().await;
    stage.kill(&["41", "42"]).await;
    let page = "/dead-letters/alumniq/41";
    let action = "/dead-letters/alumniq/41/discard";
    let too_long = "x".repeat(MAX_REASON + 1);
    for refused in ["  ", &too_long] {
        let (status, _) = stage.submit(page, action, &[("reason", refused)]).await;
        assert_eq!(
            (status, stage.letters().await),
            (StatusCode::BAD_REQUEST, 2)
        );
    }
    let said = [("reason", "carried over by hand <b>")];
    let (status, headers) = stage.submit(page, action, &said).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(headers[header::LOCATION], "/changes/41");
    assert_eq!(stage.letters().await, 1);
    let (_, audit) = stage.get("/audit?action=discarded&change=41").await;
    assert!(audit.contains("carried over by hand &lt;b&gt;"), "{audit}");
    assert_eq!(stage.get(page).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn row_data_is_hidden_until_asked_for_and_who_asks_is_written_down() {
    let stage = TestConsole::new().await;
    stage.kill(&["41"]).await;
    let page = "/dead-letters/alumniq/41";
    assert!(!stage.get(page).await.1.contains("no day"));
    assert!(
        !stage
            .get("/audit")
            .await
            .1
            .contains("data-audit=\"revealed\"")
    );
    let (_, body) = stage.get(page).await;
    let csrf = body.split("name=\"csrf\" value=\"").nth(1).unwrap();
    let sent = format!("csrf={}", csrf.split('"').next().unwrap());
    let (status, _, body) = stage.answer("POST", &format!("{page}/row"), sent).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        body.contains("no day") && body.contains("1001-&lt;b&gt;secret"),
        "{body}"
    );
    assert!(
        stage
            .get("/audit")
            .await
            .1
            .contains("data-audit=\"revealed\"")
    );
}

#[tokio::test]
async fn what_was_sent_is_hidden_until_asked_for_too() {
    let stage = TestConsole::new().await;
    let row = json!({"changeId": "41", "xid": XID, "changedOn": "2026-11-20", "employer": "Acme"});
    let sent = json!({"ContactNoteContent": "works at Acme now"});
    stage.refuse(&[row], Some(&sent)).await;
    let page = "/dead-letters/crm/41";
    let (_, body) = stage.get(page).await;
    assert!(
        !body.contains("Acme") && body.contains("Show row data"),
        "{body}"
    );
    let csrf = body.split("name=\"csrf\" value=\"").nth(1).unwrap();
    let form = format!("csrf={}", csrf.split('"').next().unwrap());
    let (_, _, body) = stage.answer("POST", &format!("{page}/row"), form).await;
    assert!(
        body.contains("works at Acme now") && body.contains("employer"),
        "{body}"
    );
    let (_, audit) = stage.get("/audit?action=revealed").await;
    assert_eq!(audit.matches("data-audit=\"revealed\"").count(), 1);
}

#[tokio::test]
async fn letters_are_paged_newest_first_and_none_is_shown_twice() {
    let stage = TestConsole::new().await;
    let ids: Vec<String> = (1000..1120).map(|id| id.to_string()).collect();
    stage
        .kill(&ids.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let (mut address, mut seen, mut pages) = ("/dead-letters".to_owned(), BTreeSet::new(), 0);
    loop {
        let (_, body) = stage.get(&address).await;
        assert!(body.contains("120 dead letters"), "{body}");
        for rest in body.split("data-letter=\"alumniq/").skip(1) {
            assert!(seen.insert(rest.split('"').next().unwrap().to_owned()));
        }
        pages += 1;
        let Some(next) = body.split("rel=\"next\" href=\"").nth(1) else {
            break;
        };
        address = next.split('"').next().unwrap().replace("&amp;", "&");
    }
    assert_eq!((seen.len(), pages), (120, 3));
}
