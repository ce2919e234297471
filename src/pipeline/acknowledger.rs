//! Tells AlumnIQ what every destination has taken: list after list, in the order in which it was done.

mod telling;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use jobs::{call_log::CHANGE, destination::Vendor};
use queue::{
    Queue, QueueError,
    acknowledgement::{AckBatch, AckClaim, AckEnd, AckLimits, AckPause, ToAcknowledge},
    attempts::ChangeAttempts,
    stopping::Stopping,
    wake::Bell,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Level;

use self::telling::{Put, Stop, Telling};
use crate::{
    observe::{
        Heartbeat, metrics,
        traces::{TraceStep, Traces},
    },
    vendors::AlumniqClient,
};

/// So often in a row AlumnIQ must refuse what it accepted before, until it is held to accept no id twice: then
/// other changes must show whether it accepts anything.
const CONTROLS_PROVE: u32 = 5;

/// What a change says whose list was lost.
const REFUSED: &str = "the lease of its list was lost";

const LOST: &str =
    "the lease of a list of changeIds was lost: another process tells it, or Redis was emptied";

/// What one look came to.
enum Looked {
    /// There was a list; there may be another.
    Told,
    /// There is none; when that may change by itself.
    Nothing(Option<Duration>),
}

/// What became of one change of a list.
struct Told<'a> {
    change: &'a ToAcknowledge,
    outcome: &'static str,
    /// Why it failed, if it did.
    failure: Option<&'a str>,
    /// How it got to its destinations, where that is known.
    attempts: Option<&'a ChangeAttempts>,
    /// Since it was fetched.
    took: Option<Duration>,
}

/// The role's parts.
pub struct Acknowledger {
    /// The queue.
    pub queue: Queue,
    /// AlumnIQ.
    pub client: Arc<AlumniqClient>,
    /// When a batch is due.
    pub limits: AckLimits,
    /// `alumniq.acknowledge = "on_fetch"`: AlumnIQ marked the changes when it sent them, no PUT is due.
    pub told_on_fetch: bool,
    /// How often in a row AlumnIQ refused what it had accepted before.
    pub controls_refused: AtomicU32,
    /// This process.
    pub worker: String,
    /// Where steps are told.
    pub traces: Traces,
    /// Notified once changes are acknowledged: a command that waits for them need not ask Redis all the time.
    pub acknowledged: Arc<Notify>,
}

impl Acknowledger {
    /// Works until `closing`; a list that was leased is finished first, or given back at `abandon`.
    pub async fn run(&self, bell: &Bell, beat: &Heartbeat, stopping: &Stopping) {
        let Stopping { closing, abandon } = stopping;
        while !closing.is_cancelled() {
            let pause = match self.step(abandon).await {
                Ok(Looked::Told) => Duration::ZERO,
                Ok(Looked::Nothing(wait)) => bell.rest(wait),
                Err(error) => {
                    tracing::debug!(%error, "cannot acknowledge; trying again");
                    tokio::select! {
                        () = closing.cancelled() => {}
                        () = tokio::time::sleep(Duration::from_millis(500)) => {}
                    }
                    continue;
                }
            };
            beat.beat();
            if !pause.is_zero() {
                tokio::select! {
                    () = closing.cancelled() => {}
                    () = bell.wait(pause, || beat.beat()) => {}
                }
            }
        }
    }

    /// One list at the most.
    async fn step(&self, abandon: &CancellationToken) -> Result<Looked, QueueError> {
        let batch = match self.queue.claim_acknowledgements(&self.limits).await? {
            AckClaim::Wait(wait) => {
                let wait = wait.map(|wait| wait.max(Duration::from_millis(1)));
                return Ok(Looked::Nothing(wait));
            }
            AckClaim::Batch(batch) => batch,
        };
        let ids: Vec<String> = batch
            .changes
            .iter()
            .map(|change| change.change_id.clone())
            .collect();
        if self.told_on_fetch {
            // No call is made: AlumnIQ knew before.
            let put = Put::default();
            self.settle(&batch, &AckEnd::Accepted, &ids, &put).await;
            return Ok(Looked::Told);
        }
        let accepts_repeats = self.controls_refused.load(Ordering::Relaxed) < CONTROLS_PROVE;
        let told = tokio::select! {
            told = Telling::new(self, &batch, accepts_repeats).tell(&ids) => told,
            () = self.keep(&batch) => Err(Stop::Lost),
            () = abandon.cancelled() => Err(Stop::Abandoned),
        };
        let controls_refused = match &told {
            Err(Stop::ControlRefused(_)) => self.controls_refused.load(Ordering::Relaxed) + 1,
            _ => 0,
        };
        self.controls_refused
            .store(controls_refused, Ordering::Relaxed);
        match told {
            Ok(()) => {}
            Err(Stop::Lost) => tracing::warn!("{LOST}"),
            Err(Stop::Unproven | Stop::Abandoned) => self.give_back(&batch, None).await,
            Err(Stop::Down(pause) | Stop::ControlRefused(pause)) => {
                self.give_back(&batch, Some(&pause)).await;
            }
        }
        Ok(Looked::Told)
    }

    /// Renews the lease while AlumnIQ takes its time, so that a list of a process that died is soon another's.
    /// Completes when it is lost.
    async fn keep(&self, batch: &AckBatch) {
        loop {
            tokio::time::sleep(self.limits.lease / 3).await;
            match self
                .queue
                .renew_acknowledgements(batch.token, self.limits.lease)
                .await
            {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::debug!(%error, "cannot renew the lease of a list of changeIds");
                }
            }
        }
    }

    /// Takes a part off the list; keeps trying while Redis is away. `false`: the list was lost.
    async fn settle(&self, batch: &AckBatch, end: &AckEnd, ids: &[String], put: &Put) -> bool {
        let settled = loop {
            let settled = self
                .queue
                .settle_acknowledgements(batch.token, end, ids)
                .await;
            match settled {
                Ok(settled) => break settled,
                Err(error) => redis_is_away(error).await,
            }
        };
        let now = self.queue.now().await.ok();
        let attempts = self.attempts(ids).await;
        let mine = batch
            .changes
            .iter()
            .filter(|change| ids.contains(&change.change_id));
        for (at, (change, settled)) in mine.zip(&settled).enumerate() {
            let change_id = &change.change_id;
            let took = now.map(|now| Duration::from_millis(now.saturating_sub(change.fetched_at)));
            let told = |outcome, failure| Told {
                change,
                outcome,
                failure,
                attempts: attempts.get(at),
                took,
            };
            if !settled {
                self.tell(&told("refused", Some(REFUSED)), put);
                continue;
            }
            match end {
                // The books count it.
                AckEnd::Accepted if change.discarded => {
                    self.tell(&told("discarded", None), put);
                    self.traces
                        .acknowledged(change_id, change.fetched_at, "discarded");
                }
                AckEnd::Accepted => {
                    metrics::changes_acknowledged(1);
                    took.into_iter().for_each(metrics::end_to_end);
                    self.tell(&told("acknowledged", None), put);
                    self.traces
                        .acknowledged(change_id, change.fetched_at, "acknowledged");
                }
                AckEnd::Rejected { cause, .. } => {
                    self.tell(&told("dead letter", Some(cause)), put);
                }
            }
        }
        self.acknowledged.notify_one();
        settled.iter().all(|settled| *settled)
    }

    /// How these changes got to their destinations. Redis is asked only where the log shows it, and a log line is
    /// not worth waiting for it: where it does not answer, there are none.
    async fn attempts(&self, ids: &[String]) -> Vec<ChangeAttempts> {
        if !tracing::enabled!(target: CHANGE, Level::INFO) {
            return Vec::new();
        }
        self.queue.change_attempts(ids).await.unwrap_or_default()
    }

    /// Logs and traces what became of one change.
    fn tell(&self, told: &Told<'_>, put: &Put) {
        let Told {
            change,
            outcome,
            failure,
            attempts,
            took,
        } = *told;
        let (change_id, worker) = (&change.change_id, &self.worker);
        let (destination, request_id) = (Vendor::Alumniq, || put.call_log.request_ids());
        let ms = took.map(|took| took.as_millis() as u64);
        match failure {
            None => tracing::info!(
                target: CHANGE, change_id, %destination, destinations = attempts.map(listed),
                attempts = attempts.map(|attempts| attempts.attempts), ms, worker, request_id = request_id(), "{outcome}"
            ),
            Some(cause) => tracing::warn!(
                target: CHANGE, change_id, %destination, ms, worker, request_id = request_id(), cause, "{outcome}"
            ),
        }
        self.traces.step(&TraceStep {
            change_id,
            fetched_at: change.fetched_at,
            name: "acknowledge",
            destination: Some(destination.as_str()),
            attempt: None,
            outcome,
            failure,
            begun: put.begun,
            ended: put.ended(),
            call_log: &put.call_log,
        });
    }

    /// Gives back what is left of a list.
    async fn give_back(&self, batch: &AckBatch, pause: Option<&AckPause>) {
        let held = loop {
            let held = self.queue.return_acknowledgements(batch.token, pause).await;
            match held {
                Ok(held) => break held,
                Err(error) => redis_is_away(error).await,
            }
        };
        if !held {
            tracing::warn!("{LOST}");
        }
    }
}

/// `crm,salsa`.
fn listed(attempts: &ChangeAttempts) -> String {
    let names = attempts.destinations.iter().map(|it| it.as_str());
    names.collect::<Vec<_>>().join(",")
}

async fn redis_is_away(error: QueueError) {
    tracing::debug!(%error, "cannot record an acknowledgement; trying again");
    tokio::time::sleep(Duration::from_millis(200)).await;
}
