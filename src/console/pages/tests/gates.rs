//! Destinations, paused and resumed.

use axum::http::StatusCode;

use super::stage::TestConsole;

#[tokio::test]
async fn a_gate_is_shut_and_opened_by_its_buttons() {
    let stage = TestConsole::new().await;
    let (status, _) = stage
        .submit("/destinations", "/destinations/crm/pause", &[])
        .await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert!(stage.get("/").await.1.contains("The CRM is held by"));
    let (status, _) = stage
        .submit("/destinations", "/destinations/crm/resume", &[])
        .await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert!(!stage.get("/").await.1.contains("The CRM is held by"));
}
