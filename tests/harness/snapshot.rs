//! Everything that lies in a namespace, read at one instant.

use std::collections::{BTreeMap, BTreeSet};

use redis::aio::MultiplexedConnection;

const DUMP: &str = r"
local all, time = {}, redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. ':*')) do
  local kind, flat = redis.call('TYPE', key).ok, nil
  if kind == 'string' then flat = { redis.call('GET', key) }
  elseif kind == 'list' then flat = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'set' then flat = redis.call('SMEMBERS', key)
  elseif kind == 'zset' then flat = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  else flat = redis.call('HGETALL', key) end
  local ends = redis.call('PEXPIRETIME', key)
  all[#all + 1] = { key:sub(#ARGV[1] + 2), ends < 0 and ends or ends - now, flat }
end
return all";

/// One key: its time to live (ms; negative = none) and what it holds.
#[derive(Debug, PartialEq)]
struct Entry {
    ttl: i64,
    flat: Vec<String>,
}

/// Text as it is; what is none, as escapes.
fn readable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

/// The namespace, by key without the prefix. What is absent is empty.
#[derive(Debug, PartialEq)]
pub struct Snapshot {
    entries: BTreeMap<String, Entry>,
}

impl Snapshot {
    /// What each key holds, whatever is left of its time.
    pub fn contents(&self) -> BTreeMap<&str, &[String]> {
        let entries = self.entries.iter();
        let contents = entries.map(|(key, entry)| (key.as_str(), entry.flat.as_slice()));
        contents.collect()
    }

    /// Reads it.
    pub async fn take(connection: &mut MultiplexedConnection, namespace: &str) -> Self {
        let raw: Vec<(String, i64, Vec<Vec<u8>>)> = redis::cmd("EVAL")
            .arg(DUMP)
            .arg(0)
            .arg(format!("{{{namespace}}}"))
            .query_async(connection)
            .await
            .unwrap();
        Self {
            entries: raw
                .into_iter()
                .map(|(key, ttl, flat)| {
                    let flat = flat.iter().map(|bytes| readable(bytes)).collect();
                    (key, Entry { ttl, flat })
                })
                .collect(),
        }
    }

    /// Every key.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The same without the keys that are named.
    pub fn without(mut self, keys: &[&str]) -> Self {
        self.entries.retain(|key, _| !keys.contains(&key.as_str()));
        self
    }

    /// The same with every time to live taken for as long as the test.
    pub fn untimed(mut self) -> Self {
        for entry in self.entries.values_mut() {
            entry.ttl = entry.ttl.signum();
        }
        self
    }

    /// What follows `prefix` in the keys that begin with it.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.keys().filter_map(move |key| key.strip_prefix(prefix))
    }

    /// Time to live, ms; `None`: for ever, or no such key.
    pub fn ttl(&self, key: &str) -> Option<u64> {
        u64::try_from(self.entries.get(key)?.ttl).ok()
    }

    /// A list, a set, or the one value of a string.
    pub fn list(&self, key: &str) -> &[String] {
        self.entries
            .get(key)
            .map_or(&[], |entry| entry.flat.as_slice())
    }

    /// A string.
    pub fn string(&self, key: &str) -> Option<&str> {
        self.list(key).first().map(String::as_str)
    }

    /// A sorted set in its order.
    pub fn sorted(&self, key: &str) -> Vec<(&str, f64)> {
        self.list(key)
            .chunks(2)
            .map(|pair| (pair[0].as_str(), pair[1].parse().unwrap()))
            .collect()
    }

    /// The members of a sorted set in their order.
    pub fn members(&self, key: &str) -> Vec<&str> {
        self.list(key)
            .chunks(2)
            .map(|pair| pair[0].as_str())
            .collect()
    }

    /// Every lane with its members, each with the destinations that wait for it.
    pub fn lanes(&self) -> BTreeMap<&str, BTreeMap<&str, u8>> {
        let fields = self.hash("lanes").into_iter();
        let lanes: BTreeMap<_, _> = fields
            .map(|(lane, text)| {
                let members = match text {
                    "*" => {
                        let set = self.sorted(&format!("lane:{lane}")).into_iter();
                        set.map(|(member, mask)| (member, mask as u8)).collect()
                    }
                    lines => {
                        let lines = lines.split('\n');
                        let lines = lines.map(|line| (&line[1..], line.as_bytes()[0] - b'0'));
                        lines.collect()
                    }
                };
                (lane, members)
            })
            .collect();
        for long in self.below("lane:") {
            assert_eq!(self.hash("lanes").get(long), Some(&"*"), "{long}");
        }
        lanes
    }

    /// Changes that are closed, each with its marker and its timeline.
    pub fn closed(&self) -> BTreeMap<&str, (&str, Vec<&str>)> {
        let fields = self.in_buckets("closed").map(|(_, id, text)| {
            let mut lines = text.split('\n');
            (id, (lines.next().unwrap_or_default(), lines.collect()))
        });
        fields.collect()
    }

    /// Rows of changes that are closed.
    pub fn rows(&self) -> BTreeMap<&str, &str> {
        let fields = self.in_buckets("rows");
        fields.map(|(_, id, row)| (id, row)).collect()
    }

    /// The bucket of a kind that has this field.
    pub fn bucket_of(&self, kind: &str, field: &str) -> Option<&str> {
        let mut all = self.in_buckets(kind);
        all.find(|(_, other, _)| *other == field)
            .map(|(name, ..)| name)
    }

    fn in_buckets(&self, kind: &str) -> impl Iterator<Item = (&str, &str, &str)> {
        let prefix = format!("{kind}:");
        let names = self.keys().filter(move |key| key.starts_with(&prefix));
        names.flat_map(|name| {
            let fields = self.hash(name).into_iter();
            fields.map(move |(field, text)| (name, field, text))
        })
    }

    /// The persons of changes that are through everywhere, each with theirs.
    pub fn past(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut past: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for name in self.keys().filter(|key| key.starts_with("past:")) {
            for member in self.members(name) {
                let (lane, at_and_id) = member.split_once('\0').unwrap();
                let (_, id) = at_and_id.split_once(' ').unwrap();
                past.entry(lane.to_owned())
                    .or_default()
                    .insert(id.to_owned());
            }
        }
        past
    }

    /// A hash.
    pub fn hash(&self, key: &str) -> BTreeMap<&str, &str> {
        self.list(key)
            .chunks(2)
            .map(|pair| (pair[0].as_str(), pair[1].as_str()))
            .collect()
    }
}
