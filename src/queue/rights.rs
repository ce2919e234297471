//! Which rights the relay's user needs in Redis: the rule that the documents and the advice show, and the trial of it.
//!
//! Redis takes nothing back of a script that is refused a command in its middle. So no transition runs before every
//! right has been tried, and none after a refusal until all of them are there again.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use redis::RedisError;

use super::{Queue, QueueError, connection, keys::Keys};

/// What scripts call, and what is called without a script.
const COMMANDS: &[&str] = &[
    "BITFIELD",
    "DEL",
    "EXISTS",
    "GET",
    "GETRANGE",
    "HDEL",
    "HEXISTS",
    "HGET",
    "HGETALL",
    "HINCRBY",
    "HKEYS",
    "HLEN",
    "HMGET",
    "HSCAN",
    "HSET",
    "HSETNX",
    "HVALS",
    "INCR",
    "LINDEX",
    "LLEN",
    "LPOP",
    "LPOS",
    "LPUSH",
    "LRANGE",
    "LREM",
    "LSET",
    "LTRIM",
    "MGET",
    "PEXPIRE",
    "PEXPIREAT",
    "PTTL",
    "PUBLISH",
    "RPUSH",
    "SADD",
    "SCAN",
    "SCARD",
    "SET",
    "SETRANGE",
    "SISMEMBER",
    "SMEMBERS",
    "SREM",
    "SSCAN",
    "TIME",
    "TYPE",
    "UNLINK",
    "ZADD",
    "ZCARD",
    "ZCOUNT",
    "ZINCRBY",
    "ZMSCORE",
    "ZRANGE",
    "ZRANGEBYSCORE",
    "ZREM",
    "ZREMRANGEBYSCORE",
    "ZREVRANGE",
    "ZREVRANGEBYLEX",
    "ZREVRANGEBYSCORE",
    "ZREVRANK",
    "ZSCAN",
    "ZSCORE",
];

/// What only a connection can try.
const OF_A_CONNECTION: &[&str] = &["PING", "EVALSHA", "SCRIPT LOAD", "SUBSCRIBE"];

/// What is needed in a cluster, or for another database than the first.
const OF_SOME: &[&str] = &["CLUSTER SLOTS", "ASKING", "SELECT"];

/// What tells of Redis' fitness, and what removes an erased person from its files. Without it the work goes on, and a
/// warning says what is missing.
const OPTIONAL: &[&str] = &["INFO", "CONFIG GET", "BGREWRITEAOF", "BGSAVE"];

/// The ACL rule of a user that may do what the relay does in `namespace`, and nothing else.
pub fn rule(namespace: &str) -> String {
    let prefix = Keys::new(namespace).prefix().to_owned();
    let commands = [COMMANDS, OF_A_CONNECTION, OF_SOME, OPTIONAL].concat();
    let commands: Vec<String> = commands.iter().map(|command| allow(command)).collect();
    format!("~{prefix}* &{prefix}* -@all {}", commands.join(" "))
}

/// What allows a command in a rule.
fn allow(command: &str) -> String {
    format!("+{}", command.to_lowercase().replace(' ', "|"))
}

/// Rights that are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingRights {
    /// The words that the user's rule lacks.
    pub missing: Vec<String>,
    /// The whole rule.
    pub rule: String,
}

impl std::fmt::Display for MissingRights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let missing = self.missing.join(" ");
        write!(f, "the Redis user lacks rights: {missing}")
    }
}

impl MissingRights {
    /// What to do.
    pub fn advice(&self) -> String {
        format!(
            "Nothing was changed. Give the user this rule with `ACL SETUSER` (and save it, see `ACL SAVE`): {}",
            self.rule
        )
    }
}

/// Whether every right was there when it was tried last, and none was refused since.
#[derive(Debug, Default)]
pub(super) struct Proved(AtomicBool);

impl Proved {
    /// After a refusal the next transition tries the rights before it begins.
    pub fn look_at(&self, error: &RedisError) {
        if is_refusal(error) {
            self.0.store(false, Ordering::Relaxed);
        }
    }

    /// The same for what a script has for the log. A wake-up that is refused stops nobody.
    pub fn look_at_warning(&self, warning: &str) {
        if says_refusal(warning) && !warning.starts_with(NOT_WOKEN) {
            self.0.store(false, Ordering::Relaxed);
        }
    }
}

/// What frame.lua says of a wake-up that Redis refused.
const NOT_WOKEN: &str = "no wake-up was sent";

/// Whether Redis refuses it for want of rights.
pub(super) fn is_refusal(error: &RedisError) -> bool {
    error.code() == Some("NOPERM") || error.detail().is_some_and(says_refusal)
}

/// What Redis 7.0 says, without a code of its own, where a script calls what its user may not.
pub(super) fn says_refusal(text: &str) -> bool {
    text.contains("The user executing the script can't")
}

impl Queue {
    /// Refuses to go on where rights are missing. Looks again only after a refusal.
    pub(super) async fn prove_rights(&self) -> Result<(), QueueError> {
        if self.proved.0.load(Ordering::Relaxed) {
            return Ok(());
        }
        let missing = self.missing_rights().await?;
        if missing.is_empty() {
            self.proved.0.store(true, Ordering::Relaxed);
            return Ok(());
        }
        Err(QueueError::Rights(MissingRights {
            missing,
            rule: rule(&self.settings.namespace),
        }))
    }

    /// The words that the user's rule lacks. Tries every command, and changes nothing. That a node of a cluster is gone
    /// hides nothing: of what is no refusal, only the script's failure counts.
    async fn missing_rights(&self) -> Result<Vec<String>, QueueError> {
        let script = &self.scripts.rights;
        let (urls, channel) = (&self.settings.urls, self.keys.of(&["wake"]));
        let (mut pinging, mut loading) = (self.connection.clone(), self.connection.clone());
        let ping = redis::cmd("PING");
        let (pinged, loaded, heard) = futures::join!(
            ping.exec_async(&mut pinging),
            script.load(&mut loading),
            connection::subscribe(
                urls,
                &self.settings.tls,
                &channel,
                self.settings.response_timeout
            ),
        );
        let refusals = [pinged.err(), loaded.err(), heard.err()];
        let refusals = refusals.iter().flatten().filter(|error| is_refusal(error));
        let mut missing: Vec<String> = refusals.map(|error| self.word_of(error)).collect();
        let mut call = script.prepare_invoke();
        call.arg(COMMANDS);
        match call
            .invoke::<Vec<String>>(&self.keys, &mut self.connection.clone())
            .await
        {
            Ok(tried) => missing.extend(tried.value),
            Err(error) if is_refusal(&error) => missing.push(self.word_of(&error)),
            Err(error) => return Err(error.into()),
        }
        let mut seen = BTreeSet::new();
        missing.retain(|word| seen.insert(word.clone()));
        Ok(missing)
    }

    fn word_of(&self, refusal: &RedisError) -> String {
        missing_word(refusal, &self.settings.namespace)
    }
}

/// What the user's rule lacks, by Redis' refusal of a call.
fn missing_word(refusal: &RedisError, namespace: &str) -> String {
    let detail = refusal.detail().unwrap_or_default();
    let prefix = Keys::new(namespace).prefix().to_owned();
    match detail.split('\'').nth(1) {
        Some(command) => allow(command),
        None if detail.contains("channel") => format!("&{prefix}*"),
        None if detail.contains("key") => format!("~{prefix}*"),
        None => detail.to_owned(),
    }
}

/// Missing rights, where a connection was refused for want of them.
pub(super) fn refused(refusal: RedisError, namespace: &str) -> QueueError {
    match is_refusal(&refusal) {
        true => QueueError::Rights(MissingRights {
            missing: vec![missing_word(&refusal, namespace)],
            rule: rule(namespace),
        }),
        false => refusal.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn sources(directory: &Path, found: &mut Vec<(bool, String)>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let is_script = path.extension().is_some_and(|extension| extension == "lua");
            // Our own server has no such user.
            let is_ours = path.ends_with("embedded") || path.ends_with("embedded.rs");
            if is_ours || path.ends_with("rights.rs") || path.ends_with("tests.rs") {
                continue;
            }
            if path.is_dir() {
                sources(&path, found);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                let product = text.split("#[cfg(test)]\nmod ").next().unwrap();
                found.push((is_script, product.to_owned()));
            }
        }
    }

    fn queue_sources() -> Vec<(bool, String)> {
        let mut found = Vec::new();
        let queue = Path::new(env!("CARGO_MANIFEST_DIR"));
        sources(queue, &mut found);
        found
    }

    /// The words in capitals that stand right behind one of these.
    fn behind<'a>(text: &'a str, openings: &[&str]) -> Vec<&'a str> {
        let rest_of = |opening: &&str| -> Vec<&'a str> { text.split(opening).skip(1).collect() };
        let words = openings.iter().flat_map(rest_of);
        words
            .map(|rest| rest.split(['\'', '"']).next().unwrap())
            .collect()
    }

    /// Words of commands' arguments, and of Redis' errors.
    const OTHER_CAPITALS: &[&str] = &[
        "ASK",
        "BUSY",
        "CLUSTERDOWN",
        "COUNT",
        "ERR",
        "LIMIT",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "MOVED",
        "NOAUTH",
        "NOPERM",
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "TRYAGAIN",
        "WITHSCORES",
        "WRONGPASS",
        "WRONGTYPE",
    ];

    fn quoted_capitals(text: &str) -> Vec<&str> {
        let is_command = |word: &&str| {
            word.len() > 2
                && word.chars().all(|c| c.is_ascii_uppercase())
                && !OTHER_CAPITALS.contains(word)
        };
        text.split('"').filter(is_command).collect()
    }

    #[test]
    fn the_rule_names_every_command_that_is_used_and_no_other() {
        let listed: BTreeSet<&str> = [COMMANDS, OF_A_CONNECTION, OF_SOME, OPTIONAL]
            .concat()
            .into_iter()
            .map(|command| command.split(' ').next().unwrap())
            .collect();
        let sources = queue_sources();
        for (is_script, text) in &sources {
            let used = match is_script {
                true => behind(
                    text,
                    &[
                        "call('",
                        "call, '",
                        "gather('",
                        "call_with('",
                        "each_of('",
                        "size('",
                    ],
                ),
                // A command may stand anywhere: in a table, say.
                false => quoted_capitals(text),
            };
            for command in used {
                assert!(listed.contains(command), "{command} is used and not listed");
            }
        }
        for command in COMMANDS {
            let method = format!(".{}(", command.to_lowercase());
            let is_used = |(is_script, text): &(bool, String)| match is_script {
                true => text.contains(&format!("'{command}'")),
                false => text.contains(&format!("\"{command}\"")) || text.contains(&method),
            };
            assert!(
                sources.iter().any(is_used),
                "{command} is listed and not used"
            );
        }
    }
}
