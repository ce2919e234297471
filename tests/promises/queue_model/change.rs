//! The model of a change.

use std::collections::{BTreeMap, BTreeSet};

use jobs::{
    destination::{Destination, Vendor},
    outcome::DeadClass,
};
use serde_json::Value;

use super::step::Row;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    Waits,
    Done,
    Dead(DeadClass),
    GivenUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// Something is still to be done, or dead.
    Open,
    Queued,
    Acknowledged,
    Discarded {
        told: bool,
    },
}

/// How AlumnIQ listed a row: since which fetch, where in that answer, and with which content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsListed {
    pub fetched: u64,
    pub row: u64,
    pub content: u8,
}

impl AsListed {
    pub fn of(row: &Row, fetched: u64, place: u64) -> Option<Self> {
        row.content.map(|content| Self {
            fetched,
            row: place,
            content,
        })
    }

    pub fn shown(self) -> (u64, u64) {
        (self.fetched, self.row)
    }

    /// Whether AlumnIQ listed another content later.
    pub fn is_corrected_by(self, other: Self) -> bool {
        self.content != other.content && self.fetched <= other.fetched
    }
}

/// A row with another content.
#[derive(Debug, Clone)]
pub struct Correction {
    pub row: Row,
    pub listed: AsListed,
    /// One answer has the change twice.
    pub is_twice: bool,
}

#[derive(Debug)]
pub struct Change {
    pub lane: String,
    pub member: String,
    pub block: u64,
    /// The row as it lies in Redis; empty where AlumnIQ only listed it again.
    pub record: String,
    /// How often AlumnIQ accepted its acknowledgement.
    pub times_told: u32,
    /// AlumnIQ knows it by its name.
    pub has_id: bool,
    pub at: BTreeMap<Destination, At>,
    /// Dead on arrival, or refused in the PUT.
    pub refused: Option<DeadClass>,
    /// How often an operator edited its row.
    pub edits: usize,
    /// By destination, the token of the lease under which the document was sent that its letter shows.
    pub sent: BTreeMap<Destination, u64>,
    /// The lane that the letter of that names.
    pub refused_lane: String,
    /// Where it failed before, and how often it pays for that.
    pub attempts: BTreeMap<Destination, u32>,
    /// How many calls in a row found the destination down; without a charge.
    pub deferrals: BTreeMap<Destination, usize>,
    pub crashes: BTreeMap<Destination, u32>,
    pub forced: BTreeSet<Destination>,
    /// An operator gave it up somewhere; his last word on whether AlumnIQ is to be told.
    pub given_up: Option<bool>,
    pub ack: Ack,
    /// How AlumnIQ listed the row.
    pub listed: Option<AsListed>,
    /// The corrected row that waits for the end of what is out with the old one.
    pub correction: Option<Correction>,
    /// AlumnIQ corrected it on the way.
    pub was_corrected: bool,
    /// It became a letter because one answer had it twice.
    pub is_twice: bool,
    /// It need not be acknowledged before newer ones: it came when a newer one of its lane was under way already,
    /// was dead at some time, or AlumnIQ listed it again after it was told.
    pub may_lag: bool,
}

impl Change {
    pub fn waits(&self, d: Destination) -> bool {
        self.at.get(&d) == Some(&At::Waits)
    }

    pub fn is_closed(&self) -> bool {
        matches!(self.ack, Ack::Acknowledged | Ack::Discarded { .. })
    }

    /// Its letters.
    pub fn dead(&self) -> BTreeMap<Vendor, DeadClass> {
        let at_destinations = self.at.iter().filter_map(|(d, at)| match at {
            At::Dead(class) => Some((Vendor::from(*d), *class)),
            _ => None,
        });
        let at_alumniq = self.refused.map(|class| (Vendor::Alumniq, class));
        at_destinations.chain(at_alumniq).collect()
    }

    /// The lane that each of its letters names.
    pub fn letter_lane(&self, vendor: Vendor) -> &str {
        match vendor {
            Vendor::Alumniq => &self.refused_lane,
            _ => &self.lane,
        }
    }

    /// The lane of whom the stored row names.
    pub fn stored_lane(&self) -> String {
        let record: Value = serde_json::from_str(&self.record).unwrap_or_default();
        let xid = record["xid"].as_str();
        xid.map_or_else(String::new, |xid| format!("x:{xid}"))
    }

    /// AlumnIQ lists it again. A dead row may have been corrected, unless that moves it.
    pub fn correct(&mut self, row: &Row, listed: Option<AsListed>) {
        let differs = |was: AsListed| listed.is_some_and(|listed| listed.content != was.content);
        let must_stay = self.listed.is_some_and(differs) || self.correction.is_some();
        if self.edits > 0 || (listed.is_some() && must_stay) {
            return;
        }
        // A row that cannot be queued has no place in any lane.
        let stays = !row.undecodable && self.lane == row.lane() && self.member == row.member();
        let stands_nowhere = self.refused.is_some();
        if stands_nowhere || (stays && !self.dead().is_empty()) {
            self.record = row.record();
            self.listed = listed;
        }
    }

    pub fn refund(&mut self, d: Destination) {
        self.attempts.remove(&d);
        self.deferrals.remove(&d);
    }

    pub fn forget(&mut self, d: Destination) {
        self.refund(d);
        self.crashes.remove(&d);
        self.forced.remove(&d);
    }

    /// A destination has it under lease, has had it, or will never have it.
    pub fn is_under_way(&self, running: impl Fn(Destination) -> bool) -> bool {
        self.at
            .iter()
            .any(|(d, at)| *at != At::Waits || running(*d))
    }

    /// It may be that nothing is left to do.
    pub fn join(&mut self) {
        let waits = self.at.values().any(|at| *at == At::Waits);
        if !waits && self.dead().is_empty() {
            self.ack = match self.given_up {
                Some(false) => Ack::Discarded { told: false },
                _ => Ack::Queued,
            };
        }
    }
}
