//! What is seen on a walk.

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::RandomState},
    hash::BuildHasher,
};

use jobs::destination::Destination;

/// A name's number. Two of a million names have the same one once in millions of walks.
pub(super) type Number = u64;

/// What is open and where it stands, by the numbers of its names.
#[derive(Default)]
pub(super) struct Survey {
    hasher: RandomState,
    /// Changes that are open.
    open: HashSet<Number>,
    /// Those of them that are neither dead nor to be acknowledged.
    waiting: HashSet<Number>,
    /// What stands in lanes.
    in_lanes: HashSet<Number>,
    lanes: HashSet<Number>,
    /// How often a lane stands before a destination.
    places: HashMap<(Destination, Number), u8>,
    /// Open changes that are not dead.
    pub(super) in_flight: u64,
    /// Changes that wait for a destination.
    pub(super) pending: BTreeMap<Destination, u64>,
    /// Open changes of each fetch.
    pub(super) outstanding: BTreeMap<String, u64>,
}

/// Who is nowhere, or has no row, as one walk saw it.
#[derive(Default)]
pub(super) struct Missing {
    hasher: RandomState,
    pub(super) strays: HashSet<Number>,
    pub(super) rowless: HashSet<Number>,
}

impl Missing {
    pub(super) fn is_empty(&self) -> bool {
        self.strays.is_empty() && self.rowless.is_empty()
    }

    pub(super) fn is_stray(&self, id: &str) -> bool {
        self.strays.contains(&self.hasher.hash_one(id))
    }

    pub(super) fn is_rowless(&self, id: &str) -> bool {
        self.rowless.contains(&self.hasher.hash_one(id))
    }
}

impl Survey {
    /// The lane stands there; false where it was seen there before.
    pub(super) fn stands(&mut self, destination: Destination, lane: &str) -> bool {
        let lane = self.hasher.hash_one(lane);
        let times = self.places.entry((destination, lane)).or_default();
        *times = times.saturating_add(1);
        *times == 1
    }

    /// An open change; `state` as the script says it. A walk may meet it twice.
    pub(super) fn open(&mut self, id: &str, block: &str, state: &str) {
        let id = self.hasher.hash_one(id);
        if !self.open.insert(id) {
            return;
        }
        *self.outstanding.entry(block.to_owned()).or_default() += 1;
        if state == "w" {
            self.waiting.insert(id);
        }
        if state == "w" || state == "a" {
            self.in_flight += 1;
        }
    }

    /// Whether the lane was not met before.
    pub(super) fn lane(&mut self, lane: &str) -> bool {
        self.lanes.insert(self.hasher.hash_one(lane))
    }

    /// Whether a lane was met.
    pub(super) fn has_lane(&self, lane: &str) -> bool {
        self.lanes.contains(&self.hasher.hash_one(lane))
    }

    /// Whether a lane that was not met stands before a destination.
    pub(super) fn has_place_without_lane(&self) -> bool {
        let mut places = self.places.keys();
        places.any(|(_, lane)| !self.lanes.contains(lane))
    }

    /// A change in a lane that was not met before.
    pub(super) fn in_lane(&mut self, id: &str, mask: u8) {
        if self.in_lanes.insert(self.hasher.hash_one(id)) {
            for d in waited_for(mask) {
                *self.pending.entry(d).or_default() += 1;
            }
        }
    }

    /// Whether the lane stands somewhere else than once before each of these destinations.
    pub(super) fn is_misplaced(&self, lane: &str, mask: u8) -> bool {
        let lane = self.hasher.hash_one(lane);
        Destination::ALL.into_iter().any(|d| {
            let places = self.places.get(&(d, lane)).copied().unwrap_or(0);
            places != u8::from(mask & d.bit() != 0)
        })
    }

    /// What waits and stands in no lane; what stands in a lane and is not open.
    pub(super) fn missing(self) -> Missing {
        Missing {
            strays: self.waiting.difference(&self.in_lanes).copied().collect(),
            rowless: self.in_lanes.difference(&self.open).copied().collect(),
            hasher: self.hasher,
        }
    }

    /// Whether this walk says it, too.
    pub(super) fn is_in_no_lane(&self, id: &str) -> bool {
        !self.in_lanes.contains(&self.hasher.hash_one(id))
    }
}

/// The destinations of a lane's score.
fn waited_for(mask: u8) -> impl Iterator<Item = Destination> {
    let is_known = mask <= Destination::ALL.iter().map(|d| d.bit()).sum();
    let all = Destination::ALL.into_iter();
    all.filter(move |d| is_known && mask & d.bit() != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_is_met_twice_is_counted_once() {
        let mut survey = Survey::default();
        for _ in 0..2 {
            survey.open("1", "0000000000007", "w");
            survey.open("2", "0000000000007", "d");
            survey.in_lane("1", 3);
        }
        assert_eq!(survey.in_flight, 1);
        assert_eq!(survey.outstanding["0000000000007"], 2);
        assert!(survey.pending.values().all(|pending| *pending == 1));
        assert!(survey.missing().is_empty());
    }

    #[test]
    fn a_lane_is_misplaced_unless_it_stands_once_wherever_it_waits() {
        let mut survey = Survey::default();
        assert!(survey.stands(Destination::Crm, "x:1"));
        assert!(!survey.is_misplaced("x:1", Destination::Crm.bit()));
        assert!(survey.is_misplaced("x:1", 3), "Salsa never finds it");
        assert!(survey.is_misplaced("x:1", 0), "there is nothing to take");
        assert!(!survey.stands(Destination::Crm, "x:1"));
        assert!(survey.is_misplaced("x:1", 1), "two could take it");
    }

    #[test]
    fn a_place_of_a_lane_without_changes_is_seen() {
        let mut survey = Survey::default();
        survey.stands(Destination::Crm, "x:1");
        assert!(survey.has_place_without_lane() && !survey.has_lane("x:1"));
        survey.lane("x:1");
        assert!(!survey.has_place_without_lane() && survey.has_lane("x:1"));
    }

    #[test]
    fn what_is_in_no_lane_and_what_has_no_row_are_missing() {
        let mut survey = Survey::default();
        survey.open("stray", "", "w");
        survey.open("done", "", "a");
        survey.in_lane("rowless", 1);
        assert!(survey.is_in_no_lane("stray"));
        let missing = survey.missing();
        assert!(missing.is_stray("stray") && !missing.is_stray("done"));
        assert!(missing.is_rowless("rowless") && !missing.is_rowless("stray"));
    }
}
