//! Plays a case: each step on Redis and on the model, then compares.

use std::time::Duration;

use alumniq_relay::queue::{
    Queue,
    acknowledgement::{AckClaim, AckEnd, AckLimits},
    executor::Transition,
    lease::{ClaimRequest, Settlement},
};
use jobs::{
    destination::{Destination, Vendor},
    outcome::{DeadClass, PauseReason},
};
use proptest::sample::Index;
use redis::{AsyncTypedCommands, aio::MultiplexedConnection};

use super::{
    compare::{Checked, compare, require, same},
    gate::Machine,
    model::{Ack, Model, destination},
    step::{AckKind, Claim, End, Kind, Row, Step},
    witness::Witness,
};
use crate::harness::{redis::Redis, snapshot::Snapshot};

/// Longer than any case.
const LONG: Duration = Duration::from_secs(3600);

/// A gate that is shut stays so until a step says that its time has come.
const FAR_FUTURE: &str = "9000000000000";

/// Where the blocks of fetches lie that began before, and after, everything that was closed.
const EARLY: u64 = 1_000_000_000_000;
const LATE: u64 = 8_000_000_000_000;

struct Known {
    destination: Destination,
    lane: String,
    token: u64,
}

pub struct Run {
    pub steps: u64,
    namespace: String,
    connection: MultiplexedConnection,
    queue: Queue,
    model: Model,
    witness: Witness,
    /// Every lease ever given.
    leases: Vec<Known>,
    /// Every batch of acknowledgements ever given.
    batches: Vec<(u64, Vec<String>)>,
    acks_lost: Vec<String>,
    /// Scores of what has ended: small numbers, so long ago, in the order of the steps.
    clock: u64,
}

impl Run {
    pub async fn start(redis: &Redis, namespace: &str, destinations: &[Destination]) -> Self {
        let queue = redis
            .queue_with(namespace, |settings| {
                settings.destinations = destinations.to_vec()
            })
            .await;
        Self {
            steps: 0,
            namespace: namespace.to_owned(),
            connection: redis.connect().await,
            queue,
            model: Model::new(destinations),
            witness: Witness::default(),
            leases: Vec::new(),
            batches: Vec::new(),
            acks_lost: Vec::new(),
            clock: 0,
        }
    }

    pub async fn play(&mut self, case: &[Step]) -> Checked {
        for step in case {
            self.step(step).await?;
        }
        self.drain().await
    }

    /// Leaves nothing to the next case.
    pub async fn forget(&mut self) {
        self.connection.flushall().await.unwrap();
    }

    async fn step(&mut self, step: &Step) -> Checked {
        let complaint = |complaint| format!("{complaint}\n  after {step:?}");
        self.act(step).await.map_err(complaint)?;
        self.check().await.map_err(complaint)
    }

    async fn check(&mut self) -> Checked {
        self.steps += 1;
        self.hold_gates_shut().await;
        let status = self.queue.status().await.unwrap();
        let snapshot = self.snapshot().await;
        compare(&snapshot, &status, &self.model)
    }

    async fn act(&mut self, step: &Step) -> Checked {
        match step {
            Step::Enqueue { late, rows } => self.enqueue(*late, rows).await,
            Step::Claim(claim) => self.claim(claim).await,
            Step::Renew {
                destination,
                pick,
                perhaps_lost,
            } => self.renew(*destination, pick, *perhaps_lost).await,
            Step::Settle { destination, ends } => self.settle(*destination, ends).await,
            Step::LeasesEnd { destination, picks } => {
                let running = self.model.lines[destination]
                    .running
                    .keys()
                    .cloned()
                    .collect();
                self.leases_end(*destination, pick_some(picks, running))
                    .await
            }
            Step::RetriesAreDue { destination, picks } => {
                let later = self.model.lines[destination]
                    .later
                    .iter()
                    .cloned()
                    .collect();
                self.retries_are_due(*destination, pick_some(picks, later))
                    .await
            }
            Step::GatesTimeHasCome(vendor) => self.gates_time_has_come(*vendor).await,
            Step::Crash { destination, times } => self.crash(*destination, *times).await,
            Step::Storm { destination } => self.storm(*destination).await,
            Step::Replay { picks, forced } => self.replay(picks, *forced).await,
            Step::Reread {
                pick,
                undecodable,
                id,
            } => self.reread(pick, *undecodable, id).await,
            Step::Discard { picks, tell } => {
                let letters = pick_some(picks, self.letters());
                self.discard(letters, *tell).await
            }
            Step::AckClaim {
                most,
                patient,
                eager,
            } => self.ack_claim(*most, *patient, *eager).await,
            Step::AckSettle { batch, parts, kind } => self.ack_settle(batch, parts, *kind).await,
            Step::AckLeasesEnd => self.ack_leases_end().await,
            Step::OperatorPauses(vendor) => {
                self.queue.pause(*vendor, "maintenance").await.unwrap();
                self.model.gate(*vendor).operator = true;
                Ok(())
            }
            Step::OperatorResumes(vendor) => self.resume(*vendor).await,
            Step::Shut(vendor) => {
                let shut = self
                    .queue
                    .shut(*vendor, Some(LONG), PauseReason::Outage, "down");
                shut.await.unwrap();
                self.model.gate(*vendor).shut();
                Ok(())
            }
            Step::Succeeded(vendor) => {
                self.queue.succeeded(*vendor).await.unwrap();
                self.model.gate(*vendor).succeeded();
                Ok(())
            }
        }
    }

    async fn enqueue(&mut self, late: bool, rows: &[Row]) -> Checked {
        self.clock += 1;
        let block = self.clock + if late { LATE } else { EARLY };
        let changes = rows.iter().map(Row::change).collect();
        let taken = self.queue.enqueue(block, changes).await.unwrap();
        let expected = self.model.enqueue(block, late, rows);
        same(
            "enqueue: (new, known, listed again)",
            (taken.enqueued, taken.duplicates, taken.listed_again),
            (expected.new, expected.known, expected.listed_again),
        )
    }

    async fn claim(&mut self, claim: &Claim) -> Checked {
        let d = claim.destination;
        let before = self.snapshot().await;
        for lane in &self.model.lines[&d].expired {
            self.witness.lost(d, lane);
        }
        let claimed = self
            .queue
            .claim(&ClaimRequest {
                destination: d,
                worker: &claim.worker_name(),
                most: claim.most,
                lease: LONG,
                fleet_limit: claim.fleet_limit,
                full_batch: claim.full_batch,
                linger_over: claim.linger_over,
            })
            .await
            .unwrap();
        self.witness.claimed(d, &claimed.leases, &before)?;
        let (expected, held_back) = self.model.claim(claim);
        let leases = claimed.leases.iter();
        let leases = leases.map(|l| (l.lane.clone(), l.change_id.clone(), l.attempts));
        same(format!("{d}: claimed"), leases.collect(), expected)?;
        same(format!("{d}: held back"), claimed.held_back, held_back)?;
        for lease in claimed.leases {
            require(lease.row.is_ok(), || format!("{}: no row", lease.change_id))?;
            let running = self.model.line(d).running.get_mut(&lease.lane);
            running.unwrap().token = lease.token;
            self.leases.push(Known {
                destination: d,
                lane: lease.lane,
                token: lease.token,
            });
        }
        Ok(())
    }

    /// A lease that is held, or perhaps one that was lost.
    fn pick_lease(
        &self,
        d: Destination,
        pick: &Index,
        perhaps_lost: bool,
    ) -> Option<(String, u64)> {
        let leases: Vec<&Known> = self
            .leases
            .iter()
            .filter(|known| known.destination == d)
            .filter(|known| perhaps_lost || self.model.holds(d, &known.lane, known.token))
            .collect();
        let chosen = (!leases.is_empty()).then(|| pick.get(&leases))?;
        Some((chosen.lane.clone(), chosen.token))
    }

    async fn renew(&mut self, d: Destination, pick: &Index, perhaps_lost: bool) -> Checked {
        let Some((lane, token)) = self.pick_lease(d, pick, perhaps_lost) else {
            return Ok(());
        };
        let held = self
            .queue
            .renew(d, LONG, &[(lane.clone(), token)])
            .await
            .unwrap();
        same("renewed", held, vec![self.model.renew(d, &lane, token)])
    }

    async fn settle(&mut self, d: Destination, ends: &[End]) -> Checked {
        let mut items = Vec::new();
        for end in ends {
            if let Some((lane, token)) = self.pick_lease(d, &end.pick, end.perhaps_lost) {
                items.push((lane, token + u64::from(end.foreign) * 1_000_000, end.kind));
            }
        }
        self.settle_items(d, items).await
    }

    async fn settle_items(&mut self, d: Destination, items: Vec<(String, u64, Kind)>) -> Checked {
        let mut settlements = Vec::new();
        for (lane, token, kind) in &items {
            let running = self.model.lines[&d].running.get(lane);
            let attempts =
                running.and_then(|r| self.model.changes[&r.id].attempts.get(&d).copied());
            settlements.push(Settlement {
                lane: lane.clone(),
                token: *token,
                transition: transition(*kind, attempts.unwrap_or(0) + 1),
                took: Duration::from_millis(5),
            });
        }
        let settled = self
            .queue
            .settle(d, "worker-0", &settlements)
            .await
            .unwrap();
        let mut expected = Vec::new();
        for (lane, token, kind) in items {
            let running = self.model.lines[&d].running.get(&lane);
            let id = running.map(|running| running.id.clone());
            let settles = self.model.settle(d, &lane, token, kind);
            expected.push(settles);
            if let Some(id) = id.filter(|_| settles) {
                self.witness.lost(d, &lane);
                let member = &self.model.changes[&id].member;
                match kind {
                    Kind::Done => self.witness.done(d, &lane, &id, member),
                    Kind::Dead(_) => self.witness.dead(d, &id),
                    _ => {}
                }
            }
        }
        same(format!("{d}: settled"), settled, expected)
    }

    /// As if time had passed.
    async fn age(&mut self, key: String, member: &str) {
        self.clock += 1;
        let key = format!("{{{}}}:{key}", self.namespace);
        self.connection.zadd(key, member, self.clock).await.unwrap();
    }

    async fn leases_end(&mut self, d: Destination, lanes: Vec<String>) -> Checked {
        for lane in lanes {
            self.age(format!("lease:{d}"), &lane).await;
            let expired = &mut self.model.line(d).expired;
            expired.retain(|other| *other != lane);
            expired.push(lane);
        }
        Ok(())
    }

    async fn retries_are_due(&mut self, d: Destination, lanes: Vec<String>) -> Checked {
        for lane in lanes {
            self.age(format!("due:{d}"), &lane).await;
            let line = self.model.line(d);
            line.later.remove(&lane);
            line.due.push(lane);
        }
        Ok(())
    }

    async fn gates_time_has_come(&mut self, vendor: Vendor) -> Checked {
        if self.model.gate(vendor).machine == Some(Machine::Shut) {
            self.model.gate(vendor).machine = Some(Machine::HalfOpen);
            self.write_gate(vendor, "1").await;
        }
        Ok(())
    }

    /// Only where there is one: a missing `until` is for the comparison to find.
    async fn write_gate(&mut self, vendor: Vendor, until: &str) {
        let key = format!("{{{}}}:gate:{vendor}", self.namespace);
        if self.connection.hexists(&key, "until").await.unwrap() {
            self.connection.hset(&key, "until", until).await.unwrap();
        }
    }

    /// However slow the machine is, no gate opens by itself.
    async fn hold_gates_shut(&mut self) {
        for vendor in Vendor::ALL {
            if self.model.gate(vendor).machine == Some(Machine::Shut) {
                self.write_gate(vendor, FAR_FUTURE).await;
            }
        }
    }

    async fn crash(&mut self, d: Destination, times: u32) -> Checked {
        for _ in 0..times {
            self.claim(&Claim::all(d)).await?;
            self.check().await?;
            let running = self.model.lines[&d].running.keys().cloned().collect();
            self.leases_end(d, running).await?;
        }
        self.claim(&Claim::all(d)).await
    }

    async fn storm(&mut self, d: Destination) -> Checked {
        self.claim(&Claim::all(d)).await?;
        self.check().await?;
        self.settle_all(d, Kind::Retry).await
    }

    async fn settle_all(&mut self, d: Destination, kind: Kind) -> Checked {
        let running = self.model.lines[&d].running.iter();
        let items = running.map(|(lane, running)| (lane.clone(), running.token, kind));
        self.settle_items(d, items.collect()).await
    }

    fn letters(&self) -> Vec<(Vendor, String)> {
        let changes = self.model.changes.iter();
        let letters =
            changes.flat_map(|(id, c)| c.dead().into_keys().map(move |v| (v, id.clone())));
        letters.collect()
    }

    async fn replay(&mut self, picks: &[Index], forced: bool) -> Checked {
        let letters = pick_some(picks, self.letters());
        let (handled, to_decode) = self.queue.replay(&letters, forced, "tester").await.unwrap();
        let mut expected = (0, Vec::new());
        for (vendor, id) in &letters {
            if self.model.replay(*vendor, id, forced) {
                expected.0 += 1;
                if let Some(d) = destination(*vendor).filter(|_| forced) {
                    self.witness.forced(d, id);
                }
            } else {
                expected.1.push(id.clone());
            }
        }
        same("replayed", (handled.handled, to_decode), expected)
    }

    async fn reread(&mut self, pick: &Index, undecodable: bool, id: &Option<String>) -> Checked {
        let rows = self.model.changes.iter();
        let rows = rows.filter(|(_, c)| c.refused == Some(DeadClass::Undecodable));
        let rows: Vec<String> = rows.map(|(id, _)| id.clone()).collect();
        let Some(former) = (!rows.is_empty()).then(|| pick.get(&rows).clone()) else {
            return Ok(());
        };
        let row = Row {
            id: id.clone().unwrap_or_else(|| former.clone()),
            xid: (!undecodable).then(|| "person 1".to_owned()),
            changed_on: 2,
            undecodable,
            replaces: Some(former),
        };
        self.enqueue(false, &[row]).await
    }

    async fn discard(&mut self, letters: Vec<(Vendor, String)>, tell: bool) -> Checked {
        let handled = self
            .queue
            .discard(&letters, tell, "not wanted", "tester")
            .await
            .unwrap();
        let mut expected = 0;
        for (vendor, id) in &letters {
            expected += u64::from(self.model.discard(*vendor, id, tell));
            self.witness.discarded(*vendor, id);
        }
        same("discarded", handled.handled, expected)
    }

    async fn ack_claim(&mut self, most: usize, patient: bool, eager: bool) -> Checked {
        let limits = AckLimits {
            max_batch: most,
            max_wait: if patient { LONG } else { Duration::ZERO },
            eager,
            lease: LONG,
        };
        let before = self.snapshot().await;
        let lost = std::mem::take(&mut self.acks_lost);
        let expected = self.model.ack_claim(&lost, most, patient, eager);
        let batch = match self.queue.claim_acknowledgements(&limits).await.unwrap() {
            AckClaim::Wait(_) => return same("acknowledgements claimed", 0, expected),
            AckClaim::Batch(batch) => batch,
        };
        same("acknowledgements claimed", batch.changes.len(), expected)?;
        let ids: Vec<String> = batch.changes.iter().map(|c| c.change_id.clone()).collect();
        if lost.is_empty() {
            let oldest = before.members("ack").into_iter().take(ids.len());
            same(
                "the oldest acknowledgements",
                ids.clone(),
                oldest.map(str::to_owned).collect(),
            )?;
        }
        for (id, change) in ids.iter().zip(&batch.changes) {
            self.witness.to_acknowledge(id, &self.model.destinations)?;
            let known = self.model.change(id);
            same(
                format!("{id} is to be acknowledged"),
                known.ack,
                Ack::Queued,
            )?;
            known.ack = Ack::Leased(batch.token);
            same("fetched at", change.fetched_at, known.block)?;
            same("discarded", change.discarded, known.given_up.is_some())?;
        }
        self.batches.push((batch.token, ids));
        Ok(())
    }

    async fn ack_settle(&mut self, batch: &Index, parts: &[Index], kind: AckKind) -> Checked {
        // Mostly the newest batches, now and then one that was settled or lost long ago.
        let recent = self.batches.len().saturating_sub(3);
        let Some((token, ids)) =
            (!self.batches.is_empty()).then(|| batch.get(&self.batches[recent..]))
        else {
            return Ok(());
        };
        let (token, ids) = (*token, pick_some(parts, ids.clone()));
        self.ack_settle_items(token, ids, kind).await
    }

    async fn ack_settle_items(&mut self, token: u64, ids: Vec<String>, kind: AckKind) -> Checked {
        let end = match kind {
            AckKind::Accepted => AckEnd::Accepted,
            AckKind::Release => AckEnd::Release,
            AckKind::Rejected => AckEnd::Rejected {
                cause: "HTTP 404".to_owned(),
                advice: "ask AlumnIQ".to_owned(),
            },
            AckKind::Pause => AckEnd::Pause {
                delay: None,
                reason: PauseReason::Outage,
                cause: "HTTP 503".to_owned(),
            },
        };
        let settled = self
            .queue
            .settle_acknowledgements(token, &end, &ids)
            .await
            .unwrap();
        let expected = self.model.ack_settle(token, kind, &ids);
        self.acks_lost
            .retain(|id| !ids.contains(id) || !expected[position(&ids, id)]);
        same("acknowledgements settled", settled, expected)
    }

    async fn ack_leases_end(&mut self) -> Checked {
        let changes = self.model.changes.iter();
        let leased = changes.filter(|(_, c)| matches!(c.ack, Ack::Leased(_)));
        self.acks_lost = leased.map(|(id, _)| id.clone()).collect();
        for id in self.acks_lost.clone() {
            self.age("acking".to_owned(), &id).await;
        }
        Ok(())
    }

    async fn resume(&mut self, vendor: Vendor) -> Checked {
        self.queue.resume(vendor).await.unwrap();
        *self.model.gate(vendor) = Default::default();
        Ok(())
    }

    async fn snapshot(&mut self) -> Snapshot {
        Snapshot::take(&mut self.connection, &self.namespace).await
    }

    /// Brings everything to its end, and finds nothing left but what is meant to stay.
    async fn drain(&mut self) -> Checked {
        for vendor in Vendor::ALL {
            self.resume(vendor).await?;
        }
        self.ack_leases_end().await?;
        while self.model.in_flight() + self.model.dead() > 0 {
            let letters = self.letters();
            self.discard(letters, true).await?;
            for d in Destination::ALL {
                let running = self.model.lines[&d].running.keys().cloned().collect();
                self.leases_end(d, running).await?;
                let later = self.model.lines[&d].later.iter().cloned().collect();
                self.retries_are_due(d, later).await?;
                self.claim(&Claim::all(d)).await?;
                self.check().await?;
                self.settle_all(d, Kind::Done).await?;
                self.check().await?;
            }
            self.ack_claim(1000, false, false).await?;
            if let Some((token, ids)) = self.batches.last().cloned() {
                self.ack_settle_items(token, ids, AckKind::Accepted).await?;
            }
            self.check().await?;
        }
        let snapshot = self.snapshot().await;
        for key in snapshot.keys() {
            let stays = ["counters", "token", "applied:crm", "applied:salsa"].contains(&key);
            require(stays || snapshot.ttl(key).is_some(), || {
                format!("{key} is left behind")
            })?;
        }
        Ok(())
    }
}

fn position(ids: &[String], id: &str) -> usize {
    ids.iter().position(|other| other == id).unwrap_or_default()
}

/// Each at most once, in the order of the picks.
fn pick_some<T: Clone + PartialEq>(picks: &[Index], from: Vec<T>) -> Vec<T> {
    let mut chosen = Vec::new();
    for pick in picks.iter().filter(|_| !from.is_empty()) {
        let one = pick.get(&from);
        if !chosen.contains(one) {
            chosen.push(one.clone());
        }
    }
    chosen
}

fn transition(kind: Kind, attempts: u32) -> Transition {
    match kind {
        Kind::Done => Transition::Done {
            detail: "updated".to_owned(),
        },
        Kind::Retry => Transition::Retry {
            delay: LONG,
            attempts,
            cause: "HTTP 500".to_owned(),
        },
        Kind::Pause => Transition::Pause {
            delay: None,
            reason: PauseReason::Outage,
            cause: "connection refused".to_owned(),
        },
        Kind::Dead(class) => Transition::Dead {
            class,
            cause: "no".to_owned(),
            advice: "look".to_owned(),
            attempts,
        },
        Kind::Release => Transition::Release,
    }
}
