//! What the queue should be, said with plain collections. Every answer is worked out from the changes
//! themselves; only what is an order of arrival is kept as a list.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jobs::{
    destination::{Destination, Vendor},
    outcome::DeadClass,
};

use super::{
    change::{Ack, At, Change},
    gate::Gate,
    step::{AckKind, Claim, Row},
};

/// So many lost leases and a change counts as one that kills its workers.
const CRASHES: u32 = 5;

#[derive(Debug)]
pub struct Running {
    pub id: String,
    pub token: u64,
    pub worker: String,
}

/// One destination: where its lanes stand.
#[derive(Debug, Default)]
pub struct Line {
    pub ready: VecDeque<String>,
    pub running: BTreeMap<String, Running>,
    /// Those of `running` whose lease has ended, in the order of their ends.
    pub expired: Vec<String>,
    pub later: BTreeSet<String>,
    /// Retries whose time has come, in order.
    pub due: Vec<String>,
    pub applied: BTreeMap<String, String>,
    pub gate: Gate,
    /// Who failed since the vendor last proved to work: the newest token at that time.
    pub suspects: BTreeMap<String, u64>,
    /// Lanes with a change that died of its own failures and others that still wait.
    pub poison: BTreeSet<String>,
}

#[derive(Debug, Default)]
pub struct Model {
    pub changes: BTreeMap<String, Change>,
    pub lines: BTreeMap<Destination, Line>,
    pub alumniq: Gate,
    pub refused_settles: i64,
    /// The newest fencing token of a lease.
    pub newest_token: u64,
    pub destinations: Vec<Destination>,
    /// Acknowledgements that need not wait for fellows any more.
    pub overdue: BTreeSet<String>,
}

/// What became of a row.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TakenIn {
    pub new: u64,
    pub known: u64,
    pub listed_again: u64,
}

impl Model {
    pub fn new(destinations: &[Destination]) -> Self {
        Self {
            lines: Destination::ALL
                .map(|d| (d, Line::default()))
                .into_iter()
                .collect(),
            destinations: destinations.to_vec(),
            ..Self::default()
        }
    }

    pub fn line(&mut self, d: Destination) -> &mut Line {
        self.lines.get_mut(&d).unwrap()
    }

    pub fn gate(&mut self, vendor: Vendor) -> &mut Gate {
        match vendor {
            Vendor::Crm => &mut self.line(Destination::Crm).gate,
            Vendor::Salsa => &mut self.line(Destination::Salsa).gate,
            Vendor::Alumniq => &mut self.alumniq,
        }
    }

    pub fn change(&mut self, id: &str) -> &mut Change {
        self.changes.get_mut(id).unwrap()
    }

    /// The oldest change of a lane that a destination has still to take.
    pub fn head(&self, d: Destination, lane: &str) -> Option<String> {
        self.changes
            .iter()
            .filter(|(_, change)| change.lane == lane && change.waits(d))
            .min_by_key(|(_, change)| change.member.as_bytes())
            .map(|(id, _)| id.clone())
    }

    pub fn send_back(&mut self, d: Destination, lane: &str) {
        if self.head(d, lane).is_some() {
            self.line(d).ready.push_back(lane.to_owned());
        }
    }

    /// `late`: the fetch began after everything that was closed so far.
    pub fn enqueue(&mut self, block: u64, late: bool, rows: &[Row]) -> TakenIn {
        let mut taken = TakenIn::default();
        for row in rows {
            if let Some(former) = &row.replaces
                && self
                    .changes
                    .get(former)
                    .is_some_and(|change| change.refused.is_some())
            {
                self.changes.remove(former);
            }
            match self.changes.get_mut(&row.id) {
                None => {
                    taken.new += 1;
                    self.add(block, row);
                }
                Some(change) => match change.ack {
                    Ack::Acknowledged | Ack::Discarded { told: true } if late => {
                        taken.listed_again += 1;
                        change.ack = Ack::Queued;
                        change.block = block;
                        change.record.clear();
                    }
                    _ => {
                        taken.known += 1;
                        change.correct(row);
                    }
                },
            }
        }
        taken
    }

    fn add(&mut self, block: u64, row: &Row) {
        let lane = row.lane();
        let destinations = match row.undecodable {
            true => Vec::new(),
            false => self.destinations.clone(),
        };
        for d in &destinations {
            if self.head(*d, &lane).is_none() {
                self.line(*d).ready.push_back(lane.clone());
            }
        }
        let change = Change {
            lane,
            member: row.member(),
            block,
            record: row.record(),
            has_id: row.has_id,
            at: destinations.iter().map(|d| (*d, At::Waits)).collect(),
            refused: row.undecodable.then_some(DeadClass::Undecodable),
            attempts: BTreeMap::new(),
            crashes: BTreeMap::new(),
            forced: BTreeSet::new(),
            given_up: None,
            ack: Ack::Open,
        };
        self.changes.insert(row.id.clone(), change);
    }

    pub fn die(&mut self, d: Destination, id: &str, class: DeadClass) {
        self.line(d).suspects.remove(id);
        let change = self.change(id);
        change.forget(d);
        change.at.insert(d, At::Dead(class));
        let lane = change.lane.clone();
        let waits = self.head(d, &lane).is_some();
        let poison = &mut self.line(d).poison;
        match (waits, class) {
            (false, _) => _ = poison.remove(&lane),
            (true, DeadClass::Exhausted) => _ = poison.insert(lane),
            (true, _) => {}
        }
    }

    /// (lane, change, attempts before), in order, and whether a partial batch was held back.
    pub fn claim(&mut self, claim: &Claim) -> (Vec<(String, String, u32)>, bool) {
        let d = claim.destination;
        for lane in std::mem::take(&mut self.line(d).expired) {
            let lost = self.line(d).running.remove(&lane).unwrap();
            let crashes = self.change(&lost.id).crashes.entry(d).or_default();
            *crashes += 1;
            if *crashes >= CRASHES {
                self.die(d, &lost.id, DeadClass::Crashed);
            }
            self.send_back(d, &lane);
        }
        let line = self.line(d);
        line.ready.extend(line.due.drain(..));

        let running = line.running.len();
        let admitted = line.gate.admits(claim.fleet_limit, claim.full_batch);
        let room = admitted.saturating_sub(running);
        let mut take = claim.most.min(line.ready.len()).min(room);
        let mut held_back = false;
        if line.gate.is_shut() {
            take = 0;
        } else if line.gate.machine.is_some() {
            take = if running == 0 { take.min(1) } else { 0 };
        } else if line.ready.len() < claim.full_batch && running > 0 && !claim.linger_over {
            held_back = take > 0;
            take = 0;
        }

        let mut claimed = Vec::new();
        while claimed.len() < take
            && let Some(lane) = self.line(d).ready.pop_front()
        {
            let id = self.head(d, &lane).unwrap();
            let applied = self.line(d).applied.get(&lane).cloned();
            let change = self.change(&id);
            let is_stale =
                applied.is_some_and(|applied| change.member.as_bytes() < applied.as_bytes());
            if is_stale && !change.forced.contains(&d) {
                self.die(d, &id, DeadClass::Stale);
                self.send_back(d, &lane);
                continue;
            }
            let attempts = change.attempts.get(&d).copied().unwrap_or(0);
            let running = Running {
                id: id.clone(),
                token: 0,
                worker: claim.worker_name(),
            };
            self.line(d).running.insert(lane.clone(), running);
            claimed.push((lane, id, attempts));
        }
        (claimed, held_back)
    }

    pub fn holds(&self, d: Destination, lane: &str, token: u64) -> bool {
        let running = self.lines[&d].running.get(lane);
        running.is_some_and(|running| running.token == token)
    }

    /// The holder was heard of before anybody took the lease away.
    pub fn renew(&mut self, d: Destination, lane: &str, token: u64) -> bool {
        let holds = self.holds(d, lane, token);
        if holds {
            self.line(d).expired.retain(|expired| expired != lane);
        }
        holds
    }

    /// Takes the letter away; `None` where there is none.
    fn exhume(&mut self, vendor: Vendor, id: &str, instead: At) -> Option<DeadClass> {
        let change = self.changes.get_mut(id)?;
        let class = *change.dead().get(&vendor)?;
        match destination(vendor) {
            Some(d) => {
                change.at.insert(d, instead);
            }
            None => change.refused = None,
        }
        Some(class)
    }

    /// `false`: no such letter, or a row that has to be decoded again.
    pub fn replay(&mut self, vendor: Vendor, id: &str, forced: bool) -> bool {
        let class = self
            .changes
            .get(id)
            .and_then(|c| c.dead().get(&vendor).copied());
        if matches!(class, None | Some(DeadClass::Undecodable)) {
            return false;
        }
        let Some(d) = destination(vendor) else {
            self.exhume(vendor, id, At::Waits);
            self.change(id).join();
            return true;
        };
        let lane = self.change(id).lane.clone();
        let was_idle = self.head(d, &lane).is_none();
        self.exhume(vendor, id, At::Waits);
        if forced {
            self.change(id).forced.insert(d);
        }
        if was_idle {
            self.line(d).ready.push_back(lane);
        }
        true
    }

    pub fn discard(&mut self, vendor: Vendor, id: &str, tell: bool) -> bool {
        let Some(class) = self.exhume(vendor, id, At::GivenUp) else {
            return false;
        };
        let change = self.change(id);
        // AlumnIQ refused the id, or never gave one: there is nobody to tell.
        let tell = tell && change.has_id && class != DeadClass::AckRejected;
        change.given_up = Some(tell);
        change.join();
        true
    }

    pub fn queued(&self) -> BTreeSet<String> {
        let queued = self.changes.iter().filter(|(_, c)| c.ack == Ack::Queued);
        queued.map(|(id, _)| id.clone()).collect()
    }

    /// How many acknowledgements a claim must give. Those of lost leases go back first.
    pub fn ack_claim(&mut self, lost: &[String], most: usize, patient: bool, eager: bool) -> usize {
        for id in lost {
            self.change(id).ack = Ack::Queued;
            if patient {
                self.overdue.insert(id.clone());
            }
        }
        let leased = self
            .changes
            .values()
            .any(|c| matches!(c.ack, Ack::Leased(_)));
        let probe_is_out = self.alumniq.machine.is_some() && leased;
        if self.alumniq.is_shut() || probe_is_out {
            return 0;
        }
        let queued = self.queued();
        let old_enough = !patient || queued.iter().any(|id| self.overdue.contains(id));
        let is_last = eager && queued.len() as i64 >= self.in_flight();
        match queued.len() >= most || old_enough || is_last {
            true => queued.len().min(most),
            false => 0,
        }
    }

    pub fn ack_settle(&mut self, token: u64, kind: AckKind, ids: &[String]) -> Vec<bool> {
        let mut settled = Vec::new();
        for id in ids {
            let change = self
                .changes
                .get_mut(id)
                .filter(|c| c.ack == Ack::Leased(token));
            settled.push(change.is_some());
            let Some(change) = change else {
                self.refused_settles += 1;
                continue;
            };
            change.ack = match (kind, change.given_up) {
                (AckKind::Accepted, None) => Ack::Acknowledged,
                (AckKind::Accepted, Some(_)) => Ack::Discarded { told: true },
                (AckKind::Rejected, _) => Ack::Open,
                (AckKind::Pause | AckKind::Release, _) => Ack::Queued,
            };
            if kind == AckKind::Rejected {
                change.refused = Some(DeadClass::AckRejected);
            }
            self.overdue.remove(id);
        }
        match kind {
            AckKind::Accepted => self.alumniq.succeeded(None),
            AckKind::Pause => {
                self.alumniq.shut();
            }
            AckKind::Rejected | AckKind::Release => {}
        }
        settled
    }
}

/// The destination that a vendor is.
pub fn destination(vendor: Vendor) -> Option<Destination> {
    Destination::ALL
        .into_iter()
        .find(|d| Vendor::from(*d) == vendor)
}
