//! The model of the end of leases: whose fault a failure is, and what becomes of the change.

use std::collections::{BTreeMap, BTreeSet};

use alumniq_relay::queue::settlement::SettleVerdict;
use jobs::{
    destination::Destination,
    outcome::{Blame, DeadClass},
};

use super::{change::At, model::Model, step::Kind};

/// The end of one lease.
#[derive(Debug, Clone)]
pub struct Item {
    pub lane: String,
    pub token: u64,
    /// The token of the first change of the call.
    pub call: u64,
    pub kind: Kind,
}

impl Kind {
    fn is_failure(self) -> bool {
        matches!(self, Self::Retry | Self::Exhausted(_))
    }

    fn is_answer(self) -> bool {
        matches!(self, Self::Dead(DeadClass::Unmatched | DeadClass::Rejected))
    }
}

impl Model {
    pub fn settle(&mut self, d: Destination, items: &[Item]) -> Vec<SettleVerdict> {
        let mut held: Vec<(usize, String)> = Vec::new();
        for (n, item) in items.iter().enumerate() {
            let is_first = held.iter().all(|(n, _)| items[*n].lane != item.lane);
            if is_first && self.holds(d, &item.lane, item.token) {
                held.push((n, self.lines[&d].running[&item.lane].id.clone()));
            }
        }
        let mut calls: Vec<u64> = held.iter().map(|(n, _)| items[*n].call).collect();
        let mut seen = BTreeSet::new();
        calls.retain(|call| seen.insert(*call));
        let mut accepted = BTreeMap::new();
        for call in calls {
            let of_call = held.iter().filter(|(n, _)| items[*n].call == call);
            let of_call: Vec<_> = of_call
                .map(|(n, id)| (id.clone(), items[*n].kind))
                .collect();
            accepted.insert(call, self.judge(d, call, &of_call));
        }
        let mut verdicts = vec![SettleVerdict::LeaseLost; items.len()];
        self.refused_settles += (items.len() - held.len()) as i64;
        for (n, id) in held {
            let Item {
                lane, call, kind, ..
            } = &items[n];
            let line = self.line(d);
            line.expired.retain(|expired| expired != lane);
            line.running.remove(lane);
            if kind.is_failure() || *kind == Kind::Abandon {
                self.reached(d, &id);
            }
            let is_vendors = self.is_late(d, *call) || self.lines[&d].gate.machine.is_some();
            verdicts[n] = match kind.is_failure() && is_vendors && !accepted[call] {
                true => SettleVerdict::Paused,
                false => self.end(d, &id, *kind, accepted[call]),
            };
            let token = items[n].token;
            let change = self.change(&id);
            if let Some(At::Dead(_)) = change.at.get(&d) {
                change.sent.insert(d, token);
            }
            if !self.lines[&d].later.contains(lane) {
                self.send_back(d, lane);
            }
        }
        verdicts
    }

    /// Whether the vendor accepted any of the call.
    fn judge(&mut self, d: Destination, token: u64, items: &[(String, Kind)]) -> bool {
        let any = |is: fn(Kind) -> bool| items.iter().any(|(_, kind)| is(*kind));
        let failed = any(Kind::is_failure);
        let accepted = any(|kind| kind == Kind::Done);
        if accepted || (any(Kind::is_answer) && !failed) {
            let newest = self.newest_token;
            let line = self.line(d);
            line.gate.succeeded(Some(newest));
            // Whoever failed before this call was claimed failed while the vendor worked.
            line.suspects.retain(|_, newest_then| *newest_then >= token);
            if line
                .gate
                .doubt
                .is_some_and(|newest_then| newest_then < token)
            {
                line.gate.doubt = line.suspects.values().min().copied();
            }
        } else if failed && self.is_late(d, token) {
            // It began in trouble that is over.
        } else if failed {
            let is_fresh = |(id, kind): &&(String, Kind)| {
                let change = &self.changes[id];
                let is_poison = self.lines[&d].poison.contains(&change.lane);
                kind.is_failure() && !is_poison && !change.attempts.contains_key(&d)
            };
            let fresh: Vec<String> = items
                .iter()
                .filter(is_fresh)
                .map(|(id, _)| id.clone())
                .collect();
            let newest = self.newest_token;
            let line = self.line(d);
            let is_suspect = |(id, _): &(String, Kind)| line.suspects.contains_key(id);
            let is_doubtful = !fresh.is_empty() || items.iter().any(is_suspect);
            let suspects = line.suspects.len() + fresh.len();
            if line.gate.has_failed(is_doubtful, suspects) {
                self.shut(d);
            } else {
                line.gate.doubt.get_or_insert(newest);
                line.suspects
                    .extend(fresh.into_iter().map(|id| (id, newest)));
            }
        }
        if any(|kind| kind == Kind::Pause) {
            self.shut(d);
        }
        accepted
    }

    fn is_late(&self, d: Destination, token: u64) -> bool {
        let opened = self.lines[&d].gate.opened;
        opened.is_some_and(|newest_then| token <= newest_then)
    }

    /// What failed since the vendor last proved to work was the vendor's.
    pub fn shut(&mut self, d: Destination) {
        if self.line(d).gate.shut() {
            self.refund(d);
        }
    }

    pub fn refund(&mut self, d: Destination) {
        for id in std::mem::take(&mut self.line(d).suspects).into_keys() {
            self.change(&id).attempts.remove(&d);
        }
    }

    fn end(&mut self, d: Destination, id: &str, kind: Kind, accepted: bool) -> SettleVerdict {
        match kind {
            Kind::Retry => self.retry(d, id, accepted),
            Kind::Exhausted(blame) => {
                let change = &self.changes[id];
                let line = &self.lines[&d];
                let failed_before = change.attempts.contains_key(&d);
                let proved = line.poison.contains(&change.lane)
                    || (failed_before && !line.suspects.contains_key(id));
                if !proved && !accepted && blame == Blame::Unknown {
                    self.retry(d, id, accepted);
                    return SettleVerdict::Kept;
                }
                self.die(d, id, DeadClass::Exhausted);
            }
            Kind::Pause | Kind::Release | Kind::Abandon => {}
            Kind::Dead(class) => self.die(d, id, class),
            Kind::Done => {
                self.happens(d);
                let lane = self.change(id).lane.clone();
                let line = self.line(d);
                line.suspects.remove(id);
                line.poison.remove(&lane);
                let change = self.change(id);
                change.forget(d);
                change.at.insert(d, At::Done);
                self.join(id, &lane);
                self.reached(d, id);
            }
        }
        SettleVerdict::Settled
    }

    fn retry(&mut self, d: Destination, id: &str, accepted: bool) {
        let change = self.change(id);
        let lane = change.lane.clone();
        *change.attempts.entry(d).or_default() += 1;
        let line = self.line(d);
        if accepted {
            line.suspects.remove(id);
        }
        line.later.insert(lane);
    }
}
