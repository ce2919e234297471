//! `/dead-letters`: grouped by cause, filtered, newest first.

use axum::{extract::Query, response::Response};
use maud::{Markup, html};
use queue::letters::{Letter, LetterPage, Order};

use super::{
    asked::Asked,
    filter::{Filter, FilterForm},
    layout::Tab,
    links, panels,
    snapshot::Snapshot,
    text::{self, count, foreign, moment, name},
};
use crate::operations::client::{OperatorClient, OperatorError};

/// How many a page.
const A_PAGE: usize = 50;

/// The page.
pub async fn list(asked: Asked, Query(form): Query<FilterForm>) -> Response {
    let filter = match asked.filter(&form) {
        Ok(filter) => filter,
        Err(refused) => return *refused,
    };
    match read(&asked, &filter).await {
        Ok((page, snapshot)) => {
            let main = main(&asked, &form, &page, &snapshot);
            asked.page(Tab::Letters, "Dead letters", &main)
        }
        Err(error) => asked.failed(Tab::Letters, &error),
    }
}

async fn read(asked: &Asked, filter: &Filter) -> Result<(LetterPage, Snapshot), OperatorError> {
    let page = asked
        .client
        .letters(
            Order::NewestFirst,
            &filter.filter,
            filter.after.as_ref(),
            A_PAGE,
        )
        .await?;
    Ok((page, Snapshot::read(&asked.client).await))
}

fn main(asked: &Asked, form: &FilterForm, page: &LetterPage, snapshot: &Snapshot) -> Markup {
    html! {
        div.title.spread {
            h1 { "Dead letters" }
            a href=(links::BULKS) { "Bulks under way and past" }
        }
        @if !snapshot.groups.is_empty() && form.after.is_empty() {
            section.card aria-label="By cause" {
                h2 { "By cause" }
                (panels::groups(&snapshot.groups, asked.may_act()))
            }
        }
        section.card aria-label="The letters" {
            (form.form(asked.sees_people()))
            div.total {
                p { b { (text::letters(page.total)) } @if !form.is_open() { @if page.total == 1 { " passes the filter" } @else { " pass the filter" } } }
                @if asked.may_act() && page.total > 0 { (bulks(form, page.total)) }
            }
            @if page.items.is_empty() {
                p.empty { @if form.is_open() { "Nothing needs a person." } @else { "Nothing passes the filter." } }
            } @else {
                (table(asked, &page.items))
            }
            (paging(form, page))
        }
    }
}

fn bulks(form: &FilterForm, total: u64) -> Markup {
    html! {
        p.actions {
            a.button href=(form.address("/dead-letters/discard")) { "Discard all " (count(total)) }
            a.button href=(form.address("/dead-letters/replay")) { "Replay all " (count(total)) }
        }
    }
}

fn table(asked: &Asked, letters: &[Letter]) -> Markup {
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
                        td data-name="Where" { (name(letter.destination)) }
                        td.reason { (text::class(letter.class)) " " (foreign(&letter.cause)) }
                        td.died data-name="Died" { (moment(&letter.died_at, asked.zone())) }
                        td.actions { a.button href=(address) aria-label={ "Look at change " (letter.change_id) } { "Look" } }
                    }
                }
            }
        }
    }
}

fn paging(form: &FilterForm, page: &LetterPage) -> Markup {
    html! {
        nav.paging aria-label="Pages" {
            @if !form.after.is_empty() { a href=(form.address(links::LETTERS)) { "First page" } }
            @if let Some(next) = &page.next { a rel="next" href=(form.address_after(links::LETTERS, &next.to_string())) { "Next page" } }
        }
    }
}
