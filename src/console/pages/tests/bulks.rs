//! Many at once.

use axum::http::{StatusCode, header};
use queue::wake::Bell;

use super::stage::TestConsole;

#[tokio::test]
async fn many_are_counted_before_they_are_given_up_and_a_misread_filter_touches_none() {
    let stage = TestConsole::new().await;
    stage.kill(&["41", "42", "43"]).await;
    let page = "/dead-letters/discard?destination=alumniq&class=undecodable";
    let (_, body) = stage.get(page).await;
    assert!(body.contains("Discard 3 dead letters"), "{body}");
    let action = "/dead-letters/discard";
    let wrong = [("reason", "x"), ("since", "yesterday")];
    let (status, _) = stage.submit(page, action, &wrong).await;
    assert_eq!(
        (status, stage.letters().await),
        (StatusCode::BAD_REQUEST, 3)
    );
    let wrong = [("reason", "x"), ("rate", "quickly")];
    let (status, _) = stage.submit(page, action, &wrong).await;
    assert_eq!(
        (status, stage.letters().await),
        (StatusCode::BAD_REQUEST, 3)
    );

    let said = [("reason", "a test"), ("rate", "1000/s")];
    let (status, headers) = stage.submit(page, action, &said).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let bulk = headers[header::LOCATION].to_str().unwrap().to_owned();
    let (_, body) = stage.get(&bulk).await;
    assert!(
        body.contains("0 of 3 dead letters") && body.contains("Cancel"),
        "{body}"
    );
    let operations = stage.console.operations.get().unwrap().clone();
    let closing = tokio_util::sync::CancellationToken::new();
    let until_done = async {
        while !stage.get(&bulk).await.1.contains("data-state=\"done\"") {
            tokio::task::yield_now().await;
        }
        closing.cancel();
    };
    let bell = Bell::default();
    let working = operations.work_bulks(None, &bell, &closing);
    tokio::join!(working, until_done);
    let (_, body) = stage.get(&bulk).await;
    assert!(
        body.contains("3 of 3 dead letters") && !body.contains("Cancel"),
        "{body}"
    );
    assert_eq!(stage.letters().await, 0);
}

#[tokio::test]
async fn a_bulk_is_cancelled_on_its_page() {
    let stage = TestConsole::new().await;
    stage.kill(&["41"]).await;
    let page = "/dead-letters/replay?destination=alumniq";
    let (_, headers) = stage.submit(page, "/dead-letters/replay", &[]).await;
    let bulk = headers[header::LOCATION].to_str().unwrap().to_owned();
    let cancel = format!("{bulk}/cancel");
    assert_eq!(
        stage.submit(&bulk, &cancel, &[]).await.0,
        StatusCode::SEE_OTHER
    );
    assert!(
        stage
            .get(&bulk)
            .await
            .1
            .contains("data-state=\"cancelled\"")
    );
    assert_eq!(stage.letters().await, 1);
    let (_, all) = stage.get("/bulks").await;
    assert!(
        all.contains(&format!("href=\"{bulk}\"")) && all.contains("cancelled"),
        "{all}"
    );
    assert!(
        stage
            .get("/audit")
            .await
            .1
            .contains(&format!("href=\"{bulk}\""))
    );
    assert_eq!(stage.get("/bulks/nothing").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_bulk_names_the_cause_that_its_letters_had_also_when_none_is_left() {
    let stage = TestConsole::new().await;
    assert!(stage.get("/bulks").await.1.contains("None yet"));
    stage.kill(&["41"]).await;
    let (_, list) = stage.get("/dead-letters").await;
    let mut links = list.split("href=\"/dead-letters/replay?").skip(1);
    let query = links.find(|rest| rest.contains("cause=")).unwrap();
    let query = query.split('"').next().unwrap().replace("&amp;", "&");
    let page = format!("/dead-letters/discard?{query}");
    let fields = [("reason", "a test")];
    let (_, headers) = stage.submit(&page, "/dead-letters/discard", &fields).await;
    let bulk = headers[header::LOCATION].to_str().unwrap().to_owned();
    let letter = [(jobs::destination::Vendor::Alumniq, "41".to_owned())];
    let by = queue::audit::Actor::at_command("ana");
    stage.queue.discard(&letter, false, "", &by).await.unwrap();
    for page in [bulk.as_str(), "/bulks"] {
        let (_, body) = stage.get(page).await;
        assert!(body.contains("changedOn is no date"), "{page}: {body}");
    }
}
