//! Plays a case: each step on Redis and on the model, then compares.

mod acknowledgements;
mod leading;
mod leases;
mod letters;
mod time;

use harness::namespace::{LONG, tester};
use harness::{redis::Redis, snapshot::Snapshot};
use jobs::{
    destination::{Destination, Vendor},
    outcome::PauseReason,
};
use proptest::sample::Index;
use queue::{Queue, audit::AuditAction};
use redis::{AsyncTypedCommands, aio::MultiplexedConnection};

use super::{
    compare::{Checked, compare, require},
    model::{Model, destination},
    step::{AckKind, Claim, Kind, Step},
    witness::Witness,
};

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
    /// Every list of acknowledgements ever given.
    batches: Vec<(u64, Vec<String>)>,
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
            Step::Lead { who } => self.lead(*who).await,
            Step::LeadEnds => self.lead_ends().await,
            Step::Enqueue { late, lead, rows } => self.enqueue(*late, lead.as_ref(), rows).await,
            Step::Claim(claim) => self.claim(claim).await,
            Step::Renew {
                destination,
                pick,
                perhaps_lost,
            } => self.renew(*destination, pick, *perhaps_lost).await,
            Step::Settle {
                destination,
                ends,
                one_call,
                then,
            } => {
                self.settle(*destination, ends, *one_call, then.as_ref())
                    .await
            }
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
            Step::Storm {
                destination,
                kind,
                one_call,
            } => self.storm(*destination, *kind, *one_call).await,
            Step::Unlucky {
                destination,
                pick,
                times,
            } => self.unlucky(*destination, pick, *times).await,
            Step::Replay { picks, forced } => self.replay(picks, *forced).await,
            Step::Edit { pick, late } => self.edit(pick, *late).await,
            Step::Reread {
                pick,
                undecodable,
                id,
            } => self.reread(pick, *undecodable, id).await,
            Step::Discard { picks, tell } => {
                let letters = pick_some(picks, self.letters());
                self.discard(letters, *tell).await
            }
            Step::Erase {
                xid,
                tell,
                breaks_off,
            } => self.erase(xid, *tell, *breaks_off).await,
            Step::AckClaim {
                most,
                patient,
                eager,
            } => self.ack_claim(*most, *patient, *eager).await,
            Step::AckSettle {
                batch,
                many,
                refused,
                kind,
            } => self.ack_settle(batch, *many, *refused, *kind).await,
            Step::AckReturn { batch, pause } => self.ack_return(batch, *pause).await,
            Step::AckRenew { batch } => self.ack_renew(batch).await,
            Step::AckLeaseEnds => self.ack_lease_ends().await,
            Step::OperatorPauses(vendor) => {
                self.queue.pause(*vendor, &tester()).await.unwrap();
                self.model.gate(*vendor).operator = true;
                self.model
                    .audit
                    .push((AuditAction::Paused, Some(*vendor), Vec::new()));
                Ok(())
            }
            Step::OperatorResumes(vendor) => self.resume(*vendor).await,
            Step::Shut(vendor) => {
                let shut = self
                    .queue
                    .shut(*vendor, Some(LONG), PauseReason::Outage, "down");
                shut.await.unwrap();
                match destination(*vendor) {
                    Some(d) => self.model.shut(d),
                    None => _ = self.model.alumniq.shut(),
                }
                Ok(())
            }
        }
    }

    async fn resume(&mut self, vendor: Vendor) -> Checked {
        self.queue.resume(vendor, &tester()).await.unwrap();
        *self.model.gate(vendor) = Default::default();
        self.model
            .audit
            .push((AuditAction::Resumed, Some(vendor), Vec::new()));
        if let Some(d) = destination(vendor) {
            self.model.refund(d);
        }
        Ok(())
    }

    /// What any destination did with a row that was corrected since does not count. Returns whose rows that are.
    fn forget_the_old_rows(&mut self) -> Vec<String> {
        let corrected = std::mem::take(&mut self.model.retaken);
        for id in &corrected {
            self.witness.corrected(id);
        }
        corrected
    }

    async fn snapshot(&mut self) -> Snapshot {
        Snapshot::take(&mut self.connection, &self.namespace).await
    }

    /// Brings everything to its end, and finds nothing left but what is meant to stay.
    async fn drain(&mut self) -> Checked {
        for vendor in Vendor::ALL {
            self.resume(vendor).await?;
        }
        self.ack_lease_ends().await?;
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
                self.settle_all(d, Kind::Done, false).await?;
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
            let stays = [
                "counters",
                "audit",
                "rates:fetched",
                "rates:crm",
                "rates:salsa",
                "rates:acknowledged",
                "namespace",
                "token",
                "told",
                "producer",
                "applied:crm",
                "applied:salsa",
                "claimed:crm",
                "claimed:salsa",
                "limits:alumniq",
            ];
            require(stays.contains(&key) || snapshot.ttl(key).is_some(), || {
                format!("{key} is left behind")
            })?;
        }
        Ok(())
    }
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
