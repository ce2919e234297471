//! The apalis backend over the leases of one destination.
//!
//! apalis gives workers, layers and their life cycle; what must survive a crash lies in Redis and is moved by
//! the loops of [`driver`](super::driver). The backend only hands their batches on, and its [`SettleLayer`]
//! hands the verdicts back. It never surfaces a Redis error: the monitor would restart workers in a hot loop.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::{Instant, SystemTime},
};

use apalis::prelude::{Backend, RandomId, Task, WorkerContext};
use apalis_core::backend::{BackendConfig, finalize::Ephemeral};
use jobs::outcome::{Blame, Outcome};
use tokio::sync::mpsc;
use tower::{Layer, Service};

use super::{
    batch::{Batch, Verdicts},
    driver::{Driver, Finished},
};

/// A backend for one worker.
pub struct LeaseBackend {
    driver: Driver,
}

impl LeaseBackend {
    /// A backend over the loops of `driver`.
    pub fn new(driver: Driver) -> Self {
        Self { driver }
    }
}

impl Backend for LeaseBackend {
    type Task = Task<Batch>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        self.driver
            .poll_batch(cx)
            .map(|batch| batch.map(|batch| Ok(Task::new(batch))))
    }

    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        self.driver.poll_close(cx).map(Ok)
    }
}

impl BackendConfig for LeaseBackend {
    type Args = Batch;
    type Id = RandomId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = SettleLayer;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> SettleLayer {
        SettleLayer {
            finished: self.driver.finished(),
        }
    }
}

/// Runs each batch in a task of its own, so that batches use every core and a panic stays with its batch, and
/// hands the verdicts back to the driver.
#[derive(Clone)]
pub struct SettleLayer {
    finished: mpsc::Sender<Finished>,
}

impl<S> Layer<S> for SettleLayer {
    type Service = Settle<S>;

    fn layer(&self, inner: S) -> Settle<S> {
        Settle {
            inner,
            finished: self.finished.clone(),
        }
    }
}

/// See [`SettleLayer`].
pub struct Settle<S> {
    inner: S,
    finished: mpsc::Sender<Finished>,
}

impl<S> Service<Task<Batch>> for Settle<S>
where
    S: Service<Task<Batch>, Response = Verdicts>,
    S::Future: Send + 'static,
    S::Error: std::fmt::Display + Send + 'static,
{
    type Response = ();
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<(), Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A service that says it failed says it again of each batch, where the change can be named.
        self.inner.poll_ready(cx).map(|_| Ok(()))
    }

    fn call(&mut self, task: Task<Batch>) -> Self::Future {
        let batch = task.args.clone();
        let finished = self.finished.clone();
        let (began, started) = (SystemTime::now(), Instant::now());
        let job = tokio::spawn(self.inner.call(task));
        Box::pin(async move {
            let verdicts = match job.await {
                Ok(Ok(verdicts)) if verdicts.len() == batch.leases.len() => verdicts,
                // A panic's message may hold a row's data: it stays on stderr.
                Err(error) if error.is_panic() => failed(&batch, "the job panicked"),
                Ok(Ok(_)) => failed(&batch, "the job did not answer for every change"),
                Ok(Err(error)) => failed(&batch, &format!("the job failed: {error}")),
                Err(_) => vec![None; batch.leases.len()],
            };
            // The driver's rounds outlive every batch; they are gone only when the process is.
            let _ = finished
                .send(Finished {
                    batch,
                    verdicts,
                    begun: Some(began),
                    took: started.elapsed(),
                })
                .await;
            Ok(())
        })
    }
}

fn failed(batch: &Batch, cause: &str) -> Verdicts {
    let outcome = Outcome::Retry {
        after: None,
        cause: cause.to_owned(),
        blame: Blame::Change,
    };
    vec![Some(outcome); batch.leases.len()]
}
