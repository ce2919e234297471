//! What the queue should be, said with plain collections. Every answer is worked out from the changes
//! themselves; only what is an order of arrival is kept as a list.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jobs::{
    destination::{Destination, Vendor},
    outcome::DeadClass,
};
use queue::audit::AuditAction;

use super::{
    change::{Ack, AsListed, At, Change},
    correct::other_above,
    gate::Gate,
    leading::Leading,
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
    /// Worker -> the newest token that it was given.
    pub claimed: BTreeMap<String, u64>,
    pub gate: Gate,
    /// Who failed since the vendor last proved to work: the newest token at that time.
    pub suspects: BTreeMap<String, u64>,
    /// Lanes with a change that died of its own failures and others that still wait.
    pub poison: BTreeSet<String>,
    /// The workers that found no place free.
    pub hungry: BTreeSet<String>,
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
    /// Those that AlumnIQ is to be told of, in the order in which they were done.
    pub to_tell: Vec<String>,
    /// The list that it is being told.
    pub list: Option<AckList>,
    /// The change that it accepted last.
    pub told: Option<String>,
    pub leading: Leading,
    /// How often each thing happened that has a rate.
    pub happened: BTreeMap<String, u64>,
    /// The changes of each person that were through everywhere.
    pub past: BTreeMap<String, BTreeSet<String>>,
    /// Acknowledged and discarded changes that came with another content since, and are new ones.
    pub former: (i64, i64),
    /// Whose corrected rows took the old ones' places in this step, and who was given back because one waits.
    pub retaken: Vec<String>,
    pub spared: Vec<String>,
    /// What people did, newest last: the action, where, and to which changes.
    pub audit: Vec<(AuditAction, Option<Vendor>, Vec<String>)>,
}

#[derive(Debug)]
pub struct AckList {
    pub token: u64,
    /// What is left of it.
    pub ids: Vec<String>,
    pub has_expired: bool,
}

/// What became of a row.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TakenIn {
    pub new: u64,
    pub known: u64,
    pub listed_again: u64,
    pub still_listed: u64,
    pub corrected: u64,
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
        let mut seen = BTreeMap::new();
        for (row, place) in rows.iter().zip(1..) {
            let listed = AsListed::of(row, block, place);
            let above = seen.insert(row.id.clone(), listed).flatten();
            let mut edits = 0;
            if let Some(former) = &row.replaces
                && self
                    .changes
                    .get(former)
                    .is_some_and(|change| change.refused.is_some())
            {
                let removed = self.changes.remove(former).unwrap();
                if *former == row.id {
                    edits = removed.edits;
                }
            }
            if let Some(closed) = self.changes.get(&row.id)
                && closed.is_closed()
                && let (Some(was), Some(listed)) = (closed.listed, listed)
                && was.is_corrected_by(listed)
                && was.fetched < listed.fetched
            {
                match closed.ack {
                    Ack::Acknowledged => self.former.0 += 1,
                    _ => self.former.1 += 1,
                }
                self.changes.remove(&row.id);
                self.forget_past(&row.lane(), &row.id);
                self.retaken.push(row.id.clone());
            }
            let known = self.changes.get(&row.id);
            if known.is_some_and(|change| !change.is_closed()) && self.correct(row, listed, above) {
                taken.corrected += 1;
                continue;
            }
            match self.changes.get_mut(&row.id) {
                None => {
                    taken.new += 1;
                    self.happens("fetched");
                    self.add(block, row, listed);
                    self.change(&row.id).edits = edits;
                }
                Some(change) => match change.ack {
                    Ack::Acknowledged | Ack::Discarded { told: true } if late => {
                        taken.listed_again += 1;
                        taken.still_listed += u64::from(change.times_told > 1);
                        change.ack = Ack::Queued;
                        change.may_lag = true;
                        change.block = block;
                        change.record.clear();
                        // They went with the row when the change was closed.
                        change.edits = 0;
                        if row.lane().starts_with("x:") {
                            let past = self.past.entry(row.lane()).or_default();
                            past.insert(row.id.clone());
                        }
                        self.to_tell.push(row.id.clone());
                    }
                    _ => {
                        taken.known += 1;
                        // Which of an answer's different rows is right, nobody knows: the stored one stays.
                        if other_above(above, listed).is_none() {
                            change.correct(row, listed);
                        }
                    }
                },
            }
        }
        taken
    }

    fn add(&mut self, block: u64, row: &Row, listed: Option<AsListed>) {
        let lane = row.lane();
        let may_lag = self.has_newer_under_way(&lane, &row.member());
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
            times_told: 0,
            has_id: row.has_id,
            at: destinations.iter().map(|d| (*d, At::Waits)).collect(),
            refused: row.undecodable.then_some(DeadClass::Undecodable),
            edits: 0,
            sent: BTreeMap::new(),
            refused_lane: if row.has_id {
                row.lane()
            } else {
                String::new()
            },
            attempts: BTreeMap::new(),
            deferrals: BTreeMap::new(),
            crashes: BTreeMap::new(),
            forced: BTreeSet::new(),
            given_up: None,
            ack: Ack::Open,
            listed,
            correction: None,
            was_corrected: false,
            is_twice: false,
            may_lag: may_lag || row.undecodable,
        };
        self.changes.insert(row.id.clone(), change);
    }

    fn has_newer_under_way(&self, lane: &str, member: &str) -> bool {
        let running = |id: &str, d: Destination| {
            let running = self.lines[&d].running.get(lane);
            running.is_some_and(|running| running.id == id)
        };
        self.changes.iter().any(|(id, newer)| {
            newer.lane == lane
                && newer.member.as_bytes() > member.as_bytes()
                && newer.is_under_way(|d| running(id, d))
        })
    }

    pub fn happens(&mut self, what: impl ToString) {
        *self.happened.entry(what.to_string()).or_default() += 1;
    }

    /// Somebody did something to letters; of nothing there is no entry.
    pub fn audited(&mut self, action: AuditAction, handled: &[(Vendor, String)]) {
        let vendors: BTreeSet<Vendor> = handled.iter().map(|(vendor, _)| *vendor).collect();
        let vendor = vendors.first().copied().filter(|_| vendors.len() == 1);
        let ids: Vec<String> = handled.iter().map(|(_, id)| id.clone()).collect();
        if !ids.is_empty() {
            self.audit.push((action, vendor, ids));
        }
    }

    /// A change went to be acknowledged, or was closed: it is its person's past.
    pub fn join(&mut self, id: &str, lane: &str) {
        let was_open = self.change(id).ack == Ack::Open;
        if self.change(id).correction.is_some() {
            return;
        }
        self.change(id).join();
        if was_open && self.change(id).ack != Ack::Open && lane.starts_with("x:") {
            let past = self.past.entry(lane.to_owned()).or_default();
            past.insert(id.to_owned());
        }
        if self.change(id).ack == Ack::Queued {
            self.to_tell.push(id.to_owned());
        }
    }

    /// The destination took the change, or may have taken it.
    pub fn reached(&mut self, d: Destination, id: &str) {
        let Change { lane, member, .. } = &self.changes[id];
        let (lane, member) = (lane.clone(), member.clone());
        if lane.starts_with("x:") {
            let newest = self.line(d).applied.entry(lane).or_default();
            if newest.as_bytes() < member.as_bytes() {
                *newest = member;
            }
        }
    }

    pub fn die(&mut self, d: Destination, id: &str, class: DeadClass) {
        self.line(d).suspects.remove(id);
        let change = self.change(id);
        change.forget(d);
        change.may_lag = true;
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
            self.reached(d, &lost.id);
            let crashes = self.change(&lost.id).crashes.entry(d).or_default();
            *crashes += 1;
            if *crashes >= CRASHES {
                self.die(d, &lost.id, DeadClass::Crashed);
            }
            self.take_waiting(&lost.id, Some((d, &lane)));
            self.send_back(d, &lane);
        }
        let line = self.line(d);
        line.ready.extend(line.due.drain(..));

        let running = line.running.len();
        let admitted = line.gate.admits(claim.fleet_limit, claim.full_batch);
        let free = admitted.saturating_sub(running);
        let wanted = claim.most.min(line.ready.len());
        let worker = claim.worker_name();
        line.hungry.remove(&worker);
        let share = admitted.div_ceil(claim.full_batch * (line.hungry.len() + 1));
        let share = share * claim.full_batch;
        if wanted > free && !line.gate.is_shut() {
            line.hungry.insert(worker);
        }
        let mut take = wanted.min(free).min(share.saturating_sub(claim.held));
        let mut held_back = false;
        if line.gate.is_shut() {
            take = 0;
        } else if line.gate.machine.is_some() {
            let mut running = line.running.values();
            let is_out = running.any(|running| line.gate.probe == Some(running.token));
            take = if is_out { 0 } else { take.min(1) };
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
                change.sent.remove(&d);
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
            // It was through before AlumnIQ refused it.
            self.join(id, "");
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

    /// The row is another one now, and its letter comes back: `None` where there is no such letter, `false` where the
    /// row has to be decoded again.
    pub fn edit(&mut self, vendor: Vendor, id: &str, record: String) -> Option<bool> {
        let class = *self.changes.get(id)?.dead().get(&vendor)?;
        let change = self.change(id);
        change.record = record;
        change.edits = (change.edits + 1).min(20);
        change.correction = None;
        self.audited(AuditAction::Edited, &[(vendor, id.to_owned())]);
        if class == DeadClass::Undecodable {
            return Some(false);
        }
        Some(self.replay(vendor, id, false))
    }

    pub fn discard(&mut self, vendor: Vendor, id: &str, tell: bool) -> bool {
        let Some(class) = self.exhume(vendor, id, At::GivenUp) else {
            return false;
        };
        let change = self.change(id);
        let lane = change.letter_lane(vendor).to_owned();
        // AlumnIQ refused the id, or never gave one: there is nobody to tell.
        let tell = tell && change.has_id && class != DeadClass::AckRejected;
        change.given_up = Some(tell);
        self.join(id, &lane);
        true
    }

    /// The changes that a claim must give, in their order.
    pub fn ack_claim(&mut self, most: usize, patient: bool, eager: bool) -> Vec<String> {
        let is_out = self.list.as_ref().is_some_and(|list| !list.has_expired);
        if is_out {
            return Vec::new();
        }
        for id in self.to_tell.clone() {
            self.take_waiting(&id, None);
        }
        let waiting = self.to_tell.len();
        if self.alumniq.is_shut() || waiting == 0 {
            return Vec::new();
        }
        let is_last = eager && waiting as i64 >= self.in_flight();
        match waiting >= most || !patient || self.list.is_some() || is_last {
            true => self.to_tell.iter().take(most).cloned().collect(),
            false => Vec::new(),
        }
    }

    /// What is left of the list, where this token is its.
    pub fn list_of(&mut self, token: u64) -> Option<&mut AckList> {
        self.list.as_mut().filter(|list| list.token == token)
    }

    pub fn ack_settle(&mut self, token: u64, kind: AckKind, ids: &[String]) -> Vec<bool> {
        let mut settled = Vec::new();
        for id in ids {
            let list = self.list_of(token);
            let held = list.is_some_and(|list| list.ids.contains(id));
            settled.push(held);
            if !held {
                self.refused_settles += 1;
                continue;
            }
            let change = self.change(id);
            let is_corrected = change.correction.is_some();
            let ack = match (kind, change.given_up) {
                (AckKind::Accepted, None) => Ack::Acknowledged,
                (AckKind::Accepted, Some(_)) => Ack::Discarded { told: true },
                (AckKind::Rejected, _) => {
                    if !is_corrected {
                        change.refused = Some(DeadClass::AckRejected);
                        change.refused_lane = change.stored_lane();
                        change.may_lag = true;
                    }
                    Ack::Open
                }
            };
            if is_corrected {
                self.take_waiting(id, None);
            } else {
                change.ack = ack;
                if kind == AckKind::Accepted {
                    change.times_told += 1;
                    self.happens("acknowledged");
                }
            }
            if kind == AckKind::Accepted {
                self.told = Some(id.clone());
            }
            self.alumniq.succeeded(None);
            self.to_tell.retain(|other| other != id);
            if let Some(list) = &mut self.list {
                list.ids.retain(|other| other != id);
            }
        }
        if self.list_of(token).is_some_and(|list| list.ids.is_empty()) {
            self.list = None;
        }
        settled
    }

    /// The rest of a list keeps its place.
    pub fn ack_return(&mut self, token: u64, pause: bool) -> bool {
        if self.list_of(token).is_none() {
            self.refused_settles += 1;
            return false;
        }
        self.list = None;
        if pause {
            self.alumniq.shut();
        }
        true
    }

    /// An older change of the same lane of which AlumnIQ should have been told before it is told of `id`.
    pub fn overtaken_by(&self, id: &str) -> Option<&str> {
        let newer = &self.changes[id];
        // A corrected letter may have moved into a lane of open changes; given up, it is applied before none of them.
        if newer.was_corrected && matches!(newer.ack, Ack::Discarded { .. }) {
            return None;
        }
        let mut older = self.changes.iter().filter(|(_, older)| {
            older.lane == newer.lane
                && older.member.as_bytes() < newer.member.as_bytes()
                && !older.is_closed()
                && !older.may_lag
        });
        older.next().map(|(id, _)| id.as_str())
    }
}

/// The destination that a vendor is.
pub fn destination(vendor: Vendor) -> Option<Destination> {
    Destination::ALL
        .into_iter()
        .find(|d| Vendor::from(*d) == vendor)
}
