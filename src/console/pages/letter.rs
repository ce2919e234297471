//! `/dead-letters/{destination}/{id}`: why it died, what was tried, and what can be done.

use axum::{
    Form,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use jobs::{destination::Vendor, outcome::DeadClass};
use maud::{Markup, html};
use queue::{letters::Letter, timeline::Timeline};
use serde::Deserialize;
use serde_json::Value;

use super::{
    asked::PageContext,
    edit,
    layout::Tab,
    links,
    text::{self, foreign, moment},
    timeline,
};
use crate::{
    console::visitor::Operator,
    operations::{
        client::OperatorClient,
        dead_letters::LetterName,
        error::{OperatorError, RefusalKind},
        reason::MAX_REASON,
        wire::{DiscardRequest, LettersHandled, ReplayRequest, Row},
    },
};

/// The page.
pub async fn show(asked: PageContext, Path((vendor, id)): Path<(String, String)>) -> Response {
    let Ok(vendor) = vendor.parse::<Vendor>() else {
        return asked.letter_gone(&id);
    };
    match find(&asked, vendor, &id).await {
        Ok(Some(found)) => answer(&asked, &found, None),
        Ok(None) => asked.letter_gone(&id),
        Err(error) => asked.failed(Tab::Letters, &error),
    }
}

/// A letter and what is around it.
struct Found {
    letter: Letter,
    timeline: Timeline,
}

/// What is shown only to who asks for it. Holds personal data.
struct Shown {
    row: String,
    /// The document of the last attempt, where one was sent.
    sent: Option<String>,
}

fn answer(asked: &PageContext, found: &Found, shown: Option<&Shown>) -> Response {
    let Letter {
        change_id,
        destination,
        ..
    } = &found.letter;
    let title = format!("Change {change_id} at {}", destination.noun());
    asked.page(Tab::Letters, &title, &main(asked, found, shown))
}

async fn find(
    asked: &PageContext,
    vendor: Vendor,
    id: &str,
) -> Result<Option<Found>, OperatorError> {
    let Some(timeline) = asked.timeline(id).await? else {
        return Ok(None);
    };
    let letter = timeline
        .letters
        .iter()
        .find(|letter| letter.destination == vendor);
    let Some(letter) = letter.cloned() else {
        return Ok(None);
    };
    Ok(Some(Found { letter, timeline }))
}

fn main(asked: &PageContext, found: &Found, shown: Option<&Shown>) -> Markup {
    let Found { letter, timeline } = found;
    let zone = asked.zone();
    let vendor = letter.destination;
    html! {
        p.crumbs { a href=(links::LETTERS) { "Dead letters" } }
        div.title {
            h1 { "Change " (foreign(&letter.change_id)) " at " (vendor.noun()) }
            (text::class(letter.class))
        }
        div.columns {
            div.stack {
                section.card.cause aria-label="Why" {
                    h2 { "Why" }
                    p.said { (foreign(&letter.cause)) }
                    h2 { "What to do" }
                    p { (text::advice(&letter.advice)) }
                    p { a href=(links::runbook(letter.class)) { "More in the runbook: " (letter.class) } }
                    @if asked.may_act() { (actions(asked, letter)) }
                }
                section.card aria-label="Attempts" {
                    h2 { "What was tried at " (vendor.noun()) }
                    (timeline::list(&timeline.events, Some(letter), asked))
                }
            }
            div.stack {
            section.card aria-label="The change" {
                h2 { "The change" }
                ul.rows {
                    li { span { "Change" } a href=(links::change(&letter.change_id)) { "Whole timeline" } }
                    @if asked.sees_people() {
                        li { span { "Person" } @if let Some(xid) = &letter.xid { a href=(links::person(xid)) { (foreign(xid)) } } @else { span.soft { "nobody is named" } } }
                    }
                    li { span { "Died" } (moment(&letter.died_at, zone)) }
                    li { span { "Attempts" } span { (letter.attempts) } }
                    @for other in timeline.letters.iter().filter(|other| other.destination != vendor) {
                        li { span { "Also dead at" } a href=(links::letter(other.destination, &other.change_id)) { (other.destination.label()) } }
                    }
                }
            }
            @if asked.sees_people() { (row_data(asked, letter, shown)) }
            }
        }
    }
}

/// Hidden until asked for: who asks stands in the audit.
fn row_data(asked: &PageContext, letter: &Letter, shown: Option<&Shown>) -> Markup {
    let path = links::letter(letter.destination, &letter.change_id);
    let at = letter.destination.noun();
    html! {
        section.card #row aria-label="Row data" {
            h2 { "Row data" }
            @match shown {
                Some(shown) => (block(&shown.row)),
                None => form method="post" action={ (path) "/row#row" } {
                    (asked.csrf())
                    p.note { "What AlumnIQ sent, and what was sent to " (at) ". That you looked stands in the audit." }
                    p { button type="submit" { "Show row data" } }
                }
            }
        }
        @if let Some(sent) = shown.and_then(|shown| shown.sent.as_deref()) {
            section.card #sent aria-label="What was sent" { h2 { "What was sent to " (at) } (block(sent)) }
        }
    }
}

/// Indented; a text that is no JSON as it is.
fn json(value: Value) -> String {
    match value {
        Value::String(text) => text,
        value => format!("{value:#}"),
    }
}

fn block(text: &str) -> Markup {
    html! { pre tabindex="0" { (foreign(text)) } }
}

/// Shows the row, and writes down who looked. It changes nothing: whoever may see people may.
pub async fn reveal(asked: PageContext, Path((vendor, id)): Path<(String, String)>) -> Response {
    let Ok(vendor) = vendor.parse::<Vendor>() else {
        return asked.letter_gone(&id);
    };
    if !asked.sees_people() {
        return asked.people_are_hidden();
    }
    match uncovered(&asked, vendor, &id).await {
        Ok(Some((found, shown))) => answer(&asked, &found, Some(&shown)),
        Ok(None) => asked.letter_gone(&id),
        Err(error) => asked.failed(Tab::Letters, &error),
    }
}

async fn uncovered(
    asked: &PageContext,
    vendor: Vendor,
    id: &str,
) -> Result<Option<(Found, Shown)>, OperatorError> {
    let Some(found) = find(asked, vendor, id).await? else {
        return Ok(None);
    };
    let Row { row, sent, .. } = asked.client.row(vendor, id).await?;
    let row = match row {
        Value::Null => "the row is not kept".to_owned(),
        row => json(row),
    };
    let sent = sent.map(json);
    Ok(Some((found, Shown { row, sent })))
}

fn actions(asked: &PageContext, letter: &Letter) -> Markup {
    let path = links::letter(letter.destination, &letter.change_id);
    let is_stale = letter.class == DeadClass::Stale;
    html! {
        div.acts {
            form method="post" action={ (path) "/replay" } {
                (asked.csrf())
                @if is_stale {
                    input type="hidden" name="apply_stale" value="yes";
                    button type="submit" { "Replay over the newer change" }
                } @else {
                    button.primary type="submit" { "Replay" }
                }
            }
            @if asked.sees_people() && edit::can_help(letter.class) {
                a.button href={ (path) "/edit" } { "Edit and replay" }
            }
            details {
                summary.button { "Discard…" }
                form.discard method="post" action={ (path) "/discard" } {
                    (asked.csrf())
                    (reason_field())
                    p.check { label { input type="checkbox" name="keep_unacknowledged" value="yes"; " Do not tell AlumnIQ that it was handled" } }
                    p.soft { (letter.destination.subject()) " does not get this change. If AlumnIQ is not told, it lists the change again." }
                    p { button.danger type="submit" { "Discard" } }
                }
            }
        }
    }
}

/// What the form of a replay says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ReplayForm {
    apply_stale: String,
}

/// Brings it back.
pub async fn replay(
    _: Operator,
    asked: PageContext,
    Path((vendor, id)): Path<(String, String)>,
    Form(form): Form<ReplayForm>,
) -> Response {
    let Ok(vendor) = vendor.parse::<Vendor>() else {
        return asked.letter_gone(&id);
    };
    let request = ReplayRequest {
        ids: vec![LetterName::at(vendor, &id)],
        apply_stale: form.apply_stale == "yes",
        ..ReplayRequest::default()
    };
    handled(&asked, vendor, &id, asked.client.replay(request).await)
}

/// What the form of a discard says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DiscardForm {
    reason: String,
    keep_unacknowledged: String,
}

/// Gives it up.
pub async fn discard(
    _: Operator,
    asked: PageContext,
    Path((vendor, id)): Path<(String, String)>,
    Form(form): Form<DiscardForm>,
) -> Response {
    let Ok(vendor) = vendor.parse::<Vendor>() else {
        return asked.letter_gone(&id);
    };
    let request = DiscardRequest {
        ids: vec![LetterName::at(vendor, &id)],
        reason: form.reason,
        keep_unacknowledged: form.keep_unacknowledged == "yes",
        ..DiscardRequest::default()
    };
    handled(&asked, vendor, &id, asked.client.discard(request).await)
}

fn handled(
    asked: &PageContext,
    vendor: Vendor,
    id: &str,
    handled: Result<LettersHandled, OperatorError>,
) -> Response {
    match handled {
        Ok(handled) if handled.letters > 0 => Redirect::to(&links::change(id)).into_response(),
        Ok(_) => asked.letter_gone(id),
        Err(error) if error.is(RefusalKind::NotFound) => asked.letter_gone(id),
        Err(error) if error.is(RefusalKind::Invalid) => {
            invalid_reason(asked, &error, &links::letter(vendor, id))
        }
        Err(error) => asked.failed(Tab::Letters, &error),
    }
}

/// Where the reason of a discard is written.
pub fn reason_field() -> Markup {
    html! {
        p { label for="reason" { "Reason (required; saved in the audit log)" }
            textarea #reason name="reason" rows="2" required maxlength=(MAX_REASON) {} }
    }
}

/// A change is discarded only with a reason.
pub fn invalid_reason(asked: &PageContext, error: &OperatorError, back: &str) -> Response {
    let main = html! {
        p { "Nothing was done: " (foreign(&error.to_string())) "." }
        p { a href=(back) { "Back" } }
    };
    let what = "The reason cannot be accepted";
    asked.problem(StatusCode::BAD_REQUEST, Tab::Letters, what, &main)
}
