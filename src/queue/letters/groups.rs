//! Letters by cause: what is stuck and why, with counts, without reading the letters.

use std::collections::{BTreeMap, btree_map::Entry};

use jobs::{destination::Vendor, outcome::DeadClass};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DeadLetterOrder, LetterFilter};
use crate::{Queue, QueueError, timestamp::rfc3339};

/// How many groups are told, the most frequent.
const MOST_GROUPS: usize = 200;

/// Among how many groups of a vendor's class those are looked for.
pub(crate) const MOST_CANDIDATES: usize = 1000;

/// Letters of one cause, but for what names one change in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LetterGroup {
    /// Where they died.
    pub destination: Vendor,
    /// Which kind.
    pub class: DeadClass,
    /// The group's key: what [`LetterFilter::cause`] takes.
    pub cause: String,
    /// The cause of its newest letter.
    pub text: String,
    /// How many letters.
    pub count: u64,
    /// When the newest died, RFC 3339.
    pub newest_at: String,
    /// When the oldest died, RFC 3339.
    pub oldest_at: String,
    /// What to do, in the words of its newest letter.
    pub advice: String,
}

/// A group of which only the size is known.
struct Counted {
    vendor: Vendor,
    class: DeadClass,
    cause: String,
    count: u64,
}

fn most_frequent(mut groups: Vec<Counted>) -> Vec<Counted> {
    groups.sort_by(|a, b| {
        let name = |group: &Counted| (group.vendor, group.class);
        let by_name = || (name(a), &a.cause).cmp(&(name(b), &b.cause));
        b.count.cmp(&a.count).then_with(by_name)
    });
    groups.truncate(MOST_GROUPS);
    groups
}

impl Queue {
    /// The groups of the letters that a filter matches, most frequent first; of very many the 200 most frequent.
    pub async fn letter_groups(
        &self,
        filter: &LetterFilter,
    ) -> Result<Vec<LetterGroup>, QueueError> {
        if filter.has_names() {
            return self.groups_of_named(filter).await;
        }
        let mut groups = self.candidates(filter).await?;
        if filter.since.is_some() || filter.until.is_some() || filter.cause.is_some() {
            self.count_within(filter, &mut groups).await?;
        }
        self.describe(filter, most_frequent(groups)).await
    }

    /// The same of all letters, where the sizes are known: vendor, class, cause, how many.
    pub(crate) async fn letter_groups_of(
        &self,
        sizes: Vec<(String, String, String, u64)>,
    ) -> Result<Vec<LetterGroup>, QueueError> {
        let groups = sizes
            .into_iter()
            .filter_map(|(vendor, class, cause, count)| {
                Some(Counted {
                    vendor: vendor.parse().ok()?,
                    class: class.parse().ok()?,
                    cause,
                    count,
                })
            });
        let groups = most_frequent(groups.collect());
        self.describe(&LetterFilter::default(), groups).await
    }

    /// The most frequent groups of each index, with all that they hold.
    async fn candidates(&self, filter: &LetterFilter) -> Result<Vec<Counted>, QueueError> {
        if let Some(cause) = &filter.cause {
            let of = |(vendor, class)| Counted {
                vendor,
                class,
                cause: cause.clone(),
                count: 0,
            };
            return Ok(filter.indexes().map(of).collect());
        }
        let mut pipeline = redis::pipe();
        for (vendor, class) in filter.indexes() {
            pipeline
                .cmd("ZREVRANGE")
                .arg(self.keys.of(&["causes", vendor.as_str(), class.as_str()]))
                .arg(0)
                .arg(MOST_CANDIDATES - 1)
                .arg("WITHSCORES");
        }
        let found: Vec<Vec<(String, u64)>> =
            pipeline.query_async(&mut self.connection.clone()).await?;
        let groups = filter.indexes().zip(found);
        let groups = groups.flat_map(|((vendor, class), causes)| {
            causes.into_iter().map(move |(cause, count)| Counted {
                vendor,
                class,
                cause,
                count,
            })
        });
        Ok(groups.collect())
    }

    async fn count_within(
        &self,
        filter: &LetterFilter,
        groups: &mut Vec<Counted>,
    ) -> Result<(), QueueError> {
        if groups.is_empty() {
            return Ok(());
        }
        let (from, to) = filter.scores();
        let mut pipeline = redis::pipe();
        for group in groups.iter() {
            pipeline.zcount(self.because(group), &from, &to);
        }
        let counts: Vec<u64> = pipeline.query_async(&mut self.connection.clone()).await?;
        for (group, count) in groups.iter_mut().zip(counts) {
            group.count = count;
        }
        groups.retain(|group| group.count > 0);
        Ok(())
    }

    fn because(&self, group: &Counted) -> String {
        let (vendor, class) = (group.vendor.as_str(), group.class.as_str());
        self.keys.of(&["because", vendor, class, &group.cause])
    }

    /// Adds the ends of each group and the words of its newest letter.
    async fn describe(
        &self,
        filter: &LetterFilter,
        groups: Vec<Counted>,
    ) -> Result<Vec<LetterGroup>, QueueError> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let (from, to) = filter.scores();
        let mut pipeline = redis::pipe();
        for group in &groups {
            let ends = [
                ("ZRANGEBYSCORE", &from, &to),
                ("ZREVRANGEBYSCORE", &to, &from),
            ];
            for (command, first, last) in ends {
                pipeline.cmd(command).arg(self.because(group));
                pipeline.arg(first).arg(last).arg("WITHSCORES");
                pipeline.arg("LIMIT").arg(0).arg(1);
            }
        }
        let ends: Vec<Vec<(String, u64)>> =
            pipeline.query_async(&mut self.connection.clone()).await?;
        let mut pipeline = redis::pipe();
        for (group, ends) in groups.iter().zip(ends.chunks(2)) {
            let newest = ends[1].first().map_or("", |(id, _)| id.as_str());
            let letter = self.keys.of(&["letter", group.vendor.as_str(), newest]);
            pipeline.cmd("HMGET").arg(letter).arg("cause").arg("advice");
        }
        let words: Vec<(Option<String>, Option<String>)> =
            pipeline.query_async(&mut self.connection.clone()).await?;
        let described = groups.into_iter().zip(ends.chunks(2)).zip(words);
        // What is missing was handled while we looked.
        let described = described.filter_map(|((group, ends), (text, advice))| {
            Some(LetterGroup {
                destination: group.vendor,
                class: group.class,
                cause: group.cause,
                text: text?,
                count: group.count,
                newest_at: rfc3339(ends[1].first()?.1),
                oldest_at: rfc3339(ends[0].first()?.1),
                advice: advice?,
            })
        });
        Ok(described.collect())
    }

    async fn groups_of_named(&self, filter: &LetterFilter) -> Result<Vec<LetterGroup>, QueueError> {
        let letters = self
            .named_letters(DeadLetterOrder::OldestFirst, filter)
            .await?;
        let mut groups = BTreeMap::new();
        for (_, letter) in letters {
            match groups.entry((letter.destination, letter.class, letter.cause_key.clone())) {
                Entry::Vacant(place) => {
                    place.insert(LetterGroup {
                        destination: letter.destination,
                        class: letter.class,
                        cause: letter.cause_key,
                        text: letter.cause,
                        count: 1,
                        newest_at: letter.died_at.clone(),
                        oldest_at: letter.died_at,
                        advice: letter.advice,
                    });
                }
                Entry::Occupied(mut group) => {
                    let group = group.get_mut();
                    group.count += 1;
                    (group.text, group.advice) = (letter.cause, letter.advice);
                    group.newest_at = letter.died_at;
                }
            }
        }
        let mut groups: Vec<LetterGroup> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups.truncate(MOST_GROUPS);
        Ok(groups)
    }
}
