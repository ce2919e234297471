//! Runs the roles of one process until told to stop.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use apalis::prelude::{Data, Monitor, WorkerBuilder};
use async_trait::async_trait;
use futures::future::BoxFuture;
use jobs::{
    change::Change,
    destination::{Destination, Vendor},
    outcome::Outcome,
    retry::RetryPolicy,
};
use queue::{
    Queue,
    backend::LeaseBackend,
    batch::{Batch, Verdicts},
    driver::{Attempted, Driver, DriverSettings},
    lease::Lease,
    stopping::Stopping,
    wake::{Bell, Bells},
};
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    acknowledger::Acknowledger, attempts, notifier::Notifier, producer::Producer,
    publisher::Publisher, roles::Role, rows::Rows, throttle::Throttle,
};
use crate::{
    config::DestinationLimits,
    observe::{Heartbeats, traces::Traces},
};

/// After how much silence a role counts as stuck. Calls to vendors may last a minute while leases are renewed.
const STUCK: Duration = Duration::from_secs(30);

/// The first retry comes after up to this, the last after up to [`LONGEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_secs(2);

/// See [`FIRST_RETRY`].
const LONGEST_RETRY: Duration = Duration::from_secs(900);

/// The pace of a destination's retries.
pub fn retry_policy(max_attempts: u32) -> RetryPolicy {
    RetryPolicy {
        initial: FIRST_RETRY,
        ceiling: LONGEST_RETRY,
        max_attempts,
    }
}

/// What every job begins with.
pub struct JobHead {
    /// How rows are read.
    pub rows: Rows,
    /// The vendor's limits, as calls are made under them.
    pub throttle: Throttle,
}

impl JobHead {
    /// What `map` makes of a leased row; it is also told whether anonymous rows are allowed.
    ///
    /// # Errors
    /// The outcome of a row that can't be read or mapped: a dead letter.
    pub fn mapped<T>(
        &self,
        lease: &Lease,
        map: impl FnOnce(&Change, bool) -> Result<T, Outcome>,
    ) -> Result<T, Outcome> {
        map(&self.rows.decode(lease)?, self.rows.anonymous_allowed)
    }
}

/// What applies changes to a destination.
#[async_trait]
pub trait Job: Send + Sync {
    /// What it begins with.
    fn head(&self) -> &JobHead;

    /// Applies a batch.
    async fn apply(&self, batch: &Batch) -> Verdicts;
}

/// Learns a vendor's limits for as long as it is polled; the bell rings when they are in doubt.
pub type LimitsFollower = Box<dyn FnOnce(Bell) -> BoxFuture<'static, Infallible> + Send>;

/// A destination's job, and its limits.
pub struct Consumer {
    /// Where it applies changes.
    pub destination: Destination,
    /// From the configuration.
    pub limits: DestinationLimits,
    /// The job.
    pub job: Arc<dyn Job>,
    /// Where the vendor says its limits.
    pub limits_follower: Option<LimitsFollower>,
}

/// A job, as apalis calls it.
async fn apply(batch: Batch, job: Data<Arc<dyn Job>>) -> Verdicts {
    job.apply(&batch).await
}

/// Everything that the roles need. A role whose part is missing (a destination that is switched off) does not
/// run.
pub struct Fleet {
    /// The queue.
    pub queue: Queue,
    /// This process, without spaces.
    pub worker: String,
    /// `worker.lease`.
    pub lease: Duration,
    /// Of the destinations that are switched on.
    pub consumers: Vec<Consumer>,
    /// The producer; `sync` fetches with it by hand.
    pub producer: Arc<Producer>,
    /// The acknowledger.
    pub acknowledger: Acknowledger,
    /// Tells the operators, where they want to be told; whatever the roles.
    pub notifier: Option<Arc<Notifier>>,
    /// What `/readyz` looks at.
    pub heartbeats: Heartbeats,
    /// Where steps are told.
    pub traces: Traces,
    /// What rings when there is something to do; whoever else in this process waits for that has a clone.
    pub bells: Bells,
    /// How to stop it.
    pub stopping: Stopping,
}

impl Fleet {
    /// Runs `roles` until told to stop; then finishes what has begun, for as long as it may, and gives the rest
    /// back.
    ///
    /// # Errors
    /// A worker that ended by itself, which must not leave the process up.
    pub async fn run(self, roles: &[Role]) -> Result<(), FleetError> {
        let bells = self.bells;
        let stopping = self.stopping;
        let closing = stopping.closing.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn({
            let (queue, bells, closing) = (self.queue.clone(), bells.clone(), closing.clone());
            async move { queue.ring(bells, closing).await }
        });
        let publisher = Publisher {
            queue: self.queue.clone(),
            worker: self.worker.clone(),
            info: json!({
                "roles": roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
                "pid": std::process::id(),
            }),
            bell: bells.fleet().clone(),
            notices: bells.notices().clone(),
        };
        let beat = self.heartbeats.register("redis", STUCK);
        tasks.spawn({
            let closing = closing.clone();
            async move { publisher.run(&beat, &closing).await }
        });
        if let Some(notifier) = self.notifier {
            let (bells, closing) = (bells.clone(), closing.clone());
            tasks.spawn(async move { notifier.run(bells.notices(), &closing).await });
        }
        if roles.contains(&Role::Producer) {
            let beat = self.heartbeats.register(Role::Producer.as_str(), STUCK * 4);
            let (producer, bells) = (self.producer, bells.clone());
            tasks.spawn({
                let (producer, closing) = (Arc::clone(&producer), closing.clone());
                async move { producer.keep_sound(&closing).await }
            });
            let closing = closing.clone();
            tasks.spawn(async move { producer.run(bells.producer(), &beat, &closing).await });
        }
        if roles.contains(&Role::Acknowledger) {
            let beat = self
                .heartbeats
                .register(Role::Acknowledger.as_str(), STUCK * 4);
            let (acknowledger, stopping, bells) =
                (self.acknowledger, stopping.clone(), bells.clone());
            tasks.spawn(async move {
                acknowledger
                    .run(bells.of(Vendor::Alumniq), &beat, &stopping)
                    .await;
            });
        }

        let start =
            |destination: Destination, limits: &DestinationLimits, batch: Arc<AtomicUsize>| {
                let queue = self.queue.clone();
                let settings = DriverSettings {
                    destination,
                    worker: self.worker.clone(),
                    concurrency: limits.concurrency as usize,
                    batch,
                    lease: self.lease,
                    retry: retry_policy(limits.max_attempts),
                };
                let bell = bells.of(destination.into()).clone();
                let beat = self.heartbeats.register(destination.as_str(), STUCK);
                let beat: Arc<dyn Fn() + Send + Sync> = Arc::new(move || beat.beat());
                let (stopping, traces) = (stopping.clone(), self.traces.clone());
                move || {
                    let traces = traces.clone();
                    Driver::start(
                        queue.clone(),
                        settings.clone(),
                        bell.clone(),
                        Arc::new(move |attempted: &Attempted<'_>| {
                            attempts::observe(attempted, &traces);
                        }),
                        Arc::clone(&beat),
                        stopping.clone(),
                    )
                }
            };
        // A worker that ends by itself is a defect: better a process that exits and is started again.
        let mut monitor = Monitor::new().should_restart(|_, _| false);
        let mut consumers = self.consumers;
        consumers.retain(|consumer| roles.contains(&Role::Consumer(consumer.destination)));
        let consumes = !consumers.is_empty();
        for Consumer {
            destination,
            limits,
            job,
            limits_follower,
        } in consumers
        {
            let driver = start(destination, &limits, Arc::clone(&job.head().throttle.batch));
            if let Some(follow) = limits_follower {
                let (following, closing) = (follow(bells.limits().clone()), closing.clone());
                // The question changes nothing at the vendor: its answer need not be waited for.
                tasks.spawn(async move {
                    let _ = closing.run_until_cancelled(following).await;
                });
            }
            monitor = monitor.register(move |_| {
                WorkerBuilder::new(destination.as_str())
                    .backend(LeaseBackend::new(driver()))
                    .data(Arc::clone(&job))
                    .build(apply)
            });
        }
        let context = monitor.context();
        let stop = closing.clone();
        tokio::spawn(async move {
            stop.cancelled().await;
            // It fails only when it is stopping already.
            let _ = context.shutdown();
        });
        // A monitor that has no workers ends at once.
        let ended = if consumes {
            monitor.run().await
        } else {
            closing.cancelled().await;
            Ok(())
        };
        let by_itself = !closing.is_cancelled();
        closing.cancel();
        while tasks.join_next().await.is_some() {}
        self.traces.finish().await;
        match ended {
            Ok(()) if !by_itself => Ok(()),
            Ok(()) => Err(FleetError(
                "a worker ended although nobody stopped it".to_owned(),
            )),
            Err(error) => Err(FleetError(error.to_string())),
        }
    }
}

/// The workers ended by themselves.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FleetError(String);
