//! The data generator: people, and changes of theirs, from a seed.

mod people;
mod rows;
mod words;

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::rows::Flaw;
use super::{options::SandboxOptions, seeded::Seeded};

pub(crate) use self::{
    people::{Constituent, Gaps},
    rows::marked_change,
};

/// The sandbox must have a day that exceeds the feed's cap of 500 from this many changes on.
const BUSY_FEED: usize = 600;

/// One change as the feed and the checker need it.
#[derive(Debug, Clone, Default)]
pub(crate) struct PublishedChange {
    /// Empty where the row has none.
    pub(crate) id: String,
    pub(crate) xid: Option<String>,
    /// changedOn; 0 where the row has none.
    pub(crate) at_millis: i64,
    pub(crate) date: Date,
    pub(crate) row: Bytes,
    /// What the repair puts in the row's place.
    pub(crate) corrected: Option<Bytes>,
}

/// Changes to add while the sandbox runs (`POST /_sandbox/changes`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewChanges {
    /// How many (0).
    pub count: usize,
    /// Whose they are; somebody at random if absent, a stranger to both destinations if unknown.
    pub xid: Option<String>,
    /// When, campus-local; now if absent. An earlier time makes an older change with a newer changeId.
    pub changed_on: Option<DateTime>,
    /// Raw rows to put into the feed as they are, whatever they hold.
    pub rows: Vec<Value>,
}

/// Makes people and changes; keeps the people for changes added later.
#[derive(Debug)]
pub(crate) struct Generator {
    rng: Seeded,
    timezone: TimeZone,
    next_id: u64,
    people: Vec<(Constituent, Gaps)>,
    options: SandboxOptions,
}

impl Generator {
    /// Errors name the option and what it may be.
    pub(crate) fn new(options: &SandboxOptions, timezone: TimeZone) -> Result<Self, String> {
        let flawed = options.anonymous
            + options.invalid_fields
            + options.invalid_phones
            + options.undecodable;
        if flawed > options.changes {
            return Err(format!(
                "{flawed} anonymous, invalid and undecodable changes of {} changes: ask for fewer",
                options.changes
            ));
        }
        if options.missing_in_crm.max(options.missing_in_salsa) > options.people {
            return Err(format!(
                "more missing people than the {} people",
                options.people
            ));
        }
        if options.changes > 0 && (options.people == 0 || options.days == 0) {
            return Err("changes need at least one person and one day".to_owned());
        }
        let mut rng = Seeded::new(options.seed);
        let people = (0..options.people)
            .map(|index| (Constituent::new(index, &mut rng), Gaps::default()))
            .collect();
        // changeIds gain a digit half-way, so that comparing them as text goes wrong.
        let count = u64::try_from(options.changes).unwrap_or(0);
        let round = 10_u64.pow(count.max(1000).ilog10() + 1);
        Ok(Self {
            rng,
            timezone,
            next_id: round - count / 2,
            people,
            options: options.clone(),
        })
    }

    pub(crate) fn people(&self) -> impl Iterator<Item = (&Constituent, Gaps)> {
        self.people.iter().map(|(person, gaps)| (person, *gaps))
    }

    pub(crate) fn close_gaps(&mut self) {
        for (_, gaps) in &mut self.people {
            *gaps = Gaps::default();
        }
    }

    /// The feed at the start; also decides who is missing where.
    pub(crate) fn first_changes(&mut self) -> Vec<PublishedChange> {
        let times = self.times();
        let flaws = self.flaws();
        let mut changes: Vec<PublishedChange> = Vec::with_capacity(times.len());
        let mut sound: BTreeSet<usize> = BTreeSet::new();
        let mut before: Option<(usize, DateTime)> = None;
        for (time, flaw) in times.into_iter().zip(flaws) {
            let (person, time) = match before {
                Some(same_second) if self.rng.chance(0.03) => same_second,
                _ => (self.rng.below(self.people.len()), time),
            };
            before = Some((person, time));
            if flaw == Flaw::None {
                sound.insert(person);
            }
            let who = self.people[person].0.clone();
            changes.push(self.change(&who, time, flaw));
        }
        let mut sound: Vec<_> = sound.into_iter().collect();
        self.rng.shuffle(&mut sound);
        for &person in sound.iter().take(self.options.missing_in_crm) {
            self.people[person].1.crm = true;
        }
        for &person in sound.iter().rev().take(self.options.missing_in_salsa) {
            self.people[person].1.salsa = true;
        }
        changes
    }

    pub(crate) fn more_changes(&mut self, wanted: &NewChanges) -> Vec<PublishedChange> {
        let now = Timestamp::now()
            .to_zoned_datetime(self.timezone.clone())
            .datetime();
        let mut changes = Vec::new();
        for _ in 0..wanted.count {
            let person = match &wanted.xid {
                Some(xid) => self.person(xid),
                None if self.people.is_empty() => Constituent::stranger("nobody"),
                None => self.people[self.rng.below(self.people.len())].0.clone(),
            };
            changes.push(self.change(&person, wanted.changed_on.unwrap_or(now), Flaw::None));
        }
        for row in &wanted.rows {
            changes.push(self.raw(row, now.date()));
        }
        changes
    }

    fn person(&self, xid: &str) -> Constituent {
        let known = self.people.iter().find(|(person, _)| person.xid == xid);
        known.map_or_else(|| Constituent::stranger(xid), |(person, _)| person.clone())
    }

    fn change(&mut self, person: &Constituent, time: DateTime, flaw: Flaw) -> PublishedChange {
        let id = self.next_id.to_string();
        self.next_id += 1;
        let (row, corrected) = rows::row(&id, person, time, flaw, &mut self.rng);
        PublishedChange {
            id,
            xid: (flaw != Flaw::Anonymous).then(|| person.xid.clone()),
            at_millis: self.millis(time),
            date: time.date(),
            row: row.to_string().into(),
            corrected: corrected.map(|row| row.to_string().into()),
        }
    }

    fn raw(&self, row: &Value, today: Date) -> PublishedChange {
        let text = |key: &str| match &row[key] {
            Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let time: Option<DateTime> = text("changedOn").and_then(|time| time.parse().ok());
        PublishedChange {
            id: text("changeId").unwrap_or_default(),
            xid: text("xid"),
            at_millis: time.map_or(0, |time| self.millis(time)),
            date: time.map_or(today, DateTime::date),
            row: row.to_string().into(),
            corrected: None,
        }
    }

    fn millis(&self, time: DateTime) -> i64 {
        let zoned = time.to_zoned_datetime(self.timezone.clone());
        zoned.map_or(0, |zoned| zoned.timestamp().as_millisecond())
    }

    /// When the changes happened, oldest first.
    fn times(&mut self) -> Vec<DateTime> {
        let now = Timestamp::now()
            .to_zoned_datetime(self.timezone.clone())
            .datetime();
        let last_day = self.options.until.unwrap_or(now.date());
        let days = usize::try_from(self.options.days).unwrap_or(1);
        let changes = self.options.changes;
        let busy_day = self.rng.below(days.saturating_sub(1)) + usize::from(days > 1);
        let busy = match changes >= BUSY_FEED {
            true => (changes / days).max(520 + changes / 20).min(changes),
            false => 0,
        };
        let since_midnight = now.duration_since(now.date().to_datetime(Time::midnight()));
        let today = usize::try_from(since_midnight.as_secs())
            .unwrap_or(0)
            .max(1);
        let mut times: Vec<_> = (0..changes)
            .map(|index| {
                let back = if index < busy {
                    busy_day
                } else {
                    self.rng.below(days)
                };
                let day = last_day.saturating_sub(i64::try_from(back).unwrap_or(0).days());
                let seconds = if day == now.date() { today } else { 86_400 };
                let second = i64::try_from(self.rng.below(seconds)).unwrap_or(0);
                let midnight = day.to_datetime(Time::midnight());
                midnight.saturating_add(second.seconds())
            })
            .collect();
        times.sort_unstable();
        times
    }

    /// One a change, spread at random.
    fn flaws(&mut self) -> Vec<Flaw> {
        let options = &self.options;
        let long = Flaw::LongEmployer(options.limits.employer_max_length);
        let undecodable = [Flaw::ChangedOn, Flaw::Xid].into_iter().cycle();
        let mut flaws: Vec<_> = std::iter::repeat_n(Flaw::Anonymous, options.anonymous)
            .chain(std::iter::repeat_n(long, options.invalid_fields))
            .chain(std::iter::repeat_n(Flaw::Phone, options.invalid_phones))
            .chain(undecodable.take(options.undecodable))
            .collect();
        flaws.resize(options.changes, Flaw::None);
        self.rng.shuffle(&mut flaws);
        flaws
    }
}

#[cfg(test)]
mod tests;
