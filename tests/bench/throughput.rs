//! Changes a second: the whole way from the feed to the acknowledgement, beside the same calls without a queue.

use std::{fmt, process::Stdio};

use serde::Serialize;

use crate::{
    Outcome, bare,
    figure::Figure,
    process::Process,
    relay::{Concurrency, Relay, WIDE},
    rivals::{self, Rival},
    setting::{Run, Setting, today},
    settings::Settings,
};

/// Where latency is the limit, so that a second process can show what it adds.
const NARROW: Concurrency = Concurrency { crm: 8, salsa: 2 };

/// What does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contender {
    /// The same calls, no queue.
    BareLoop,
    /// `sync --wait`.
    OneProcess,
    /// Beside a second process with `run`; the same limit for both together.
    TwoProcesses,
    /// The loop where few calls at a time are allowed.
    NarrowBareLoop,
    /// One process that is allowed as few.
    Narrow,
    /// Two processes that are allowed as many each.
    TwiceNarrow,
    Rival(Rival),
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Concurrency { crm, salsa } = NARROW;
        match self {
            Self::BareLoop => write!(f, "bare loop"),
            Self::OneProcess => write!(f, "one process"),
            Self::TwoProcesses => write!(f, "two processes"),
            Self::NarrowBareLoop => write!(f, "bare loop, {crm} + {salsa} calls at a time"),
            Self::Narrow => write!(f, "one process, {crm} + {salsa}"),
            Self::TwiceNarrow => write!(f, "two processes, {crm} + {salsa} each"),
            Self::Rival(rival) => write!(f, "{rival}"),
        }
    }
}

impl Contender {
    fn changes(self, settings: &Settings) -> usize {
        match self {
            Self::Rival(_) => rivals::CHANGES,
            _ => settings.changes,
        }
    }
}

/// All runs of one contender at one latency.
#[derive(Debug, Serialize)]
pub struct Throughput {
    pub contender: Contender,
    pub vendor_ms: u64,
    pub changes: usize,
    pub runs: Vec<Run>,
    /// Changes a second beside the bare loop of the same round and width; for two narrow processes, beside one.
    pub ratio: Option<Figure>,
}

impl Throughput {
    pub fn of(&self, figure: impl Fn(&Run) -> f64) -> Option<Figure> {
        Figure::of(self.runs.iter().map(figure))
    }
}

pub async fn measure(settings: &Settings) -> Outcome<Vec<Throughput>> {
    let mut all = Vec::new();
    for &vendor_ms in &settings.vendor_ms {
        let mut contenders = vec![
            Contender::BareLoop,
            Contender::OneProcess,
            Contender::TwoProcesses,
        ];
        if vendor_ms > 0 {
            contenders.extend([
                Contender::NarrowBareLoop,
                Contender::Narrow,
                Contender::TwiceNarrow,
            ]);
        }
        contenders.extend(rivals::installed(settings).map(Contender::Rival));
        let mut measured: Vec<_> = contenders
            .into_iter()
            .map(|contender| Throughput {
                contender,
                vendor_ms,
                changes: contender.changes(settings),
                runs: Vec::new(),
                ratio: None,
            })
            .collect();
        // In turn, so that what else the machine does meets all of them.
        for _ in 0..settings.runs {
            for throughput in &mut measured {
                let run = once(throughput.contender, vendor_ms, settings).await?;
                eprintln!(
                    "{vendor_ms} ms, {}: {:.0} changes/s",
                    throughput.contender, run.changes_per_second
                );
                throughput.runs.push(run);
            }
        }
        compare(&mut measured);
        all.extend(measured);
    }
    Ok(all)
}

/// Round by round: the two runs of a ratio met the same machine.
fn compare(measured: &mut [Throughput]) {
    let rates_of = |contender| -> Vec<f64> {
        let mut all = measured.iter();
        let found = all.find(|throughput| throughput.contender == contender);
        found.map_or_else(Vec::new, |found| {
            found
                .runs
                .iter()
                .map(|run| run.changes_per_second)
                .collect()
        })
    };
    let (bare, narrow_bare) = (
        rates_of(Contender::BareLoop),
        rates_of(Contender::NarrowBareLoop),
    );
    let narrow = rates_of(Contender::Narrow);
    for throughput in measured {
        let beside = match throughput.contender {
            Contender::BareLoop | Contender::NarrowBareLoop => continue,
            Contender::Narrow => &narrow_bare,
            Contender::TwiceNarrow => &narrow,
            _ => &bare,
        };
        let rounds = throughput.runs.iter().zip(beside);
        throughput.ratio = Figure::of(rounds.map(|(run, beside)| run.changes_per_second / beside));
    }
}

async fn once(contender: Contender, vendor_ms: u64, settings: &Settings) -> Outcome<Run> {
    let mut setting = Setting::new(contender.changes(settings), vendor_ms).await?;
    let limits = match contender {
        Contender::NarrowBareLoop | Contender::Narrow => NARROW,
        Contender::TwiceNarrow => Concurrency {
            crm: NARROW.crm * 2,
            salsa: NARROW.salsa * 2,
        },
        _ => WIDE,
    };
    let relay = Relay::new(&setting.vendors, &setting.redis, limits);
    let day = today();
    let sync = ["sync", "--wait", "--json", "--on", &day];
    let mut processes = Vec::new();
    if matches!(contender, Contender::TwoProcesses | Contender::TwiceNarrow) {
        processes.push(relay.start(&["run", "--roles", "crm,salsa"])?);
        ready(&setting).await?;
    }
    setting.begin().await?;
    processes.push(match contender {
        Contender::BareLoop | Contender::NarrowBareLoop => {
            let mut command = bare::command(&bare::Load {
                config: setting.vendors.config.clone(),
                day: day.clone(),
                concurrency: limits,
            })?;
            command.stderr(Stdio::inherit());
            Process::spawn(command)?
        }
        Contender::Rival(rival) => rivals::start(rival, &setting, &day, settings)?,
        _ => relay.start(&sync)?,
    });
    tokio::select! {
        run = setting.end(&processes) => run,
        () = tokio::time::sleep(PATIENCE) => Err(format!("{contender} does not end: {}", relay.log()).into()),
    }
}

/// Longer than any run takes.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(600);

/// A process that waits for work shows itself in Redis.
async fn ready(setting: &Setting) -> Outcome<()> {
    let mut connection = setting.redis.connect().await?;
    loop {
        let listeners: Vec<(String, i64)> = redis::cmd("PUBSUB")
            .arg("NUMSUB")
            .arg("{sandbox}:wake")
            .query_async(&mut connection)
            .await?;
        if listeners.iter().any(|(_, many)| *many > 0) {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
