//! What changes by itself.

use axum::{
    body::Body,
    http::{StatusCode, header},
};
use futures::StreamExt;
use tower::Service;

use super::stage::TestConsole;
use crate::console::router;

#[tokio::test]
async fn what_has_changed_is_told_to_who_watches() {
    let stage = TestConsole::new().await;
    let request = stage.request("GET", "/live?page=overview", Body::empty());
    let response = router(stage.console.clone()).call(request).await.unwrap();
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/event-stream"
    );
    let mut events = response.into_body().into_data_stream();
    let mut told = String::new();
    while !told.contains("\n\n") {
        told += std::str::from_utf8(&events.next().await.unwrap().unwrap()).unwrap();
    }
    assert!(told.starts_with("event: changed\ndata: ["), "{told}");
    for id in ["verdict", "flow", "attention", "limits", "fleet"] {
        assert!(told.contains(&format!("\"id\":\"{id}\"")), "{id}: {told}");
    }
    stage.kill(&["41"]).await;
    told.clear();
    while !told.contains("1 change needs a person") {
        told += std::str::from_utf8(&events.next().await.unwrap().unwrap()).unwrap();
    }
    assert_eq!(
        stage.get("/live?page=elsewhere").await.0,
        StatusCode::BAD_REQUEST
    );
    drop(events);
}
