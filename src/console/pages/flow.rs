//! The flow as a picture, with its counts.

use jobs::destination::{Destination, Vendor};
use maud::{Markup, html};
use queue::stats::{Books, Pause, Status};

use super::{
    fragment::Fragment,
    links,
    snapshot::Snapshot,
    spark::spark,
    text::{age, count, countdown, foreign},
};

/// The picture, and the books under it.
pub fn fragment(status: &Status, snapshot: &Snapshot) -> Fragment {
    let inner = html! {
        div.flow {
            (feed(status, snapshot))
            (line("M0 50 H100"))
            (in_flight(status))
            @if snapshot.enabled.len() == 2 { (line("M0 50 C50 50 50 25 100 25 M0 50 C50 50 50 75 100 75")) } @else { (line("M0 50 H100")) }
            div.branches {
                @for destination in &snapshot.enabled { (branch(*destination, status, snapshot)) }
            }
            @if snapshot.enabled.len() == 2 { (line("M0 25 C50 25 50 50 100 50 M0 75 C50 75 50 50 100 50")) } @else { (line("M0 50 H100")) }
            (acknowledged(status, snapshot))
        }
        (books(&status.books))
    };
    Fragment::section("flow", "card", "The flow", inner)
}

/// A connection. Decoration: what it connects stands in the order of the flow.
fn line(path: &str) -> Markup {
    html! {
        svg.line viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true" { path d=(path) {} }
    }
}

fn feed(status: &Status, snapshot: &Snapshot) -> Markup {
    let producer = &status.producer;
    let now = snapshot.at;
    let since = producer
        .last_success_timestamp_seconds
        .map(|at| now.as_millisecond() as f64 / 1000.0 - at);
    html! {
        div.node data-node="feed" {
            h3 { "AlumnIQ feed" (mark(status.pauses.get(&Vendor::Alumniq), snapshot)) }
            p.figure { (count(status.books.fetched)) small { " fetched" } }
            p.note {
                @match since { Some(since) => { "last fetch " (age(since, now)) " ago" }, None => "no fetch yet" }
            }
            (spark(status.rates.get("fetched"), "Fetched"))
        }
    }
}

fn in_flight(status: &Status) -> Markup {
    let waiting = status
        .destinations
        .values()
        .map(|counts| counts.waiting)
        .max();
    html! {
        div.node data-node="in-flight" {
            h3 { "In flight" }
            p.figure { (count(status.books.in_flight)) }
            p.note { (count(waiting.unwrap_or_default())) " wait for an older one" }
        }
    }
}

fn branch(to: Destination, status: &Status, snapshot: &Snapshot) -> Markup {
    let Some(counts) = status.destinations.get(&to) else {
        return Markup::default();
    };
    let pause = status.pauses.get(&to.into());
    let dead = links::with_query(links::LETTERS, &[("destination", Some(to.as_str()))]);
    html! {
        div.node data-node=(to) .paused[pause.is_some()] {
            h3 { (to.label()) (mark(pause, snapshot)) }
            dl.states {
                (state("waiting", counts.waiting, "Behind an older change of the same person"))
                (state("ready", counts.ready, "Could be carried over now"))
                (state("running", counts.running, "With the vendor"))
                (state("retry", counts.retry, "Failed, the next attempt is ahead"))
                div.grave[counts.dead > 0] {
                    dt { "dead" }
                    dd { @if counts.dead > 0 { a href=(dead) { (count(counts.dead)) } } @else { "0" } }
                }
            }
            (spark(status.rates.get(to.as_str()), "Applied"))
        }
    }
}

fn state(name: &str, number: i64, means: &str) -> Markup {
    html! { div title=(means) { dt { (name) } dd { (count(number)) } } }
}

fn acknowledged(status: &Status, snapshot: &Snapshot) -> Markup {
    html! {
        div.node data-node="acknowledged" {
            h3 { "Acknowledged" (mark(status.pauses.get(&Vendor::Alumniq), snapshot)) }
            p.figure { (count(status.books.acknowledged)) }
            p.note { (count(i128::from(status.to_acknowledge) + i128::from(status.acknowledging))) " to be told" }
            (spark(status.rates.get("acknowledged"), "Acknowledged"))
        }
    }
}

fn mark(pause: Option<&Pause>, snapshot: &Snapshot) -> Markup {
    html! {
        @if let Some(pause) = pause {
            span.tag.wait title=(pause.cause) {
                @match pause.seconds_left {
                    Some(left) if left > 0.0 => { "paused " (countdown(left, snapshot.at)) },
                    Some(_) => "trying again",
                    None => "held"
                }
            }
        }
    }
}

/// Promise 6.
fn books(books: &Books) -> Markup {
    let side = |number: i64, name: &str| html! { span.term { b { (count(number)) } " " (name) } };
    html! {
        p.books #books {
            span.away { "The books: " }
            (side(books.fetched, "fetched")) " = " (side(books.acknowledged, "acknowledged"))
            " + " (side(books.discarded, "discarded")) " + " (side(books.in_flight, "in flight"))
            " + " (side(books.dead, "dead")) " "
            @match books.difference {
                0 if books.are_negative() => span.tag.bad { "a count is negative" },
                0 => span.tag.ok { "balanced" },
                off => a.tag.bad href="/runbook#alumniqrelaybooksoff" { "off by " (foreign(&count(off))) }
            }
        }
    }
}
