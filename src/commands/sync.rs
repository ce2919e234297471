//! `sync`: one fetch now, and with `--wait` everything that follows from it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use miette::{IntoDiagnostic, miette};
use queue::{Queue, QueueError, stopping::Stopping, timeline::Settled};
use serde::Serialize;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use utoipa::ToSchema;

use super::{
    assemble, context::Context, joined, metrics_file::MetricsFile, progress::ProgressDisplay,
    signals,
};
use crate::{
    cli::{GlobalArgs, pipeline::SyncArgs},
    exit::Exit,
    observe::Heartbeats,
    pipeline::{
        fleet::Fleet,
        producer::{ChangeIds, FetchError, Fetched, Producer},
        publisher::publish_last,
        roles::Role,
    },
    vendors::FeedFilter,
};

/// How often the changes that are waited for are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How soon they are looked at again once this process has acknowledged changes, which may be the last.
const SOON: Duration = Duration::from_millis(20);

/// How many changes one look asks for.
const CHANGES_A_LOOK: usize = 2_000;

/// How many looks at a full Redis end the wait for room once nothing is on the way. Redis takes some seconds to
/// give back what long commands took.
const NO_ROOM: u32 = 5;

/// `sync --json`.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct SyncSummary {
    /// Rows of the feed.
    fetched: u64,
    /// Those that were new.
    enqueued: u64,
    /// Those that were known.
    duplicates: u64,
    /// Told to AlumnIQ, with --wait.
    acknowledged: u64,
    /// Those that need a person, with --wait.
    dead: u64,
    /// How long it took.
    seconds: f64,
}

/// Fetches; waits where asked to.
pub async fn run(global: &GlobalArgs, arguments: SyncArgs) -> miette::Result<Exit> {
    let context = Context::load(global)?;
    let file = arguments.metrics_file.as_ref();
    let file = file.map(|path| MetricsFile::at(path, context.config.namespace.as_str()));
    let file = file.transpose()?;
    let ended = sync(global, &context, arguments).await;
    match file {
        Some(file) => file.close(ended),
        None => ended,
    }
}

/// Says how the command ends.
async fn sync(global: &GlobalArgs, context: &Context, arguments: SyncArgs) -> miette::Result<Exit> {
    let stopping = Stopping::default();
    let closing = &stopping.closing;
    signals::drain_on_signal(closing)?;
    let redis = closing.run_until_cancelled(context.open_to_write());
    let redis = redis.await.ok_or_else(interrupted)??;
    let filter = super::asked_for(arguments.only);
    let outcome = async {
        redis.log_weaknesses();
        let beats = Heartbeats::default();
        let fleet = assemble::fleet(context, &redis.queue, beats, &stopping, true)?;
        let notifier = fleet.notifier.clone().filter(|_| arguments.wait);
        let started = Instant::now();
        let summary = if arguments.wait {
            let progress = |total| ProgressDisplay::new(total, global.quiet);
            fetch_and_wait(context, &redis.queue, fleet, filter, progress, &stopping).await?
        } else {
            let fetched = fleet.producer.fetch_once(filter, false, closing).await;
            fleet.traces.finish().await;
            SyncSummary::of(&fetched.map_err(unfetched)?)
        };
        if let Some(notifier) = notifier {
            notifier.last_word().await;
        }
        Ok::<_, miette::Report>(SyncSummary {
            seconds: started.elapsed().as_secs_f64(),
            ..summary
        })
    }
    .await;
    if arguments.metrics_file.is_some() {
        publish_last(&redis.queue).await;
    }
    redis.close().await?;
    let summary = outcome?;
    super::print(&if arguments.json {
        format!("{}\n", serde_json::to_string(&summary).into_diagnostic()?)
    } else {
        summary.sentence(arguments.wait)
    })?;
    Ok(if summary.dead > 0 {
        Exit::NeedsAPerson
    } else {
        Exit::Good
    })
}

impl SyncSummary {
    fn of(fetched: &Fetched) -> Self {
        Self {
            fetched: fetched.rows,
            enqueued: fetched.taken.enqueued,
            duplicates: fetched.taken.duplicates
                + fetched.taken.listed_again
                + fetched.taken.corrected,
            ..Self::default()
        }
    }

    fn sentence(&self, waited: bool) -> String {
        let Self {
            fetched,
            enqueued,
            duplicates,
            acknowledged,
            dead,
            seconds,
        } = self;
        let mut text = format!(
            "{fetched} fetched: {enqueued} new, {duplicates} known already ({seconds:.1} s)\n"
        );
        if waited {
            text += &format!("{acknowledged} acknowledged, {dead} dead letters\n");
        }
        if *dead > 0 {
            text += "See why with `alumniq-relay dead list`; bring them back with `alumniq-relay dead replay`.\n";
        }
        text
    }
}

/// Runs every role here until all that is fetched is acknowledged or dead.
async fn fetch_and_wait(
    context: &Context,
    queue: &Queue,
    fleet: Fleet,
    filter: Option<FeedFilter>,
    progress: impl Fn(usize) -> ProgressDisplay,
    stopping: &Stopping,
) -> miette::Result<SyncSummary> {
    // The fleet does not run its producer: this command fetches by hand, once.
    let producer = Arc::clone(&fleet.producer);
    let acknowledged = Arc::clone(&fleet.acknowledger.acknowledged);
    let roles: Vec<Role> = Role::carriers()
        .filter(|role| *role != Role::Producer)
        .collect();
    let workers = AbortOnDropHandle::new(tokio::spawn(async move { fleet.run(&roles).await }));

    let closing = &stopping.closing;
    let fetch = || fetch(&producer, queue, filter.clone(), closing);
    // A fetch knows itself where it may be interrupted.
    let fetched = fetch().await;
    let waited = tokio::select! {
        biased;
        () = closing.cancelled() => Err(interrupted()),
        waited = async {
            let fetched = fetched?;
            let mut summary = SyncSummary::of(&fetched);
            let mut open = Open::of(fetched);
            let progress = progress(open.behind.len());
            while open.fill() {
                let Ok(forgotten) = look(queue, &mut open, &mut summary).await else {
                    // Redis is away; the workers say so in the log, and it comes back or we are stopped.
                    tokio::time::sleep(LOOK * 5).await;
                    continue;
                };
                // Nothing is applied before everything was read again, whatever this command was asked for.
                let rolled_back = queue.producer_record().await;
                let rolled_back = rolled_back.is_ok_and(|record| record.rolled_back.is_some());
                if rolled_back && filter.is_some() {
                    self::fetch(&producer, queue, None, closing).await?;
                }
                if forgotten || rolled_back {
                    tracing::warn!("Redis was emptied, or went back in time: fetching again what AlumnIQ still lists");
                    open = Open::of(fetch().await?);
                    // What is dead still is among what was fetched again.
                    summary.dead = 0;
                }
                progress.show(summary.acknowledged, summary.dead, queue).await;
                if open.fill() {
                    tokio::time::sleep(SOON).await;
                    // Another process may acknowledge them: of that nothing is heard here.
                    let _ = tokio::time::timeout(LOOK - SOON, acknowledged.notified()).await;
                }
            }
            progress.finish();
            Ok(summary)
        } => waited,
    };
    stopping.closing.cancel();
    let limit = context.config.worker.drain;
    if let Some(ended) = signals::within_drain(workers, stopping, limit).await {
        joined(ended)?.into_diagnostic()?;
    }
    waited
}

/// One fetch. A full Redis gets room while the workers beside it empty the queue: as long as there is something
/// on the way, it is waited for, and then a little longer.
async fn fetch(
    producer: &Producer,
    queue: &Queue,
    filter: Option<FeedFilter>,
    closing: &CancellationToken,
) -> miette::Result<Fetched> {
    let mut in_vain = 0;
    loop {
        match producer.fetch_once(filter.clone(), true, closing).await {
            Err(FetchError::Full) if in_vain < NO_ROOM => {
                in_vain = if on_the_way(queue).await {
                    0
                } else {
                    in_vain + 1
                };
                tokio::time::sleep(LOOK * 5).await;
            }
            fetched => return fetched.map_err(unfetched),
        }
    }
}

/// Whether the queue may still make room by itself; it may where Redis does not say.
async fn on_the_way(queue: &Queue) -> bool {
    let status = queue.status().await;
    status.map_or(true, |status| status.books.in_flight > 0)
}

fn interrupted() -> miette::Report {
    super::interrupted(
        "what is not acknowledged stays in the queue or in AlumnIQ's list; run the command again",
    )
}

fn unfetched(error: FetchError) -> miette::Report {
    if let FetchError::Stopped = error {
        return interrupted();
    }
    miette!(
        help = "what was taken in stays in the queue, and AlumnIQ lists the rest until it is told: mend that, then \
                run the command again",
        "{error}"
    )
}

/// What is waited for.
struct Open {
    /// What is looked at.
    ahead: Vec<String>,
    /// What comes then.
    behind: ChangeIds,
}

impl Open {
    fn of(fetched: Fetched) -> Self {
        Self {
            ahead: Vec::new(),
            behind: fetched.change_ids.unwrap_or_default(),
        }
    }

    /// As many are looked at as may be; says whether there are any.
    fn fill(&mut self) -> bool {
        let room = CHANGES_A_LOOK - self.ahead.len();
        self.ahead.extend(self.behind.by_ref().take(room));
        !self.ahead.is_empty()
    }
}

/// Takes what is settled out of `open`; says whether Redis has forgotten any of it.
async fn look(
    queue: &Queue,
    open: &mut Open,
    summary: &mut SyncSummary,
) -> Result<bool, QueueError> {
    let mut states = queue.settled(&open.ahead).await?.into_iter();
    let mut forgotten = false;
    open.ahead.retain(|_| {
        match states.next() {
            None | Some(Settled::Not) => return true,
            Some(Settled::Closed) => summary.acknowledged += 1,
            Some(Settled::Dead) => summary.dead += 1,
            Some(Settled::Unknown) => forgotten = true,
        }
        false
    });
    Ok(forgotten)
}
