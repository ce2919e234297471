//! One call and its answer as plain data, so that the vendors are functions from one to the other.

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8};
use hyper::{HeaderMap, Method};
use serde_json::{Map, Value};

use super::faults::Instead;

/// A request whose body has been read.
#[derive(Debug)]
pub(super) struct SandboxRequest {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl SandboxRequest {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The media type without its parameters, lower-case; empty where there is none.
    pub(super) fn media_type(&self) -> String {
        let header = self.header("content-type").unwrap_or_default();
        let media_type = header.split(';').next().unwrap_or_default();
        media_type.trim().to_ascii_lowercase()
    }

    /// A parameter of the query; neither CFML nor ASP.NET looks at the case of its name.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        parameter(self.query.as_bytes(), name)
    }

    /// A field of a form body.
    pub(super) fn form_field(&self, name: &str) -> Option<String> {
        parameter(&self.body, name)
    }

    pub(super) fn json_object(&self) -> Option<Map<String, Value>> {
        serde_json::from_slice(&self.body).ok()
    }
}

fn parameter(encoded: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(encoded)
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.into_owned())
}

/// What goes back.
#[derive(Debug)]
pub(super) struct SandboxResponse {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

impl SandboxResponse {
    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    pub(super) fn json(status: u16, value: &impl serde::Serialize) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self::json_text(status, body)
    }

    pub(super) fn json_text(status: u16, body: impl Into<Bytes>) -> Self {
        Self::empty(status).with_body("application/json; charset=utf-8", body)
    }

    pub(super) fn text(status: u16, text: impl Into<Bytes>) -> Self {
        Self::empty(status).with_body("text/plain; charset=utf-8", text)
    }

    pub(super) fn html(status: u16, page: &'static str) -> Self {
        Self::empty(status).with_body("text/html; charset=utf-8", page)
    }

    pub(super) fn instead(instead: &Instead) -> Self {
        let charset = Encoding::for_label(instead.charset.as_bytes()).unwrap_or(UTF_8);
        let body = charset.encode(&instead.body).0.into_owned();
        Self::empty(instead.status).with_body(&instead.content_type, body)
    }

    fn with_body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.with_header("content-type", content_type)
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub(super) fn with_retry_after(self, seconds: Option<u64>) -> Self {
        match seconds {
            Some(seconds) => self.with_header("retry-after", seconds),
            None => self,
        }
    }
}
