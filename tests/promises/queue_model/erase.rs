//! The model of a person's erasure.

use std::collections::BTreeMap;

use jobs::outcome::DeadClass;

use super::{
    change::{Ack, At, Change},
    model::Model,
};

/// How many changes of which kind there were.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Gone {
    pub discarded: u64,
    pub applied: u64,
    pub closed: u64,
}

impl Model {
    /// What is known to be the person's, in the order in which AlumnIQ is told of it: by its place in the lane, behind
    /// what stands in none.
    pub fn of_person(&self, xid: &str) -> Vec<String> {
        let lane = format!("x:{xid}");
        let past = self.past.get(&lane);
        let mut found = BTreeMap::new();
        for (id, change) in &self.changes {
            let waits = change.lane == lane && change.at.values().any(|at| *at == At::Waits);
            let mut letters = change.dead().into_keys();
            // Once it is open again, the row says whose it is, where there is one.
            let may_be_past = change.is_closed() || change.record.is_empty();
            let is_hers = waits
                || letters.any(|vendor| change.letter_lane(vendor) == lane)
                || (may_be_past && past.is_some_and(|past| past.contains(id)))
                || (!change.is_closed() && change.stored_lane() == lane);
            if is_hers {
                let place = if waits { change.member.as_str() } else { "" };
                found.insert((place.as_bytes(), id), id.clone());
            }
        }
        found.into_values().collect()
    }

    pub fn erase(&mut self, xid: &str, tell: bool) -> Gone {
        let gone = self.erase_changes(xid, tell);
        let lane = format!("x:{xid}");
        for line in self.lines.values_mut() {
            line.applied.remove(&lane);
        }
        gone
    }

    /// The first half of it.
    pub fn erase_changes(&mut self, xid: &str, tell: bool) -> Gone {
        let mut gone = Gone::default();
        for id in self.of_person(xid) {
            for line in self.lines.values_mut() {
                line.suspects.remove(&id);
            }
            let change = self.change(&id);
            change.listed = None;
            if change.is_closed() {
                gone.closed += 1;
                continue;
            }
            let was_open = change.ack == Ack::Open;
            let told = change.erase(tell);
            match (was_open, told) {
                (false, _) => gone.applied += 1,
                (true, told) => {
                    gone.discarded += 1;
                    if told {
                        self.to_tell.push(id);
                    }
                }
            }
        }
        let lane = format!("x:{xid}");
        self.past.remove(&lane);
        for line in self.lines.values_mut() {
            line.ready.retain(|other| *other != lane);
            line.expired.retain(|other| *other != lane);
            line.due.retain(|other| *other != lane);
            line.running.remove(&lane);
            line.later.remove(&lane);
            line.poison.remove(&lane);
        }
        gone
    }
}

impl Change {
    /// Whether AlumnIQ is told of it.
    fn erase(&mut self, tell: bool) -> bool {
        self.record.clear();
        self.edits = 0;
        self.correction = None;
        if self.ack == Ack::Queued {
            return true;
        }
        let letters = self.dead();
        let nobody_to_tell = letters.iter().any(|(vendor, class)| {
            *class == DeadClass::AckRejected || self.letter_lane(*vendor).is_empty()
        });
        let told = tell && !nobody_to_tell;
        for at in self.at.values_mut().filter(|at| **at != At::Done) {
            *at = At::GivenUp;
        }
        self.refused = None;
        self.sent.clear();
        self.attempts.clear();
        self.crashes.clear();
        self.forced.clear();
        self.given_up = Some(told);
        self.ack = match told {
            true => Ack::Queued,
            false => Ack::Discarded { told: false },
        };
        told
    }
}
