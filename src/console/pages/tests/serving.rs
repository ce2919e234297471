//! Style and script.

use axum::http::{StatusCode, header};

use super::{super::assets, stage::TestConsole};
use crate::console::ConsoleTokens;

#[tokio::test]
async fn assets_are_kept_for_good_and_need_nobody_logged_in() {
    let tokens = ConsoleTokens {
        operator: Some("open-sesame".into()),
        viewer: None,
    };
    let stage = TestConsole::guarded(tokens).await;
    for (asset, kind) in [
        (&assets::STYLE, "text/css; charset=utf-8"),
        (&assets::SCRIPT, "text/javascript; charset=utf-8"),
        (&assets::ICON, "image/svg+xml"),
    ] {
        let (status, headers, _) = stage.answer("GET", &asset.address(), String::new()).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[header::CONTENT_TYPE], kind);
        assert_eq!(
            headers[header::CACHE_CONTROL],
            "public, max-age=31536000, immutable"
        );
    }
    let old = stage.get("/assets/console-000000000000.css").await;
    assert_eq!(old.0, StatusCode::NOT_FOUND);
}
