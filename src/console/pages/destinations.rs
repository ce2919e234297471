//! `/destinations`: gates, and what stands before them.

use axum::{
    extract::Path,
    response::{IntoResponse, Redirect, Response},
};
use jobs::destination::Vendor;
use maud::{Markup, html};
use queue::stats::{DestinationStatus, Pause, Status};

use super::{
    asked::PageContext,
    fragment::Fragment,
    layout::Tab,
    links,
    snapshot::Snapshot,
    text::{age, count, countdown, foreign, prose},
    traffic,
    watched::Watched,
};
use crate::{console::visitor::Operator, operations::client::OperatorClient};

/// The page.
pub async fn show(asked: PageContext) -> Response {
    let snapshot = Snapshot::read(&asked.client).await;
    let main = html! {
        h1 { "Destinations" }
        @for fragment in fragments(&snapshot, &asked) { (fragment) }
    };
    let address = Watched::Destinations.address();
    asked.live(Tab::Destinations, "Destinations", address, &main)
}

/// One section a vendor.
pub fn fragments(snapshot: &Snapshot, asked: &PageContext) -> Vec<Fragment> {
    let status = match &snapshot.status {
        Ok(status) => status,
        Err(why) => {
            let inner = html! { p { "Redis does not answer: " (foreign(why)) } };
            return vec![Fragment::section("away", "card", "Redis", inner)];
        }
    };
    let shown = Vendor::ALL.into_iter().filter(|vendor| {
        let destination = vendor.destination();
        destination.is_none_or(|destination| snapshot.enabled.contains(&destination))
    });
    shown
        .map(|vendor| {
            let inner = one(vendor, status, snapshot, asked);
            Fragment::section(vendor.as_str(), "card", vendor.label(), inner)
        })
        .collect()
}

fn one(vendor: Vendor, status: &Status, snapshot: &Snapshot, asked: &PageContext) -> Markup {
    let pause = status.pauses.get(&vendor);
    let counts = vendor
        .destination()
        .and_then(|destination| status.destinations.get(&destination));
    html! {
        div.title {
            h2 { (vendor.label()) }
            @match pause {
                Some(pause) => span.tag.wait { @if pause.seconds_left.is_none() { "held" } @else { "paused: " (pause.reason.as_str()) } },
                None => span.tag.ok { "open" }
            }
            @if asked.may_act() { (gate(asked, vendor, pause)) }
        }
        @if let Some(pause) = pause { (why(pause, snapshot)) }
        @if let Some(counts) = counts { (states(vendor, counts)) }
        @if vendor == Vendor::Alumniq { (feed(status)) }
        @if let Some(traffic) = snapshot.traffic.get(&vendor) { (traffic::show(vendor, traffic, asked.zone())) }
    }
}

fn gate(asked: &PageContext, vendor: Vendor, pause: Option<&Pause>) -> Markup {
    let held = pause.is_some_and(|pause| pause.seconds_left.is_none());
    html! {
        div.gate {
            @if pause.is_some() {
                form method="post" action={ (links::DESTINATIONS) "/" (vendor) "/resume" } { (asked.csrf()) button type="submit" aria-label={ "Resume " (vendor.label()) } { "Resume" } }
            }
            @if !held {
                form method="post" action={ (links::DESTINATIONS) "/" (vendor) "/pause" } { (asked.csrf()) button type="submit" aria-label={ "Pause " (vendor.label()) } { "Pause" } }
            }
        }
    }
}

fn why(pause: &Pause, snapshot: &Snapshot) -> Markup {
    let since = snapshot.at.as_millisecond() as f64 / 1000.0 - pause.since_timestamp_seconds;
    let explained = pause.reason.explained();
    html! {
        div.why {
            @match pause.seconds_left {
                None => p { "Held by " (foreign(&pause.cause)) " for " (age(since, snapshot.at)) ", until somebody resumes it." },
                Some(left) => {
                    p.said { (foreign(&pause.cause)) }
                    p { "Paused for " (age(since, snapshot.at)) "; it tries again " @if left > 0.0 { "in " (countdown(left, snapshot.at)) } @else { "now" } "." }
                }
            }
            p.advice { (prose(explained.means)) " " (prose(explained.fix)) " " a href={ "/runbook#" (pause.reason.as_str()) } { "More" } }
        }
    }
}

fn states(vendor: Vendor, counts: &DestinationStatus) -> Markup {
    let dead = links::with_query(links::LETTERS, &[("destination", Some(vendor.as_str()))]);
    let rows = [
        ("waiting", counts.waiting),
        ("ready", counts.ready),
        ("running", counts.running),
        ("retry", counts.retry),
    ];
    html! {
        dl.states.wide {
            @for (state, number) in rows { div { dt { (state) } dd { (count(number)) } } }
            div.grave[counts.dead > 0] { dt { "dead" } dd { @if counts.dead > 0 { a href=(dead) { (count(counts.dead)) } } @else { "0" } } }
        }
    }
}

fn feed(status: &Status) -> Markup {
    html! {
        dl.states.wide {
            div { dt { "fetched" } dd { (count(status.books.fetched)) } }
            div { dt { "to acknowledge" } dd { (count(status.to_acknowledge)) } }
            div { dt { "acknowledging" } dd { (count(status.acknowledging)) } }
            div { dt { "acknowledged" } dd { (count(status.books.acknowledged)) } }
            @if let Some(days) = status.producer.key_days { div { dt { "key, days left" } dd { (count(days)) } } }
        }
        @if let Some(error) = &status.producer.error { p.said { "The last fetch failed: " (foreign(error)) } }
    }
}

/// Shuts a gate.
pub async fn pause(_: Operator, asked: PageContext, Path(vendor): Path<String>) -> Response {
    let Ok(vendor) = vendor.parse::<Vendor>() else {
        return unknown(&asked);
    };
    match asked.client.pause(vendor).await {
        Ok(_) => back(vendor),
        Err(error) => asked.failed(Tab::Destinations, &error),
    }
}

/// Opens it.
pub async fn resume(_: Operator, asked: PageContext, Path(vendor): Path<String>) -> Response {
    let Ok(vendor) = vendor.parse::<Vendor>() else {
        return unknown(&asked);
    };
    match asked.client.resume(vendor).await {
        Ok(_) => back(vendor),
        Err(error) => asked.failed(Tab::Destinations, &error),
    }
}

fn back(vendor: Vendor) -> Response {
    Redirect::to(&format!("{}#{vendor}", links::DESTINATIONS)).into_response()
}

fn unknown(asked: &PageContext) -> Response {
    let why = format!("There are {}.", Vendor::listed("and"));
    asked.not_found(Tab::Destinations, "There is no such destination", &why)
}
