//! Everything that takes part: from its set-up to the summary.

mod acts;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::PathBuf,
    time::{Duration, Instant},
};

use miette::{IntoDiagnostic, miette};
use queue::{Queue, stats::Status};
use sandbox::{Limits, Report, Sandbox, SandboxOptions, Urls, Vendor};

use super::{
    door::{Behind, ChaosProxy},
    plan::{ChaosParameters, ChaosPlan},
    possible::{Here, LeftOut},
    processes::{self, Processes},
    redis::{self, ChaosRedis, OwnServer},
    setting,
    summary::{ChaosSummary, Counts, Done, Evidence},
    watch::QueueObserver,
};
use crate::{
    cli::chaos::{ChaosArgs, ChaosFault},
    commands::{
        context::{self, Context},
        demo::dead_changes,
        progress::ProgressDisplay,
        show,
        temporary::Temporary,
    },
    config,
    pipeline::fleet::retry_policy,
};

/// How often dead processes are started again and the progress is shown.
const TICK: Duration = Duration::from_millis(250);

/// Outages last so much longer than all attempts of a change can be spread over.
const BEYOND_RETRIES: Duration = Duration::from_millis(500);

/// After so long without an acknowledgement, everything up, it is given up.
const STALLED: Duration = Duration::from_secs(150);

/// How many timelines a broken promise shows.
const TIMELINES: usize = 4;

/// What the program of our own Redis is called.
const REDIS_SERVER: &str = "redis-server";

/// The whole play.
pub struct ChaosRun {
    seed: u64,
    arguments: ChaosArgs,
    plan: ChaosPlan,
    left_out: Vec<LeftOut>,
    directory: Temporary,
    sandbox: Sandbox,
    doors: BTreeMap<Vendor, ChaosProxy>,
    redis: ChaosRedis,
    connection: context::Redis,
    processes: Processes,
    progress: ProgressDisplay,
    quiet: bool,
    counts: Counts,
    done: Vec<Done>,
}

impl ChaosRun {
    /// Puts everything up; no process of the fleet runs yet.
    pub async fn set(seed: u64, arguments: ChaosArgs, quiet: bool) -> miette::Result<Self> {
        let directory = Temporary::new("chaos")?;
        let theirs = match &arguments.redis {
            Some(url) => Some((url.clone(), redis::door(url).into_diagnostic()?)),
            None => None,
        };
        let wanted = arguments.wanted();
        let faketime = processes::faketime().filter(|_| wanted.contains(&ChaosFault::Skew));
        let here = Here {
            own_redis: theirs.is_none(),
            redis_door: theirs.as_ref().is_some_and(|(_, door)| door.is_some()),
            faketime: faketime.is_some(),
        };
        let (faults, left_out) = here.divide(&wanted);
        let workers = usize::from(arguments.workers);
        let outage = retry_policy(setting::ATTEMPTS).longest() + BEYOND_RETRIES;
        let plan = ChaosPlan::draw(
            seed,
            &ChaosParameters {
                changes: arguments.changes,
                workers,
                lease: setting::LEASE,
                outage,
                faults: faults.clone(),
            },
        );
        let options = SandboxOptions {
            seed,
            changes: plan.first_changes,
            people: arguments.people,
            limits: Limits {
                rate_per_minute: 0,
                ..Limits::default()
            },
            faults: setting::faults(&faults),
            ..SandboxOptions::default()
        };
        let (days, timezone) = (options.days, options.timezone.clone());
        let sandbox = Sandbox::start(options).await.into_diagnostic()?;
        let (doors, urls) = doors(&sandbox)?;
        let namespace = format!("chaos-{seed}");
        let toml = setting::relay_toml(&namespace, &urls, days, &timezone, arguments.changes);
        std::fs::write(directory.path().join("relay.toml"), &toml).into_diagnostic()?;

        let (redis, url, url_of_fleet) = match theirs {
            None => {
                let server = OwnServer::start(directory.path(), REDIS_SERVER).await?;
                let url = server.url();
                (ChaosRedis::Own(server), url.clone(), url)
            }
            Some((url, Some((door, through)))) => (ChaosRedis::Theirs(Some(door)), url, through),
            Some((url, None)) => (ChaosRedis::Theirs(None), url.clone(), url),
        };
        let connection = connect(&toml, &url, &namespace).await?;
        Ok(Self {
            seed,
            processes: Processes::new(
                workers,
                directory.path(),
                arguments.logs.clone(),
                setting::environment(&url_of_fleet),
                faketime,
            )?,
            progress: ProgressDisplay::new(arguments.changes, quiet),
            arguments,
            plan,
            left_out,
            directory,
            sandbox,
            doors,
            redis,
            connection,
            quiet,
            counts: Counts::default(),
            done: Vec::new(),
        })
    }

    fn queue(&self) -> &Queue {
        &self.connection.queue
    }

    /// Plays it to its end.
    pub async fn play(&mut self) -> miette::Result<ChaosSummary> {
        self.say(&self.opening())?;
        let watch = QueueObserver::start(self.queue());
        let started = Instant::now();
        self.processes.revive()?;
        // The plan's clock stands still while something is done, so that nothing lasts shorter than planned.
        let mut standing_still = Duration::ZERO;
        for step in self.plan.steps.clone() {
            while started.elapsed() < step.at + standing_still {
                let left = step.at + standing_still - started.elapsed();
                self.tick(&watch).await?;
                tokio::time::sleep(left.min(TICK)).await;
            }
            let began = Instant::now();
            self.perform(step, &watch).await?;
            standing_still += began.elapsed();
        }
        let (status, stalled) = self.end(&watch).await?;
        let seconds = started.elapsed().as_secs_f64();
        self.progress.finish();
        self.summary(&watch, &status, stalled, seconds).await
    }

    fn opening(&self) -> String {
        let ChaosArgs {
            changes,
            people,
            workers,
            ..
        } = self.arguments;
        let outage = retry_policy(setting::ATTEMPTS).longest();
        let mut text = format!(
            "seed {}: {changes} changes of {people} people, {workers} processes, everything in {}\n\
             a change's {} attempts are spread over {} s at the most; each outage lasts longer: {} s\n",
            self.seed,
            self.directory.path().display(),
            setting::ATTEMPTS,
            outage.as_secs(),
            (outage + BEYOND_RETRIES).as_secs_f64(),
        );
        for LeftOut { fault, why } in &self.left_out {
            text += &format!("left out: {fault} ({why})\n");
        }
        text
    }

    fn say(&self, text: &str) -> miette::Result<()> {
        match self.quiet {
            true => Ok(()),
            false => self.progress.line(text),
        }
    }

    /// What goes on all the time.
    async fn tick(&mut self, watch: &QueueObserver) -> miette::Result<usize> {
        self.processes.revive()?;
        self.counts.starts = self.processes.started as u64;
        let acknowledged = self.sandbox.report().acknowledged;
        let dead = watch.seen().most_dead.unsigned_abs();
        self.progress
            .show(acknowledged as u64, dead, self.queue())
            .await;
        Ok(acknowledged)
    }

    /// Until everything is through, or nothing moves; the queue's last words, and whether nothing moved.
    async fn end(&mut self, watch: &QueueObserver) -> miette::Result<(Status, bool)> {
        let changes = self.arguments.changes;
        let mut last = (0, Instant::now());
        loop {
            let acknowledged = self.tick(watch).await?;
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
        let dead = dead_changes(self.queue()).await.into_diagnostic()?;
        let evidence = Evidence {
            report: &report,
            seen: &seen,
            counts: &self.counts,
            books: status.books,
            dead: &dead,
            in_flight: setting::in_flight(self.arguments.changes),
            stalled,
        };
        Ok(ChaosSummary {
            seed: self.seed,
            changes: self.arguments.changes,
            people: self.arguments.people,
            workers: self.arguments.workers.into(),
            seconds,
            acknowledged: report.acknowledged,
            refused_settles: seen.refused_settles,
            repeats: report.repeated(),
            answers_lost: report.traffic.lost_answers,
            counts: self.counts.clone(),
            left_out: self.left_out.clone(),
            schedule: self.done.clone(),
            promises: evidence.verdicts(),
            timelines: self.timelines(&report, &dead).await,
            status: stalled.then(|| status.clone()),
        })
    }

    /// What the queue knows of the first changes that tell of a broken promise.
    async fn timelines(&self, report: &Report, dead: &[String]) -> Vec<String> {
        let breaches = report.inversions.iter().chain(&report.stale_overwrites);
        let told = breaches.flat_map(|breach| [&breach.change_id, &breach.newer_change_id]);
        let lost = report
            .acknowledged_early
            .iter()
            .chain(&report.unacknowledged);
        let mut texts = Vec::new();
        for id in told.chain(lost).chain(dead).take(TIMELINES) {
            if let Ok(Some(timeline)) = self.queue().timeline(id).await {
                texts.push(show::text(&timeline));
            }
        }
        texts
    }

    /// Takes everything down again.
    pub async fn clear(self) -> miette::Result<()> {
        self.progress.finish();
        self.processes.end().await;
        let emptied = match self.redis {
            ChaosRedis::Own(server) => {
                server.end().await;
                Ok(())
            }
            ChaosRedis::Theirs(_) => self.connection.queue.empty().await.map(|_| ()),
        };
        self.connection.close().await?;
        self.sandbox.stop().await;
        emptied.into_diagnostic()
    }
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

/// Our own view of the queue. A Redis that is not fit for the fleet, or that has such a namespace, is refused.
async fn connect(toml: &str, url: &str, namespace: &str) -> miette::Result<context::Redis> {
    let environment: BTreeMap<OsString, OsString> = setting::environment(url);
    let name = PathBuf::from("the configuration of the run");
    let loaded = config::parse(&name.to_string_lossy(), toml, environment)?;
    let context = Context {
        config: loaded.config,
    };
    let connection = context.open_to_read().await?;
    if !connection.queue.is_empty().await.into_diagnostic()? {
        return Err(miette!(
            help =
                "choose another --seed: the namespace is named after it, and is removed at the end",
            "the namespace {namespace} is in use on {}",
            context.redis_names()
        ));
    }
    connection.close().await?;
    context.open_to_write().await
}
