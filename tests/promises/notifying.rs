//! The operators' webhook is told of each change of state by the fleet, once, whatever dies or is away, and
//! nothing waits for it.

mod receivers;
mod states;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use harness::{redis::Redis, relay::Relay, waiting::until};
use ring::digest::{SHA256, digest};
use sandbox::{Posted, SANDBOX_WEBHOOK_SECRET, Sandbox};
use serde_json::Value;

/// What stands behind `whsec_` in [`SANDBOX_WEBHOOK_SECRET`].
const KEY: &[u8] = b"sandbox-webhook-not-a-secret";

/// The part of the address that nobody may see.
const TOKEN: &str = "hunter2-hunter2-hunter2";

/// A role that leaves the queue alone.
const IDLE: &str = "console";

const EVERYTHING: &str = "producer,crm,salsa,acknowledger";

/// Tells the sandbox's webhook everything at once.
fn telling(sandbox: &Sandbox, redis: &Redis) -> Relay {
    let address = format!("{}?token={TOKEN}", sandbox.webhook_url());
    Relay::new(sandbox, Some(redis))
        .set("notify.webhook_url", &address)
        .set("notify.secret", SANDBOX_WEBHOOK_SECRET)
        .set("notify.after", "0s")
}

/// What the receiver took, in order; repeats are dropped by their id, as receivers should.
fn taken(sandbox: &Sandbox) -> Vec<Value> {
    let mut ids = BTreeSet::new();
    let posted = sandbox.notifications().into_iter();
    let taken = posted.filter(|posted| posted.status == 204);
    let taken = taken.filter(|posted| ids.insert(posted.headers["webhook-id"].clone()));
    taken.map(|posted| posted.json()).collect()
}

/// The same in short: what happened to whom.
fn events(sandbox: &Sandbox) -> Vec<String> {
    let name = |body: &Value| {
        let words = [&body["event"], &body["destination"]];
        let words: Vec<&str> = words.iter().filter_map(|word| word.as_str()).collect();
        words.join(" ")
    };
    taken(sandbox).iter().map(name).collect()
}

/// Waits until `event` (`books_off`, `destination_paused crm`) was taken; its body.
async fn told(sandbox: &Sandbox, event: &str) -> Value {
    until(&format!("the webhook is told: {event}"), async || {
        let at = events(sandbox).iter().position(|told| told == event)?;
        Some(taken(sandbox)[at].clone())
    })
    .await
}

/// HMAC-SHA256 by its definition, and Standard Webhooks by theirs: nothing of the program's own code.
fn is_signed(posted: &Posted) -> bool {
    let Posted { headers, body, .. } = posted;
    let (id, time) = (&headers["webhook-id"], &headers["webhook-timestamp"]);
    let pad =
        |byte: u8| -> Vec<u8> { (0..64).map(|at| KEY.get(at).unwrap_or(&0) ^ byte).collect() };
    let message = format!("{id}.{time}.{body}");
    let inner = digest(&SHA256, &[&pad(0x36)[..], message.as_bytes()].concat());
    let outer = digest(&SHA256, &[&pad(0x5c)[..], inner.as_ref()].concat());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let age = now.as_secs().abs_diff(time.parse().unwrap());
    age < 300 && headers["webhook-signature"] == format!("v1,{}", BASE64_STANDARD.encode(outer))
}

/// How often each thing arrived, by its id.
fn arrivals(sandbox: &Sandbox) -> BTreeMap<String, usize> {
    let mut arrivals = BTreeMap::new();
    for posted in sandbox.notifications() {
        *arrivals
            .entry(posted.headers["webhook-id"].clone())
            .or_default() += 1;
    }
    arrivals
}
