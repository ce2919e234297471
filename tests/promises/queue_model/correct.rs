//! The model of rows that AlumnIQ corrected.

use std::collections::BTreeSet;

use jobs::{destination::Destination, outcome::DeadClass};

use super::{
    change::{Ack, AsListed, At, Correction},
    model::Model,
    step::Row,
};

/// What the same answer has listed above, where that is another content.
pub fn other_above(above: Option<AsListed>, listed: Option<AsListed>) -> Option<AsListed> {
    above.filter(|above| listed.is_some_and(|listed| listed.content != above.content))
}

impl Model {
    /// An open change is listed: whether with another content than before.
    /// `above`: how the same answer has listed it already.
    pub fn correct(
        &mut self,
        row: &Row,
        listed: Option<AsListed>,
        above: Option<AsListed>,
    ) -> bool {
        let change = self.change(&row.id);
        let waiting = change.correction.as_ref().map(|waiting| waiting.listed);
        let (Some(was), Some(listed)) = (
            other_above(above, listed).or(waiting).or(change.listed),
            listed,
        ) else {
            return false;
        };
        let is_twice_already = change.is_twice && change.refused == Some(DeadClass::Undecodable);
        if is_twice_already && was.content == listed.content && was.fetched < listed.fetched {
            change.listed = change.listed.and(Some(listed));
        }
        if !was.is_corrected_by(listed) {
            return false;
        }
        if change.edits > 0 {
            change.listed = change.listed.and(Some(listed));
            change.times_told = 0;
            return true;
        }
        let is_twice = was.fetched == listed.fetched && was.row != listed.row;
        if is_twice && is_twice_already {
            return false;
        }
        let correction = Correction {
            row: row.clone(),
            listed,
            is_twice,
        };
        self.change(&row.id).correction = Some(correction);
        let list = self.list.as_ref();
        let is_told = list.is_some_and(|list| list.ids.contains(&row.id));
        if !is_told {
            self.take_waiting(&row.id, None);
        }
        true
    }

    pub fn is_out(&self, id: &str, own: Option<Destination>) -> bool {
        let lines = self.lines.iter().filter(|(d, _)| Some(**d) != own);
        let mut running = lines.flat_map(|(_, line)| line.running.values());
        running.any(|running| running.id == id)
    }

    pub fn forget_past(&mut self, lane: &str, id: &str) {
        if let Some(past) = self.past.get_mut(lane) {
            past.retain(|other| other != id);
            if past.is_empty() {
                self.past.remove(lane);
            }
        }
    }

    /// The corrected row takes the old one's place, if nothing is out with that any more. `own`: where a lease has just
    /// ended; that lane is sent back by the caller.
    pub fn take_waiting(&mut self, id: &str, own: Option<(Destination, &str)>) {
        if self.is_out(id, own.map(|(d, _)| d)) {
            return;
        }
        let destinations = self.destinations.clone();
        let change = self.change(id);
        let Some(Correction {
            row,
            listed,
            is_twice,
        }) = change.correction.take()
        else {
            return;
        };
        change.times_told = 0;
        let (old_lane, stored_lane) = (change.lane.clone(), change.stored_lane());
        let waited: BTreeSet<Destination> = (change.at.iter())
            .filter(|(_, at)| **at == At::Waits)
            .map(|(d, _)| *d)
            .collect();
        if !is_twice {
            change.record = row.record();
            change.listed = Some(listed);
        }
        let is_dead = is_twice || row.undecodable;
        if change.refused == Some(DeadClass::Undecodable) && !is_dead {
            return;
        }
        change.attempts.clear();
        change.deferrals.clear();
        change.crashes.clear();
        change.forced.clear();
        change.given_up = None;
        change.ack = Ack::Open;
        change.may_lag = true;
        change.was_corrected = true;
        change.has_id = row.has_id;
        change.is_twice = is_twice;
        if is_dead {
            change.at.clear();
            change.sent.clear();
            change.refused = Some(DeadClass::Undecodable);
            // It stands in nobody's lane.
            change.lane = format!("a:{id}");
            change.refused_lane = match row.has_id {
                true => row.lane(),
                false => String::new(),
            };
        } else {
            change.refused = None;
        }
        self.retaken.push(id.to_owned());
        self.to_tell.retain(|other| other != id);
        if let Some(list) = &mut self.list {
            list.ids.retain(|other| other != id);
        }
        self.forget_past(&stored_lane, id);
        for line in self.lines.values_mut() {
            line.suspects.remove(id);
        }
        if !is_dead {
            let lane = row.lane();
            for d in destinations {
                if matches!(self.changes[id].at.get(&d), Some(At::Dead(_))) {
                    continue;
                }
                if self.head(d, &lane).is_none() && own != Some((d, &lane)) {
                    self.line(d).ready.push_back(lane.clone());
                }
                self.change(id).at.insert(d, At::Waits);
            }
            let change = self.change(id);
            change.lane = lane;
            change.member = row.member();
        }
        for d in waited {
            if self.head(d, &old_lane).is_none() && own != Some((d, &old_lane)) {
                let line = self.line(d);
                line.ready.retain(|other| *other != old_lane);
                line.due.retain(|other| *other != old_lane);
                line.later.remove(&old_lane);
                line.poison.remove(&old_lane);
            }
        }
    }
}
