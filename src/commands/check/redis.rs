//! Redis: does it answer, is it fit to hold changes, do the queue's scripts run.

use std::{path::Path, time::Duration};

use queue::{
    QueueError,
    admission::Mismatch,
    durability::{self, Examined, catalogue::Severity},
    sealing::Sealing,
};
use tokio::time::timeout;

use super::CheckFinding;
use crate::commands::{
    context::{Context, Redis},
    temporary::Temporary,
};

/// Percent, from which on it is told.
const DISK_NEARLY_FULL: u64 = 90;

const ABOUT: &str = "redis";

/// How many steps of a thousand keys it looks through for payloads that are not under the current key.
const STEPS: u32 = 100;

/// How long our own server may take to start: it may have data to load.
const START: Duration = Duration::from_secs(30);

/// Looks without writing a key. Our own server is started where it would be; where it has no data yet, in a
/// directory that goes again.
pub async fn probe(context: &Context) -> Vec<CheckFinding> {
    let redis = &context.config.redis;
    let embedded = redis.url.is_none();
    let temporary = match embedded && !redis.data_dir.exists() {
        true => match Temporary::new("check") {
            Ok(temporary) => Some(temporary),
            Err(error) => return vec![unusable(context, &error)],
        },
        false => None,
    };
    let data_dir = temporary.as_ref().map_or(&*redis.data_dir, Temporary::path);
    let patience = redis.response_timeout * 2 + if embedded { START } else { Duration::ZERO };
    let connected = match timeout(patience, context.open_to_read_in(data_dir)).await {
        Ok(connected) => connected,
        Err(_) => Err(silent(patience)),
    };
    let connected = match connected {
        Ok(connected) => connected,
        Err(error) => return vec![unusable(context, &error)],
    };
    let mut findings = look(context, &connected, temporary.is_some()).await;
    if embedded && let Ok(findings) = &mut findings {
        findings.extend(disk(data_dir));
    }
    match (findings, connected.close().await) {
        (Ok(findings), Ok(())) => findings,
        (Err(error), _) | (_, Err(error)) => vec![unusable(context, &error)],
    }
}

/// Of our own server only: nobody says how full the disk of another is.
fn disk(data_dir: &Path) -> Option<CheckFinding> {
    let disk = rustix::fs::statvfs(data_dir).ok()?;
    let used = percent_used(disk.f_blocks, disk.f_bavail);
    (used >= DISK_NEARLY_FULL).then(|| {
        CheckFinding::warn(
            ABOUT,
            format!("the disk of {} is {used} % full", data_dir.display()),
            "make room: once it is full, Redis takes no changes, and everything waits",
        )
    })
}

/// Of what an ordinary user may use.
fn percent_used(blocks: u64, available: u64) -> u64 {
    match blocks {
        0 => 0,
        blocks => (u128::from(blocks.saturating_sub(available)) * 100 / u128::from(blocks)) as u64,
    }
}

fn silent(patience: Duration) -> miette::Report {
    let patience = humantime::format_duration(patience);
    miette::miette!("no answer within {patience} (redis.response_timeout)")
}

fn unusable(context: &Context, error: &miette::Report) -> CheckFinding {
    let remedy = match (error.help(), &context.config.redis.url) {
        (Some(help), _) => help.to_string(),
        (None, Some(_)) => "try again; if it lasts, look at Redis' log".to_owned(),
        (None, None) => "mend that, or name a Redis elsewhere in redis.url".to_owned(),
    };
    CheckFinding::fail(ABOUT, error.to_string(), remedy)
}

async fn look(
    context: &Context,
    redis: &Redis,
    elsewhere: bool,
) -> miette::Result<Vec<CheckFinding>> {
    let queue = &redis.queue;
    let patience = context.config.redis.response_timeout * 2;
    let looking = async {
        let examined = queue.examine(context.allowed()).await?;
        let mut findings = vec![CheckFinding::ok(ABOUT, described(&examined))];
        findings.extend(examined.findings.iter().map(shown));
        let books = queue.status().await?.books;
        findings.push(if elsewhere {
            let data_dir = context.config.redis.data_dir.display();
            CheckFinding::ok(
                ABOUT,
                format!("the queue's scripts run; {data_dir} will be made at the first run"),
            )
        } else {
            let (flying, dead) = (books.in_flight, books.dead);
            CheckFinding::ok(
                ABOUT,
                format!("the queue's scripts run: {flying} changes in flight, {dead} dead"),
            )
        });
        match queue.mismatch().await? {
            Some(Mismatch::Keys(missing)) => findings.push(sealed(&missing, Sealing::default())),
            mismatch => {
                let failed = |m: Mismatch| CheckFinding::fail(ABOUT, m.to_string(), m.advice());
                findings.extend(mismatch.map(failed));
                if !context.seals().known().is_empty() {
                    findings.push(sealed(&[], queue.sealing(STEPS).await?));
                }
            }
        }
        Ok::<_, QueueError>(findings)
    };
    match timeout(patience, looking).await {
        Ok(findings) => findings.map_err(|error| context.unusable(error).into()),
        Err(_) => Err(silent(patience)),
    }
}

/// How the payloads are encrypted.
fn sealed(missing: &[String], sealing: Sealing) -> CheckFinding {
    if !missing.is_empty() {
        let what = format!(
            "payloads are encrypted under {}, a key that is not configured",
            missing.join(", ")
        );
        let advice = "set it as encryption.key or add it to encryption.old_keys: no process starts without it";
        return CheckFinding::fail(ABOUT, what, advice);
    }
    let Sealing {
        seen,
        behind,
        whole,
    } = sealing;
    let among = match whole {
        true => format!("of {seen} payloads"),
        false => format!("of the first {seen} payloads"),
    };
    match behind {
        0 => CheckFinding::ok(ABOUT, format!("{among}, all are under the current key")),
        _ => CheckFinding::warn(
            ABOUT,
            format!("{among}, {behind} are not under the current key"),
            "run `alumniq-relay encryption rotate`",
        ),
    }
}

fn shown(found: &durability::DurabilityFinding) -> CheckFinding {
    match found.severity {
        Severity::Refuses | Severity::Fails => {
            CheckFinding::fail(ABOUT, &*found.what, found.advice())
        }
        Severity::Warns => CheckFinding::warn(ABOUT, &*found.what, found.advice()),
        Severity::Tells => CheckFinding::ok(ABOUT, &*found.what),
    }
}

fn described(server: &Examined) -> String {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let nodes = match server.primaries {
        1 => String::new(),
        nodes => format!(", a cluster of {nodes}"),
    };
    let limit = match server.max_memory {
        0 => "no limit of its own".to_owned(),
        bytes => format!("of {} MiB", mib(bytes)),
    };
    let version = match server.version.as_str() {
        "" => "of an unknown version".to_owned(),
        version => format!("version {version}"),
    };
    format!(
        "{version}{nodes}, answers in {:.2} ms, {} MiB used, {limit}",
        server.round_trip.as_secs_f64() * 1_000.0,
        mib(server.used_memory),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_told_in_percent_of_what_we_may_use() {
        assert_eq!(percent_used(1_000, 60), 94);
        assert_eq!(percent_used(1_000, 1_000), 0);
        assert_eq!(percent_used(1_000, 0), 100);
        assert_eq!(percent_used(0, 0), 0, "a file system that does not say");
        assert_eq!(percent_used(u64::MAX, u64::MAX / 2), 50);
    }

    #[test]
    fn a_server_is_described_by_version_latency_and_memory() {
        let server = |version: &str, primaries, max_memory| Examined {
            version: version.to_owned(),
            primaries,
            used_memory: 3 << 19,
            max_memory,
            round_trip: Duration::from_micros(120),
            findings: Vec::new(),
        };
        assert_eq!(
            described(&server("7.0.15", 1, 0)),
            "version 7.0.15, answers in 0.12 ms, 2 MiB used, no limit of its own"
        );
        assert_eq!(
            described(&server("", 3, 64 << 20)),
            "of an unknown version, a cluster of 3, answers in 0.12 ms, 2 MiB used, of 64 MiB"
        );
    }
}
