//! The row's fields, each with what is wrong with it.

use std::collections::BTreeSet;

use jobs::change::editing::{Editable, NEVER_EDITED};
use maud::{Markup, html};

use super::{
    Subject,
    typed::{FIELD, Typed},
};
use crate::{
    console::pages::{
        links,
        text::{self, foreign},
    },
    operations::error::FieldProblem,
};

/// What stands together. A field of the school's own comes last.
const GROUPS: [(&str, &[&str]); 3] = [
    ("Work", &["employer", "jobTitle"]),
    ("Contact", &["email", "phone", "mobile", "fax"]),
    (
        "Address",
        &[
            "address1",
            "address2",
            "address3",
            "city",
            "postalCode",
            "state",
            "stateiso",
            "country",
            "countryiso",
        ],
    ),
];

/// Why the form is shown again.
pub enum FormError<'a> {
    /// What was written would be a dead letter again.
    Problems(&'a [FieldProblem]),
    /// Nothing was written.
    Nothing,
    /// Another row is there by now.
    Moved,
}

/// The page.
pub fn main(subject: &Subject<'_>, typed: &Typed, trouble: Option<&FormError<'_>>) -> Markup {
    let letter = &subject.letter;
    let vendor = letter.destination;
    let path = links::letter(vendor, &letter.change_id);
    let problems = match trouble {
        Some(FormError::Problems(problems)) => *problems,
        _ => &[],
    };
    let fields = Fields {
        sent: subject.draft.fields_sent.as_ref(),
        place: vendor.noun(),
        problems,
        typed,
    };
    html! {
        p.crumbs { a href=(links::LETTERS) { "Dead letters" } " / " a href=(path) { "Change " (foreign(&letter.change_id)) } }
        h1 { "Edit change " (foreign(&letter.change_id)) " at " (vendor.noun()) }
        @if let Some(trouble) = trouble { (told(subject, trouble)) }
        div.columns.after-title {
            form.card.edit method="post" action={ (path) "/edit" } autocomplete="off" aria-label="The row's fields" {
                (subject.asked.csrf())
                input type="hidden" name="version" value=(subject.draft.version);
                @for (legend, names) in GROUPS { (fields.group(legend, subject, |name| names.contains(&name))) }
                (fields.group("More", subject, |name| !GROUPS.iter().any(|(_, names)| names.contains(&name))))
                div.acts {
                    button.primary type="submit" name="step" value="preview" { "Preview" }
                    a.button href=(path) { "Back" }
                    p.soft { "Nothing is sent yet: next you see what would be." }
                }
            }
            div.stack {
                section.card.cause aria-label="Why" {
                    h2 { "Why it died " (text::class(letter.class)) }
                    p.said { (foreign(&letter.cause)) }
                    p.advice { (text::advice(&letter.advice)) }
                }
                section.card aria-label="What stays" {
                    h2 { "What stays" }
                    ul.rows {
                        @for field in subject.draft.fields.iter().filter(|field| NEVER_EDITED.contains(&field.name.as_str())) {
                            li { span { (field.name) } @if field.text.is_empty() { span.soft { "none" } } @else { (foreign(&field.text)) } }
                        }
                    }
                    p.note.after { "They say which change this is. Whatever else the row holds stays, too." }
                }
                p.note { "The edited row counts for every destination that has not taken this change yet, also if AlumnIQ sends it again. That you looked and which fields you edit stand in the audit, without their values." }
            }
        }
    }
}

fn told(subject: &Subject<'_>, trouble: &FormError<'_>) -> Markup {
    html! {
        div.alert.bad role="alert" #problems {
            @match trouble {
                FormError::Problems(problems) => {
                    p { b { "It would be a dead letter again. Nothing was changed." } }
                    ul {
                        @for problem in *problems {
                            li {
                                @if problem.field.is_empty() { (foreign(&problem.problem)) }
                                @else { a href={ "#" (id_of(&problem.field)) } { (text::field(&problem.field)) } ": " (foreign(&problem.problem)) }
                            }
                        }
                    }
                }
                FormError::Nothing => p { b { "Nothing is edited." } " Write into a field; or replay the change as it is, on " a href=(links::letter(subject.letter.destination, subject.id())) { "its page" } "." },
                FormError::Moved => {
                    p { b { "The row is another by now." } " Somebody was faster, or AlumnIQ sent it anew. Nothing was changed." }
                    p { "What you wrote stands in the fields; under each that differs stands what the row has now. Look at them again, then go on." }
                }
            }
        }
    }
}

/// How a field is called in the page.
pub fn id_of(name: &str) -> String {
    format!("field-{name}")
}

struct Fields<'a> {
    /// Those that the mapping reads, where there is one.
    sent: Option<&'a BTreeSet<String>>,
    place: &'static str,
    problems: &'a [FieldProblem],
    typed: &'a Typed,
}

impl Fields<'_> {
    fn group(&self, legend: &str, subject: &Subject<'_>, is_in: impl Fn(&str) -> bool) -> Markup {
        let fields: Vec<&Editable> = subject
            .draft
            .editable()
            .filter(|field| is_in(&field.name))
            .collect();
        html! {
            @if !fields.is_empty() {
                fieldset {
                    legend { (legend) }
                    div.fieldset { @for field in fields { (self.one(field)) } }
                }
            }
        }
    }

    fn one(&self, field: &Editable) -> Markup {
        let name = field.name.as_str();
        let id = id_of(name);
        let text = self.typed.text(name, &field.text);
        let problems: Vec<&FieldProblem> = self
            .problems
            .iter()
            .filter(|problem| problem.field == name)
            .collect();
        let is_other = text.trim() != field.text;
        let is_sent = self.sent.is_none_or(|sent| sent.contains(name));
        let notes = [
            (!problems.is_empty(), "problem"),
            (is_other, "was"),
            (field.unreadable.is_some(), "unreadable"),
            (!is_sent, "unsent"),
        ];
        let described: Vec<String> = notes
            .iter()
            .filter(|(is_there, _)| *is_there)
            .map(|(_, note)| format!("{id}-{note}"))
            .collect();
        let described = (!described.is_empty()).then(|| described.join(" "));
        let wrong = (!problems.is_empty()).then_some("true");
        html! {
            div.field .wrong[wrong.is_some()] {
                div.name {
                    label for=(id) { (text::field(name)) }
                    @if !is_sent { span.note id={ (id) "-unsent" } { "not sent to " (self.place) } }
                }
                @if text.contains('\n') || field.text.contains('\n') {
                    textarea id=(id) name={ (FIELD) (name) } rows="3" spellcheck="false" aria-invalid=[wrong] aria-describedby=[described.as_deref()] { "\n" (text) }
                } @else {
                    input id=(id) name={ (FIELD) (name) } value=(text) autocomplete="off" spellcheck="false" aria-invalid=[wrong] aria-describedby=[described.as_deref()];
                }
                @if !problems.is_empty() {
                    p.problem id={ (id) "-problem" } { @for problem in &problems { span { (foreign(&problem.problem)) } " " } }
                }
                @if is_other {
                    p.note id={ (id) "-was" } { "in the row: " @if field.text.is_empty() { "nothing" } @else { (foreign(&field.text)) } }
                }
                @if let Some(why) = &field.unreadable {
                    p.note id={ (id) "-unreadable" } { "it " (why) ": what stands here takes its place" }
                }
            }
        }
    }
}
