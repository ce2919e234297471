//! What contradicts in the data, found and repaired.
//!
//! A walk over the namespace in bounded steps gathers suspects. A fleet works meanwhile, so that is all that they
//! are; `repair.lua` decides about each at one instant. A change that seems to be nowhere is a suspect only if two walks
//! say so. The counters are compared with the recount only where nothing has changed them since the walk began.
//!
//! In memory a walk holds numbers of 8 bytes: about three for each open change and two for each person with one.
//!
//! # Layout
//!
//! - `kind`: the kinds of defects; `survey`: what is seen on a walk; `round`: a walk, and what `repair.lua` says of it

mod kind;
mod round;
mod survey;

use std::{collections::BTreeMap, fmt};

use redis::AsyncTypedCommands;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::kind::DefectKind;
use self::round::Round;
use super::{ClassifyForPeople, Queue, QueueError, Record};

/// A repair may show what it hid: a lane that is empty now, counters that nobody changes any more.
const ROUNDS: usize = 3;

/// What one pass found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Defects {
    /// How many of each kind; none of those that were not found.
    pub found: BTreeMap<DefectKind, u64>,
    /// How many are still there: what was only looked for, and what cannot be repaired.
    pub left: u64,
    /// Whether the counters were recounted; a fleet that works all the time leaves no moment for that.
    pub recounted: bool,
}

impl Defects {
    /// How many of all kinds.
    pub fn total(&self) -> u64 {
        self.found.values().sum()
    }
}

/// `3 lane, 1 books`.
impl fmt::Display for Defects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (kind, count)) in self.found.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {kind}")?;
        }
        Ok(())
    }
}

/// The last pass that a leader made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastCheck {
    /// When it ended, Unix seconds.
    pub at_timestamp_seconds: u64,
    /// What it found.
    #[serde(flatten)]
    pub defects: Defects,
}

/// Where a row stands among the changes of its person; `None` for a row that cannot be read.
pub type OrderOf<'a> = &'a (dyn Fn(&Record) -> Option<String> + Sync);

impl Queue {
    /// Looks for contradictions and, where `fix` says so, repairs what is safe to repair. It disturbs nobody: a fleet
    /// may work meanwhile.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn find_defects(
        &self,
        order_of: OrderOf<'_>,
        fix: bool,
    ) -> Result<Defects, QueueError> {
        let mut defects = Defects::default();
        let mut left = BTreeMap::new();
        for _ in 0..ROUNDS {
            let round = Round::go(self, order_of, fix).await?;
            defects.recounted = round.recounted;
            left = round.left;
            for (kind, count) in &round.repaired {
                *defects.found.entry(*kind).or_default() += count;
            }
            if !fix || (round.recounted && round.repaired.is_empty()) {
                break;
            }
        }
        // Each round finds these again.
        for (kind, count) in left {
            *defects.found.entry(kind).or_default() += count;
            defects.left += count;
        }
        Ok(defects)
    }

    /// Keeps for `status` what a leader's pass found.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn record_check(&self, defects: &Defects) -> Result<(), QueueError> {
        let last = LastCheck {
            at_timestamp_seconds: self.now().await? / 1000,
            defects: defects.clone(),
        };
        let json = serde_json::to_string(&last)
            .map_err(|error| QueueError::unreadable("a new check", error.classify_for_people()))?;
        let key = self.keys.of(&["check"]);
        self.connection.clone().set(key, json).await?;
        Ok(())
    }

    /// Whether `who` leads and the last pass was made `ms` ago or longer.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn is_check_due(&self, who: &str, ms: u64) -> Result<bool, QueueError> {
        let (leader, last): (Option<String>, Option<String>) = redis::pipe()
            .get(self.keys.of(&["leader"]))
            .get(self.keys.of(&["check"]))
            .query_async(&mut self.connection.clone())
            .await?;
        if leader.as_deref() != Some(who) {
            return Ok(false);
        }
        let last: Option<LastCheck> = last.and_then(|json| serde_json::from_str(&json).ok());
        let at = last.map_or(0, |last| last.at_timestamp_seconds * 1000);
        // A clock that was set back does not put it off.
        Ok(self.now().await?.abs_diff(at) >= ms)
    }
}
