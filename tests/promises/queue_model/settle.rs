//! The model of the end of leases: whose fault a failure is, and what becomes of the change.

use std::collections::{BTreeMap, BTreeSet};

use jobs::{
    destination::Destination,
    outcome::{Blame, DeadClass},
};
use queue::verdict::SettleVerdict;

use super::{change::At, gate::FAILURES, model::Model, step::Kind};

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
        matches!(self, Self::Retry | Self::Exhausted(_) | Self::Defer { .. })
    }

    fn is_defer(self) -> bool {
        matches!(self, Self::Defer { .. })
    }

    /// The destination may have taken the change.
    pub fn may_have_reached(self) -> bool {
        matches!(
            self,
            Self::Retry | Self::Exhausted(_) | Self::Defer { lost: true } | Self::Abandon
        )
    }

    fn is_answer(self) -> bool {
        matches!(self, Self::Dead(DeadClass::Unmatched | DeadClass::Rejected))
    }
}

/// What a call says, of the vendor and of its changes.
struct Judged {
    /// The vendor took some of it.
    accepted: bool,
    /// It failed, and began in trouble that is over or known.
    is_late: bool,
    /// Those whose failure is about themselves.
    own: BTreeSet<String>,
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
        let mut judged = BTreeMap::new();
        for call in calls {
            let of_call = held.iter().filter(|(n, _)| items[*n].call == call);
            let of_call: Vec<_> = of_call
                .map(|(n, id)| (id.clone(), items[*n].kind))
                .collect();
            judged.insert(call, self.judge(d, call, &of_call));
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
            if kind.may_have_reached() {
                self.reached(d, &id);
            }
            let judged = &judged[call];
            let is_vendors = judged.is_late || self.lines[&d].gate.machine.is_some();
            let is_own = judged.accepted || judged.own.contains(&id);
            let is_corrected = self.changes[&id].correction.is_some();
            verdicts[n] = if is_corrected && (kind.is_failure() || matches!(kind, Kind::Dead(_))) {
                // What came of the old row says nothing of the corrected one.
                self.spared.push(id.clone());
                if self.is_out(&id, Some(d)) {
                    self.line(d).later.insert(lane.clone());
                }
                SettleVerdict::Settled
            } else if kind.is_failure() && is_vendors && !is_own {
                SettleVerdict::Paused
            } else {
                self.end(d, &id, *kind, judged.accepted)
            };
            self.take_waiting(&id, Some((d, lane)));
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

    fn judge(&mut self, d: Destination, token: u64, items: &[(String, Kind)]) -> Judged {
        let any = |is: fn(Kind) -> bool| items.iter().any(|(_, kind)| is(*kind));
        let failed = any(Kind::is_failure);
        let accepted = any(|kind| kind == Kind::Done);
        let mut own = BTreeSet::new();
        let is_late = failed && !accepted && self.lines[&d].gate.is_late(token);
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
        } else if failed && !is_late {
            let is_fresh = |(id, kind): &&(String, Kind)| {
                let change = &self.changes[id];
                let is_poison = self.lines[&d].poison.contains(&change.lane);
                (kind.is_defer() || (kind.is_failure() && !is_poison))
                    && !change.attempts.contains_key(&d)
            };
            let fresh: Vec<String> = items
                .iter()
                .filter(is_fresh)
                .map(|(id, _)| id.clone())
                .collect();
            let is_suspect = |id: &String| self.lines[&d].suspects.contains_key(id);
            let is_own = |(id, kind): &&(String, Kind)| {
                let deferrals = self.changes[id].deferrals.get(&d).copied().unwrap_or(0);
                kind.is_defer() && !is_suspect(id) && deferrals >= FAILURES
            };
            own = items
                .iter()
                .filter(is_own)
                .map(|(id, _)| id.clone())
                .collect();
            let is_doubtful = !fresh.is_empty() || items.iter().any(|(id, _)| is_suspect(id));
            let newest = self.newest_token;
            let line = self.line(d);
            let suspects = line.suspects.len() + fresh.len();
            let mut failures = items.iter().filter(|(_, kind)| kind.is_failure());
            let is_vendors = match any(Kind::is_defer) {
                true => !failures.all(|(id, _)| own.contains(id)) && line.gate.was_found_down(),
                false => line.gate.has_failed(is_doubtful, suspects),
            };
            if is_vendors {
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
        Judged {
            accepted,
            is_late,
            own,
        }
    }

    /// What failed since the vendor last proved to work was the vendor's.
    pub fn shut(&mut self, d: Destination) {
        if self.line(d).gate.shut() {
            self.refund(d);
        }
    }

    pub fn refund(&mut self, d: Destination) {
        for id in std::mem::take(&mut self.line(d).suspects).into_keys() {
            self.change(&id).refund(d);
        }
    }

    fn end(&mut self, d: Destination, id: &str, kind: Kind, accepted: bool) -> SettleVerdict {
        match kind {
            Kind::Retry => self.retry(d, id, accepted),
            Kind::Defer { .. } => {
                let change = self.change(id);
                change.attempts.entry(d).or_default();
                *change.deferrals.entry(d).or_default() += 1;
                self.later(d, id, accepted);
                return SettleVerdict::Kept;
            }
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
        *change.attempts.entry(d).or_default() += 1;
        change.deferrals.remove(&d);
        self.later(d, id, accepted);
    }

    fn later(&mut self, d: Destination, id: &str, accepted: bool) {
        let lane = self.change(id).lane.clone();
        let line = self.line(d);
        if accepted {
            line.suspects.remove(id);
        }
        line.later.insert(lane);
    }
}
