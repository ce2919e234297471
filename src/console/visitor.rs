//! Who asks, and what may be shown to them.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};

use super::Console;
use crate::queue::audit::{Actor, Via};

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May look.
    Viewer,
    /// May look and act.
    Operator,
}

/// Somebody who may look at least.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Who, for the audit.
    pub actor: Actor,
    /// What they may do.
    pub role: Role,
    /// Whether xids, rows and documents may be shown to them.
    pub sees_people: bool,
    /// What each form that they send must carry; `None` where no browser sends it by itself (a bearer token).
    pub csrf: Option<String>,
}

impl FromRequestParts<Console> for Visitor {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, StatusCode> {
        if !console.tokens.may_look(&parts.headers) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        Ok(Self {
            actor: Actor {
                name: "an operator".to_owned(),
                via: Via::Api,
            },
            role: Role::Operator,
            sees_people: true,
            csrf: None,
        })
    }
}
