//! `/`: what is stuck and why, in five seconds.

use axum::response::Response;
use jiff::Timestamp;
use maud::{Markup, html};

use super::{
    asked::PageContext,
    flow,
    fragment::Fragment,
    layout::Tab,
    panels,
    snapshot::Snapshot,
    text::{age, countdown, foreign},
    verdict::{self, OverviewVerdict, Remark},
    watched::Watched,
};

/// The page.
pub async fn show(asked: PageContext) -> Response {
    let snapshot = Snapshot::read(&asked.client).await;
    let fragments = fragments(&snapshot, asked.may_act());
    let part = |id: &str| fragments.iter().find(|fragment| fragment.id == id);
    let main = html! {
        div.headline {
            @for id in ["verdict", "aside"] { @if let Some(part) = part(id) { (part) } }
        }
        @if let Some(flow) = part("flow") { (flow) }
        div.columns {
            @if let Some(attention) = part("attention") { (attention) }
            div.stack {
                @for id in ["limits", "fleet"] { @if let Some(part) = part(id) { (part) } }
            }
        }
    };
    asked.live(
        Tab::Overview,
        "Overview",
        Watched::Overview.address(),
        &main,
    )
}

/// Everything on it that changes by itself.
pub fn fragments(snapshot: &Snapshot, may_act: bool) -> Vec<Fragment> {
    let verdict = match &snapshot.status {
        Ok(status) => verdict::judge(status, Some(&snapshot.enabled)),
        Err(why) => verdict::unreachable(why),
    };
    let mut fragments = vec![headline(&verdict, snapshot.at), aside(&verdict, snapshot)];
    if let Ok(status) = &snapshot.status {
        fragments.push(flow::fragment(status, snapshot));
        fragments.push(panels::attention(snapshot, may_act));
        fragments.push(panels::limits(status, snapshot));
        fragments.push(panels::fleet(status, snapshot));
    }
    fragments
}

fn headline(verdict: &OverviewVerdict, now: Timestamp) -> Fragment {
    let inner = html! {
        @for (index, remark) in verdict.head.iter().enumerate() {
            @if index > 0 { " " }
            span class={ "sentence " (if index == 0 { verdict.level.tone() } else { "rest" }) } { (sentence(remark, now)) }
        }
    };
    Fragment {
        id: "verdict",
        tag: "h1",
        class: "verdict",
        label: None,
        spoken: true,
        inner,
    }
}

fn sentence(remark: &Remark, now: Timestamp) -> Markup {
    html! {
        (foreign(&remark.text))
        @match remark.left {
            // Not read out again every second.
            Some(left) if left > 0.0 => span aria-hidden="true" { ", tries again in " (countdown(left, now)) },
            Some(_) => ", tries again now",
            None => {}
        }
        "."
    }
}

fn aside(verdict: &OverviewVerdict, snapshot: &Snapshot) -> Fragment {
    let oldest = snapshot
        .status
        .as_ref()
        .map_or(0.0, |status| status.oldest_unacknowledged_seconds);
    let helps = verdict.head.iter().filter_map(|remark| remark.help);
    let inner = html! {
        @if oldest > 0.0 {
            p { "Oldest not acknowledged: " b { (age(oldest, snapshot.at)) } }
        }
        @for remark in &verdict.also {
            p class=(remark.level.tone()) { (sentence(remark, snapshot.at)) @if let Some(help) = remark.help { " " (what_to_do(help)) } }
        }
        @for help in helps { p { (what_to_do(help)) } }
    };
    Fragment {
        id: "aside",
        tag: "div",
        class: "aside",
        label: None,
        spoken: false,
        inner,
    }
}

fn what_to_do(section: &str) -> Markup {
    html! { a href={ "/runbook#" (section) } { "What to do" } }
}
