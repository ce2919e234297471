//! Dead letters: which ones an operator means, pages and groups of them.

use std::collections::BTreeSet;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use jiff::{Timestamp, tz::TimeZone};
use jobs::{destination::Vendor, outcome::DeadClass};
use queue::{
    QueueError,
    letters::{DeadLetterOrder, LetterFilter, LetterPage, LetterRef},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Operations,
    error::{OperatorError, RefusalKind},
    moment::Moment,
};

/// How many letters one request handles. More of them are a bulk's work.
pub const HANDLED_AT_ONCE: usize = 5000;

/// Which dead letters. What is absent is any.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams, Args,
)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeadLetterFilter {
    /// Only those that died at this destination; alumniq: rows that cannot be read, refused changeIds
    #[arg(long, short, value_parser = vendors())]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub destination: Option<Vendor>,
    /// Only those of this class
    #[arg(long, value_parser = classes(), hide_possible_values = false)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub class: Option<DeadClass>,
    /// Only those of this cause: the key of a group, as the groups and the letters have it
    #[arg(
        long,
        value_name = "TEXT",
        value_parser = non_blank,
        help = "Only those of this cause: a group of `dead groups`, or words that one cause alone has"
    )]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<String>,
    /// Only those of this person
    #[arg(long, value_parser = non_blank)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub xid: Option<String>,
    /// Only those that died since: a day, an instant or how long ago (2026-11-21, 3d)
    #[arg(long, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Moment>,
    /// Only those that died before: as above
    #[arg(long, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<Moment>,
}

/// One change's dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LetterName {
    /// Which change.
    #[schema(min_length = 1, max_length = 400)]
    pub change_id: String,
    /// Only the one at this destination; all of them where it is absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub destination: Option<Vendor>,
}

impl LetterName {
    /// The one at this destination.
    pub fn at(destination: Vendor, change_id: &str) -> Self {
        Self {
            change_id: change_id.to_owned(),
            destination: Some(destination),
        }
    }
}

/// A vendor, by its wire name.
pub fn vendors() -> impl TypedValueParser<Value = Vendor> {
    PossibleValuesParser::new(Vendor::ALL.map(Vendor::as_str))
        .try_map(|word| word.parse::<Vendor>())
}

/// A class of dead letters, by its wire name.
fn classes() -> impl TypedValueParser<Value = DeadClass> {
    PossibleValuesParser::new(DeadClass::ALL.map(DeadClass::as_str))
        .try_map(|word| word.parse::<DeadClass>())
}

/// Text that is more than blanks.
///
/// # Errors
///
/// A sentence for people.
pub fn non_blank(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it must not be blank".to_owned()),
        text => Ok(text.to_owned()),
    }
}

impl DeadLetterFilter {
    /// As the queue takes it now; days are those of the campus.
    pub(super) fn resolve(&self, timezone: &TimeZone) -> LetterFilter {
        let now = Timestamp::now();
        let instant = |moment: &Moment| moment.milliseconds(now, timezone);
        LetterFilter {
            vendor: self.destination,
            class: self.class,
            cause: self.cause.clone(),
            xid: self.xid.clone(),
            change_ids: Vec::new(),
            since: self.since.as_ref().map(instant),
            until: self.until.as_ref().map(instant),
        }
    }
}

impl Operations {
    /// A page of dead letters, and how many there are in all.
    pub(super) async fn letters(
        &self,
        order: DeadLetterOrder,
        filter: &DeadLetterFilter,
        cursor: Option<&LetterRef>,
        limit: usize,
    ) -> Result<LetterPage, QueueError> {
        let filter = filter.resolve(self.timezone());
        self.queue().letters_in(order, &filter, cursor, limit).await
    }

    /// The letters that a request handles, and how many it means: more, where a filter matches more than are handled at
    /// once. Where it only counts, no letters are read for a filter.
    pub(super) async fn selected(
        &self,
        names: &[LetterName],
        filter: Option<&DeadLetterFilter>,
        only_count: bool,
    ) -> Result<(Vec<(Vendor, String)>, u64), OperatorError> {
        let every = DeadLetterFilter::default();
        let filter = match filter {
            Some(filter) => filter,
            None if names.is_empty() => {
                let problem = "name letters in `ids`, or give a `filter`: {} is all";
                return Err(OperatorError::invalid_field("filter", problem));
            }
            None => &every,
        };
        if names.is_empty() {
            let limit = if only_count { 1 } else { HANDLED_AT_ONCE };
            let page = self
                .letters(DeadLetterOrder::OldestFirst, filter, None, limit)
                .await?;
            let letters = page.items.into_iter();
            let letters = letters.map(|letter| (letter.destination, letter.change_id));
            return Ok((letters.collect(), page.total));
        }
        let filter = filter.resolve(self.timezone());
        let mut selected = BTreeSet::new();
        for name in names {
            let letters = self.queue().letters_of(&name.change_id).await?;
            let mut meant = letters
                .into_iter()
                .filter(|letter| {
                    let at = letter.destination;
                    name.destination.is_none_or(|wanted| wanted == at) && filter.matches(letter)
                })
                .map(|letter| (letter.destination, letter.change_id))
                .peekable();
            if meant.peek().is_none() {
                return Err(no_letter(&name.change_id));
            }
            selected.extend(meant);
        }
        let total = selected.len() as u64;
        Ok((selected.into_iter().collect(), total))
    }
}

/// Naming something that is not there is a mistake: nothing is done then.
pub(super) fn no_letter(change_id: &str) -> OperatorError {
    OperatorError::refused(
        RefusalKind::NotFound,
        format!("change {change_id} has no such dead letter"),
        "see the list of dead letters; nothing was done",
    )
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn days_are_those_of_the_campus() {
        let day = |day| Some(Moment::Day(date(2026, 11, day)));
        let filter = DeadLetterFilter {
            since: day(21),
            until: day(22),
            ..DeadLetterFilter::default()
        };
        let resolved = filter.resolve(&TimeZone::get("America/New_York").unwrap());
        let at = |text: &str| {
            let at: Timestamp = text.parse().unwrap();
            u64::try_from(at.as_millisecond()).ok()
        };
        assert_eq!(resolved.since, at("2026-11-21T05:00:00Z"));
        assert_eq!(resolved.until, at("2026-11-22T05:00:00Z"));
    }
}
