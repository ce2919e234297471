//! What happened to a change, one line an event.

use jobs::destination::Vendor;
use maud::{Markup, html};
use queue::letters::Letter;
use serde_json::Value;

use super::{
    asked::PageContext,
    text::{class as class_mark, duration, foreign, moment, reason},
};

/// All of it, or on a letter's page what was tried there: the page has told already why it died.
pub fn list(events: &[Value], only: Option<&Letter>, asked: &PageContext) -> Markup {
    let of = |event: &&Value| {
        only.is_none_or(|letter| text(event, "destination") == Some(letter.destination.as_str()))
    };
    let told = only.map(|letter| letter.cause.as_str());
    html! {
        ol.timeline {
            @for event in events.iter().filter(of) { (entry(event, told, asked)) }
        }
    }
}

fn entry(event: &Value, told: Option<&str>, asked: &PageContext) -> Markup {
    let kind = text(event, "event").unwrap_or("unreadable");
    let (words, tone) = words(kind, event);
    let vendor = text(event, "destination").and_then(|word| word.parse::<Vendor>().ok());
    let attempt = event["attempt"].as_u64().filter(|attempt| *attempt > 0);
    let by = text(event, "by");
    html! {
        li class=(tone) data-event=(kind) {
            div.when { (moment(text(event, "at").unwrap_or_default(), asked.zone())) }
            div.what {
                p {
                    @if let Some(count) = event["count"].as_u64() { b { (count) " " } }
                    b { (words) }
                    @if let Some(vendor) = vendor { " · " (vendor.label()) }
                    @if let Some(class) = text(event, "class").and_then(|word| word.parse().ok()) { " " (class_mark(class)) }
                    @if let Some(attempt) = attempt { " · attempt " (attempt) }
                    @if let Some(ms) = event["ms"].as_u64() { span.soft { " · " (ms) " ms" } }
                    @if let Some(by) = by { " · by " (foreign(by)) }
                }
                @if let Some(fields) = text(event, "fields") { p { (foreign(fields)) } }
                @for field in ["cause", "detail"] {
                    @if let Some(said) = text(event, field).filter(|said| !said.is_empty() && (kind != "dead" || told != Some(said))) { p.said { (foreign(said)) } }
                }
                @if kind == "discarded" && !asked.sees_people() {
                    p.said { (reason("", false)) }
                } @else if let Some(said) = text(event, "reason").filter(|said| !said.is_empty()) {
                    p.said { (foreign(said)) }
                }
                @if let Some(after) = event["after_ms"].as_u64() { p.soft { "again in " (duration(after as f64 / 1000.0)) } }
                @if let Some(worker) = text(event, "worker") { p.soft { small { (foreign(worker)) } } }
            }
        }
    }
}

/// What an event is called, and its tone.
fn words<'a>(kind: &'a str, event: &Value) -> (&'a str, &'static str) {
    let forced = event["forced"].as_bool() == Some(true) || event["forced"].as_str() == Some("1");
    match kind {
        "fetched" => ("Fetched from AlumnIQ", "plain"),
        "still_listed" => ("Fetched again: AlumnIQ still listed it", "plain"),
        "corrected" => ("AlumnIQ corrected the row", "run"),
        "repaired" => ("Put back in line: it was in none", "plain"),
        "done" => ("Accepted", "ok"),
        "retry" => ("Failed, to be tried again", "wait"),
        "paused" => ("Not tried: the destination paused", "wait"),
        "given_back" => ("Given back untried", "plain"),
        "refunded" => (
            "Its attempts were given back: the vendor was at fault",
            "plain",
        ),
        "lease_expired" => ("Its process fell silent", "wait"),
        "dead" => ("Became a dead letter", "bad"),
        "replayed" if forced => ("Replayed, even over a newer change", "run"),
        "replayed" => ("Replayed", "run"),
        "edited" => ("Edited", "run"),
        "discarded" => ("Discarded", "wait"),
        "older_removed" => ("older entries were removed", "plain"),
        "acknowledged" => ("Acknowledged to AlumnIQ", "ok"),
        other => (other, "plain"),
    }
}

fn text<'a>(event: &'a Value, field: &str) -> Option<&'a str> {
    event.get(field)?.as_str()
}
