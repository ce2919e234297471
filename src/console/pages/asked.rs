//! What every page's handler is given: who asks, and what they can be shown.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use jiff::tz::TimeZone;
use maud::{Markup, html};
use queue::timeline::Timeline;
use serde::de::DeserializeOwned;

use super::{
    filter::DeadLetterQuery,
    layout::{Frame, Tab, page},
    links,
    text::foreign,
};
use crate::{
    console::{role::ConsoleRole, state::Console, visitor::Visitor},
    operations::{
        client::{Local, OperatorClient},
        error::{OperatorError, RefusalKind},
        wire::Campus,
    },
};

/// A visitor before a queue that has answered once.
#[derive(Clone)]
pub struct PageContext {
    /// Who.
    pub visitor: Visitor,
    /// What can be shown and done.
    pub client: Local,
    /// What it is about.
    pub campus: Campus,
}

impl PageContext {
    /// Whether forms are shown.
    pub fn may_act(&self) -> bool {
        self.visitor.role == ConsoleRole::Operator
    }

    /// The campus's time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.campus.timezone
    }

    /// Whether people are shown.
    pub fn sees_people(&self) -> bool {
        self.visitor.sees_people
    }

    /// The dead letters that a query or a form means. Who may not see people can't ask for one either: the number of
    /// answers would tell whose guess was right.
    ///
    /// # Errors
    /// The page that says why nothing is listed or done. Boxed, because it is much larger than a filter.
    pub fn wanted<T: DeserializeOwned>(
        &self,
        words: &[u8],
    ) -> Result<DeadLetterQuery<T>, Box<Response>> {
        let wanted =
            DeadLetterQuery::read(words).map_err(|problem| self.misunderstood(&problem))?;
        match wanted.filter.xid {
            Some(_) if !self.sees_people() => Err(self.people_are_hidden().into()),
            _ => Ok(wanted),
        }
    }

    /// What may be shown to this visitor of one change; `None` where the change is unknown.
    ///
    /// # Errors
    /// Redis.
    pub async fn timeline(&self, change_id: &str) -> Result<Option<Timeline>, OperatorError> {
        let timeline = self.client.timeline(change_id).await?;
        Ok(match self.sees_people() {
            true => timeline,
            false => timeline.map(Timeline::without_people),
        })
    }

    /// What every form carries.
    pub fn csrf(&self) -> Markup {
        html! { @if let Some(csrf) = &self.visitor.csrf { input type="hidden" name="csrf" value=(csrf); } }
    }

    /// A page.
    pub fn page(&self, tab: Tab, title: &str, main: &Markup) -> Response {
        self.answer(StatusCode::OK, tab, title, None, main)
    }

    /// A page that says how it went.
    pub fn with_status(
        &self,
        status: StatusCode,
        tab: Tab,
        title: &str,
        main: &Markup,
    ) -> Response {
        self.answer(status, tab, title, None, main)
    }

    /// A page whose changes `address` tells.
    pub fn live(&self, tab: Tab, title: &str, address: &str, main: &Markup) -> Response {
        self.answer(StatusCode::OK, tab, title, Some(address), main)
    }

    /// A page that says what went wrong: what, why, what to do.
    pub fn problem(&self, status: StatusCode, tab: Tab, what: &str, main: &Markup) -> Response {
        let main = html! {
            h1 { (what) }
            div.card.prose { (main) }
        };
        self.answer(status, tab, what, None, &main)
    }

    /// There is no such thing.
    pub fn not_found(&self, tab: Tab, what: &str, why: &str) -> Response {
        self.problem(StatusCode::NOT_FOUND, tab, what, &html! { p { (why) } })
    }

    /// Rows are not for everybody.
    pub fn people_are_hidden(&self) -> Response {
        let what = "People are hidden from you";
        self.not_found(Tab::Letters, what, "Ask an operator.")
    }

    /// There is no such letter.
    pub fn letter_gone(&self, id: &str) -> Response {
        let main = html! {
            p { "It was replayed or discarded meanwhile, or there never was one." }
            p { a href=(links::change(id)) { "What happened to change " (foreign(id)) } " · " a href=(links::LETTERS) { "All dead letters" } }
        };
        let what = "There is no such dead letter";
        self.problem(StatusCode::NOT_FOUND, Tab::Letters, what, &main)
    }

    /// A filter with words that are not understood: nothing is listed or done.
    pub fn misunderstood(&self, problem: &str) -> Response {
        let main = html! {
            p { (foreign(problem)) }
            p { a href=(links::LETTERS) { "All dead letters" } }
        };
        let what = "This filter is not understood";
        self.problem(StatusCode::BAD_REQUEST, Tab::Letters, what, &main)
    }

    /// What was asked for was not done: Redis does not answer, or it was refused.
    pub fn failed(&self, tab: Tab, error: &OperatorError) -> Response {
        let (status, what, main) = match error {
            OperatorError::Queue(error) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Redis does not answer",
                redis_away(&error.to_string()),
            ),
            OperatorError::Refused {
                why,
                message,
                advice,
                ..
            } => {
                let status = match why {
                    RefusalKind::NotFound => StatusCode::NOT_FOUND,
                    RefusalKind::Conflict => StatusCode::CONFLICT,
                    _ => StatusCode::BAD_REQUEST,
                };
                let main = html! { p { (foreign(message)) "." } p { (foreign(advice)) "." } };
                (status, "Nothing was done", main)
            }
        };
        self.problem(status, tab, what, &main)
    }

    fn answer(
        &self,
        status: StatusCode,
        tab: Tab,
        title: &str,
        live: Option<&str>,
        main: &Markup,
    ) -> Response {
        let frame = Frame {
            title,
            tab,
            visitor: &self.visitor,
            namespace: &self.campus.namespace,
            live,
        };
        page(frame, status, main)
    }
}

impl FromRequestParts<Console> for PageContext {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, console)
            .await
            .map_err(IntoResponse::into_response)?;
        let Some(client) = console.client(visitor.actor.clone()) else {
            return Err(not_yet(&visitor));
        };
        match client.campus().await {
            Ok(campus) => Ok(Self {
                visitor,
                client,
                campus,
            }),
            Err(_) => Err(not_yet(&visitor)),
        }
    }
}

fn not_yet(visitor: &Visitor) -> Response {
    let title = "Nothing to show here yet";
    let frame = Frame {
        title,
        tab: Tab::Overview,
        visitor,
        namespace: "",
        live: None,
    };
    let main = html! {
        h1 { (title) }
        div.card.prose {
            p { "Either Redis has not answered this process yet, or this process was started without the role " code { "console" } "." }
            p { "See " a href="/readyz" { "/readyz" } " for what it waits for, or ask a process that has the role. " a href="" { "Reload" } }
        }
    };
    page(frame, StatusCode::SERVICE_UNAVAILABLE, &main)
}

/// What is said wherever Redis should have answered.
fn redis_away(why: &str) -> Markup {
    html! {
        p { "Redis says: " bdi { (why) } "." }
        p { "Nothing is lost: AlumnIQ keeps every change until it is told that the change was handled. "
            a href="/runbook#when-redis-is-away" { "What to do" } " · " a href="" { "Reload" } }
    }
}
