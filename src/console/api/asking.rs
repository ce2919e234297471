//! What a request brings. What cannot be read is refused in JSON.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::{ApiError, in_json};
use crate::{
    console::{state::Console, visitor::Visitor},
    operations::client::Local,
};

/// The visitor's client. Refused until Redis has answered once.
impl FromRequestParts<Console> for Local {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, console)
            .await
            .map_err(IntoResponse::into_response)?;
        let client = console.client(visitor.actor);
        client.ok_or_else(|| {
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "this process does not know the queue (yet)",
                "it has only just begun, or runs without the role `console`: try again, or ask one that has it",
            )
            .into_response()
        })
    }
}

/// The query.
pub struct ApiQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for ApiQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|refused| unreadable("query", refused.body_text()))
    }
}

/// What stands in the address.
pub struct Named<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(named)| Self(named))
            .map_err(|refused| unreadable("address", refused.body_text()))
    }
}

/// The body, as JSON.
pub struct ApiBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for ApiBody<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let is_json = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .and_then(|kind| kind.split(';').next())
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
        if !is_json {
            return Err(in_json(StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response()).await);
        }
        let body = match Bytes::from_request(request, state).await {
            Ok(body) => body,
            Err(refused) => return Err(in_json(refused.into_response()).await),
        };
        // Without this a list would pass for an object with its fields in their order.
        serde_json::from_slice::<Map<String, Value>>(&body)
            .and_then(|fields| T::deserialize(Value::Object(fields)))
            .map(Self)
            .map_err(|error| unreadable("body", error.to_string()).into_response())
    }
}

/// Carries what was begun to its end although whoever asked for it goes away: half of it would stand in no audit.
pub async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::spawn(work).await.map_err(|_| ApiError::failed())
}

fn unreadable(what: &str, why: String) -> ApiError {
    ApiError::bad_request(
        format!("its {what} cannot be read: {why}"),
        "see /api/v1/openapi.json for what it takes",
    )
}
