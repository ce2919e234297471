//! `/dead-letters`: grouped by cause, filtered, newest first.

use axum::{extract::RawForm, response::Response};
use maud::{Markup, html};
use queue::letters::{DeadLetterOrder, Letter, LetterPage};

use super::{
    asked::PageContext,
    filter::{self, DeadLetterPageQuery, DeadLetterQuery, address, address_after},
    layout::Tab,
    links, panels,
    snapshot::Snapshot,
    text::{self, count, foreign, moment},
};
use crate::operations::{
    client::OperatorClient, dead_letters::DeadLetterFilter, error::OperatorError,
};

/// How many a page.
const A_PAGE: usize = 50;

/// The page.
pub async fn list(asked: PageContext, RawForm(words): RawForm) -> Response {
    let wanted = match asked.wanted(&words) {
        Ok(wanted) => wanted,
        Err(refused) => return *refused,
    };
    match read(&asked, &wanted).await {
        Ok((page, snapshot)) => {
            let main = main(&asked, &wanted, &page, &snapshot);
            asked.page(Tab::Letters, "Dead letters", &main)
        }
        Err(error) => asked.failed(Tab::Letters, &error),
    }
}

async fn read(
    asked: &PageContext,
    wanted: &DeadLetterQuery<DeadLetterPageQuery>,
) -> Result<(LetterPage, Snapshot), OperatorError> {
    let (client, after) = (&asked.client, wanted.rest.after.as_ref());
    let page = client
        .letters(DeadLetterOrder::NewestFirst, &wanted.filter, after, A_PAGE)
        .await?;
    Ok((page, Snapshot::read(client).await))
}

fn main(
    asked: &PageContext,
    wanted: &DeadLetterQuery<DeadLetterPageQuery>,
    page: &LetterPage,
    snapshot: &Snapshot,
) -> Markup {
    let filter = &wanted.filter;
    let is_open = filter::is_open(filter);
    html! {
        div.title.spread {
            h1 { "Dead letters" }
            a href=(links::BULKS) { "Bulks under way and past" }
        }
        @if !snapshot.groups.is_empty() && wanted.rest.after.is_none() {
            section.card aria-label="By cause" {
                h2 { "By cause" }
                (panels::groups(&snapshot.groups, asked.may_act()))
            }
        }
        section.card aria-label="The letters" {
            (filter::form(filter, asked.sees_people()))
            div.total {
                p { b { (text::letters(page.total)) } @if !is_open { @if page.total == 1 { " passes the filter" } @else { " pass the filter" } } }
                @if asked.may_act() && page.total > 0 { (bulks(filter, page.total)) }
            }
            @if page.items.is_empty() {
                p.empty { @if is_open { "Nothing needs a person." } @else { "Nothing passes the filter." } }
            } @else {
                (table(asked, &page.items))
            }
            (paging(wanted, page))
        }
    }
}

fn bulks(filter: &DeadLetterFilter, total: u64) -> Markup {
    html! {
        p.actions {
            a.button href=(address(filter, "/dead-letters/discard")) { "Discard all " (count(total)) }
            a.button href=(address(filter, "/dead-letters/replay")) { "Replay all " (count(total)) }
        }
    }
}

fn table(asked: &PageContext, letters: &[Letter]) -> Markup {
    let people = asked.sees_people();
    html! {
        table.letters {
            thead { tr {
                th scope="col" { "Change" }
                @if people { th scope="col" { "Person" } }
                th scope="col" { "Where" } th scope="col" { "Why" } th scope="col" { "Died" }
                th scope="col" { span.away { "Actions" } }
            } }
            tbody {
                @for letter in letters {
                    @let address = links::letter(letter.destination, &letter.change_id);
                    tr data-letter={ (letter.destination) "/" (letter.change_id) } {
                        th scope="row" { a href=(address) { (foreign(&letter.change_id)) } }
                        @if people {
                            td data-name="Person" { @if let Some(xid) = &letter.xid { a href=(links::person(xid)) { (foreign(xid)) } } @else { span.soft { "nobody" } } }
                        }
                        td data-name="Where" { (letter.destination.label()) }
                        td.reason { (text::class(letter.class)) " " (foreign(&letter.cause)) }
                        td.died data-name="Died" { (moment(&letter.died_at, asked.zone())) }
                        td.actions { a.button href=(address) aria-label={ "Look at change " (letter.change_id) } { "Look" } }
                    }
                }
            }
        }
    }
}

fn paging(wanted: &DeadLetterQuery<DeadLetterPageQuery>, page: &LetterPage) -> Markup {
    let filter = &wanted.filter;
    html! {
        nav.paging aria-label="Pages" {
            @if wanted.rest.after.is_some() { a href=(address(filter, links::LETTERS)) { "First page" } }
            @if let Some(next) = &page.next { a rel="next" href=(address_after(filter, links::LETTERS, Some(next))) { "Next page" } }
        }
    }
}
