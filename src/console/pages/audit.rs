//! `/audit`: who did what, when, to which changes.

use axum::{extract::Query, http::StatusCode, response::Response};
use maud::{Markup, html};
use queue::audit::{AuditAction, AuditEntry, AuditFilter, AuditPage};
use serde::Deserialize;

use super::{
    asked::PageContext,
    layout::Tab,
    links,
    text::{self, changes, foreign, moment},
};
use crate::operations::client::OperatorClient;

/// How many a page.
const A_PAGE: usize = 50;

/// How many of an entry's changes are named at once.
const NAMED: usize = 5;

/// The words of an address. Empty = any.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct AuditQuery {
    by: String,
    action: String,
    change: String,
    before: String,
}

/// The page.
pub async fn list(asked: PageContext, Query(wanted): Query<AuditQuery>) -> Response {
    let given = |word: &str| Some(word.trim().to_owned()).filter(|word| !word.is_empty());
    let action = given(&wanted.action).map(|word| word.parse::<AuditAction>());
    let before = given(&wanted.before).map(|word| word.parse::<u64>());
    let (Ok(action), Ok(before)) = (action.transpose(), before.transpose()) else {
        let main = html! { p { a href=(links::AUDIT) { "The whole audit" } } };
        let what = "This filter is not understood";
        return asked.problem(StatusCode::BAD_REQUEST, Tab::Audit, what, &main);
    };
    let filter = AuditFilter {
        by: given(&wanted.by),
        action,
        change_id: given(&wanted.change),
    };
    match asked.client.audit(&filter, before, A_PAGE).await {
        Ok(page) => asked.page(Tab::Audit, "Audit", &main(&asked, &wanted, &page)),
        Err(error) => asked.failed(Tab::Audit, &error),
    }
}

fn main(asked: &PageContext, wanted: &AuditQuery, page: &AuditPage) -> Markup {
    html! {
        h1 { "Audit" }
        section.card aria-label="Entries" {
            (form(wanted))
            @if page.items.is_empty() {
                p.empty { @if page.next.is_some() { "Nothing here passes the filter; older entries may." } @else { "Nothing passes the filter: nobody has done such a thing while the audit was kept." } }
            } @else {
                table.audit {
                    thead { tr {
                        th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" }
                        th scope="col" { "Changes" } th scope="col" { "Why" }
                    } }
                    tbody { @for entry in &page.items { (row(asked, entry)) } }
                }
            }
            nav.paging aria-label="Pages" {
                @if !wanted.before.is_empty() { a href=(address(wanted, "")) { "Newest" } }
                @if let Some(next) = page.next { a rel="next" href=(address(wanted, &next.to_string())) { "Older" } }
            }
        }
    }
}

fn row(asked: &PageContext, entry: &AuditEntry) -> Markup {
    html! {
        tr data-audit=(entry.action) {
            td { (moment(&entry.at, asked.zone())) }
            td data-name="Who" { div { (foreign(&entry.by)) " " span.soft { (entry.via.as_str()) } } }
            td data-name="What" { div {
                b { (entry.action.as_str().replace('_', " ")) }
                @if let Some(vendor) = entry.destination { " · " (vendor.label()) }
                @if let Some(detail) = &entry.detail { div.note { (foreign(detail)) } }
            } }
            td data-name="Changes" .none[entry.count == 0 && entry.bulk.is_none()] { div { (which(entry)) } }
            td data-name="Why" .none[entry.reason.is_none()] { @if let Some(reason) = &entry.reason { (text::reason(reason, asked.sees_people())) } @else { span.soft { "–" } } }
        }
    }
}

fn which(entry: &AuditEntry) -> Markup {
    let (first, rest) = entry.change_ids.split_at(entry.change_ids.len().min(NAMED));
    let link = |id: &String| html! { a href=(links::change(id)) { (foreign(id)) } " " };
    html! {
        @if let Some(bulk) = &entry.bulk { a href=(links::bulk(bulk)) aria-label={ "Bulk " (bulk) } { "bulk" } " " }
        @if entry.count == 0 && first.is_empty() && entry.bulk.is_none() { span.soft { "–" } }
        @for id in first { (link(id)) }
        @if !rest.is_empty() {
            details { summary { "and " (changes(rest.len() as u64)) " more" } @for id in rest { (link(id)) } }
        }
        @let named = entry.change_ids.len() as u64;
        @if entry.count > named { span.soft { (changes(entry.count)) " in all" } }
    }
}

fn form(wanted: &AuditQuery) -> Markup {
    html! {
        form.filter method="get" action=(links::AUDIT) aria-label="Filter" {
            p { label for="by" { "Who" } input #by name="by" value=(wanted.by) autocomplete="off" maxlength="100"; }
            p { label for="action" { "What" }
                select #action name="action" {
                    option value="" selected[wanted.action.is_empty()] { "any" }
                    @for action in AuditAction::ALL {
                        option value=(action) selected[action.as_str() == wanted.action] { (action.as_str().replace('_', " ")) }
                    }
                }
            }
            p { label for="change" { "changeId" } input #change name="change" value=(wanted.change) autocomplete="off" spellcheck="false" maxlength="200"; }
            p.go { button type="submit" { "Filter" } @if address(wanted, "") != links::AUDIT { " " a href=(links::AUDIT) { "Show all" } } }
        }
    }
}

fn address(wanted: &AuditQuery, before: &str) -> String {
    let query = [
        ("by", Some(wanted.by.as_str())),
        ("action", Some(&wanted.action)),
        ("change", Some(&wanted.change)),
        ("before", Some(before)),
    ];
    links::with_query(links::AUDIT, &query)
}
