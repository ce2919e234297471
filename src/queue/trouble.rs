//! What Redis' errors mean for people, and the one line in the log for each of its troubles.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use redis::RedisError;
use transport::TlsFault;

use super::scripts::ScriptPurpose;

/// Why Redis does not do what it is asked for. Whatever it is, no change is charged: everybody tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisErrorKind {
    /// More memory in use than `maxmemory` allows.
    Full,
    /// Its last snapshot or append failed.
    DiskFails,
    /// It was just started.
    Loading,
    /// A failover, or the wrong address.
    Replica,
    /// `min-replicas-to-write` is not met.
    TooFewReplicas,
    /// Somebody's script runs for seconds.
    Busy,
    /// No password, a wrong one, or too few rights.
    Refused,
    /// Too few rights, all of which were tried.
    MissingRights,
    /// `maxclients` is reached.
    TooManyClients,
    /// A key of our namespace holds what somebody else wrote.
    ForeignKey,
    /// The cluster misses slots or nodes, or only one of its nodes was named.
    ClusterDown,
    /// The cluster moves our slot to another node, and runs no script meanwhile.
    SlotMoves,
    /// No connection, or no answer in time.
    Away,
    /// No connection, because TLS fails.
    Tls(TlsFault),
    /// Anything else: its own words are the best.
    Other,
}

impl RedisErrorKind {
    /// The one table of Redis' errors.
    pub(super) fn of(error: &RedisError) -> Self {
        if let Some(fault) = TlsFault::of(error) {
            return Self::Tls(fault);
        }
        if error.is_io_error() || error.is_timeout() || error.is_connection_dropped() {
            return Self::Away;
        }
        if super::rights::is_refusal(error) {
            return Self::Refused;
        }
        if error.kind() == redis::ErrorKind::AuthenticationFailed {
            return match error.detail() {
                Some(detail) if detail.contains(TOO_MANY_CLIENTS) => Self::TooManyClients,
                _ => Self::Refused,
            };
        }
        match error.code() {
            Some("OOM") => Self::Full,
            Some("MISCONF") => Self::DiskFails,
            Some("LOADING") => Self::Loading,
            Some("READONLY" | "MASTERDOWN") => Self::Replica,
            Some("NOREPLICAS") => Self::TooFewReplicas,
            Some("BUSY") => Self::Busy,
            Some("NOAUTH" | "WRONGPASS" | "NOPERM") => Self::Refused,
            Some("ASK" | "TRYAGAIN") => Self::SlotMoves,
            Some("CLUSTERDOWN" | "MOVED") => Self::ClusterDown,
            Some("WRONGTYPE") => Self::ForeignKey,
            Some("ERR") => match error.detail().unwrap_or_default() {
                detail if detail.contains(TOO_MANY_CLIENTS) => Self::TooManyClients,
                // Its answer to a long command of somebody whom it does not know.
                detail if detail.contains("unauthenticated") => Self::Refused,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }

    /// What it is, and what to do.
    fn words(self) -> (Cow<'static, str>, Cow<'static, str>) {
        let (what, todo) = match self {
            Self::Tls(fault) => {
                let what = format!("Redis cannot be reached: {}", fault.meaning());
                let identity = "`redis.cert_file` and `redis.key_file`";
                let todo = fault.advice("redis.url", Some("redis.ca_file"), Some(identity));
                return (what.into(), todo.into());
            }
            Self::Full => (
                "Redis is full",
                "nothing new is taken in, what is queued goes on, and intake resumes by itself once there is \
                 room; to make room raise `maxmemory`, or clear dead letters",
            ),
            Self::DiskFails => (
                "Redis cannot write to its disk and takes no changes",
                "nothing is lost; make room on its disk or mend it, see Redis' log",
            ),
            Self::Loading => (
                "Redis is loading its data after a restart",
                "it goes on by itself once that is done",
            ),
            Self::Replica => (
                "this Redis is a read-only replica",
                "after a failover it goes on by itself once the address leads to the primary; if it lasts, \
                 point `redis.url` there",
            ),
            Self::TooFewReplicas => (
                "Redis misses replicas and takes no changes (min-replicas-to-write)",
                "bring its replicas back",
            ),
            Self::Busy => (
                "a script of somebody keeps Redis busy",
                "wait for it, or end it with `redis-cli script kill`",
            ),
            Self::Refused => (
                "Redis refuses our credentials or rights",
                "check user and password in `redis.url`, and the user's rights: it needs the ACL rule that \
                 `alumniq-relay check --connect` shows where rights are missing",
            ),
            Self::MissingRights => (
                "our user in Redis lacks rights",
                "nothing is changed until it has them, then work goes on by itself; give it the ACL rule that \
                 `alumniq-relay check --connect` shows",
            ),
            Self::TooManyClients => (
                "Redis has as many clients as it takes",
                "raise its `maxclients`, or find who holds so many connections (`redis-cli client list`)",
            ),
            Self::ForeignKey => (
                "a key of the queue in Redis holds what another program wrote",
                "what needs the key waits; look at it with `redis-cli type`, remove it or rename it, and keep the \
                 other program out of the namespace; then run `alumniq-relay reconcile --fix`",
            ),
            Self::SlotMoves => (
                "the Redis cluster moves our slot to another node",
                "work goes on by itself once the slot has moved; if it lasts, look at `redis-cli --cluster check`",
            ),
            Self::ClusterDown => (
                "the Redis cluster does not serve our slot from here",
                "look at `redis-cli cluster info`; name several of its nodes in `redis.url`",
            ),
            Self::Away => (
                "Redis does not answer",
                "check that it runs and takes more clients (`maxclients`), and that `redis.url` is right: `rediss://` \
                 where it speaks TLS, `redis://` where it does not",
            ),
            Self::Other => ("Redis", "see Redis' log"),
        };
        (what.into(), todo.into())
    }

    /// Whether only writes are refused.
    pub(super) const fn is_of_writes(self) -> bool {
        !matches!(self.proof_of_end(), ScriptPurpose::Looks)
    }

    /// What must succeed before the trouble is over: a full Redis answers everybody else.
    const fn proof_of_end(self) -> ScriptPurpose {
        match self {
            Self::Full => ScriptPurpose::TakesIn,
            Self::DiskFails | Self::Replica | Self::TooFewReplicas => ScriptPurpose::CarriesOn,
            _ => ScriptPurpose::Looks,
        }
    }
}

/// What it is and what to do, in a sentence.
impl fmt::Display for RedisErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, todo) = self.words();
        write!(f, "{what}: {todo}")
    }
}

const TOO_MANY_CLIENTS: &str = "max number of clients";

/// An error as people read it: what it is, what to do, and Redis' own words.
pub(super) fn explain(error: &RedisError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match RedisErrorKind::of(error) {
        RedisErrorKind::Other => write!(f, "Redis: {error}"),
        RedisErrorKind::Full => write!(f, "{}", RedisErrorKind::Full),
        trouble => {
            let (what, todo) = trouble.words();
            write!(f, "{what} ({error}): {todo}")
        }
    }
}

/// The trouble that Redis is in, as far as this process has seen: each is told once, however many loops run into
/// it and however it changes its face, and once that it is over.
#[derive(Debug, Default)]
pub(super) struct RedisErrorReporter {
    episode: Mutex<Option<Episode>>,
    warnings: Mutex<BTreeSet<String>>,
}

/// How many different warnings of scripts are logged by a process.
const WARNINGS: usize = 1_000;

#[derive(Debug)]
struct Episode {
    since: Instant,
    told: Vec<RedisErrorKind>,
}

impl RedisErrorReporter {
    /// A call failed.
    pub fn failed(&self, error: &RedisError) {
        self.begins(RedisErrorKind::of(error), error);
    }

    /// `cause`: how it was seen.
    pub fn begins(&self, trouble: RedisErrorKind, cause: &dyn fmt::Display) {
        let mut known = self.episode.lock().unwrap_or_else(PoisonError::into_inner);
        let episode = known.get_or_insert_with(|| Episode {
            since: Instant::now(),
            told: Vec::new(),
        });
        if !episode.told.contains(&trouble) {
            tracing::warn!(%cause, "{trouble}");
            episode.told.push(trouble);
        }
    }

    /// A script did its work and has something for the log; each is logged once.
    pub fn warned(&self, warning: String) {
        let mut known = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < WARNINGS && !known.contains(&warning) {
            tracing::warn!("Redis: {warning}");
            known.insert(warning);
        }
    }

    /// A call with this purpose succeeded.
    pub fn succeeded(&self, purpose: ScriptPurpose) {
        let mut known = self.episode.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |episode: &mut Episode| {
            let told = episode.told.iter();
            told.copied()
                .all(|trouble| purpose >= trouble.proof_of_end())
        };
        if let Some(Episode { since, told }) = known.take_if(is_over) {
            let after_seconds = since.elapsed().as_secs();
            let what: Vec<_> = told.iter().map(|trouble| trouble.words().0).collect();
            tracing::info!(after_seconds, "over: {}", what.join("; "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the driver makes of an answer.
    fn answered(line: &str) -> RedisError {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        value.extract_error().unwrap_err()
    }

    #[test]
    fn every_refusal_of_redis_has_a_name_and_says_what_to_do() {
        for (line, trouble) in [
            (
                "OOM allow-oom flag is not set on the script",
                RedisErrorKind::Full,
            ),
            (
                "MISCONF Redis is configured to save RDB snapshots",
                RedisErrorKind::DiskFails,
            ),
            (
                "LOADING Redis is loading the dataset in memory",
                RedisErrorKind::Loading,
            ),
            (
                "READONLY You can't write against a read only replica.",
                RedisErrorKind::Replica,
            ),
            (
                "MASTERDOWN Link with MASTER is down",
                RedisErrorKind::Replica,
            ),
            (
                "NOREPLICAS Not enough good replicas to write.",
                RedisErrorKind::TooFewReplicas,
            ),
            ("BUSY Redis is busy running a script.", RedisErrorKind::Busy),
            ("NOAUTH Authentication required.", RedisErrorKind::Refused),
            (
                "WRONGPASS invalid username-password pair",
                RedisErrorKind::Refused,
            ),
            (
                "NOPERM User default has no permissions",
                RedisErrorKind::Refused,
            ),
            (
                "ERR max number of clients reached",
                RedisErrorKind::TooManyClients,
            ),
            (
                "CLUSTERDOWN The cluster is down",
                RedisErrorKind::ClusterDown,
            ),
            ("ASK 3999 127.0.0.1:6381", RedisErrorKind::SlotMoves),
            (
                "TRYAGAIN Multiple keys request during rehashing of slot",
                RedisErrorKind::SlotMoves,
            ),
            (
                "WRONGTYPE {campus}:ready:crm holds a string, where the queue keeps a list",
                RedisErrorKind::ForeignKey,
            ),
            (
                "ERR The user executing the script can't run this command or subcommand",
                RedisErrorKind::Refused,
            ),
            ("MOVED 3999 127.0.0.1:6381", RedisErrorKind::ClusterDown),
            ("ERR unknown command", RedisErrorKind::Other),
        ] {
            let error = answered(line);
            assert_eq!(RedisErrorKind::of(&error), trouble, "{line}");
            let said = super::super::QueueError::from(error).to_string();
            assert!(said.starts_with(&*trouble.words().0), "{said}");
        }
    }

    #[test]
    fn a_full_redis_that_answers_other_calls_is_still_full() {
        let watch = RedisErrorReporter::default();
        let is_told = |trouble| {
            let episode = watch.episode.lock().unwrap();
            episode.as_ref().is_some_and(|e| e.told == [trouble])
        };
        watch.failed(&answered("OOM"));
        watch.succeeded(ScriptPurpose::Looks);
        watch.succeeded(ScriptPurpose::CarriesOn);
        assert!(is_told(RedisErrorKind::Full));
        watch.succeeded(ScriptPurpose::TakesIn);
        assert!(watch.episode.lock().unwrap().is_none());
    }

    #[test]
    fn a_redis_that_answers_a_reader_may_still_refuse_to_write() {
        let watch = RedisErrorReporter::default();
        let is_told = |trouble| {
            let episode = watch.episode.lock().unwrap();
            episode.as_ref().is_some_and(|e| e.told == [trouble])
        };
        watch.failed(&answered("MISCONF"));
        watch.succeeded(ScriptPurpose::Looks);
        assert!(is_told(RedisErrorKind::DiskFails));
        watch.succeeded(ScriptPurpose::CarriesOn);
        assert!(watch.episode.lock().unwrap().is_none());
    }
}
