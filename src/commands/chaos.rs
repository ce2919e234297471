//! `chaos`: plays a run of the sandbox's and prints whether every promise held.

use std::path::PathBuf;

use miette::{IntoDiagnostic, WrapErr, miette};
use queue::Queue;
use sandbox::chaos::{ATTEMPTS, ChaosEvent, ChaosOptions, ChaosRun, ChaosSummary, FleetProgram};
use tokio_util::sync::CancellationToken;

use super::{
    context::{self, Context},
    progress::ProgressDisplay,
    show, signals, status,
    temporary::Temporary,
};
use crate::{
    cli::{GlobalArgs, chaos::ChaosArgs},
    config,
    exit::Exit,
    observe::logs,
    pipeline::{fleet::retry_policy, roles::Role},
};

/// Until every change is through, or a signal.
pub async fn run(global: &GlobalArgs, arguments: ChaosArgs) -> miette::Result<Exit> {
    let format = global.log_format.unwrap_or(config::LogFormat::Pretty);
    // What goes wrong is the point: it is told in the summary, not line by line.
    logs::init(format, global.log_flag(), Some("off")).map_err(super::misused)?;
    let interrupted = CancellationToken::new();
    signals::drain_on_signal(&interrupted)?;
    let (changes, json) = (arguments.changes, arguments.json);
    let quiet = global.quiet || json;
    let directory = Temporary::new("chaos")?;
    let mut run = ChaosRun::set(options(arguments, directory.path().to_owned())?).await?;
    let connection = connect(&run).await?;
    let progress = ProgressDisplay::new(changes, quiet);
    let tell = async |event: ChaosEvent<'_>| match event {
        ChaosEvent::Line(_) if quiet => Ok(()),
        ChaosEvent::Line(line) => progress.line(line),
        ChaosEvent::Progress { acknowledged, dead } => {
            progress.show(acknowledged, dead, &connection.queue).await;
            Ok(())
        }
    };
    let ended = tokio::select! {
        ended = run.play(&connection.queue, tell) => Some(ended),
        () = interrupted.cancelled() => None,
    };
    progress.finish();
    let timelines = match &ended {
        Some(Ok(summary)) => timelines(&connection.queue, &summary.suspects).await,
        _ => Vec::new(),
    };
    let cleared = run.clear(&connection.queue).await;
    connection.close().await?;
    let Some(ended) = ended else {
        logs::tell("interrupted: nothing is left running");
        return cleared.map(|()| signals::exit());
    };
    let summary = ChaosSummary {
        timelines,
        ..ended?
    };
    cleared?;
    super::print(&if json {
        format!("{}\n", serde_json::to_string(&summary).into_diagnostic()?)
    } else {
        text(&summary)
    })?;
    Ok(if summary.held() {
        Exit::Good
    } else {
        Exit::Failed
    })
}

fn options(arguments: ChaosArgs, directory: PathBuf) -> miette::Result<ChaosOptions> {
    let path = std::env::current_exe()
        .into_diagnostic()
        .wrap_err("the program cannot find itself")?;
    let roles: Vec<_> = Role::carriers().map(Role::as_str).collect();
    let words = ["--log-format", "json", "run", "--roles", &roles.join(",")];
    Ok(ChaosOptions {
        seed: arguments
            .seed
            .unwrap_or_else(|| u64::from(rand::random::<u32>())),
        changes: arguments.changes,
        people: arguments.people,
        workers: arguments.workers.into(),
        faults: arguments.wanted(),
        redis: arguments.redis,
        logs: arguments.logs,
        directory,
        program: FleetProgram {
            path,
            arguments: words.map(str::to_owned).into(),
            refuses: Exit::Usage.code(),
        },
        retries: retry_policy(ATTEMPTS).longest(),
    })
}

/// Our own view of the queue. A Redis that is not fit for the fleet, or that has such a namespace, is refused.
async fn connect(run: &ChaosRun) -> miette::Result<context::Redis> {
    let environment = run.environment().clone();
    let loaded = config::parse(
        "the configuration of the run",
        run.relay_toml(),
        environment,
    )?;
    let context = Context {
        config: loaded.config,
    };
    let connection = context.open_to_read().await?;
    if !connection.queue.is_empty().await.into_diagnostic()? {
        return Err(miette!(
            help =
                "choose another --seed: the namespace is named after it, and is removed at the end",
            "the namespace {} is in use on {}",
            run.namespace(),
            context.redis_names()
        ));
    }
    connection.close().await?;
    context.open_to_write().await
}

/// What the queue knows of these changes.
async fn timelines(queue: &Queue, changes: &[String]) -> Vec<String> {
    let mut texts = Vec::new();
    for id in changes {
        if let Ok(Some(timeline)) = queue.timeline(id).await {
            texts.push(show::text(&timeline));
        }
    }
    texts
}

fn text(summary: &ChaosSummary) -> String {
    let mut text = summary.text();
    if let Some(status) = &summary.status {
        text += &format!("\nNothing moves any more:\n{}", status::text(status));
    }
    text
}
