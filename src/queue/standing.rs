//! Where changes stand, many at a time: to hold what AlumnIQ lists against what is known here. Only looks.

use jobs::{
    destination::{Destination, Vendor},
    outcome::DeadClass,
};

use super::{Queue, QueueError, Record, keys, letters::LetterFilter, record};

/// How many changes one call looks up.
const CHANGES_A_CALL: usize = 200;

/// How many of the server's keys one step through the open changes looks at.
const KEYS_A_STEP: u32 = 200;

/// What is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeLookup {
    /// Which change.
    pub change_id: String,
    lane: String,
    member: String,
}

impl ChangeLookup {
    /// A change of `xid` with its place among that person's changes.
    pub fn of(change_id: &str, xid: Option<&str>, order: &str) -> Self {
        Self {
            change_id: change_id.to_owned(),
            lane: keys::lane(xid, change_id),
            member: format!("{order} {change_id}"),
        }
    }
}

/// Where a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is known of it. `overtaken`: where it would come too late.
    Unknown {
        /// Destinations that have, or may have, a newer change of the person.
        overtaken: Places,
    },
    /// It waits for a destination, or is dead somewhere.
    Open {
        /// Destinations that have still to take it.
        waits_for: Places,
        /// Destinations at which it is dead.
        dead: Places,
        /// As above.
        overtaken: Places,
        /// Its dead letter at AlumnIQ: it cannot be read, or every destination has it and its changeId is refused.
        at_alumniq: Option<DeadClass>,
    },
    /// Every destination has it; AlumnIQ is to be told.
    ToAcknowledge,
    /// It is over.
    Closed {
        /// Whether an operator gave it up.
        discarded: bool,
        /// When, ms.
        at: u64,
        /// Whether AlumnIQ was told.
        told: bool,
    },
}

/// A set of destinations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Places(u8);

impl Places {
    /// Whether it is one of them.
    pub const fn contain(self, destination: Destination) -> bool {
        self.0 & destination.bit() != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A change that destinations have still to take, or at which it is dead.
#[derive(Debug)]
pub struct OpenChange {
    /// Which.
    pub change_id: String,
    /// When it was fetched, ms.
    pub fetched_at: u64,
    /// Its row.
    pub record: Record,
}

/// Some of them, and how to go on; the same one may come twice.
#[derive(Debug)]
pub struct OpenChanges {
    /// These.
    pub changes: Vec<OpenChange>,
    /// `None`: that was all.
    pub next: Option<String>,
}

/// How many, and the first of them.
#[derive(Debug, Clone, Default)]
pub struct Counted {
    /// How many.
    pub count: u64,
    /// The oldest, as many as were asked for.
    pub change_ids: Vec<String>,
}

impl Queue {
    /// Where these stand, in their order. Each call of the script is one instant; many changes take several.
    pub async fn standing(&self, asked: &[ChangeLookup]) -> Result<Vec<Standing>, QueueError> {
        let mut standing = Vec::with_capacity(asked.len());
        for part in asked.chunks(CHANGES_A_CALL) {
            let mut call = self.scripts.standing.prepare_invoke();
            for one in part {
                call.arg(&one.change_id).arg(&one.lane).arg(&one.member);
            }
            let known: Vec<String> = self.run(&mut call).await?;
            standing.extend(known.chunks(7).map(read));
        }
        Ok(standing)
    }

    /// The next changes that are open and not yet to be acknowledged; `cursor` comes from the call before. Records
    /// that this version cannot read are left out.
    pub async fn open_changes(&self, cursor: Option<String>) -> Result<OpenChanges, QueueError> {
        let mut call = self.scripts.open.prepare_invoke();
        call.arg(cursor.as_deref().unwrap_or("0")).arg(KEYS_A_STEP);
        let (next, found): (String, Vec<String>) = self.run(&mut call).await?;
        let changes = found.chunks_exact(2).filter_map(|pair| {
            let (change_id, stored) = (&pair[0], &pair[1]);
            if stored.len() <= record::FETCHED_DIGITS {
                return None;
            }
            let (fetched_at, record) = self.read(change_id, stored).ok()?;
            Some(OpenChange {
                change_id: change_id.clone(),
                fetched_at,
                record,
            })
        });
        Ok(OpenChanges {
            changes: changes.collect(),
            next: Some(next).filter(|next| next != "0"),
        })
    }

    /// Changes that have waited to be acknowledged since before `ms`.
    pub async fn late_acknowledgements(&self, ms: u64, most: usize) -> Result<Counted, QueueError> {
        let (line, until) = (self.keys.of(&["ack"]), format!("({}000", ms));
        let (count, change_ids) = redis::pipe()
            .zcount(&line, "-inf", &until)
            .zrangebyscore_limit(
                &line,
                "-inf",
                &until,
                0,
                isize::try_from(most).unwrap_or(isize::MAX),
            )
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(Counted { count, change_ids })
    }

    /// Changes that every destination has and that AlumnIQ refuses.
    pub async fn refused_acknowledgements(&self, most: usize) -> Result<Counted, QueueError> {
        let filter = LetterFilter {
            class: Some(DeadClass::AckRejected),
            ..LetterFilter::default()
        };
        let page = self.letters(&filter, None, most).await?;
        let items = page.items.into_iter();
        Ok(Counted {
            count: page.total,
            change_ids: items.map(|letter| letter.change_id).collect(),
        })
    }
}

/// What the script says of one.
fn read(known: &[String]) -> Standing {
    let text = |at: usize| known.get(at).map_or("", String::as_str);
    let mask = |at: usize| text(at).parse::<u8>().unwrap_or_default();
    let destinations = |mask: u8| Places(mask & !Vendor::Alumniq.bit());
    if let Some(end) = Some(text(1)).filter(|marker| !marker.is_empty()) {
        let mut words = end.split(' ');
        return Standing::Closed {
            discarded: words.next() == Some("discarded"),
            at: words
                .next()
                .and_then(|at| at.parse().ok())
                .unwrap_or_default(),
            told: !end.contains(" untold"),
        };
    }
    let overtaken = destinations(mask(5));
    if !text(4).is_empty() {
        return Standing::ToAcknowledge;
    }
    let (waits_for, dead) = (mask(2), mask(3));
    if text(0) != "1" && waits_for == 0 && dead == 0 {
        return Standing::Unknown { overtaken };
    }
    Standing::Open {
        waits_for: destinations(waits_for),
        dead: destinations(dead),
        overtaken,
        at_alumniq: text(6).parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(known: [&str; 7]) -> Standing {
        read(&known.map(str::to_owned))
    }

    #[test]
    fn what_the_script_says_is_one_of_four() {
        assert_eq!(
            standing(["0", "", "0", "0", "", "3", ""]),
            Standing::Unknown {
                overtaken: Places(3)
            }
        );
        assert_eq!(
            standing(["1", "", "2", "5", "", "0", "undecodable"]),
            Standing::Open {
                waits_for: Places(2),
                dead: Places(1),
                overtaken: Places(0),
                at_alumniq: Some(DeadClass::Undecodable),
            }
        );
        // Redis has lost its row, and it still stands in its lane.
        assert!(matches!(
            standing(["0", "", "1", "0", "", "0", ""]),
            Standing::Open { .. }
        ));
        assert_eq!(
            standing(["1", "", "0", "0", "17", "0", ""]),
            Standing::ToAcknowledge
        );
        assert_eq!(
            standing([
                "1",
                "discarded 1700000000000 1600000000000 untold listed 1600000000000 1 ab",
                "0",
                "0",
                "",
                "0",
                ""
            ]),
            Standing::Closed {
                discarded: true,
                at: 1_700_000_000_000,
                told: false
            }
        );
        assert_eq!(
            standing([
                "0",
                "acknowledged 1700000000000 1600000000000",
                "0",
                "0",
                "",
                "0",
                ""
            ]),
            Standing::Closed {
                discarded: false,
                at: 1_700_000_000_000,
                told: true
            }
        );
    }
}
