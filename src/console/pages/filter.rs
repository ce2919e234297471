//! Which dead letters: as an address says it, and as a form.

use jobs::{destination::Vendor, outcome::DeadClass};
use maud::{Markup, html};
use queue::letters::LetterRef;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::links;
use crate::operations::{dead_letters::DeadLetterFilter, moment::Moment};

/// What an address or a form says: which letters, and `T` besides.
#[derive(Debug, Deserialize)]
pub struct DeadLetterQuery<T> {
    /// Which letters.
    #[serde(flatten)]
    pub filter: DeadLetterFilter,
    /// What else.
    #[serde(flatten)]
    pub rest: T,
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeadLetterPageQuery {
    /// Behind which letter it begins.
    pub after: Option<LetterRef>,
}

impl<T: DeserializeOwned> DeadLetterQuery<T> {
    /// Reads a query or a form. Fields that nobody filled in are as good as absent.
    ///
    /// # Errors
    /// Why it can't be understood: nothing is listed then, and above all nothing done, because a filter that was meant
    /// narrower would be a wider one.
    pub fn read(words: &[u8]) -> Result<Self, String> {
        let fields = form_urlencoded::parse(words).filter_map(|(name, value)| {
            let value = value.trim();
            (!value.is_empty()).then(|| (name.into_owned(), Value::from(value)))
        });
        let fields: Map<String, Value> = fields.collect();
        serde_json::from_value(fields.into()).map_err(|error| error.to_string())
    }
}

/// The fields of a filter that are not absent, as an address and a form have them.
fn fields(filter: &DeadLetterFilter) -> Vec<(String, String)> {
    let Ok(Value::Object(fields)) = serde_json::to_value(filter) else {
        return Vec::new();
    };
    let fields = fields.into_iter();
    fields
        .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
        .collect()
}

/// `path` with a filter.
pub fn address(filter: &DeadLetterFilter, path: &str) -> String {
    address_after(filter, path, None)
}

/// The page of a list that begins behind `after`.
pub fn address_after(filter: &DeadLetterFilter, path: &str, after: Option<&LetterRef>) -> String {
    let mut fields = fields(filter);
    fields.extend(after.map(|after| ("after".to_owned(), after.to_string())));
    let query: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), Some(value.as_str())))
        .collect();
    links::with_query(path, &query)
}

/// Whether it lets everything pass.
pub fn is_open(filter: &DeadLetterFilter) -> bool {
    *filter == DeadLetterFilter::default()
}

/// What one fills in.
pub fn form(filter: &DeadLetterFilter, sees_people: bool) -> Markup {
    let text = |word: &Option<String>| word.clone().unwrap_or_default();
    html! {
        form.filter method="get" action=(links::LETTERS) aria-label="Filter" {
            p { label for="destination" { "Destination" }
                select #destination name="destination" {
                    (choice("", "any", filter.destination.is_none()))
                    @for vendor in Vendor::ALL { (choice(vendor.as_str(), vendor.label(), filter.destination == Some(vendor))) }
                }
            }
            p { label for="class" { "Class" }
                select #class name="class" {
                    (choice("", "any", filter.class.is_none()))
                    @for class in DeadClass::ALL { (choice(class.as_str(), class.as_str(), filter.class == Some(class))) }
                }
            }
            @if sees_people {
                p { label for="xid" { "Person (xid)" } input #xid name="xid" value=(text(&filter.xid)) autocomplete="off" spellcheck="false" maxlength="200"; }
            }
            p { label for="since" { "Died from" } (time("since", filter.since.as_ref())) }
            p { label for="until" { "before" } (time("until", filter.until.as_ref())) }
            @if let Some(cause) = &filter.cause { input type="hidden" name="cause" value=(cause); }
            p.go { button type="submit" { "Filter" } @if !is_open(filter) { " " a href=(links::LETTERS) { "Show all" } } }
        }
    }
}

/// A day, or what an address says in another way.
fn time(id: &str, moment: Option<&Moment>) -> Markup {
    let kind = match moment {
        None | Some(Moment::Day(_)) => "date",
        Some(Moment::At(_) | Moment::Ago(_)) => "text",
    };
    html! { input #(id) name=(id) type=(kind) value=(moment.map(Moment::to_string).unwrap_or_default()); }
}

/// A filter in a form that acts on it.
pub fn hidden(filter: &DeadLetterFilter) -> Markup {
    html! {
        @for (name, value) in fields(filter) { input type="hidden" name=(name) value=(value); }
    }
}

fn choice(value: &str, shown: &str, chosen: bool) -> Markup {
    html! { option value=(value) selected[chosen] { (shown) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<DeadLetterQuery<DeadLetterPageQuery>, String> {
        DeadLetterQuery::read(words.as_bytes())
    }

    #[test]
    fn a_filter_is_the_same_after_it_was_an_address() {
        let filter = DeadLetterFilter {
            destination: Some(Vendor::Alumniq),
            class: Some(DeadClass::Stale),
            cause: Some("0123456789ab".to_owned()),
            xid: Some("1001 & é".to_owned()),
            since: Some("2026-11-21".parse().unwrap()),
            until: Some("3d".parse().unwrap()),
        };
        let after: LetterRef = "12/crm/stale/41/2".parse().unwrap();
        let address = address_after(&filter, "", Some(&after));
        let wanted = read(address.strip_prefix('?').unwrap()).unwrap();
        assert_eq!((wanted.filter, wanted.rest.after), (filter, Some(after)));
    }

    #[test]
    fn a_field_that_nobody_filled_in_is_absent() {
        let wanted = read("destination=&class=&xid=+&since=&until=&after=&csrf=x").unwrap();
        assert!(is_open(&wanted.filter) && wanted.rest.after.is_none());
        assert_eq!(read("xid=+42+").unwrap().filter.xid.as_deref(), Some("42"));
    }

    #[test]
    fn a_word_that_is_not_understood_is_no_wider_filter() {
        for words in [
            "destination=mars",
            "class=sad",
            "since=yesterday",
            "until=2026-13-01",
            "after=..%2Fetc",
        ] {
            assert!(read(words).is_err(), "{words}");
        }
    }
}
