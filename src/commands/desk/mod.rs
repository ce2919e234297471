//! Where an operator's command goes: to Redis, as the configuration says, or with `--server` to a process of the
//! fleet. What is printed and how it ends is the same.

mod bulk;
mod server;

use std::{sync::atomic::AtomicU64, time::Duration};

use jobs::destination::Vendor;
use miette::{IntoDiagnostic, miette};
use queue::{
    audit::{Actor, Handling},
    letters::{Handled, Letter, LetterGroup, LetterPage, LetterRef, Order},
    stats::Status,
    timeline::Timeline,
};

use tokio_util::sync::CancellationToken;

use self::server::Server;
use super::{
    assemble,
    context::{Context, Redis, operator},
};
use crate::{
    cli::Global,
    operations::{
        Operations,
        dead_letters::{DeadLetterFilter, LetterName, SelectError},
        erase::PersonErased,
        rate::Rate,
        reason::Reason,
        reconcile::{Days, Reconciled},
    },
};

/// Where it goes.
pub enum Desk {
    /// Straight to Redis.
    Redis(Box<Here>),
    /// To a process that serves the API.
    Server(Box<Server>),
}

/// The configuration's Redis.
pub struct Here {
    redis: Redis,
    operations: Operations,
    namespace: String,
    by: Actor,
    /// `worker.lease`.
    lease: Duration,
    is_quiet: bool,
}

/// What a command does with the queue.
#[derive(Debug, Clone, Copy)]
pub enum Access {
    /// It only looks.
    Read,
    /// It may change something.
    Write,
}

/// What is done with dead letters.
#[derive(Debug, Clone)]
pub enum Action {
    /// Back to work.
    Replay {
        /// Even over a newer change.
        apply_stale: bool,
    },
    /// Given up.
    Discard {
        /// Why.
        reason: Reason,
        /// AlumnIQ is not told.
        keep_unacknowledged: bool,
    },
}

/// How an action ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// What became of the letters.
    pub handled: Handled,
    /// Somebody called it off: the rest stays as it is.
    pub cancelled: bool,
}

impl Desk {
    /// As the flags say.
    pub async fn open(global: &Global, access: Access) -> miette::Result<Self> {
        Self::open_for(global, access, server::TIMEOUT).await
    }

    /// The same for what takes a while: AlumnIQ is asked, or Redis' files are rewritten.
    pub async fn open_patiently(global: &Global, access: Access) -> miette::Result<Self> {
        Self::open_for(global, access, server::PATIENCE).await
    }

    async fn open_for(global: &Global, access: Access, timeout: Duration) -> miette::Result<Self> {
        if let Some(server) = Server::of(global, timeout)? {
            return Ok(Self::Server(Box::new(server)));
        }
        let context = Context::load(global)?;
        let redis = match access {
            Access::Read => context.open_to_read().await?,
            Access::Write => context.open_to_write().await?,
        };
        Ok(Self::Redis(Box::new(Here {
            namespace: context.config.namespace.as_str().to_owned(),
            operations: assemble::operations(&context, &redis.queue)?,
            redis,
            by: operator(),
            lease: context.config.worker.lease,
            is_quiet: global.quiet,
        })))
    }

    /// Lets go of it.
    pub async fn close(self) -> miette::Result<()> {
        match self {
            Self::Redis(here) => {
                let Here {
                    redis, operations, ..
                } = *here;
                drop(operations);
                redis.close().await
            }
            Self::Server(_) => Ok(()),
        }
    }

    /// Everything at a glance.
    pub async fn status(&self) -> miette::Result<Status> {
        match self {
            Self::Redis(here) => here.operations.status().await.into_diagnostic(),
            Self::Server(server) => server.status().await,
        }
    }

    /// One change; `None` where nothing is known of it.
    pub async fn timeline(&self, change_id: &str) -> miette::Result<Option<Timeline>> {
        match self {
            Self::Redis(here) => here.operations.timeline(change_id).await.into_diagnostic(),
            Self::Server(server) => server.timeline(change_id).await,
        }
    }

    /// The dead letters of one change.
    pub async fn letters_of(&self, change_id: &str) -> miette::Result<Vec<Letter>> {
        match self {
            Self::Redis(here) => here
                .operations
                .letters_of(change_id)
                .await
                .into_diagnostic(),
            Self::Server(server) => {
                let timeline = server.timeline(change_id).await?;
                Ok(timeline.map_or_else(Vec::new, |timeline| timeline.letters))
            }
        }
    }

    /// A page of dead letters.
    pub async fn letters(
        &self,
        order: Order,
        filter: &DeadLetterFilter,
        cursor: Option<&LetterRef>,
        limit: usize,
    ) -> miette::Result<LetterPage> {
        match self {
            Self::Redis(here) => here
                .operations
                .letters(order, filter, cursor, limit)
                .await
                .into_diagnostic(),
            Self::Server(server) => server.letters(order, filter, cursor, limit).await,
        }
    }

    /// Dead letters by their causes, the most frequent first.
    pub async fn groups(&self, filter: &DeadLetterFilter) -> miette::Result<Vec<LetterGroup>> {
        match self {
            Self::Redis(here) => here
                .operations
                .letter_groups(filter)
                .await
                .into_diagnostic(),
            Self::Server(server) => server.groups(filter).await,
        }
    }

    /// How many letters would be handled.
    pub async fn count(&self, ids: &[String], filter: &DeadLetterFilter) -> miette::Result<u64> {
        match self {
            Self::Redis(here) if ids.is_empty() => here
                .operations
                .count_letters(filter)
                .await
                .into_diagnostic(),
            Self::Redis(here) => Ok(here.select(ids, filter).await?.len() as u64),
            Self::Server(server) => server.count(names(ids), filter).await,
        }
    }

    /// Handles letters. With `rate` no faster. A bulk is cancelled once `interrupted` is.
    pub async fn handle(
        &self,
        action: &Action,
        ids: &[String],
        filter: &DeadLetterFilter,
        rate: Option<Rate>,
        interrupted: &CancellationToken,
    ) -> miette::Result<Ended> {
        match self {
            // A filter may match any number: that is a bulk's work.
            _ if ids.is_empty() => self.bulk(action, filter, rate, interrupted).await,
            Self::Redis(here) => {
                let handled = here.handle(action, ids, filter, rate).await?;
                Ok(Ended {
                    handled,
                    cancelled: false,
                })
            }
            Self::Server(server) => server.handle(action, names(ids), filter).await,
        }
    }

    /// Shuts a gate until it is opened by hand.
    pub async fn pause(&self, vendor: Vendor) -> miette::Result<()> {
        match self {
            Self::Redis(here) => here
                .operations
                .pause(vendor, &here.by)
                .await
                .map(drop)
                .into_diagnostic(),
            Self::Server(server) => server.gate(vendor, "pause").await,
        }
    }

    /// Opens a gate.
    pub async fn resume(&self, vendor: Vendor) -> miette::Result<()> {
        match self {
            Self::Redis(here) => here
                .operations
                .resume(vendor, &here.by)
                .await
                .map(drop)
                .into_diagnostic(),
            Self::Server(server) => server.gate(vendor, "resume").await,
        }
    }
}

impl Desk {
    /// What it works on, for people.
    pub fn name(&self) -> &str {
        match self {
            Self::Redis(here) => &here.namespace,
            Self::Server(server) => server.url(),
        }
    }

    /// Whether nothing but errors is shown.
    fn is_quiet(&self) -> bool {
        match self {
            Self::Redis(here) => here.is_quiet,
            Self::Server(server) => server.is_quiet(),
        }
    }

    /// Holds the books against AlumnIQ's feed; `fix`: and mends what is safe to mend.
    pub async fn reconcile(&self, days: Days, fix: bool) -> miette::Result<Reconciled> {
        match self {
            Self::Redis(here) => {
                let by = fix.then_some(&here.by);
                here.operations.reconcile(days, by).await.map_err(|error| {
                    miette!(
                        help = "what was mended by then stays mended: run the command again once that works",
                        "{error}"
                    )
                })
            }
            Self::Server(server) => server.reconcile(days, fix).await,
        }
    }

    /// Removes one person's data; AlumnIQ is told of what was open unless `keep_unacknowledged`.
    pub async fn erase(
        &self,
        xid: &str,
        reason: Option<&Reason>,
        keep_unacknowledged: bool,
    ) -> miette::Result<PersonErased> {
        match self {
            Self::Redis(here) => {
                let erased = here
                    .operations
                    .erase(xid, reason, keep_unacknowledged, &here.by)
                    .await;
                erased.map(PersonErased::from).into_diagnostic()
            }
            Self::Server(server) => server.erase(xid, reason, keep_unacknowledged).await,
        }
    }
}

impl Here {
    /// The letters that are named, as far as the filter lets them pass.
    async fn select(
        &self,
        ids: &[String],
        filter: &DeadLetterFilter,
    ) -> miette::Result<Vec<(Vendor, String)>> {
        match self.operations.select(&names(ids), filter).await {
            Ok(selected) => Ok(selected),
            Err(SelectError::Queue(error)) => Err(error).into_diagnostic(),
            Err(error) => Err(miette!(help = "see `alumniq-relay dead list`", "{error}")),
        }
    }

    async fn handle(
        &self,
        action: &Action,
        ids: &[String],
        filter: &DeadLetterFilter,
        rate: Option<Rate>,
    ) -> miette::Result<Handled> {
        let selected = self.select(ids, filter).await?;
        let mut total = Handled::default();
        let entry = AtomicU64::default();
        let handling = Handling {
            by: &self.by,
            bulk: None,
            entry: Some(&entry),
        };
        // With a rate, one at a time.
        let step = rate.map_or(selected.len().max(1), |_| 1);
        let mut pace = rate.map(|rate| tokio::time::interval(rate.interval()));
        for letters in selected.chunks(step) {
            if let Some(pace) = &mut pace {
                pace.tick().await;
            }
            let handled = match action {
                Action::Replay { apply_stale } => {
                    self.operations
                        .replay(letters, *apply_stale, handling)
                        .await
                }
                Action::Discard {
                    reason,
                    keep_unacknowledged,
                } => {
                    self.operations
                        .discard(letters, *keep_unacknowledged, reason, handling)
                        .await
                }
            };
            let handled = handled.into_diagnostic()?;
            total.handled += handled.handled;
            total.gone += handled.gone;
        }
        total.log(match action {
            Action::Replay { .. } => "replayed",
            Action::Discard { .. } => "discarded",
        });
        Ok(total)
    }
}

fn names(ids: &[String]) -> Vec<LetterName> {
    let name = |id: &String| LetterName {
        change_id: id.clone(),
        destination: None,
    };
    ids.iter().map(name).collect()
}
