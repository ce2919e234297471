//! Redis: does it answer, is it fit to hold changes, do the queue's scripts run.

use std::time::{Duration, Instant};

use miette::IntoDiagnostic;
use tokio::time::timeout;

use super::Finding;
use crate::{
    commands::{
        context::{Context, Redis},
        temporary::Temporary,
    },
    queue::{Queue, QueueError, durability::Server},
};

const ABOUT: &str = "redis";

/// How long our own server may take to start: it may have data to load.
const START: Duration = Duration::from_secs(30);

/// How many calls the latency is taken from.
const PINGS: u32 = 5;

/// Looks without writing a key. Our own server is started where it would be; where it has no data yet, in a
/// directory that goes again.
pub async fn probe(context: &Context) -> Vec<Finding> {
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
    let connected = match timeout(patience, context.redis_in(data_dir)).await {
        Ok(connected) => connected,
        Err(_) => Err(silent(patience)),
    };
    let connected = match connected {
        Ok(connected) => connected,
        Err(error) => return vec![unusable(context, &error)],
    };
    let findings = look(context, &connected, temporary.is_some()).await;
    match (findings, connected.close().await) {
        (Ok(findings), Ok(())) => findings,
        (Err(error), _) | (_, Err(error)) => vec![unusable(context, &error)],
    }
}

fn silent(patience: Duration) -> miette::Report {
    let patience = humantime::format_duration(patience);
    miette::miette!("no answer within {patience} (redis.response_timeout)")
}

fn unusable(context: &Context, error: &miette::Report) -> Finding {
    let remedy = match (error.help(), &context.config.redis.url) {
        (Some(help), _) => help.to_string(),
        (None, Some(_)) => "try again; if it lasts, look at Redis' log".to_owned(),
        (None, None) => "mend that, or name a Redis elsewhere in redis.url".to_owned(),
    };
    Finding::fail(ABOUT, error.to_string(), remedy)
}

async fn look(context: &Context, redis: &Redis, elsewhere: bool) -> miette::Result<Vec<Finding>> {
    let queue = &redis.queue;
    let patience = context.config.redis.response_timeout * 2;
    let looking = async {
        let latency = latency(queue).await?;
        let mut findings = vec![Finding::ok(
            ABOUT,
            described(&queue.server().await?, latency),
        )];
        for finding in queue.durability(context.allowed()).await? {
            findings.push(if finding.fatal {
                Finding::fail(ABOUT, finding.what, finding.advice)
            } else {
                Finding::warn(ABOUT, finding.what, finding.advice)
            });
        }
        let books = queue.status().await?.books;
        findings.push(if elsewhere {
            let data_dir = context.config.redis.data_dir.display();
            Finding::ok(
                ABOUT,
                format!("the queue's scripts run; {data_dir} will be made at the first run"),
            )
        } else {
            let (flying, dead) = (books.in_flight, books.dead);
            Finding::ok(
                ABOUT,
                format!("the queue's scripts run: {flying} changes in flight, {dead} dead"),
            )
        });
        Ok::<_, QueueError>(findings)
    };
    match timeout(patience, looking).await {
        Ok(findings) => findings.into_diagnostic(),
        Err(_) => Err(silent(patience)),
    }
}

/// The quickest of a few calls: what the network takes.
async fn latency(queue: &Queue) -> Result<Duration, QueueError> {
    let mut quickest = Duration::MAX;
    for _ in 0..PINGS {
        let started = Instant::now();
        queue.ping().await?;
        quickest = quickest.min(started.elapsed());
    }
    Ok(quickest)
}

fn described(server: &Server, latency: Duration) -> String {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let nodes = match server.primaries {
        1 => String::new(),
        nodes => format!(", a cluster of {nodes}"),
    };
    let limit = match server.max_memory {
        0 => "no limit of its own".to_owned(),
        bytes => format!("of {} MiB", mib(bytes)),
    };
    format!(
        "version {}{nodes}, answers in {:.2} ms, {} MiB used, {limit}",
        server.version,
        latency.as_secs_f64() * 1_000.0,
        mib(server.used_memory),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_described_by_version_latency_and_memory() {
        let server = |primaries, max_memory| Server {
            version: "7.0.15".to_owned(),
            primaries,
            used_memory: 3 << 19,
            max_memory,
        };
        let latency = Duration::from_micros(120);
        assert_eq!(
            described(&server(1, 0), latency),
            "version 7.0.15, answers in 0.12 ms, 2 MiB used, no limit of its own"
        );
        assert_eq!(
            described(&server(3, 64 << 20), latency),
            "version 7.0.15, a cluster of 3, answers in 0.12 ms, 2 MiB used, of 64 MiB"
        );
    }
}
