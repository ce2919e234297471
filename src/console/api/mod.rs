//! The JSON API under `/api/v1`: what the pages show and do, for programs and for the command line's `--server`.
//!
//! # Layout
//!
//! - `asking`: what a request brings; [`error`]: what goes wrong, always in the same JSON
//! - one file a subject. A handler's `utoipa::path` is both its route and its place in the OpenAPI document
//! - the answers are the queue's own types: the shape that commands print with `--json`

mod asking;
mod audit;
pub mod bulks;
mod changes;
pub mod destinations;
pub mod error;
mod letter;
pub mod letters;
pub mod people;
pub mod reconcile;
mod status;

use std::sync::LazyLock;

use axum::{Json, Router, http::StatusCode, middleware::map_response};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Components, ContentBuilder, Ref, ResponseBuilder,
        path::{Operation, PathItem},
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::error::{ApiError, in_json};
use super::state::Console;
use crate::operations::{
    moment::{CampusDay, Moment},
    wire::{API_ROOT, ErrorBody},
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "alumniq-relay",
        description = "The queue between AlumnIQ, the CRM and Salsa Engage: what is stuck and why, and what operators do about it."
    ),
    components(schemas(ErrorBody, CampusDay, Moment, letters::OrderWord)),
    security(("token" = []), ("session" = [])),
    modifiers(&Common)
)]
struct Document;

/// What every operation has in common.
struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme(
            "token",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        );
        let cookie = ApiKeyValue::new("alumniq_relay_session");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

/// The routes, under [`API_ROOT`].
pub fn router() -> Router<Console> {
    let (router, _) = parts();
    router
}

/// The OpenAPI document, pretty JSON.
pub fn document() -> String {
    serde_json::to_string_pretty(&*DOCUMENT).unwrap_or_default()
}

static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(|| {
    let (_, mut document) = parts();
    document
        .paths
        .paths
        .values_mut()
        .flat_map(operations)
        .for_each(may_fail);
    document
});

fn parts() -> (Router<Console>, utoipa::openapi::OpenApi) {
    let version = OpenApiRouter::new()
        .routes(routes!(status::status))
        .routes(routes!(status::overview))
        .routes(routes!(status::campus))
        .routes(routes!(changes::change))
        .routes(routes!(people::person))
        .routes(routes!(people::erase))
        .routes(routes!(letters::list))
        .routes(routes!(letters::groups))
        .routes(routes!(letters::replay))
        .routes(routes!(letter::show))
        .routes(routes!(letter::row))
        .routes(routes!(letter::draft))
        .routes(routes!(letter::edit))
        .routes(routes!(letters::discard))
        .routes(routes!(bulks::list, bulks::start))
        .routes(routes!(bulks::show))
        .routes(routes!(bulks::cancel))
        .routes(routes!(destinations::list))
        .routes(routes!(destinations::pause))
        .routes(routes!(destinations::resume))
        .routes(routes!(reconcile::compare))
        .routes(routes!(reconcile::fix))
        .routes(routes!(audit::audit))
        .routes(routes!(openapi));
    let (router, document) = OpenApiRouter::with_openapi(Document::openapi())
        .nest(API_ROOT, version)
        .split_for_parts();
    // Whatever stands under /api is answered in JSON, what is not there and what is too long among it.
    let nowhere = || async { StatusCode::NOT_FOUND };
    let router = router
        .route("/api", axum::routing::any(nowhere))
        .route("/api/", axum::routing::any(nowhere))
        .route("/api/{*elsewhere}", axum::routing::any(nowhere))
        .layer(map_response(in_json));
    (router, document)
}

/// How many a page has.
fn page_size(asked: Option<u16>, usual: u16) -> Result<usize, ApiError> {
    match asked.unwrap_or(usual) {
        size @ 1..=1000 => Ok(size.into()),
        _ => Err(ApiError::bad_request(
            "a page has between 1 and 1000 items",
            "set `limit` so, and go on with `cursor`",
        )),
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.options,
        &mut item.head,
        &mut item.patch,
        &mut item.trace,
    ]
    .into_iter()
    .flatten()
}

/// Any answer but those it names is an error in the common form.
fn may_fail(operation: &mut Operation) {
    let body = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("ErrorBody")))
        .build();
    let error = ResponseBuilder::new()
        .description("What went wrong, and what to do")
        .content("application/json", body)
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), error.into());
}

/// This document
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "about",
    responses((status = OK, description = "OpenAPI 3.1", body = Object))
)]
async fn openapi() -> Json<&'static utoipa::openapi::OpenApi> {
    Json(&DOCUMENT)
}

#[cfg(test)]
mod tests;
