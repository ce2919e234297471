//! `demo`: the whole pipeline against simulated vendors, and whether every promise held.

use std::{
    ffi::OsString,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use miette::IntoDiagnostic;
use queue::{Queue, embedded, stats::Status, stopping::Stopping};
use sandbox::{
    Faults, Limits, Report, SANDBOX_API_KEY, SANDBOX_PASSWORD, SANDBOX_TOKEN, SANDBOX_USERNAME,
    Sandbox, SandboxOptions, Tether, Verdict, chaos::dead_changes,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    assemble, context::Context, joined, progress::ProgressDisplay, signals, temporary::Temporary,
};
use crate::{
    cli::{GlobalArgs, pipeline::DemoArgs},
    config,
    console::{self, Console, Guard, Rules},
    exit::Exit,
    observe::{Heartbeats, logs, metrics},
    pipeline::roles::Role,
};

/// Ten times what Salsa grants, so that a demo takes seconds.
const SALSA_CALLS_A_MINUTE: usize = 3_000;

/// How often the end is looked for.
const LOOK: Duration = Duration::from_millis(250);

/// Everything in one process and a temporary directory.
pub async fn run(global: &GlobalArgs, arguments: DemoArgs) -> miette::Result<Exit> {
    let format = global.log_format.unwrap_or(config::LogFormat::Pretty);
    // The faults are the point: what they cause is told in the summary, not line by line.
    logs::init(format, global.log_flag(), Some("error")).map_err(super::misused)?;
    let stopping = Stopping::default();
    let closing = &stopping.closing;
    signals::drain_on_signal(closing)?;
    let directory = Temporary::new("demo")?;
    let _tether = Tether::new(&directory.path().join(embedded::PID_FILE))?;
    let people = arguments
        .people
        .unwrap_or(arguments.changes.div_ceil(3))
        .min(arguments.changes);
    let sandbox = Sandbox::start(SandboxOptions {
        seed: arguments.seed,
        changes: arguments.changes,
        people,
        faults: if arguments.faults {
            Faults::demo()
        } else {
            Faults::default()
        },
        limits: Limits {
            rate_per_minute: SALSA_CALLS_A_MINUTE,
            ..Limits::default()
        },
        ..SandboxOptions::default()
    })
    .await
    .into_diagnostic()?;
    let context = configuration(&sandbox, directory.path())?;
    let exposition = metrics::install(context.config.namespace.as_str());
    metrics::fetch_interval(context.config.alumniq.poll.longest_interval());
    let redis = closing.run_until_cancelled(context.open_to_write());
    let redis = redis.await.ok_or_else(interrupted)??;

    let heartbeats = Heartbeats::until(closing.clone());
    let fleet = assemble::fleet(&context, &redis.queue, heartbeats.clone(), &stopping, true)?;
    let listener = console::bind(context.config.console.listen)
        .await
        .into_diagnostic()?;
    let address = listener.local_addr().into_diagnostic()?;
    let operations = assemble::operations(&context, &redis.queue, &fleet.worker)?;
    let bulks = {
        let (operations, closing) = (operations.clone(), closing.clone());
        let bells = fleet.bells.clone();
        AbortOnDropHandle::new(tokio::spawn(async move {
            operations.work_bulks(None, bells.bulks(), &closing).await;
        }))
    };
    let console = Console {
        metrics: exposition,
        heartbeats,
        guard: Guard::new(Rules::from(&context.config.console)),
        operations: Arc::new(operations.into()),
    };
    let server = tokio::spawn(console::serve(
        listener,
        console,
        closing.clone().cancelled_owned(),
    ));
    // What has begun is ended in its order even where nobody reads this.
    let greeted = super::print(&format!(
        "{} changes of {people} people through simulated vendors{}; every role in this process, Redis in {}.\n\
         The console, while it runs: http://{address}/\n\n",
        arguments.changes,
        if arguments.faults { " that fail" } else { "" },
        directory.path().display(),
    ));

    let started = Instant::now();
    let workers = AbortOnDropHandle::new(tokio::spawn(async move {
        fleet.run(&Role::carriers().collect::<Vec<_>>()).await
    }));
    let finished = tokio::select! {
        finished = wait(&sandbox, &redis.queue, arguments.changes, global.quiet) => Some(finished),
        () = closing.cancelled() => None,
    };
    let seconds = started.elapsed().as_secs_f64();
    let told = match &finished {
        Some(dead) if arguments.stay => {
            let status = redis.queue.status().await.into_diagnostic()?;
            let held = tell(&sandbox, &status, dead, arguments.changes, seconds)?;
            let stays = "\nIt all goes on until Ctrl-C, and the console stays open: ";
            super::print(&format!("{stays}http://{address}/\n"))?;
            closing.cancelled().await;
            Some(held)
        }
        _ => None,
    };
    closing.cancel();
    let limit = context.config.worker.drain;
    if let Some(ended) = signals::within_drain(workers, &stopping, limit).await {
        joined(ended)?.into_diagnostic()?;
    }
    joined(server.await)?;
    drop(bulks);
    let status = redis.queue.status().await.into_diagnostic()?;
    redis.close().await?;
    greeted?;
    let Some(dead) = finished else {
        return Err(interrupted());
    };
    let held = match told {
        Some(held) => held,
        None => tell(&sandbox, &status, &dead, arguments.changes, seconds)?,
    };
    sandbox.stop().await;
    Ok(if held { Exit::Good } else { Exit::Failed })
}

/// Prints the summary; whether every promise held.
fn tell(
    sandbox: &Sandbox,
    status: &Status,
    dead: &[String],
    changes: usize,
    seconds: f64,
) -> miette::Result<bool> {
    let report = sandbox.report();
    let verdicts = verdicts(&report, status, dead, changes);
    super::print(&summary(&report, &verdicts, seconds))?;
    Ok(verdicts.iter().all(|verdict| verdict.held))
}

fn interrupted() -> miette::Report {
    super::interrupted("nothing is left running")
}

/// The sandbox's own configuration, with our Redis in a temporary directory and a quick poll.
fn configuration(sandbox: &Sandbox, directory: &Path) -> miette::Result<Context> {
    let variable = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
    let environment = [
        variable("ALUMNIQ_API_KEY", SANDBOX_API_KEY),
        variable("CRM_USERNAME", SANDBOX_USERNAME),
        variable("CRM_PASSWORD", SANDBOX_PASSWORD),
        variable("SALSA_AUTH_TOKEN", SANDBOX_TOKEN),
        variable(
            "ALUMNIQ_RELAY__REDIS__DATA_DIR",
            &directory.to_string_lossy(),
        ),
        variable("ALUMNIQ_RELAY__ALUMNIQ__POLL", "every 10s"),
        variable("ALUMNIQ_RELAY__CONSOLE__LISTEN", "127.0.0.1:0"),
    ];
    let loaded = config::parse(
        "the demo's configuration",
        &sandbox.relay_toml(),
        environment,
    )?;
    Ok(Context {
        config: loaded.config,
    })
}

/// Until every change is acknowledged or a dead letter, and the queue knows it too: where the answer to the
/// last PUT is lost, the vendor knows first. Returns the dead ones.
async fn wait(sandbox: &Sandbox, queue: &Queue, changes: usize, quiet: bool) -> Vec<String> {
    let progress = ProgressDisplay::new(changes, quiet);
    loop {
        let acknowledged = sandbox.report().acknowledged;
        let dead = dead_changes(queue).await.unwrap_or_default();
        if acknowledged + dead.len() >= changes && is_settled(queue).await {
            progress.finish();
            return dead;
        }
        progress
            .show(acknowledged as u64, dead.len() as u64, queue)
            .await;
        tokio::time::sleep(LOOK).await;
    }
}

async fn is_settled(queue: &Queue) -> bool {
    let status = queue.status().await;
    status.is_ok_and(|status| status.books.in_flight == 0)
}

fn verdicts(report: &Report, status: &Status, dead: &[String], changes: usize) -> Vec<Verdict> {
    let books = status.books;
    let mut verdicts = report.verdicts(&[], dead);
    verdicts.push(Verdict {
        promise: "the books balance".to_owned(),
        held: books.difference == 0 && books.in_flight == 0 && books.fetched == changes as i64,
        detail: format!(
            "{} fetched = {} acknowledged + {} discarded + {} in flight + {} dead",
            books.fetched, books.acknowledged, books.discarded, books.in_flight, books.dead
        ),
    });
    verdicts
}

fn summary(report: &Report, verdicts: &[Verdict], seconds: f64) -> String {
    let mut text = format!(
        "{} changes acknowledged in {seconds:.1} s ({:.0} a second)\n\n",
        report.acknowledged,
        report.acknowledged as f64 / seconds
    );
    for Verdict {
        promise,
        held,
        detail,
    } in verdicts
    {
        let mark = if *held { "held  " } else { "BROKEN" };
        text += &format!("  {mark}  {promise}: {detail}\n");
    }
    text
}
