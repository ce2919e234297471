//! One Redis server for all cases, and what a case does to it from the outside: copies of a database, a command that is
//! refused, a key of another type, a clock that moves on. Nothing here knows which keys the queue has.

use std::{collections::BTreeMap, path::PathBuf};

use futures::StreamExt;
use harness::redis::Redis;
use queue::{Queue, QueueSettings, durability::DurabilityExceptions, rights, seal::Seals};
use redis::{FromRedisValue, aio::MultiplexedConnection};

use super::recording::{Recording, words};

pub const NAMESPACE: &str = "campus";

/// The refusal to publish on the queue's channel: not a command, but an ACL rule of its own.
pub const CHANNEL: &str = "(channel)";

/// One for each copy.
const DATABASES: &str = "10000";

/// Copies every key with its time to live. ARGV: from, to.
const COPY: &str = "
redis.call('SELECT', ARGV[2])
redis.call('FLUSHDB')
redis.call('SELECT', ARGV[1])
for _, name in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', name, name, 'DB', ARGV[2]) end";

/// One digest of every key, its bytes, and when it expires.
const DIGEST: &str = "
local names, parts = redis.call('KEYS', '*'), {}
table.sort(names)
for i, name in ipairs(names) do
  parts[i] = redis.sha1hex(name .. redis.call('DUMP', name) .. redis.call('PEXPIRETIME', name))
end
return redis.sha1hex(table.concat(parts))";

/// Name and type of each key that does not expire.
const TYPES: &str = "
local found = {}
for _, name in ipairs(redis.call('KEYS', '*')) do
  if redis.call('PTTL', name) == -1 then
    found[#found + 1] = name
    found[#found + 1] = redis.call('TYPE', name).ok
  end
end
return found";

/// Puts a value of another type in the place of a key, which waits under another name. ARGV: key. Returns whether there
/// was one.
const REPLACE: &str = "
local kind = redis.call('TYPE', ARGV[1]).ok
if kind == 'none' then return 0 end
redis.call('RENAME', ARGV[1], 'aside')
if kind == 'string' then
  redis.call('RPUSH', ARGV[1], 'foreign')
else
  redis.call('SET', ARGV[1], 'foreign')
end
return 1";

/// A person removes the foreign key and puts the true one back. Where a script has removed or replaced the foreign key,
/// there is nothing foreign to see.
const PUT_BACK: &str = "
local kind = redis.call('TYPE', ARGV[1]).ok
if kind == 'none' or kind == redis.call('TYPE', 'aside').ok then
  redis.call('DEL', 'aside')
else
  redis.call('RENAME', 'aside', ARGV[1])
end";

/// Removes every key of a type. ARGV: type.
const REMOVE_TYPE: &str = "
for _, name in ipairs(redis.call('KEYS', '*')) do
  if redis.call('TYPE', name).ok == ARGV[1] then redis.call('DEL', name) end
end";

pub struct Stage {
    pub redis: Redis,
    admin: MultiplexedConnection,
    /// The fleet's handle.
    pub queue: Queue,
    /// A process with the next encryption key.
    pub rotating: Queue,
    copies: usize,
}

impl Stage {
    pub async fn start() -> Self {
        let redis =
            Redis::start_with_clock(&["--appendonly", "no", "--databases", DATABASES]).await;
        let rule = rights::rule(NAMESPACE);
        redis
            .command(&format!("ACL SETUSER relay reset on >word {rule}"))
            .await;
        let (now, next) = ([7; 32], [8; 32]);
        let queue = admitted(&redis, Seals::new(Some(&now), &[next])).await;
        let rotating = admitted(&redis, Seals::new(Some(&next), &[now])).await;
        let admin = redis.connect().await;
        let mut stage = Self {
            redis,
            admin,
            queue,
            rotating,
            copies: 0,
        };
        stage.command("FLUSHDB").await;
        stage
    }

    /// A handle that is not admitted yet.
    pub async fn reader(&self) -> Result<Queue, queue::QueueError> {
        let settings = settings(&self.redis, Seals::new(Some(&[7; 32]), &[[8; 32]])).await;
        Queue::connect(settings).await
    }

    pub async fn command(&mut self, line: &str) -> redis::Value {
        harness::redis::command(&mut self.admin, line).await
    }

    async fn script<T: FromRedisValue>(&mut self, text: &str, arguments: &[&str]) -> T {
        redis::cmd("EVAL")
            .arg(text)
            .arg(0)
            .arg(arguments)
            .query_async(&mut self.admin)
            .await
            .unwrap()
    }

    /// Keeps a copy of what there is now; returns its number.
    pub async fn keep(&mut self) -> usize {
        self.copies += 1;
        self.keep_as(self.copies).await;
        self.copies
    }

    /// Keeps what there is now in the place of an older copy.
    pub async fn keep_as(&mut self, copy: usize) {
        self.script::<()>(COPY, &["0", &copy.to_string()]).await;
    }

    /// Goes back to a copy.
    pub async fn go_back(&mut self, copy: usize) {
        self.script::<()>(COPY, &[&copy.to_string(), "0"]).await;
    }

    pub async fn digest(&mut self) -> String {
        self.script(DIGEST, &[]).await
    }

    /// The keys that do not expire, by name, with their types. Numbers that are times are masked.
    pub async fn lasting_keys(&mut self) -> BTreeMap<String, String> {
        let flat: Vec<String> = self.script(TYPES, &[]).await;
        let pairs = flat.chunks_exact(2);
        pairs
            .map(|pair| (without_times(&pair[0]), pair[1].clone()))
            .collect()
    }

    pub async fn remove_type(&mut self, kind: &str) {
        self.script::<()>(REMOVE_TYPE, &[kind]).await;
    }

    /// The relay's user may not run this command any more.
    pub async fn refuse(&mut self, command: &str) {
        let rule = match command {
            CHANNEL => "resetchannels".to_owned(),
            command => format!("-{command}"),
        };
        self.command(&format!("ACL SETUSER relay {rule}")).await;
    }

    /// It may again, and has proved it: no later transition has to.
    pub async fn allow(&mut self, command: &str) {
        let rule = match command {
            CHANNEL => format!("&{{{NAMESPACE}}}*"),
            command => format!("+{command}"),
        };
        self.command(&format!("ACL SETUSER relay {rule}")).await;
        self.queue.status().await.unwrap();
        self.rotating.status().await.unwrap();
    }

    /// False where there is no such key.
    pub async fn replace_key(&mut self, key: &str) -> bool {
        self.script(REPLACE, &[key]).await
    }

    pub async fn put_key_back(&mut self, key: &str) {
        self.script::<()>(PUT_BACK, &[key]).await;
    }

    /// Watches what Redis does from now on until [`Watching::end`].
    pub async fn watch(&mut self) -> Watching {
        // A script that has to be loaded again shows its text.
        self.command("SCRIPT FLUSH").await;
        let client = redis::Client::open(self.redis.url()).unwrap();
        Watching(client.get_async_monitor().await.unwrap())
    }

    pub async fn recorded(&mut self, watching: Watching) -> Recording {
        self.command("ECHO the-end").await;
        let mut lines = Box::pin(watching.0.into_on_message::<String>());
        let mut recording = Recording::default();
        while let Some(line) = lines.next().await {
            let words = words(&line);
            if words.get(1).is_some_and(|word| word == "the-end") {
                break;
            }
            recording.note(&words);
        }
        recording
    }
}

/// A connection that sees every command.
pub struct Watching(redis::aio::Monitor);

async fn settings(redis: &Redis, seals: Seals) -> QueueSettings {
    let mut found = None;
    // The harness knows the usual settings.
    let reader = redis
        .reader_with(NAMESPACE, |settings| {
            settings.keep = std::time::Duration::from_secs(30 * 24 * 3600);
            settings.keep_audit = settings.keep;
            settings.seals = seals;
            found = Some(settings.clone());
        })
        .await;
    drop(reader);
    let mut settings = found.unwrap();
    settings.urls = vec![format!("{}?user=relay&pass=word", redis.url())];
    settings
}

async fn admitted(redis: &Redis, seals: Seals) -> Queue {
    let settings = settings(redis, seals).await;
    let reader = Queue::connect(settings).await.unwrap();
    reader.admit(EVERYTHING).await.unwrap().queue
}

pub const EVERYTHING: DurabilityExceptions = DurabilityExceptions {
    no_persistence: true,
    eviction: true,
};

/// Runs of ten digits and more are times, tokens, or named after them.
fn without_times(name: &str) -> String {
    let mut masked = String::new();
    let mut digits = String::new();
    for letter in name.chars().chain(['\0']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        masked += if digits.len() < 10 { &digits } else { "#" };
        digits.clear();
        if letter != '\0' {
            masked.push(letter);
        }
    }
    masked
}

/// The texts of the crate's scripts, as far as they are one each: by file, without what the crate puts in.
pub fn script_files() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/queue/scripts"
    ))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            if text.contains("\nlocal function transition()") {
                let own = text.lines().filter(|line| !line.starts_with("-- @include"));
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                found.insert(name, own.collect::<Vec<_>>().join("\n"));
            }
        }
    }
    found
}
