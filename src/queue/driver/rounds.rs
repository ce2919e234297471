//! The loop of a destination: in each round, what has finished is settled and what there are places for is claimed.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use super::{Finished, REDIS_AWAY, Shared, ended};
use crate::{
    batch::Batch,
    exchange::Exchanged,
    lease::{ClaimRequest, Claimed, Died, Lease, Locked, RolledBack},
    settlement::Settlement,
    verdict::SettleVerdict,
};
use jobs::call_log::CHANGE;

/// How long a partial batch waits for fellows while others work.
const LINGER: Duration = Duration::from_millis(250);

/// How often it is said that the process lacks a key.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// About how many leases end in one round.
const LEASES_A_ROUND: usize = 256;

pub(super) struct Rounds {
    shared: Arc<Shared>,
    batches: mpsc::Sender<Batch>,
    finished: mpsc::Receiver<Finished>,
    /// Finished, and not settled yet.
    ended: Vec<Finished>,
    /// Of the calls in parallel: claimed, and not settled yet.
    places_taken: usize,
    /// When to look although nothing has finished and nobody has called.
    look_at: Instant,
    held_back_since: Option<Instant>,
    told_locked: Option<Instant>,
}

impl Rounds {
    /// Claims for `batches`, settles what comes as `finished`.
    pub fn new(
        shared: Arc<Shared>,
        batches: mpsc::Sender<Batch>,
        finished: mpsc::Receiver<Finished>,
    ) -> Self {
        Self {
            shared,
            batches,
            finished,
            ended: Vec::new(),
            places_taken: 0,
            look_at: Instant::now(),
            held_back_since: None,
            told_locked: None,
        }
    }

    /// Goes round until nothing can come any more.
    pub async fn run(mut self) {
        let _over = self.shared.claims_over.clone().drop_guard();
        while self.has_work().await {
            self.round().await;
        }
    }

    fn batch(&self) -> usize {
        self.shared.settings.batch.load(Ordering::Relaxed).max(1)
    }

    fn places(&self) -> usize {
        self.shared.settings.concurrency.max(1)
    }

    fn calls_a_round(&self) -> usize {
        (LEASES_A_ROUND / self.batch()).max(1)
    }

    /// Waits until there is something to settle, or to look for; `false` once neither can come.
    async fn has_work(&mut self) -> bool {
        let most = self.calls_a_round();
        let has_place = self.places_taken < self.places();
        let shared = &self.shared;
        let closing = &shared.stopping.closing;
        loop {
            let is_closing = closing.is_cancelled();
            if is_closing {
                shared.claims_over.cancel();
            }
            if !self.ended.is_empty() {
                return true;
            }
            let rest = self.look_at.saturating_duration_since(Instant::now());
            tokio::select! {
                biased;
                count = self.finished.recv_many(&mut self.ended, most) => return count > 0,
                () = shared.idle_and_closing() => return false,
                () = closing.cancelled(), if !is_closing => {}
                () = shared.bell.wait(rest, || (shared.beat)()), if has_place && !is_closing => return true,
            }
        }
    }

    async fn round(&mut self) {
        let most = self.calls_a_round().min(self.ended.len());
        let ended: Vec<Finished> = self.ended.drain(..most).collect();
        let kept = self.places_taken.saturating_sub(ended.len());
        let settlements = ended::settlements(&self.shared, &ended);
        let request = self.request(kept);
        let Some((verdicts, claimed)) = self.exchange(&settlements, request.as_ref()).await else {
            self.look_at = Instant::now() + REDIS_AWAY;
            return;
        };
        (self.shared.beat)();
        self.places_taken = kept;
        self.look_at = Instant::now();
        if let Some((claimed, full_batch)) = claimed {
            self.learn(&claimed);
            self.hand_on(claimed, full_batch).await;
        }
        // Their places are others' while it is told what came of them.
        ended::tell(&self.shared, &ended, &settlements, verdicts);
    }

    /// What there are places for; `None` where there are none, or nothing more is to be begun.
    fn request(&self, kept: usize) -> Option<ClaimRequest> {
        let free = self.places().saturating_sub(kept);
        let full_batch = self.batch();
        let since = self.held_back_since;
        (free > 0 && !self.shared.stopping.closing.is_cancelled()).then(|| ClaimRequest {
            most: free * full_batch,
            held: kept * full_batch,
            lease: self.shared.settings.lease,
            fleet_limit: self.places() * full_batch,
            full_batch,
            linger_over: since.is_some_and(|since| since.elapsed() >= LINGER),
        })
    }

    /// Until Redis has what ended; `None` where nothing has, and Redis is away. What was claimed comes with the size of
    /// a full batch.
    async fn exchange(
        &self,
        ended: &[Settlement],
        mut request: Option<&ClaimRequest>,
    ) -> Option<(Vec<SettleVerdict>, Option<(Claimed, usize)>)> {
        let settings = &self.shared.settings;
        let destination = settings.destination;
        loop {
            let exchange =
                self.shared
                    .queue
                    .exchange(destination, &settings.worker, ended, request);
            match exchange.await {
                Ok(Exchanged { verdicts, claimed }) => {
                    return Some((
                        verdicts,
                        request.map(|request| (claimed, request.full_batch)),
                    ));
                }
                Err(error) => {
                    tracing::debug!(%destination, %error, "cannot settle or claim; trying again");
                }
            }
            if ended.is_empty() {
                return None;
            }
            // A claim that fails does not keep what is done from being settled.
            request = None;
            sleep(REDIS_AWAY).await;
        }
    }

    /// What a claim says beside its leases, and when to look again.
    fn learn(&mut self, claimed: &Claimed) {
        for Died { change_id, class } in &claimed.died {
            let settings = &self.shared.settings;
            let (destination, worker) = (settings.destination, &settings.worker);
            tracing::warn!(target: CHANGE, change_id, %destination, worker, class, "dead letter");
        }
        if let Some(RolledBack { is_news: true, .. }) = claimed.rolled_back {
            let destination = self.shared.settings.destination;
            tracing::error!(
                %destination,
                "Redis' state went back in time (a failover to a replica that lagged, or a lost end of its append-only \
                 file): nothing is applied until AlumnIQ's feed was read again; see \
                 `alumniq-relay runbook AlumniqRelayQueueDefects`"
            );
        }
        if let Some(locked) = &claimed.locked {
            self.warn_locked(locked);
        }
        self.held_back_since = claimed
            .held_back
            .then(|| self.held_back_since.unwrap_or_else(Instant::now));
        let now = Instant::now();
        self.look_at = match (self.held_back_since, &claimed.locked) {
            (Some(since), _) => since + LINGER,
            // Those who have the key take it meanwhile.
            (None, Some(_)) => now + REDIS_AWAY,
            (None, None) => now + self.shared.bell.rest(claimed.look_again),
        };
        self.look_at = self.look_at.max(now + Duration::from_millis(1));
    }

    /// Says it once a minute: it is the same for every change.
    fn warn_locked(&mut self, Locked { change_id, key }: &Locked) {
        let told = &mut self.told_locked;
        if told.is_some_and(|told| told.elapsed() < TELL_AGAIN) {
            return;
        }
        *told = Some(Instant::now());
        tracing::error!(
            target: CHANGE,
            change_id,
            destination = %self.shared.settings.destination,
            key,
            "it is encrypted under a key that this process does not have, and waits: add the key to \
             encryption.old_keys or encryption.key and restart"
        );
    }

    /// Hands what was claimed to the worker, a call's leases at a time; what comes too late for that is given back.
    async fn hand_on(&mut self, claimed: Claimed, full_batch: usize) {
        let mut leases = claimed.leases.into_iter().peekable();
        while leases.peek().is_some() {
            let leases: Vec<Lease> = leases.by_ref().take(full_batch).collect();
            let hold = claimed.hold.fork();
            self.shared.take_hold(&leases, &hold);
            self.places_taken += 1;
            let batch = Batch {
                leases: leases.into(),
                hold,
            };
            let unsent = match self.shared.stopping.closing.is_cancelled() {
                true => Some(batch),
                false => self.batches.send(batch).await.err().map(|error| error.0),
            };
            self.ended.extend(unsent.map(Finished::unstarted));
        }
    }
}
