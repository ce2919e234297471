//! What needs a person, what limits the flow, and who works.

use jobs::{destination::Vendor, outcome::DeadClass};
use maud::{Markup, html};
use queue::{
    letters::LetterGroup,
    room::Memory,
    stats::{Pause, Status},
};

use super::{
    fragment::Fragment,
    links,
    snapshot::Snapshot,
    text::{self, age, count, countdown, foreign},
    traffic,
};

/// Dead letters by cause, each with its remedy.
pub fn attention(snapshot: &Snapshot, may_act: bool) -> Fragment {
    let inner = html! {
        h2 { "Needs a person" }
        @if snapshot.groups.is_empty() {
            p.empty { "Nothing does." }
        } @else {
            (groups(&snapshot.groups, may_act))
        }
    };
    Fragment::section("attention", "card", "Needs a person", inner)
}

/// The table.
pub fn groups(groups: &[LetterGroup], may_act: bool) -> Markup {
    html! {
        table.groups {
            thead { tr {
                th scope="col" { "Why" } th scope="col" { "Where" } th.number scope="col" { "Changes" }
                th scope="col" { span.away { "What to do" } }
            } }
            tbody { @for group in groups { (row(group, may_act)) } }
        }
    }
}

fn row(group: &LetterGroup, may_act: bool) -> Markup {
    let filter = [
        ("destination", Some(group.destination.as_str())),
        ("class", Some(group.class.as_str())),
        ("cause", Some(group.cause.as_str())),
    ];
    let look = links::with_query(links::LETTERS, &filter);
    let of = format!("{} at {}", group.class, group.destination.label());
    html! {
        tr data-group={ (group.destination) "/" (group.class) "/" (group.cause) } {
            td {
                (text::class(group.class)) " " (foreign(&group.text))
                p.advice { (text::advice(&group.advice)) }
            }
            td data-name="Where" { (group.destination.label()) }
            td.number data-name="Changes" { (count(group.count)) span.unit { @if group.count == 1 { " change" } @else { " changes" } } }
            td.actions {
                a.button href=(look) aria-label={ "Look at " (of) } { "Look" }
                @if may_act {
                    @if group.class == DeadClass::Stale {
                        a.button href=(links::with_query("/dead-letters/discard", &filter)) { "Discard " (count(group.count)) }
                    } @else {
                        a.button.primary href=(links::with_query("/dead-letters/replay", &filter)) { "Replay " (count(group.count)) }
                    }
                }
            }
        }
    }
}

/// Shut gates, keys and memory.
pub fn limits(status: &Status, snapshot: &Snapshot) -> Fragment {
    let inner = html! {
        h2 { "Limits and pauses" }
        ul.rows {
            @for (vendor, pause) in &status.pauses { (paused(*vendor, pause, snapshot)) }
            @for (vendor, traffic) in &snapshot.traffic { (traffic::places(*vendor, traffic, &format!("{}, calls this minute", vendor.label()))) }
            @if let Some(days) = status.producer.key_days { (key(days)) }
            (memory(status.memory))
        }
    };
    Fragment::section("limits", "card", "Limits and pauses", inner)
}

fn paused(vendor: Vendor, pause: &Pause, snapshot: &Snapshot) -> Markup {
    html! {
        li data-pause=(vendor) {
            span { a href={ (links::DESTINATIONS) "#" (vendor) } { (vendor.label()) } @if pause.seconds_left.is_none() { ", by " } @else { ": " } (foreign(&pause.cause)) }
            span.tag.wait {
                @match pause.seconds_left {
                    Some(left) if left > 0.0 => { "tries again in " (countdown(left, snapshot.at)) },
                    Some(_) => "tries again now",
                    None => "held"
                }
            }
        }
    }
}

fn key(days: i64) -> Markup {
    let tone = match days {
        ..=7 => Some("tag bad"),
        8..=30 => Some("tag wait"),
        _ => None,
    };
    html! {
        li {
            span { "AlumnIQ's key" }
            span class=[tone] { @match days { ..=0 => "expired", 1 => "1 day left", _ => { (count(days)) " days left" } } }
        }
    }
}

fn memory(memory: Memory) -> Markup {
    const MIB: f64 = 1_048_576.0;
    let used = memory.used as f64 / MIB;
    html! {
        @if memory.used > 0 {
            li {
                span { "Redis' memory" }
                span {
                    @if memory.limit > 0 {
                        (format!("{used:.0} of {:.0} MiB", memory.limit as f64 / MIB))
                    } @else {
                        (format!("{used:.0} MiB, no limit"))
                    }
                }
            }
            @if memory.limit > 0 {
                li.meter { meter min="0" max="1" low="0.8" high="0.9" optimum="0" value=(format!("{:.3}", memory.share())) aria-label="Redis' memory in use" {} }
            }
        }
    }
}

/// The processes that live.
pub fn fleet(status: &Status, snapshot: &Snapshot) -> Fragment {
    let leader = status.producer.leader.as_deref();
    let inner = html! {
        h2 { "Fleet" }
        @if status.workers.is_empty() { p.empty { "No process has told of itself lately." } }
        ul.rows {
            @for (worker, info) in &status.workers {
                @let silent = info["silent_seconds"].as_f64().unwrap_or_default();
                li data-worker=(worker) {
                    span {
                        (foreign(worker))
                        span.roles {
                            @for role in info["roles"].as_array().into_iter().flatten().filter_map(|role| role.as_str()) {
                                span.role .leads[role == "producer" && leader == Some(worker)] {
                                    (role) @if role == "producer" && leader == Some(worker) { " (leads)" }
                                }
                            }
                        }
                    }
                    span class=(if silent < 10.0 { "tag ok" } else { "tag wait" }) title="Its last sign of life" { (age(silent, snapshot.at)) " ago" }
                }
            }
        }
    };
    Fragment::section("fleet", "card", "Fleet", inner)
}
