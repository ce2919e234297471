//! What an edit would do: in the row, and in what is sent.

use std::collections::BTreeMap;

use jobs::destination::Vendor;
use maud::{Markup, html};
use serde_json::Value;

use super::{Subject, typed::Typed};
use crate::{
    console::pages::{
        links,
        text::{self, count, foreign},
    },
    operations::{error::FieldProblem, wire::EditDone},
};

/// The page.
pub fn main(
    subject: &Subject<'_>,
    edits: &BTreeMap<String, String>,
    typed: &Typed,
    accepted: &EditDone,
    elsewhere: &[(Vendor, Result<EditDone, Vec<FieldProblem>>)],
) -> Markup {
    let letter = &subject.letter;
    let path = links::letter(letter.destination, &letter.change_id);
    html! {
        p.crumbs { a href=(links::LETTERS) { "Dead letters" } " / " a href=(path) { "Change " (foreign(&letter.change_id)) } }
        h1 { "Replay change " (foreign(&letter.change_id)) " with this?" }
        div.columns.after-title {
            div.stack {
                section.card #edits aria-label="In the row" {
                    h2 { "In the row" }
                    (table(edits.iter().map(|(name, after)| {
                        let field = subject.draft.fields.iter().find(|field| field.name == *name);
                        Line { name: text::field(name), before: field.map(|field| field.text.clone()), after: Some(after.clone()) }
                    }).collect(), true))
                }
                (document(letter.destination, accepted))
                @for (other, tried) in elsewhere {
                    @match tried {
                        Ok(accepted) => (document(*other, accepted)),
                        Err(problems) => section.card aria-label={ "Elsewhere" } {
                            h2 { (other.subject()) " would still not take it" }
                            @for problem in problems { p.said { (foreign(&problem.problem)) } }
                        }
                    }
                }
            }
            div.stack {
                form.card.confirm method="post" action={ (path) "/edit" } aria-label="Confirm" {
                    (subject.asked.csrf())
                    (typed.hidden())
                    h2 { "Go on?" }
                    p { "The row is edited and the change goes back to where it stood, as with a replay. It stands in the audit with the names of the fields, without their values." }
                    @for (other, tried) in elsewhere {
                        @if tried.is_ok() {
                            p.check { label { input type="checkbox" name="also" value=(other) checked; " Replay it at " (other.noun()) ", too, where it is also dead" } }
                        }
                    }
                    div.acts {
                        button.primary type="submit" name="step" value="replay" { "Edit and replay" }
                        button type="submit" name="step" value="change" { "Change something" }
                    }
                }
            }
        }
    }
}

/// What would be sent, against what would be sent without the edit.
fn document(vendor: Vendor, accepted: &EditDone) -> Markup {
    let Some(after) = &accepted.would_send else {
        return html! {
            section.card .document aria-label="What follows" {
                h2 { "What follows" }
                p { "The row can be read now: the change goes on its way to every destination." }
            }
        };
    };
    let mut lines: BTreeMap<String, Line> = BTreeMap::new();
    let mut order = Vec::new();
    for (path, text) in leaves(after) {
        order.push(path.clone());
        let line = Line {
            name: path.clone(),
            before: None,
            after: Some(text),
        };
        lines.insert(path, line);
    }
    let refused = accepted.unedited_refused.as_ref();
    for (path, text) in accepted.unedited.iter().flat_map(leaves) {
        let line = lines.entry(path.clone()).or_insert_with(|| {
            order.push(path.clone());
            Line {
                name: path,
                before: None,
                after: None,
            }
        });
        line.before = Some(text);
    }
    let lines = order.into_iter().filter_map(|path| lines.remove(&path));
    let (other, same): (Vec<_>, Vec<_>) = lines.partition(|line| line.before != line.after);
    html! {
        section.card .document aria-label="What would be sent" {
            h2 { "What " (vendor.noun()) " would be sent" }
            @if let Some(cause) = refused {
                p.note.lead { "As it is, nothing: " (foreign(cause)) }
            }
            @if other.is_empty() {
                p { (vendor.subject()) " would be sent what it would be sent without the edit: no template of its mapping uses these fields so." }
            } @else {
                (table(other, refused.is_none()))
            }
            @if !same.is_empty() {
                details.after {
                    summary { (count(same.len() as u64)) @if same.len() == 1 { " field stays" } @else { " fields stay" } " as without the edit" }
                    (table(same, false))
                }
            }
        }
    }
}

struct Line {
    name: String,
    before: Option<String>,
    after: Option<String>,
}

/// `compared`: whether there is anything to hold it against.
fn table(lines: Vec<Line>, compared: bool) -> Markup {
    html! {
        table.diff {
            thead { tr {
                th scope="col" { "Field" }
                @if compared { th scope="col" { "Before" } th scope="col" { "After" } } @else { th.whole scope="col" { "Value" } }
            } }
            tbody {
                @for line in lines {
                    tr {
                        th scope="row" { (foreign(&line.name)) }
                        @if compared {
                            td data-name="Before" { (value(line.before.as_deref(), line.before == line.after)) }
                            td data-name="After" { (value(line.after.as_deref(), true)) }
                        } @else {
                            td { (value(line.after.as_deref(), true)) }
                        }
                    }
                }
            }
        }
    }
}

fn value(text: Option<&str>, stays: bool) -> Markup {
    html! {
        @match text.filter(|text| !text.is_empty()) {
            None => span.soft { "nothing" },
            Some(text) if stays => span.value { (foreign(text)) },
            Some(text) => del.value { (foreign(text)) }
        }
    }
}

/// Every value of a document that is no collection, by its path.
fn leaves(document: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(document, String::new(), &mut found);
    found
}

fn walk(value: &Value, path: String, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                walk(member, path, found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, format!("{path}[{index}]"), found);
            }
        }
        Value::String(text) => found.push((path, text.clone())),
        Value::Null => {}
        other => found.push((path, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_shown_leaf_by_leaf() {
        let document =
            json!({"Phone": "+1", "Tags": [{"Tag": "a", "On": true}], "None": null, "Number": 3});
        let leaves = leaves(&document);
        let shown: Vec<(&str, &str)> = leaves
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                ("Phone", "+1"),
                ("Tags[0].Tag", "a"),
                ("Tags[0].On", "true"),
                ("Number", "3")
            ]
        );
    }
}
