//! What a comparison found. The JSON of `reconcile --json`.

use jiff::civil::Date;
use jobs::{destination::Vendor, outcome::PauseReason};
use queue::{
    defects::Defects,
    stats::{Books, Pause, Status},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// So many changes of each kind are named; all are counted.
pub(super) const SHOWN: usize = 100;

/// The campus days that were compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Range {
    /// The first.
    #[schema(value_type = String, format = Date)]
    pub from: Date,
    /// The last.
    #[schema(value_type = String, format = Date)]
    pub to: Date,
}

/// What was read of AlumnIQ's feed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = Feed)]
pub struct FeedSummary {
    /// Rows that it lists.
    pub rows: u64,
}

/// Changes that differ in one way.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = Found)]
pub struct DifferingChanges {
    /// How many.
    pub count: u64,
    /// The first 100 of them.
    pub change_ids: Vec<String>,
}

impl DifferingChanges {
    pub(super) fn add(&mut self, change_id: &str) {
        self.count += 1;
        if self.change_ids.len() < SHOWN {
            self.change_ids.push(change_id.to_owned());
        }
    }
}

/// Changes that every destination has, or that were given up, and that AlumnIQ was not told of.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Applied {
    /// How many.
    pub count: u64,
    /// The first 100 of them.
    pub change_ids: Vec<String>,
    /// So many wait in line for longer than they should.
    pub waiting: u64,
    /// So many are refused by AlumnIQ: dead letters.
    pub ack_rejected: u64,
    /// So many were discarded on purpose without telling AlumnIQ, and are still listed.
    pub discarded_untold: u64,
    /// So many were refused, and are in line again by now.
    pub told_again: u64,
    /// Why none is told at present.
    pub pause: Option<Pause>,
    /// Whether a process lives that tells AlumnIQ.
    pub acknowledger_lives: bool,
}

impl Applied {
    pub(super) fn add(&mut self, count: u64, change_ids: Vec<String>) {
        self.count += count;
        let room = SHOWN.saturating_sub(self.change_ids.len());
        self.change_ids.extend(change_ids.into_iter().take(room));
    }

    /// Whether those that wait will not be told by themselves. A pause of the machine's own ends.
    fn stands_still(&self) -> bool {
        let ends = self.pause.as_ref().is_some_and(|pause| {
            matches!(pause.reason, PauseReason::Throttled | PauseReason::Outage)
        });
        self.waiting > 0 && !(ends && self.acknowledger_lives)
    }
}

/// What was mended.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
pub struct Fixed {
    /// Taken into the queue.
    pub enqueued: u64,
    /// In line to be acknowledged once more.
    pub acknowledged_again: u64,
    /// Refused before, and in line again.
    pub told_again: u64,
}

/// The outcome.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Reconciled {
    /// As `status` has them.
    pub books: Books,
    /// Which days.
    pub range: Range,
    /// What AlumnIQ lists.
    pub feed: FeedSummary,
    /// Unprocessed there and unknown here.
    pub unknown_here: DifferingChanges,
    /// Acknowledged here and still unprocessed there.
    pub acknowledged_but_listed: DifferingChanges,
    /// Applied here and never acknowledged.
    pub applied_not_acknowledged: Applied,
    /// Open here and no longer listed there: somebody marked them.
    pub open_but_not_listed: DifferingChanges,
    /// Made after the last poll began: the next one brings them. No difference.
    pub not_yet_polled: u64,
    /// Contradictions within the queue's own data.
    pub defects: Defects,
    /// What was mended.
    pub fixed: Fixed,
    /// Whether nothing differs; after mending, whether nothing is left that needs a person.
    pub agrees: bool,
}

impl Reconciled {
    pub(super) fn of(range: Range) -> Self {
        Self {
            books: Books::default(),
            range,
            feed: FeedSummary::default(),
            unknown_here: DifferingChanges::default(),
            acknowledged_but_listed: DifferingChanges::default(),
            applied_not_acknowledged: Applied::default(),
            open_but_not_listed: DifferingChanges::default(),
            not_yet_polled: 0,
            defects: Defects::default(),
            fixed: Fixed::default(),
            agrees: false,
        }
    }

    /// The last word.
    pub(super) fn conclude(&mut self, status: &Status, mended: bool) {
        self.books = status.books;
        let applied = &mut self.applied_not_acknowledged;
        applied.pause = status.pauses.get(&Vendor::Alumniq).cloned();
        let tells = |info: &serde_json::Value| {
            let roles = info["roles"].as_array();
            roles.is_some_and(|roles| roles.iter().any(|role| role == "acknowledger"))
        };
        applied.acknowledger_lives = status.workers.values().any(tells);
        let left = match mended {
            false => self.unknown_here.count + self.acknowledged_but_listed.count + applied.count,
            // What was discarded on purpose stays so, and everything else that AlumnIQ lists is on its way again.
            true => applied.ack_rejected + u64::from(applied.stands_still()),
        };
        self.agrees = self.books.difference == 0
            && !self.books.are_negative()
            && self.defects.left == 0
            && left == 0
            && self.open_but_not_listed.count == 0;
    }
}
