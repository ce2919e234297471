//! What Redis holds of people, byte by byte: in every key and value, and in its files.
//!
//! - `encrypted`: with a key no value of a row appears anywhere, in any state; keys rotate while the queue works
//! - `keys`: a process without a key that is in use does not start, or leaves what it cannot open to others
//! - `erased`: one person's data goes, name included, and the books still balance
//! - `retention`: what is kept for a time is gone after it

mod encrypted;
mod erased;
mod keys;
mod retention;

use std::path::Path;

use harness::{namespace::Namespace, redis::Redis, rows};
use queue::{intake::NewChange, seal::Seals};
use serde_json::{json, value::to_raw_value};

/// Whose data is looked for.
const XID: &str = "xid-8417-of-ann";

/// The values of her rows; nothing else says these words.
const VALUES: [&str; 4] = [
    "Käse und Söhne GmbH",
    "Obermaatin",
    "ann.obermaat@kaese.example",
    "Elbchaussee 4711",
];

/// A row of hers.
fn row(id: &str, changed_on: i64) -> NewChange {
    let [employer, title, email, street] = VALUES;
    NewChange {
        row: to_raw_value(&json!({
            "changeId": id, "xid": XID, "employer": employer, "jobTitle": title, "email": email, "address1": street,
        }))
        .unwrap(),
        ..rows::change(id, Some(XID), changed_on)
    }
}

/// Keys of 32 equal bytes.
fn seals(current: Option<u8>, old: &[u8]) -> Seals {
    let old: Vec<_> = old.iter().map(|byte| [*byte; 32]).collect();
    Seals::new(current.map(|byte| [byte; 32]).as_ref(), &old)
}

async fn sealed_with(redis: &Redis, current: Option<u8>, old: &[u8]) -> Namespace {
    Namespace::with(redis, |settings| settings.seals = seals(current, old)).await
}

/// Everything that Redis holds, keys and values of every type, as bytes.
async fn memory(namespace: &mut Namespace) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut cursor = 0_u64;
    loop {
        let (next, names): (u64, Vec<Vec<u8>>) = redis::cmd("SCAN")
            .arg(cursor)
            .query_async(&mut namespace.connection)
            .await
            .unwrap();
        for name in names {
            bytes.extend(&name);
            bytes.push(b'\n');
            let kind: String = ask(namespace, &["TYPE"], &name, &[]).await;
            let value: redis::Value = match kind.as_str() {
                "string" => ask(namespace, &["GET"], &name, &[]).await,
                "hash" => ask(namespace, &["HGETALL"], &name, &[]).await,
                "list" => ask(namespace, &["LRANGE"], &name, &["0", "-1"]).await,
                "set" => ask(namespace, &["SMEMBERS"], &name, &[]).await,
                "zset" => ask(namespace, &["ZRANGE"], &name, &["0", "-1", "WITHSCORES"]).await,
                "none" => continue,
                other => panic!("{other} is looked into by nobody"),
            };
            pour(&value, &mut bytes);
        }
        if next == 0 {
            return bytes;
        }
        cursor = next;
    }
}

async fn ask<T: redis::FromRedisValue>(
    namespace: &mut Namespace,
    command: &[&str],
    name: &[u8],
    arguments: &[&str],
) -> T {
    let mut asked = redis::cmd(command[0]);
    asked.arg(name).arg(arguments);
    asked.query_async(&mut namespace.connection).await.unwrap()
}

fn pour(value: &redis::Value, bytes: &mut Vec<u8>) {
    match value {
        redis::Value::Nil => {}
        redis::Value::BulkString(text) => bytes.extend(text),
        redis::Value::SimpleString(text) => bytes.extend(text.as_bytes()),
        redis::Value::Int(number) => bytes.extend(number.to_string().as_bytes()),
        redis::Value::Array(values) | redis::Value::Set(values) => {
            values.iter().for_each(|value| pour(value, bytes));
        }
        redis::Value::Map(pairs) => {
            for (name, value) in pairs {
                pour(name, bytes);
                pour(value, bytes);
            }
        }
        other => panic!("{other:?} is looked into by nobody"),
    }
    bytes.push(b'\n');
}

/// Everything in Redis' directory, dumps and append-only files.
fn files(redis: &Redis) -> Vec<u8> {
    fn pour(directory: &Path, bytes: &mut Vec<u8>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => pour(&entry.path(), bytes),
                // It may be gone already: Redis clears away what it has rewritten.
                kind if kind.is_file() => {
                    bytes.extend(std::fs::read(entry.path()).unwrap_or_default())
                }
                _ => {}
            }
        }
    }
    let mut bytes = Vec::new();
    pour(&redis.path(""), &mut bytes);
    bytes
}

/// Whether `text` stands there, as it is or escaped as JSON may.
fn holds(bytes: &[u8], text: &str) -> bool {
    let plain = text.as_bytes();
    bytes.windows(plain.len()).any(|window| window == plain)
}

#[track_caller]
fn holds_none(place: &str, bytes: &[u8], texts: &[&str]) {
    for text in texts {
        assert!(!holds(bytes, text), "{place}: {text}");
    }
}
