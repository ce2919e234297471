//! Tells the operators' webhook of changes of state. Every process looks, whatever its roles; a lease sees to it
//! that the fleet says each thing once. Nothing waits for it.

use std::time::{Duration, Instant};

use jobs::{
    notice::{Delivery, Notice, classify},
    retry::RetryPolicy,
};
use queue::{
    Queue, QueueError,
    notices::{NoticeClaim, NoticeEnd, ToTell},
    wake::Bell,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{config::NotifyFormat, observe::metrics, vendors::Webhook};

/// How often the state is looked at while that fails.
const LOOK: Duration = Duration::from_secs(5);

/// How long a notice stays with a process that does not answer: twice what a call may take.
const LEASE: Duration = Duration::from_secs(10);

/// A receiver that is away is tried for ever: what it does not know is what it is there for.
const RETRY: RetryPolicy = RetryPolicy {
    initial: Duration::from_secs(2),
    ceiling: Duration::from_secs(300),
    max_attempts: u32::MAX,
};

/// How long a command that ends may take to tell what it leaves behind.
const LAST_WORD: Duration = Duration::from_secs(10);

/// Tells.
pub struct Notifier {
    /// The queue.
    pub queue: Queue,
    /// Whom.
    pub webhook: Webhook,
    /// In which form.
    pub format: NotifyFormat,
    /// How long a state must last.
    pub after: Duration,
    /// Where people reach a process of the fleet.
    pub console: Option<String>,
}

/// What one look came to.
enum Looked {
    /// The receiver knows one thing more.
    Told,
    /// It could not be told.
    Failed,
    /// Nothing is to be told, for so long at least as the queue knows.
    Quiet(Option<Duration>),
}

impl Notifier {
    /// Until `closing`. `bell` rings when the state has changed.
    pub async fn run(&self, bell: &Bell, closing: &CancellationToken) {
        while !closing.is_cancelled() {
            let pause = match self.step(self.after, closing).await {
                // There may be more, of other subjects.
                Ok(Looked::Told | Looked::Failed) => Duration::ZERO,
                Ok(Looked::Quiet(wait)) => bell.rest(wait),
                Err(error) => {
                    tracing::debug!(%error, "cannot see whether there is something to tell");
                    LOOK
                }
            };
            tokio::select! {
                () = closing.cancelled() => break,
                () = bell.wait(pause, || ()) => {}
            }
        }
    }

    /// For a command that ends: where no process is left that would look later, what is is told at once.
    pub async fn last_word(&self) {
        let telling = async {
            let alone = self.queue.status().await?.workers.is_empty();
            let after = if alone { Duration::ZERO } else { self.after };
            let closing = CancellationToken::new();
            while let Looked::Told = self.step(after, &closing).await? {}
            Ok::<(), QueueError>(())
        };
        match timeout(LAST_WORD, telling).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "cannot tell the webhook"),
            Err(_) => tracing::warn!("the webhook was not told in time: the next run tells it"),
        }
    }

    async fn step(
        &self,
        after: Duration,
        closing: &CancellationToken,
    ) -> Result<Looked, QueueError> {
        let deadline = Instant::now() + LEASE;
        let to_tell = match self.queue.claim_notice(after, LEASE).await? {
            NoticeClaim::Tell(to_tell) => to_tell,
            NoticeClaim::Wait(wait) => return Ok(Looked::Quiet(wait)),
        };
        let ToTell {
            notice,
            attempts,
            now,
            ..
        } = &*to_tell;
        let posting = self
            .webhook
            .post(&notice.id, *now, self.body(notice), Some(deadline));
        let Some(reply) = closing.run_until_cancelled(posting).await else {
            // Whether it arrived, nobody knows: another process tells it again, at once.
            let end = NoticeEnd::Failed {
                delay: Duration::ZERO,
                perhaps_taken: true,
            };
            self.queue.settle_notice(to_tell.lease(), end).await?;
            return Ok(Looked::Failed);
        };
        let delivery = classify(&reply);
        let (event, id) = (notice.event, &*notice.id);
        let destination = notice.destination.map(|destination| destination.as_str());
        let end = match &delivery {
            Delivery::Taken => {
                tracing::info!(
                    event = event.as_str(),
                    destination,
                    id,
                    "the webhook was told"
                );
                NoticeEnd::Taken
            }
            Delivery::Failed {
                after,
                cause,
                perhaps_taken,
            } => {
                let delay = RETRY.delay(*attempts, rand::random(), *after);
                tracing::warn!(
                    event = event.as_str(), destination, id, attempts, %cause, after_ms = delay.as_millis() as u64,
                    "the webhook could not be told: again later"
                );
                NoticeEnd::Failed {
                    delay,
                    perhaps_taken: *perhaps_taken,
                }
            }
        };
        metrics::notification(event, end == NoticeEnd::Taken);
        if !self.queue.settle_notice(to_tell.lease(), end).await? {
            tracing::warn!(
                id,
                "the lease of a notice was lost: another process tells it too"
            );
        }
        Ok(match end {
            NoticeEnd::Taken => Looked::Told,
            NoticeEnd::Failed { .. } => Looked::Failed,
        })
    }

    fn body(&self, notice: &Notice) -> String {
        let console = self.console.as_deref();
        match self.format {
            NotifyFormat::Json => notice.json(console),
            NotifyFormat::Slack => notice.slack(console),
        }
    }
}
