//! `/bulks/{id}`: how far a bulk is, and its end.

use axum::{
    extract::Path,
    response::{IntoResponse, Redirect, Response},
};
use jobs::destination::Vendor;
use maud::{Markup, html};
use queue::bulk::{BulkAction, BulkState, BulkView};

use super::{
    asked::PageContext,
    fragment::Fragment,
    layout::Tab,
    links,
    text::{changes, count, foreign, letters, moment},
    watched::Watched,
};
use crate::{
    console::visitor::Operator,
    operations::{
        client::OperatorClient,
        error::{OperatorError, RefusalKind},
    },
};

/// The page.
pub async fn show(asked: PageContext, Path(id): Path<String>) -> Response {
    match asked.client.bulk(&id).await {
        Ok(bulk) => {
            let title = title(&bulk);
            let main = html! {
                p.crumbs { a href=(links::LETTERS) { "Dead letters" } " / " a href=(links::BULKS) { "Bulks" } }
                h1 { (title) }
                @if let Some(about) = &bulk.about { p.subtitle { (foreign(about)) } }
                (fragment(&bulk, &asked))
            };
            let address = format!("{}&bulk={}", Watched::Bulk.address(), bulk.id);
            match bulk.is_over() {
                true => asked.page(Tab::Letters, &title, &main),
                false => asked.live(Tab::Letters, &title, &address, &main),
            }
        }
        Err(error) => failed(&asked, &error),
    }
}

/// Ends it before its next step.
pub async fn cancel(_: Operator, asked: PageContext, Path(id): Path<String>) -> Response {
    match asked.client.cancel_bulk(&id).await {
        Ok(bulk) => Redirect::to(&links::bulk(&bulk.id)).into_response(),
        Err(error) => failed(&asked, &error),
    }
}

fn failed(asked: &PageContext, error: &OperatorError) -> Response {
    if !error.is(RefusalKind::NotFound) {
        return asked.failed(Tab::Letters, error);
    }
    let why = "Only the last hundred are known, and for as long as the audit is kept.";
    asked.not_found(Tab::Letters, "There is no such bulk", why)
}

/// `Replaying 20 dead letters: unmatched at the CRM`, in the past where it is over.
fn title(bulk: &BulkView) -> String {
    let verb = match (bulk.action, bulk.is_over()) {
        (BulkAction::Replay, false) => "Replaying",
        (BulkAction::Replay, true) => "Replay of",
        (BulkAction::Discard, false) => "Discarding",
        (BulkAction::Discard, true) => "Discard of",
    };
    let mut title = format!("{verb} {}", letters(bulk.total));
    let filter = &bulk.filter;
    let class = filter.class.map(|class| class.as_str());
    let at = filter
        .destination
        .map(|vendor| format!("at {}", vendor.noun()));
    let what: Vec<&str> = class.into_iter().chain(at.as_deref()).collect();
    if !what.is_empty() {
        title = format!("{title}: {}", what.join(" "));
    }
    title
}

/// A state's mark.
pub const fn tone(state: BulkState) -> &'static str {
    match state {
        BulkState::Running => "tag run",
        BulkState::Done => "tag ok",
        BulkState::Cancelled => "tag wait",
        BulkState::Failed => "tag bad",
    }
}

/// What changes of it by itself.
pub fn fragment(bulk: &BulkView, asked: &PageContext) -> Fragment {
    let zone = asked.zone();
    let done = bulk.handled + bulk.gone;
    let verb = match bulk.action {
        BulkAction::Replay => "Replayed",
        BulkAction::Discard => "Discarded",
    };
    let inner = html! {
        div.title data-state=(bulk.state.as_str()) {
            h2 { (count(done)) " of " (letters(bulk.total)) }
            span class=(tone(bulk.state)) { (bulk.state.as_str()) }
            @if asked.may_act() && !bulk.is_over() {
                form.gate method="post" action={ (links::bulk(&bulk.id)) "/cancel" } { (asked.csrf()) button.danger type="submit" { "Cancel" } }
            }
        }
        progress max=(bulk.total.max(1)) value=(done.min(bulk.total)) aria-label="Handled so far" {}
        ul.rows {
            li { span { (verb) } b { (count(bulk.handled)) } }
            @if bulk.gone > 0 { li { span { "Were no dead letters any more, or cannot be read" } b { (count(bulk.gone)) } } }
            li { span { "Which" } span { (which(bulk, asked, false)) } }
            li { span { "At most" } span { (bulk.rate.as_deref().unwrap_or("as fast as it goes")) } }
            @if !bulk.reason.is_empty() && asked.sees_people() { li { span { "Why" } (foreign(&bulk.reason)) } }
            li { span { "Begun by " (foreign(&bulk.by)) } (moment(&bulk.started_at, zone)) }
            @if let Some(ended) = &bulk.ended_at { li { span { "Ended" } (moment(ended, zone)) } }
        }
        @if let Some(error) = &bulk.error { p.said { (foreign(error)) } }
        @if bulk.is_over() { p.after { a href=(links::LETTERS) { "What is dead now" } " · " a href=(links::BULKS) { "All bulks" } " · " a href=(links::OVERVIEW) { "Overview" } } }
    };
    Fragment::section("bulk", "card narrow", "Progress", inner)
}

/// The filter, in words.
pub fn which(bulk: &BulkView, asked: &PageContext, with_cause: bool) -> Markup {
    let filter = &bulk.filter;
    html! {
        (filter.destination.map_or("every destination", Vendor::label))
        @if let Some(class) = filter.class { ", " (class) }
        @match (&bulk.about, &filter.cause) {
            (Some(about), _) => { @if with_cause { ": " (foreign(about)) } },
            (None, Some(_)) => ", one cause",
            (None, None) => {}
        }
        @if !filter.change_ids.is_empty() { ", " (changes(filter.change_ids.len() as u64)) }
        @if let Some(xid) = filter.xid.as_ref().filter(|_| asked.sees_people()) { ", person " (foreign(xid)) }
        @if let Some(since) = &filter.since { ", died from " (moment(since, asked.zone())) }
    }
}
