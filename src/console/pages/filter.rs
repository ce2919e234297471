//! Which dead letters: as the address says it, as a form, as operations take it.

use jiff::ToSpan;
use jobs::{destination::Vendor, outcome::DeadClass};
use maud::{Markup, html};
use queue::letters::LetterRef;
use serde::Deserialize;

use super::{links, text::name};
use crate::operations::{
    dead_letters::DeadLetterFilter,
    moment::{Day, Moment},
};

/// The words of an address or a form. Empty = any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FilterForm {
    /// Where they died.
    pub destination: String,
    /// Which kind.
    pub class: String,
    /// The key of one cause's group.
    pub cause: String,
    /// Whose.
    pub xid: String,
    /// The first campus-local day.
    pub since: String,
    /// The last campus-local day.
    pub until: String,
    /// The cursor.
    pub after: String,
}

/// The same, understood.
#[derive(Debug, Clone)]
pub struct Filter {
    /// As operations take it.
    pub filter: DeadLetterFilter,
    /// Behind which letter the page begins.
    pub after: Option<LetterRef>,
}

impl FilterForm {
    /// # Errors
    /// The words that are not understood: nothing is shown then, and above all nothing done, for a filter that
    /// was meant narrower would be a wider one.
    pub fn read(&self) -> Result<Filter, Vec<String>> {
        let mut problems = Vec::new();
        let mut wrong = |problem: String| problems.push(problem);
        let given = |word: &str| Some(word.trim().to_owned()).filter(|word| !word.is_empty());
        let destination = given(&self.destination).and_then(|word| {
            let read = word.parse::<Vendor>();
            read.map_err(|error| wrong(error.to_string())).ok()
        });
        let class = given(&self.class).and_then(|word| {
            let read = word.parse::<DeadClass>();
            read.map_err(|error| wrong(error.to_string())).ok()
        });
        let mut day = |word: &str, after: i32| {
            let word = given(word)?;
            let read = word
                .parse::<Day>()
                .ok()
                .and_then(|Day(day)| day.checked_add(after.days()).ok());
            if read.is_none() {
                wrong(format!("`{word}` is no day: write it as 2026-11-22"));
            }
            read.map(Moment::Day)
        };
        // The last day is whole.
        let (since, until) = (day(&self.since, 0), day(&self.until, 1));
        let after = given(&self.after).and_then(|word| {
            let read = word.parse::<LetterRef>();
            read.map_err(|_| {
                wrong("this page of the list is not known: begin with the first one".to_owned())
            })
            .ok()
        });
        let filter = DeadLetterFilter {
            destination,
            class,
            cause: given(&self.cause),
            xid: given(&self.xid),
            since,
            until,
        };
        match problems.is_empty() {
            true => Ok(Filter { filter, after }),
            false => Err(problems),
        }
    }

    /// `path` with this filter, its beginning apart.
    pub fn address(&self, path: &str) -> String {
        self.address_after(path, "")
    }

    /// The page that begins behind `after`.
    pub fn address_after(&self, path: &str, after: &str) -> String {
        let query = [
            ("destination", Some(self.destination.as_str())),
            ("class", Some(&self.class)),
            ("cause", Some(&self.cause)),
            ("xid", Some(&self.xid)),
            ("since", Some(&self.since)),
            ("until", Some(&self.until)),
            ("after", Some(after)),
        ];
        links::with_query(path, &query)
    }

    /// Whether it lets everything pass.
    pub fn is_open(&self) -> bool {
        self.address("").is_empty()
    }

    /// What one fills in.
    pub fn form(&self, sees_people: bool) -> Markup {
        html! {
            form.filter method="get" action=(links::LETTERS) aria-label="Filter" {
                p { label for="destination" { "Destination" }
                    select #destination name="destination" {
                        (choice("", "any", &self.destination))
                        @for vendor in Vendor::ALL { (choice(vendor.as_str(), name(vendor), &self.destination)) }
                    }
                }
                p { label for="class" { "Class" }
                    select #class name="class" {
                        (choice("", "any", &self.class))
                        @for class in DeadClass::ALL { (choice(class.as_str(), class.as_str(), &self.class)) }
                    }
                }
                @if sees_people {
                    p { label for="xid" { "Person (xid)" } input #xid name="xid" value=(self.xid) autocomplete="off" spellcheck="false" maxlength="200"; }
                }
                p { label for="since" { "Died from" } input #since name="since" type="date" value=(self.since); }
                p { label for="until" { "until" } input #until name="until" type="date" value=(self.until); }
                @if !self.cause.is_empty() { input type="hidden" name="cause" value=(self.cause); }
                p.go { button type="submit" { "Filter" } @if !self.is_open() { " " a href=(links::LETTERS) { "Show all" } } }
            }
        }
    }

    /// The filter in a form that acts on it.
    pub fn hidden(&self) -> Markup {
        let fields = [
            ("destination", &self.destination),
            ("class", &self.class),
            ("cause", &self.cause),
            ("xid", &self.xid),
            ("since", &self.since),
            ("until", &self.until),
        ];
        html! {
            @for (name, value) in fields { @if !value.is_empty() { input type="hidden" name=(name) value=(value); } }
        }
    }
}

fn choice(value: &str, shown: &str, chosen: &str) -> Markup {
    html! { option value=(value) selected[value == chosen] { (shown) } }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_last_day_is_whole() {
        let form = FilterForm {
            since: "2026-11-21".to_owned(),
            until: "2026-11-21".to_owned(),
            ..FilterForm::default()
        };
        let filter = form.read().unwrap().filter;
        let day = |day| Some(Moment::Day(date(2026, 11, day)));
        assert_eq!((filter.since, filter.until), (day(21), day(22)));
    }

    #[test]
    fn a_word_that_is_not_understood_is_no_wider_filter() {
        for form in [
            FilterForm {
                destination: "mars".to_owned(),
                ..FilterForm::default()
            },
            FilterForm {
                class: "sad".to_owned(),
                ..FilterForm::default()
            },
            FilterForm {
                since: "yesterday".to_owned(),
                ..FilterForm::default()
            },
            FilterForm {
                until: "2026-13-01".to_owned(),
                ..FilterForm::default()
            },
            FilterForm {
                after: "../etc".to_owned(),
                ..FilterForm::default()
            },
        ] {
            assert_eq!(form.read().unwrap_err().len(), 1, "{form:?}");
        }
        assert!(FilterForm::default().read().is_ok());
    }
}
