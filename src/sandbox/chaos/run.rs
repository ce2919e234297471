//! Everything that takes part: from its set-up to the summary.

mod acts;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    path::PathBuf,
    time::{Duration, Instant},
};

use miette::{IntoDiagnostic, miette};
use queue::{Queue, stats::Status};

use super::{
    door::{Behind, ChaosProxy},
    fault::ChaosFault,
    plan::{ChaosParameters, ChaosPlan},
    possible::{Here, LeftOut},
    processes::{self, FleetProgram, Processes},
    redis::{self, ChaosRedis},
    setting,
    summary::{ChaosSummary, Counts, Done, Evidence},
    watch::{QueueObserver, dead_changes},
};
use crate::{Limits, Report, Sandbox, SandboxOptions, Urls, Vendor};

/// How often dead processes are started again and the progress is shown.
const TICK: Duration = Duration::from_millis(250);

/// Outages last so much longer than all attempts of a change can be spread over.
const BEYOND_RETRIES: Duration = Duration::from_millis(500);

/// After so long without an acknowledgement, everything up, it is given up.
const STALLED: Duration = Duration::from_secs(150);

/// How many suspects a summary names.
const SUSPECTS: usize = 4;

/// What a run is made of.
#[derive(Debug, Clone)]
pub struct ChaosOptions {
    /// The same seed draws the same schedule.
    pub seed: u64,
    /// Changes altogether.
    pub changes: usize,
    /// People they belong to.
    pub people: usize,
    /// Processes that share the work.
    pub workers: usize,
    /// What may happen.
    pub faults: BTreeSet<ChaosFault>,
    /// An operator's Redis; `None`: the run starts one.
    pub redis: Option<String>,
    /// Where the processes write their logs; `None`: nowhere.
    pub logs: Option<PathBuf>,
    /// An empty directory for everything else; the caller removes it.
    pub directory: PathBuf,
    /// What the fleet runs.
    pub program: FleetProgram,
    /// Over how long the fleet spreads the [`ATTEMPTS`](super::ATTEMPTS) of a change at most.
    pub retries: Duration,
}

/// What a run tells while it is played.
#[derive(Debug)]
pub enum ChaosEvent<'e> {
    /// A line for people.
    Line(&'e str),
    /// How far the changes are.
    Progress {
        /// Changes acknowledged.
        acknowledged: u64,
        /// Changes with a dead letter.
        dead: u64,
    },
}

/// The whole play.
pub struct ChaosRun {
    options: ChaosOptions,
    plan: ChaosPlan,
    left_out: Vec<LeftOut>,
    sandbox: Sandbox,
    doors: BTreeMap<Vendor, ChaosProxy>,
    redis: ChaosRedis,
    relay_toml: String,
    environment: BTreeMap<OsString, OsString>,
    processes: Processes,
    counts: Counts,
    done: Vec<Done>,
}

impl ChaosRun {
    /// Puts everything up; no process of the fleet runs yet.
    ///
    /// # Errors
    ///
    /// A server, a port or a file cannot be had.
    pub async fn set(options: ChaosOptions) -> miette::Result<Self> {
        let theirs = match &options.redis {
            Some(url) => Some((url.clone(), redis::door(url).into_diagnostic()?)),
            None => None,
        };
        let faketime = processes::faketime().filter(|_| options.faults.contains(&ChaosFault::Skew));
        let here = Here {
            own_redis: theirs.is_none(),
            redis_door: theirs.as_ref().is_some_and(|(_, door)| door.is_some()),
            faketime: faketime.is_some(),
        };
        let (faults, left_out) = here.divide(&options.faults);
        let plan = ChaosPlan::draw(
            options.seed,
            &ChaosParameters {
                changes: options.changes,
                workers: options.workers,
                lease: setting::LEASE,
                outage: options.retries + BEYOND_RETRIES,
                faults: faults.clone(),
            },
        );
        let vendors = SandboxOptions {
            seed: options.seed,
            changes: plan.first_changes,
            people: options.people,
            limits: Limits {
                rate_per_minute: 0,
                ..Limits::default()
            },
            faults: setting::faults(&faults),
            ..SandboxOptions::default()
        };
        let (days, timezone) = (vendors.days, vendors.timezone.clone());
        let sandbox = Sandbox::start(vendors).await.into_diagnostic()?;
        let (doors, urls) = doors(&sandbox)?;
        let namespace = namespace(options.seed);
        let relay_toml = setting::relay_toml(&namespace, &urls, days, &timezone, options.changes);
        let directory = &options.directory;
        std::fs::write(directory.join("relay.toml"), &relay_toml).into_diagnostic()?;

        let (redis, url, url_of_fleet) = match theirs {
            None => {
                let server = redis::own_server(directory).await?;
                let url = server.url();
                (ChaosRedis::Own(server), url.clone(), url)
            }
            Some((url, Some((door, through)))) => (ChaosRedis::Theirs(Some(door)), url, through),
            Some((url, None)) => (ChaosRedis::Theirs(None), url.clone(), url),
        };
        Ok(Self {
            processes: Processes::new(
                options.program.clone(),
                options.workers,
                directory,
                options.logs.clone(),
                setting::environment(&url_of_fleet),
                faketime,
            )?,
            environment: setting::environment(&url),
            options,
            plan,
            left_out,
            sandbox,
            doors,
            redis,
            relay_toml,
            counts: Counts::default(),
            done: Vec::new(),
        })
    }

    /// The namespace in Redis, which must be empty before and is removed afterwards.
    pub fn namespace(&self) -> String {
        namespace(self.options.seed)
    }

    /// The fleet's `relay.toml`, without secrets.
    pub fn relay_toml(&self) -> &str {
        &self.relay_toml
    }

    /// The variables that go with it, here with Redis as it is reached when the fleet is cut off.
    pub fn environment(&self) -> &BTreeMap<OsString, OsString> {
        &self.environment
    }

    /// Plays it to its end. `queue` is the fleet's; `tell` is called with what happens.
    ///
    /// # Errors
    ///
    /// A process or server cannot be started, Redis is away for good, or `tell` fails.
    pub async fn play(
        &mut self,
        queue: &Queue,
        tell: impl AsyncFn(ChaosEvent<'_>) -> miette::Result<()>,
    ) -> miette::Result<ChaosSummary> {
        tell(ChaosEvent::Line(&self.opening())).await?;
        let watch = QueueObserver::start(queue);
        let started = Instant::now();
        self.processes.revive()?;
        // The plan's clock stands still while something is done, so that nothing lasts shorter than planned.
        let mut standing_still = Duration::ZERO;
        for step in self.plan.steps.clone() {
            while started.elapsed() < step.at + standing_still {
                let left = step.at + standing_still - started.elapsed();
                self.tick(&watch, &tell).await?;
                tokio::time::sleep(left.min(TICK)).await;
            }
            let began = Instant::now();
            self.perform(step, &watch, &tell).await?;
            standing_still += began.elapsed();
        }
        let (status, stalled) = self.end(&watch, &tell).await?;
        let seconds = started.elapsed().as_secs_f64();
        self.summary(&watch, &status, stalled, seconds).await
    }

    fn opening(&self) -> String {
        let ChaosOptions {
            seed,
            changes,
            people,
            workers,
            retries,
            ref directory,
            ..
        } = self.options;
        let mut text = format!(
            "seed {seed}: {changes} changes of {people} people, {workers} processes, everything in {}\n\
             a change's {} attempts are spread over {} s at the most; each outage lasts longer: {} s\n",
            directory.display(),
            setting::ATTEMPTS,
            retries.as_secs(),
            (retries + BEYOND_RETRIES).as_secs_f64(),
        );
        for LeftOut { fault, why } in &self.left_out {
            text += &format!("left out: {fault} ({why})\n");
        }
        text
    }

    /// What goes on all the time.
    async fn tick(
        &mut self,
        watch: &QueueObserver,
        tell: &impl AsyncFn(ChaosEvent<'_>) -> miette::Result<()>,
    ) -> miette::Result<usize> {
        self.processes.revive()?;
        self.counts.starts = self.processes.started as u64;
        let acknowledged = self.sandbox.report().acknowledged;
        tell(ChaosEvent::Progress {
            acknowledged: acknowledged as u64,
            dead: watch.seen().most_dead.unsigned_abs(),
        })
        .await?;
        Ok(acknowledged)
    }

    /// Until everything is through, or nothing moves; the queue's last words, and whether nothing moved.
    async fn end(
        &mut self,
        watch: &QueueObserver,
        tell: &impl AsyncFn(ChaosEvent<'_>) -> miette::Result<()>,
    ) -> miette::Result<(Status, bool)> {
        let changes = self.options.changes;
        let mut last = (0, Instant::now());
        loop {
            let acknowledged = self.tick(watch, tell).await?;
            if acknowledged != last.0 {
                last = (acknowledged, Instant::now());
            }
            let stalled = last.1.elapsed() > STALLED;
            if let Some(status) = watch.look().await {
                let dead = usize::try_from(status.books.dead).unwrap_or(0);
                let through = acknowledged + dead >= changes && status.books.in_flight == 0;
                if through || stalled {
                    return Ok((status, !through));
                }
            } else if stalled {
                return Err(miette!("Redis does not answer any more"));
            }
            tokio::time::sleep(TICK).await;
        }
    }

    async fn summary(
        &self,
        watch: &QueueObserver,
        status: &Status,
        stalled: bool,
        seconds: f64,
    ) -> miette::Result<ChaosSummary> {
        let report = self.sandbox.report();
        let seen = watch.seen();
        let dead = dead_changes(watch.queue()).await.into_diagnostic()?;
        let evidence = Evidence {
            report: &report,
            seen: &seen,
            counts: &self.counts,
            books: status.books,
            dead: &dead,
            in_flight: setting::in_flight(self.options.changes),
            stalled,
        };
        Ok(ChaosSummary {
            seed: self.options.seed,
            changes: self.options.changes,
            people: self.options.people,
            workers: self.options.workers,
            seconds,
            acknowledged: report.acknowledged,
            refused_settles: seen.refused_settles,
            repeats: report.repeated(),
            answers_lost: report.traffic.lost_answers,
            counts: self.counts.clone(),
            left_out: self.left_out.clone(),
            schedule: self.done.clone(),
            promises: evidence.verdicts(),
            suspects: suspects(&report, &dead),
            timelines: Vec::new(),
            status: stalled.then(|| status.clone()),
        })
    }

    /// Takes everything down again; `queue` is the one it was played with.
    ///
    /// # Errors
    ///
    /// The namespace cannot be removed.
    pub async fn clear(self, queue: &Queue) -> miette::Result<()> {
        self.processes.end().await;
        let emptied = match self.redis {
            ChaosRedis::Own(server) => {
                drop(server);
                Ok(())
            }
            ChaosRedis::Theirs(_) => queue.empty().await.map(|_| ()),
        };
        self.sandbox.stop().await;
        emptied.into_diagnostic()
    }
}

fn namespace(seed: u64) -> String {
    format!("chaos-{seed}")
}

/// The first changes that tell of a broken promise.
fn suspects(report: &Report, dead: &[String]) -> Vec<String> {
    let breaches = report.inversions.iter().chain(&report.stale_overwrites);
    let told = breaches.flat_map(|breach| [&breach.change_id, &breach.newer_change_id]);
    let lost = report
        .acknowledged_early
        .iter()
        .chain(&report.unacknowledged);
    let all = told.chain(lost).chain(dead);
    all.take(SUSPECTS).cloned().collect()
}

/// A door for each vendor, and the vendors' addresses through them.
fn doors(sandbox: &Sandbox) -> miette::Result<(BTreeMap<Vendor, ChaosProxy>, Urls)> {
    let behind = sandbox.addr().to_string();
    let mut doors = BTreeMap::new();
    let mut through = |vendor, url: String| -> miette::Result<String> {
        let door = ChaosProxy::new(Behind::Tcp(behind.clone())).into_diagnostic()?;
        let url = url.replace(&behind, &door.address().to_string());
        doors.insert(vendor, door);
        Ok(url)
    };
    let urls = sandbox.urls();
    let urls = Urls {
        alumniq: through(Vendor::Alumniq, urls.alumniq)?,
        crm: through(Vendor::Crm, urls.crm)?,
        salsa: through(Vendor::Salsa, urls.salsa)?,
    };
    Ok((doors, urls))
}
