//! Is this Redis fit to hold changes? Asked at start and by `check --connect`.

use std::collections::BTreeMap;

use redis::{FromRedisValue, Value};

use super::{Queue, QueueError};

/// The oldest version whose commands and Lua are used.
const OLDEST: (u32, u32) = (6, 2);

/// One thing about Redis that an operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether changes could be lost: the service refuses to start unless the named key allows it.
    pub fatal: bool,
    /// What was found.
    pub what: String,
    /// What it means and what to do.
    pub advice: String,
}

/// What the configuration allows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allowed {
    /// `redis.allow_no_persistence`.
    pub no_persistence: bool,
    /// `redis.allow_eviction`.
    pub eviction: bool,
}

/// A server as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its version; of a cluster, one node's.
    pub version: String,
    /// How many nodes take writes: 1 unless it is a cluster.
    pub primaries: usize,
    /// Bytes.
    pub used_memory: u64,
    /// Bytes; 0 where it sets itself no limit.
    pub max_memory: u64,
}

impl Queue {
    /// Looks at version, persistence, eviction and memory. Managed services hide `CONFIG`: what cannot be
    /// read is a finding that is not fatal.
    pub async fn durability(&self, allowed: Allowed) -> Result<Vec<Finding>, QueueError> {
        let save = self.setting("save").await;
        let mut findings = Vec::new();
        for node in &self.nodes().await? {
            for finding in judge(&read(node), save.as_deref(), allowed) {
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
        }
        Ok(findings)
    }

    /// What the server says of itself; of a cluster, its primaries together.
    pub async fn server(&self) -> Result<Server, QueueError> {
        let nodes = self.nodes().await?;
        let mut server = Server {
            version: String::new(),
            primaries: nodes.len(),
            used_memory: 0,
            max_memory: 0,
        };
        for node in &nodes {
            let info = read(node);
            let bytes = |key| -> u64 { get(&info, key).parse().unwrap_or_default() };
            server.version = get(&info, "redis_version").to_owned();
            server.used_memory += bytes("used_memory");
            server.max_memory += bytes("maxmemory");
        }
        Ok(server)
    }

    /// The answer to `INFO` of a single server, or of each primary of a cluster.
    async fn nodes(&self) -> Result<Vec<String>, QueueError> {
        let answer: Value = redis::cmd("INFO")
            .arg("everything")
            .query_async(&mut self.connection.clone())
            .await?;
        let texts = match answer {
            Value::Map(nodes) => nodes.into_iter().map(|(_, text)| text).collect(),
            text => vec![text],
        };
        Ok(texts
            .into_iter()
            .map(String::from_redis_value)
            .collect::<Result<_, _>>()
            .map_err(redis::RedisError::from)?)
    }

    async fn setting(&self, name: &str) -> Option<String> {
        let pairs: Vec<String> = redis::cmd("CONFIG")
            .arg("GET")
            .arg(name)
            .query_async(&mut self.connection.clone())
            .await
            .ok()?;
        pairs.into_iter().nth(1)
    }
}

/// The fields of an answer to `INFO`.
fn read(info: &str) -> BTreeMap<&str, &str> {
    info.lines()
        .filter_map(|line| line.trim_end().split_once(':'))
        .collect()
}

fn get<'i>(info: &BTreeMap<&str, &'i str>, key: &str) -> &'i str {
    info.get(key).copied().unwrap_or_default()
}

fn judge(info: &BTreeMap<&str, &str>, save: Option<&str>, allowed: Allowed) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |fatal: bool, what: String, advice: &str| {
        findings.push(Finding {
            fatal,
            what,
            advice: advice.to_owned(),
        });
    };
    let get = |key: &str| get(info, key);

    let version = get("redis_version");
    let mut parts = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or_default());
    if (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    ) < OLDEST
    {
        find(
            true,
            format!("Redis {version} is too old"),
            "Use Redis 6.2 or newer.",
        );
    }
    if get("aof_enabled") != "1" {
        match save {
            Some("") => find(
                !allowed.no_persistence,
                "Redis keeps nothing on disk (appendonly no, save \"\")".to_owned(),
                "A restart of Redis forgets dead letters, retries and what was applied; AlumnIQ's feed brings \
                 unacknowledged changes back. Set `appendonly yes`, or allow it with \
                 `redis.allow_no_persistence = true`.",
            ),
            _ => find(
                !allowed.no_persistence,
                "Redis saves snapshots only (appendonly no)".to_owned(),
                "A crash of Redis loses the minutes since its last snapshot. Set `appendonly yes`, or allow it \
                 with `redis.allow_no_persistence = true`.",
            ),
        }
    } else if get("aof_last_write_status") == "err" {
        find(
            true,
            "Redis cannot write its append-only file".to_owned(),
            "Its disk is probably full: make room, then restart it.",
        );
    }
    let policy = get("maxmemory_policy");
    let maxmemory: u64 = get("maxmemory").parse().unwrap_or_default();
    if !policy.is_empty() && policy != "noeviction" && maxmemory > 0 {
        find(
            !allowed.eviction,
            format!("Redis throws keys away when it is full (maxmemory-policy {policy})"),
            "It would lose changes without a word. Set `maxmemory-policy noeviction`, or allow it with \
             `redis.allow_eviction = true`.",
        );
    }
    let used: u64 = get("used_memory").parse().unwrap_or_default();
    if maxmemory > 0 && used > maxmemory / 10 * 8 {
        find(
            false,
            format!("Redis uses {} of {} MiB", used >> 20, maxmemory >> 20),
            "Raise `maxmemory` before it is full: then nothing can be queued.",
        );
    }
    if get("role") == "slave" {
        find(
            true,
            "this Redis is a read-only replica".to_owned(),
            "Point `redis.url` at the primary.",
        );
    }
    if save.is_none() {
        find(
            false,
            "Redis does not let us read its settings (CONFIG is refused)".to_owned(),
            "Make sure by hand that it persists and does not evict.",
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fatal(
        info: &[(&'static str, &'static str)],
        save: Option<&str>,
        allowed: Allowed,
    ) -> Vec<String> {
        let info = BTreeMap::from_iter(info.iter().copied());
        judge(&info, save, allowed)
            .into_iter()
            .filter(|finding| finding.fatal)
            .map(|finding| finding.what)
            .collect()
    }

    const GOOD: [(&str, &str); 4] = [
        ("redis_version", "7.0.15"),
        ("aof_enabled", "1"),
        ("maxmemory_policy", "noeviction"),
        ("role", "master"),
    ];

    #[test]
    fn an_append_only_redis_that_evicts_nothing_is_fit() {
        assert!(fatal(&GOOD, Some(""), Allowed::default()).is_empty());
    }

    #[test]
    fn no_persistence_and_eviction_are_fatal_unless_allowed() {
        let mut info = GOOD.to_vec();
        info[1].1 = "0";
        info[2].1 = "allkeys-lru";
        info.push(("maxmemory", "1000000"));
        assert_eq!(fatal(&info, Some(""), Allowed::default()).len(), 2);
        let allowed = Allowed {
            no_persistence: true,
            eviction: true,
        };
        assert!(fatal(&info, Some(""), allowed).is_empty());
    }

    #[test]
    fn an_old_redis_and_a_replica_are_fatal_whatever_is_allowed() {
        let mut info = GOOD.to_vec();
        info[0].1 = "5.0.7";
        info[3].1 = "slave";
        let allowed = Allowed {
            no_persistence: true,
            eviction: true,
        };
        assert_eq!(fatal(&info, Some(""), allowed).len(), 2);
    }
}
