//! `/dead-letters/replay` and `/discard`: what would be done with all that a filter lets pass, then done.

use axum::{
    Form,
    extract::Query,
    response::{IntoResponse, Redirect, Response},
};
use jobs::outcome::DeadClass;
use maud::{Markup, html};
use queue::{
    QueueError,
    bulk::{BulkAction, BulkOrder},
    letters::LetterGroup,
};
use serde::Deserialize;

use super::{
    asked::Asked,
    filter::{Filter, Wanted},
    layout::Tab,
    letter::{invalid_reason, reason_field},
    letters::misunderstood,
    links,
    text::{self, count, foreign},
};
use crate::{
    console::visitor::{Operator, Visitor},
    operations::{rate::Rate, reason::Reason},
};

/// Where it is asked for.
const fn path(action: BulkAction) -> &'static str {
    match action {
        BulkAction::Replay => "/dead-letters/replay",
        BulkAction::Discard => "/dead-letters/discard",
    }
}

const fn verb(action: BulkAction) -> &'static str {
    match action {
        BulkAction::Replay => "Replay",
        BulkAction::Discard => "Discard",
    }
}

/// What would be replayed.
pub async fn ask_replay(asked: Asked, Query(wanted): Query<Wanted>) -> Response {
    ask(&asked, BulkAction::Replay, &wanted).await
}

/// What would be given up.
pub async fn ask_discard(asked: Asked, Query(wanted): Query<Wanted>) -> Response {
    ask(&asked, BulkAction::Discard, &wanted).await
}

async fn ask(asked: &Asked, action: BulkAction, wanted: &Wanted) -> Response {
    let filter = match asked.filter(wanted) {
        Ok(filter) => filter,
        Err(refused) => return *refused,
    };
    let queue = &asked.operations.queue;
    let counted = async {
        let total = queue.letters(&filter.filter, None, 1).await?.total;
        Ok::<_, QueueError>((total, queue.letter_groups(&filter.filter).await?))
    };
    match counted.await {
        Ok((total, groups)) => {
            let main = confirm(asked, action, wanted, total, &groups);
            asked.page(Tab::Letters, verb(action), &main)
        }
        Err(error) => asked.failed(Tab::Letters, &error),
    }
}

fn confirm(
    asked: &Asked,
    action: BulkAction,
    wanted: &Wanted,
    total: u64,
    groups: &[LetterGroup],
) -> Markup {
    let back = wanted.address(links::LETTERS);
    let has_stale = groups.iter().any(|group| group.class == DeadClass::Stale);
    html! {
        p.crumbs { a href=(back) { "Dead letters" } }
        h1 { (verb(action)) " " (text::letters(total)) "?" }
        section.card.prose aria-label="What it means" {
            @if total == 0 {
                p { "Nothing passes the filter any more: somebody else may have been faster." }
                p { a href=(links::LETTERS) { "All dead letters" } }
            } @else {
                ul.rows {
                    @for group in groups {
                        li { span { (text::class(group.class)) " " (foreign(&group.text)) } b { (count(group.count)) } }
                    }
                }
                @if asked.may_act() {
                    form.fields method="post" action=(path(action)) {
                        (asked.csrf()) (wanted.hidden())
                        @match action {
                            BulkAction::Replay => (replay_fields(has_stale)),
                            BulkAction::Discard => (discard_fields())
                        }
                        p.rate { label { "At most " input name="rate" placeholder="as fast as it goes" maxlength="20" autocomplete="off"; } span.soft { " e.g. 10/s or 300/m" } }
                        p.soft { "Letters that die from now on are left alone. It goes on in the fleet, and stands among " a href=(links::BULKS) { "the bulks" } "." }
                        p.actions {
                            button type="submit" class=(match action { BulkAction::Replay => "primary", BulkAction::Discard => "danger" }) { (verb(action)) " " (count(total)) }
                            a.button href=(back) { "Back" }
                        }
                    }
                } @else {
                    p.soft { "A viewer may look, not act." }
                }
            }
        }
    }
}

fn replay_fields(has_stale: bool) -> Markup {
    html! {
        p { "They go back to where they stood and are tried again, each person's oldest first." }
        @if has_stale {
            p.check { label { input type="checkbox" name="over_newer" value="yes"; " Stale ones, too: apply them over the newer change of the person" } }
        }
    }
}

fn discard_fields() -> Markup {
    html! {
        p { "They are given up: the destination never gets them. It cannot be undone." }
        (reason_field())
        p.check { label { input type="checkbox" name="acknowledge" value="yes" checked; " Tell AlumnIQ that they were handled; otherwise it lists them again" } }
    }
}

/// What the confirming form says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Order {
    destination: String,
    class: String,
    cause: String,
    xid: String,
    since: String,
    until: String,
    over_newer: String,
    rate: String,
    reason: String,
    acknowledge: String,
}

impl Order {
    fn wanted(&self) -> Wanted {
        Wanted {
            destination: self.destination.clone(),
            class: self.class.clone(),
            cause: self.cause.clone(),
            xid: self.xid.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
            after: String::new(),
        }
    }
}

/// Brings them back.
pub async fn replay(Operator(by): Operator, asked: Asked, Form(order): Form<Order>) -> Response {
    act(&asked, &by, BulkAction::Replay, &order, None).await
}

/// Gives them up.
pub async fn discard(Operator(by): Operator, asked: Asked, Form(order): Form<Order>) -> Response {
    match order.reason.parse() {
        Ok(reason) => act(&asked, &by, BulkAction::Discard, &order, Some(reason)).await,
        Err(error) => {
            let back = order.wanted().address(path(BulkAction::Discard));
            invalid_reason(&asked, error, &back)
        }
    }
}

async fn act(
    asked: &Asked,
    by: &Visitor,
    action: BulkAction,
    order: &Order,
    reason: Option<Reason>,
) -> Response {
    let wanted = order.wanted();
    let Filter { filter, .. } = match asked.filter(&wanted) {
        Ok(filter) => filter,
        Err(refused) => return *refused,
    };
    let rate = Some(order.rate.trim().to_owned()).filter(|rate| !rate.is_empty());
    if let Some(Err(problem)) = rate.as_deref().map(str::parse::<Rate>) {
        return misunderstood(asked, &[format!("The rate: {problem}")]);
    }
    let order = BulkOrder {
        action,
        filter,
        rate,
        reason: reason.map(String::from).unwrap_or_default(),
        apply_stale: order.over_newer == "yes",
        keep_unacknowledged: action == BulkAction::Discard && order.acknowledge != "yes",
        by: by.actor.clone(),
    };
    match asked.operations.start_bulk(order).await {
        Ok(bulk) => Redirect::to(&links::bulk(&bulk.id)).into_response(),
        Err(error) => asked.failed(Tab::Letters, &error),
    }
}
