//! Salsa Engage's supporter API: metrics, search, PUT and DELETE.

pub(crate) mod limiter;
mod put;
mod rules;
mod search;
pub(crate) mod supporters;

use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    http::{SandboxRequest, SandboxResponse},
    operation::Operation,
    options::SANDBOX_TOKEN,
    seeded::{self, Seeded},
    world::{World, lock},
};

/// The body of a 429 over the rate.
pub(super) const RATE_EXCEEDED: &str = "Call rate has been exceeded";
/// What a 200 over the rate says.
pub(super) const RATE_EXCEEDED_IN_OK: &str =
    "Your per minute call rate has been exceeded. Please try again in a minute.";

/// `rateLimit` where there is no limit.
const UNLIMITED: usize = 1_000_000;

pub(super) fn answer(
    world: &World,
    operation: Operation,
    call: &SandboxRequest,
) -> SandboxResponse {
    let answer = match operation {
        Operation::UnknownToSalsa => Err(SandboxResponse::text(404, "Not Found")),
        _ => respond(world, operation, call),
    };
    answer.unwrap_or_else(|refusal| refusal)
}

fn respond(
    world: &World,
    operation: Operation,
    call: &SandboxRequest,
) -> Result<SandboxResponse, SandboxResponse> {
    if call.header("authToken") != Some(SANDBOX_TOKEN) {
        return Err(SandboxResponse::text(401, "Unauthorized"));
    }
    admit(world)?;
    if operation == Operation::Metrics {
        return Ok(metrics(world));
    }
    let request = Request::read(call)?;
    let ref_id = request.ref_id.clone();
    let ref_id = ref_id.as_deref();
    Ok(match operation {
        Operation::Search => envelope(ref_id, &search::search(world, &request)?),
        Operation::Put => envelope(ref_id, &put::put(world, request)?),
        _ => envelope(ref_id, &put::delete(world, request)?),
    })
}

fn admit(world: &World) -> Result<(), SandboxResponse> {
    let (most, as_text) = {
        let limits = lock(&world.limits);
        (limits.rate_per_minute, limits.throttle_as_text)
    };
    let refused = lock(&world.limiter).admit(most, Instant::now());
    refused.map_err(|wait| {
        let mut traffic = lock(&world.traffic);
        traffic.throttled += 1;
        if as_text {
            return SandboxResponse::text(200, RATE_EXCEEDED_IN_OK);
        }
        // The header comes with every other refusal only.
        let told = traffic
            .throttled
            .is_multiple_of(2)
            .then(|| wait.as_secs() + 1);
        SandboxResponse::text(429, RATE_EXCEEDED).with_retry_after(told)
    })
}

fn metrics(world: &World) -> SandboxResponse {
    let limits = lock(&world.limits).clone();
    let (rate, left) = match limits.rate_per_minute {
        0 => (UNLIMITED, UNLIMITED),
        most => (most, lock(&world.limiter).left(most)),
    };
    let payload = json!({
        "rateLimit": rate,
        "maxBatchSize": limits.max_batch,
        "currentRateLimit": left,
    });
    envelope(None, &payload)
}

/// What surrounds every payload.
#[derive(Debug, Serialize)]
struct Envelope<'a, P> {
    id: String,
    timestamp: Timestamp,
    header: Header<'a>,
    payload: &'a P,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Header<'a> {
    processing_time: &'static str,
    server_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ref_id: Option<&'a str>,
}

fn envelope<P: Serialize>(ref_id: Option<&str>, payload: &P) -> SandboxResponse {
    let timestamp = Timestamp::now();
    let envelope = Envelope {
        id: seeded::uuid(u64::try_from(timestamp.as_microsecond()).unwrap_or(0)),
        timestamp,
        header: Header {
            processing_time: "1 ms",
            server_id: "sandbox",
            ref_id,
        },
        payload,
    };
    SandboxResponse::json(200, &envelope)
}

fn bad_request(what: &str) -> SandboxResponse {
    SandboxResponse::text(400, what.to_owned())
}

/// A request's envelope.
#[derive(Debug)]
struct Request {
    ref_id: Option<String>,
    payload: Map<String, Value>,
}

impl Request {
    fn read(call: &SandboxRequest) -> Result<Self, SandboxResponse> {
        if call.media_type() != "application/json" {
            return Err(SandboxResponse::text(415, "Unsupported Media Type"));
        }
        let mut body = call
            .json_object()
            .ok_or_else(|| bad_request("Bad Request - the body is not a JSON object"))?;
        if let Some(unknown) = body
            .keys()
            .find(|key| !matches!(key.as_str(), "header" | "payload"))
        {
            return Err(bad_request(&format!("Unrecognized field \"{unknown}\"")));
        }
        let ref_id = body
            .get("header")
            .and_then(|header| header["refId"].as_str());
        let ref_id = ref_id.map(str::to_owned);
        match body.shift_remove("payload") {
            Some(Value::Object(payload)) => Ok(Self { ref_id, payload }),
            _ => Err(bad_request("Bad Request - payload must be provided")),
        }
    }

    /// The supporters of a PUT or DELETE.
    fn supporters(mut self) -> Result<Vec<Value>, SandboxResponse> {
        match self.payload.shift_remove("supporters") {
            Some(Value::Array(supporters)) if supporters.iter().all(Value::is_object) => {
                Ok(supporters)
            }
            _ => Err(bad_request(
                "Bad Request - supporters must be a list of objects",
            )),
        }
    }
}

/// Refuses a batch above `maxBatchSize`, and counts it.
fn admit_batch(world: &World, operation: Operation, size: usize) -> Result<(), SandboxResponse> {
    let most = lock(&world.limits).max_batch;
    let mut traffic = lock(&world.traffic);
    traffic.batch(operation, size);
    if size <= most {
        return Ok(());
    }
    traffic.oversized += 1;
    let message = format!("Requested batch size exceeds the allowed size of: {most}");
    Err(SandboxResponse::text(429, message))
}

/// Answers come in no order, so that nobody can correlate by position.
fn shuffled<T>(mut supporters: Vec<T>) -> Vec<T> {
    let now = u64::try_from(Timestamp::now().as_nanosecond() & 0xffff_ffff).unwrap_or(0);
    Seeded::new(now).shuffle(&mut supporters);
    supporters
}
