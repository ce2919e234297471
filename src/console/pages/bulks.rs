//! `/bulks`: what was done with many letters at once, under way and past.

use axum::response::Response;
use maud::{Markup, html};
use queue::bulk::{BulkAction, BulkView};

use super::{
    asked::PageContext,
    layout::Tab,
    links,
    progress::{tone, which},
    text::{count, foreign, moment},
};
use crate::operations::client::OperatorClient;

/// The page.
pub async fn list(asked: PageContext) -> Response {
    match asked.client.bulks().await {
        Ok(bulks) => asked.page(Tab::Letters, "Bulks", &main(&asked, &bulks)),
        Err(error) => asked.failed(Tab::Letters, &error),
    }
}

fn main(asked: &PageContext, bulks: &[BulkView]) -> Markup {
    html! {
        p.crumbs { a href=(links::LETTERS) { "Dead letters" } }
        h1 { "Bulks" }
        section.card aria-label="Bulks" {
            @if bulks.is_empty() {
                p.empty { "None yet. All letters that a filter lets pass are replayed or discarded at once on " a href=(links::LETTERS) { "the page of dead letters" } "." }
            } @else {
                table.bulks {
                    thead { tr {
                        th scope="col" { "What" } th scope="col" { "Which" } th scope="col" { "So far" }
                        th scope="col" { "State" } th scope="col" { "Begun" } th scope="col" { "By" }
                    } }
                    tbody { @for bulk in bulks { (row(asked, bulk)) } }
                }
                p.note.after { "The last hundred, as long as the audit is kept." }
            }
        }
    }
}

fn row(asked: &PageContext, bulk: &BulkView) -> Markup {
    let what = match bulk.action {
        BulkAction::Replay => "Replay",
        BulkAction::Discard => "Discard",
    };
    let done = bulk.handled + bulk.gone;
    html! {
        tr data-bulk=(bulk.id) {
            th scope="row" { a href=(links::bulk(&bulk.id)) { (what) " " (count(bulk.total)) } }
            td.reason data-name="Which" { div { (which(bulk, asked, true)) } }
            td data-name="So far" { div { progress.small max=(bulk.total.max(1)) value=(done.min(bulk.total)) aria-label="Handled so far" {} " " (count(done)) " of " (count(bulk.total)) } }
            td data-name="State" { span class=(tone(bulk.state)) { (bulk.state.as_str()) } }
            td data-name="Begun" { (moment(&bulk.started_at, asked.zone())) }
            td data-name="By" { (foreign(&bulk.by)) }
        }
    }
}
