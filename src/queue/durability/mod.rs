//! Is this Redis fit to hold changes? Asked at start and by `check --connect`.
//!
//! - `facts`: what a server says of itself
//! - [`catalogue`]: everything that can be found, what it means and what to do; the documents' [`table`] is made
//!   of it
//! - `judge`: facts -> findings

pub mod catalogue;
mod facts;
mod judge;
pub mod table;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use redis::{FromRedisValue, Value};

pub use self::judge::BYTES_A_CHANGE;
use self::{
    catalogue::{DurabilityRisk, Severity},
    facts::{Facts, Settings},
};
use super::{Queue, QueueError};

/// The oldest version that will do: script flags, by which a full Redis goes on with what it has, came with it.
pub const OLDEST: (u32, u32) = (7, 0);

/// How many calls the round trip is taken from.
const PINGS: u32 = 5;

/// One thing about Redis that an operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurabilityFinding {
    /// Which one, with what it means and what to do.
    pub definition: &'static DurabilityRisk,
    /// How bad it is here: what the configuration allows is only warned of.
    pub severity: Severity,
    /// What was found, with its numbers.
    pub what: String,
}

impl DurabilityFinding {
    /// What it means, what to do, and the key that allows it where there is one.
    pub fn advice(&self) -> String {
        let DurabilityRisk { means, todo, .. } = self.definition;
        match (self.severity, self.definition.allowed_by) {
            (Severity::Refuses, Some(key)) => {
                format!("{means} {todo} Or allow it with `{key} = true`.")
            }
            _ => format!("{means} {todo}").trim_end().to_owned(),
        }
    }
}

/// What the configuration allows.
#[derive(Debug, Clone, Copy, Default)]
pub struct DurabilityExceptions {
    /// `redis.allow_no_persistence`.
    pub no_persistence: bool,
    /// `redis.allow_eviction`.
    pub eviction: bool,
}

/// A server as it describes itself, and what was found.
#[derive(Debug, Clone)]
pub struct Examined {
    /// Its version; of a cluster, one node's. Empty where it does not say.
    pub version: String,
    /// How many nodes take writes: 1 unless it is a cluster.
    pub primaries: usize,
    /// Bytes, of all of them.
    pub used_memory: u64,
    /// Bytes; 0 where it sets itself no limit.
    pub max_memory: u64,
    /// What one call takes at the least: the network's share.
    pub round_trip: Duration,
    /// The worst first.
    pub findings: Vec<DurabilityFinding>,
}

impl Queue {
    /// Looks at version, persistence, eviction, memory, replication and connections. Managed services hide
    /// some of it: what cannot be read is a finding of its own.
    pub async fn examine(&self, allowed: DurabilityExceptions) -> Result<Examined, QueueError> {
        let round_trip = self.round_trip().await?;
        let settings = self.settings_of_redis().await;
        let nodes = self.nodes().await?;
        let mut examined = Examined {
            version: String::new(),
            primaries: nodes.len(),
            used_memory: 0,
            max_memory: 0,
            round_trip,
            findings: Vec::new(),
        };
        for (address, info) in &nodes {
            let facts = Facts::read(info, &settings);
            examined.version = facts.version.to_owned();
            examined.used_memory += facts.used_memory;
            examined.max_memory += facts.max_memory;
            let mut findings = judge::judge(&facts, allowed);
            findings.extend(judge::connection(
                &facts,
                self.settings.urls.len(),
                round_trip,
                self.settings.response_timeout,
            ));
            for mut finding in findings {
                let known = |known: &DurabilityFinding| known.definition == finding.definition;
                if !examined.findings.iter().any(known) {
                    if nodes.len() > 1 {
                        finding.what = format!("node {address}: {}", finding.what);
                    }
                    examined.findings.push(finding);
                }
            }
        }
        examined.findings.sort_by_key(|finding| finding.severity);
        Ok(examined)
    }

    /// The quickest of a few calls: what the network takes.
    async fn round_trip(&self) -> Result<Duration, QueueError> {
        let mut quickest = Duration::MAX;
        for _ in 0..PINGS {
            let started = Instant::now();
            self.ping().await?;
            quickest = quickest.min(started.elapsed());
        }
        Ok(quickest)
    }

    /// Address and answer to `INFO` of a single server, or of each primary of a cluster. Empty where a server
    /// does not allow it.
    async fn nodes(&self) -> Result<Vec<(String, String)>, QueueError> {
        let answer: Result<Value, redis::RedisError> = redis::cmd("INFO")
            .arg("everything")
            .query_async(&mut self.connection.clone())
            .await;
        let nodes = match answer {
            Ok(Value::Map(nodes)) => nodes,
            Ok(text) => vec![(Value::Nil, text)],
            Err(error) if matches!(error.code(), Some("NOPERM" | "ERR")) => {
                return Ok(vec![(String::new(), String::new())]);
            }
            Err(error) => return Err(error.into()),
        };
        Ok(nodes
            .into_iter()
            .map(|(address, text)| {
                let address = String::from_redis_value(address).unwrap_or_default();
                Ok((address, String::from_redis_value(text)?))
            })
            .collect::<Result<_, redis::ParsingError>>()
            .map_err(redis::RedisError::from)?)
    }

    /// Of a cluster, one node's: they are meant to be the same. Empty where the server does not allow it.
    async fn settings_of_redis(&self) -> Settings {
        redis::cmd("CONFIG")
            .arg("GET")
            .arg(facts::SETTINGS)
            .query_async(&mut self.connection.clone())
            .await
            .unwrap_or_default()
    }
}
