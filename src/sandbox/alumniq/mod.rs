//! AlumnIQ's work-profile change feed. The key travels in the query of a GET and in the body of a
//! PUT; every error answer has an empty body.

pub(crate) mod feed;

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;

use self::feed::FetchFilter;
use super::{
    http::{SandboxRequest, SandboxResponse},
    operation::Operation,
    options::SANDBOX_API_KEY,
    world::{World, lock},
};

pub(super) fn answer(
    world: &World,
    operation: Operation,
    call: &SandboxRequest,
) -> SandboxResponse {
    let answer = match operation {
        Operation::Fetch => fetch(world, call),
        Operation::Acknowledge => acknowledge(world, call),
        _ if call.path.ends_with("/sync/address-change/work") => Err(405),
        _ => Err(404),
    };
    answer.unwrap_or_else(SandboxResponse::empty).with_header(
        "x-api-key-days-remaining",
        world.options.api_key_days_remaining,
    )
}

fn fetch(world: &World, call: &SandboxRequest) -> Result<SandboxResponse, u16> {
    if call.parameter("apikey").as_deref() != Some(SANDBOX_API_KEY) {
        return Err(401);
    }
    let filter = filter(call)?;
    let mark = call
        .parameter("markAsProcessed")
        .is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "true" | "yes" | "1"));
    let body = {
        let mut feed = lock(&world.feed);
        let selected = feed.select(&filter);
        if mark {
            lock(&world.traffic).writes += 1;
            let mut ledger = lock(&world.ledger);
            for &index in &selected {
                ledger.mark_on_fetch(feed.id(index));
                feed.process(index);
            }
        }
        lock(&world.traffic).batch(Operation::Fetch, selected.len());
        feed.rows(&selected)
    };
    Ok(compressed(world, call, body))
}

/// The filters exclude each other, and one there must be.
fn filter(call: &SandboxRequest) -> Result<FetchFilter, u16> {
    let date = |text: String| -> Result<_, u16> {
        match text.len() {
            10 => text.parse().map_err(|_| 400), // YYYY-MM-DD and no other form
            _ => Err(400),
        }
    };
    let on = call.parameter("changedOnDate");
    let since = call.parameter("changedSinceDate");
    let xid = call.parameter("xid");
    match (on, since, xid) {
        (Some(on), None, None) => Ok(FetchFilter::On(date(on)?)),
        (None, Some(since), None) => Ok(FetchFilter::Since(date(since)?)),
        (None, None, Some(xid)) if !xid.is_empty() => Ok(FetchFilter::Xid(xid)),
        _ => Err(400),
    }
}

fn compressed(world: &World, call: &SandboxRequest, body: Bytes) -> SandboxResponse {
    let accepted = call.header("accept-encoding").unwrap_or_default();
    if !world.options.gzip || !accepted.contains("gzip") {
        return SandboxResponse::json_text(200, body);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    match encoder.write_all(&body).and_then(|()| encoder.finish()) {
        Ok(packed) => {
            SandboxResponse::json_text(200, packed).with_header("content-encoding", "gzip")
        }
        Err(_) => SandboxResponse::json_text(200, body),
    }
}

fn acknowledge(world: &World, call: &SandboxRequest) -> Result<SandboxResponse, u16> {
    let (key, list) = match call.media_type().as_str() {
        "application/x-www-form-urlencoded" => {
            (call.form_field("apikey"), call.form_field("changeIdList"))
        }
        "application/json" => {
            let body = call.json_object().ok_or(400_u16)?;
            (text(body.get("apikey")), text(body.get("changeIdList")))
        }
        _ => return Err(400),
    };
    if key.as_deref() != Some(SANDBOX_API_KEY) {
        return Err(401);
    }
    let list = list.filter(|list| !list.trim().is_empty()).ok_or(400_u16)?;
    let ids: Vec<_> = list
        .split(',')
        .map(str::trim)
        .filter(|id| !id.is_empty())
        .collect();
    let mut feed = lock(&world.feed);
    let mut ledger = lock(&world.ledger);
    let refused = {
        let limits = lock(&world.limits);
        let unknown = |id: &&str| limits.reject_unknown_ids && !feed.knows(id);
        ids.iter()
            .any(|id| unknown(id) || limits.poison_ack_ids.contains(*id))
    };
    lock(&world.traffic).batch(Operation::Acknowledge, ids.len());
    if refused {
        return Err(400);
    }
    for id in &ids {
        ledger.acknowledge(id);
        feed.process_id(id);
    }
    Ok(SandboxResponse::json_text(
        200,
        format!(r#"{{"processed":{}}}"#, ids.len()),
    ))
}

/// CFML takes a lone number for a list of one.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
