//! Style and script, from the program itself. Their addresses hold a digest of their content: a browser keeps them for
//! good, and a new version's are new.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
};

/// One file that pages refer to.
#[derive(Debug)]
pub struct Asset {
    name: String,
    kind: &'static str,
    body: &'static str,
}

/// The style sheet.
pub static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let body = include_str!("../assets/console.css");
    Asset::new("console", "css", "text/css; charset=utf-8", body)
});

/// The script.
pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let body = include_str!("../assets/console.js");
    Asset::new("console", "js", "text/javascript; charset=utf-8", body)
});

/// The sign in the browser's tab.
pub static ICON: LazyLock<Asset> = LazyLock::new(|| {
    let body = include_str!("../assets/icon.svg");
    Asset::new("icon", "svg", "image/svg+xml", body)
});

impl Asset {
    fn new(stem: &str, extension: &str, kind: &'static str, body: &'static str) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, body.as_bytes());
        let digest: String = digest.as_ref()[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            name: format!("{stem}-{digest}.{extension}"),
            kind,
            body,
        }
    }

    /// Where it is served.
    pub fn address(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

/// `/assets/{name}`. They hold no data, so everybody may have them: the page where people log in needs them too.
pub async fn serve(Path(name): Path<String>) -> Response {
    let assets = [&*STYLE, &*SCRIPT, &*ICON];
    let Some(asset) = assets.into_iter().find(|asset| asset.name == name) else {
        return (StatusCode::NOT_FOUND, "not found: reload the page\n").into_response();
    };
    let headers = [
        (CONTENT_TYPE, asset.kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, asset.body).into_response()
}
