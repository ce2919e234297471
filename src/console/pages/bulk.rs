//! `/dead-letters/replay` and `/discard`: what would be done with all that a filter lets pass, then done.

use axum::{
    extract::RawForm,
    response::{IntoResponse, Redirect, Response},
};
use jobs::outcome::DeadClass;
use maud::{Markup, html};
use queue::{
    bulk::BulkAction,
    letters::{DeadLetterOrder, LetterGroup},
};
use serde::Deserialize;

use super::{
    asked::PageContext,
    filter::{DeadLetterPageQuery, DeadLetterQuery, address, hidden},
    layout::Tab,
    letter::{invalid_reason, reason_field},
    links,
    text::{self, count, foreign},
};
use crate::{
    console::visitor::Operator,
    operations::{
        bulk::NewBulk,
        client::OperatorClient,
        dead_letters::DeadLetterFilter,
        error::{OperatorError, RefusalKind},
        rate::Rate,
    },
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
pub async fn ask_replay(asked: PageContext, RawForm(words): RawForm) -> Response {
    ask(&asked, BulkAction::Replay, &words).await
}

/// What would be given up.
pub async fn ask_discard(asked: PageContext, RawForm(words): RawForm) -> Response {
    ask(&asked, BulkAction::Discard, &words).await
}

async fn ask(asked: &PageContext, action: BulkAction, words: &[u8]) -> Response {
    let all = match asked.wanted::<DeadLetterPageQuery>(words) {
        Ok(wanted) => wanted.filter,
        Err(refused) => return *refused,
    };
    let client = &asked.client;
    let counted = async {
        let page = client
            .letters(DeadLetterOrder::OldestFirst, &all, None, 1)
            .await?;
        Ok::<_, OperatorError>((page.total, client.groups(&all).await?))
    };
    match counted.await {
        Ok((total, groups)) => {
            let main = confirm(asked, action, &all, total, &groups);
            asked.page(Tab::Letters, verb(action), &main)
        }
        Err(error) => asked.failed(Tab::Letters, &error),
    }
}

fn confirm(
    asked: &PageContext,
    action: BulkAction,
    all: &DeadLetterFilter,
    total: u64,
    groups: &[LetterGroup],
) -> Markup {
    let back = address(all, links::LETTERS);
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
                        (asked.csrf()) (hidden(all))
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
            p.check { label { input type="checkbox" name="apply_stale" value="yes"; " Stale ones, too: apply them over the newer change of the person" } }
        }
    }
}

fn discard_fields() -> Markup {
    html! {
        p { "They are given up: the destination never gets them. It cannot be undone." }
        (reason_field())
        p.check { label { input type="checkbox" name="keep_unacknowledged" value="yes"; " Do not tell AlumnIQ that they were handled: it lists them again" } }
    }
}

/// What the confirming form says besides which letters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct BulkForm {
    apply_stale: String,
    rate: Option<Rate>,
    reason: String,
    keep_unacknowledged: String,
}

/// Brings them back.
pub async fn replay(_: Operator, asked: PageContext, RawForm(words): RawForm) -> Response {
    act(&asked, BulkAction::Replay, &words).await
}

/// Gives them up.
pub async fn discard(_: Operator, asked: PageContext, RawForm(words): RawForm) -> Response {
    act(&asked, BulkAction::Discard, &words).await
}

async fn act(asked: &PageContext, action: BulkAction, words: &[u8]) -> Response {
    let DeadLetterQuery {
        filter,
        rest: order,
    } = match asked.wanted::<BulkForm>(words) {
        Ok(wanted) => wanted,
        Err(refused) => return *refused,
    };
    let back = address(&filter, path(action));
    let new = NewBulk {
        action,
        filter,
        change_ids: Vec::new(),
        rate: order.rate,
        reason: order.reason,
        apply_stale: order.apply_stale == "yes",
        keep_unacknowledged: order.keep_unacknowledged == "yes",
    };
    match asked.client.start_bulk(new).await {
        Ok(bulk) => Redirect::to(&links::bulk(&bulk.id)).into_response(),
        Err(error) if error.is(RefusalKind::Invalid) => invalid_reason(asked, &error, &back),
        Err(error) => asked.failed(Tab::Letters, &error),
    }
}
