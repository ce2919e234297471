//! What can be asked of and told to the sandbox itself, under `/_sandbox/` on the same port.

use jobs::destination::Destination;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    checker::ledger::{Times, slot},
    http::{SandboxRequest, SandboxResponse},
    options::Limits,
    world::{World, lock},
};

/// One change as the sandbox knows it (`GET /_sandbox/change/ID`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeState {
    /// Its changeId.
    pub change_id: String,
    /// Whose it is.
    pub xid: Option<String>,
    /// The row as the feed has it now.
    pub row: Value,
    /// Whether a GET no longer returns it.
    pub processed: bool,
    /// Sequence number of the PUT that acknowledged it.
    pub acknowledged: Option<u64>,
    /// Sequence numbers of its applications at the CRM.
    pub crm: Vec<u64>,
    /// Sequence numbers of its applications at Salsa.
    pub salsa: Vec<u64>,
    /// When it happened.
    pub times: Times,
}

pub(super) fn answer(world: &World, call: &SandboxRequest) -> SandboxResponse {
    let Some(path) = call.path.strip_prefix("/_sandbox/") else {
        return problem(404, "no vendor of the sandbox has this path");
    };
    let answer = match (call.method.as_str(), path) {
        ("GET", "report") => Ok(SandboxResponse::json(200, &world.report())),
        ("GET", "writes") => Ok(SandboxResponse::json(
            200,
            &json!({ "writes": lock(&world.traffic).writes }),
        )),
        ("GET", "progress") => Ok(SandboxResponse::json(200, &lock(&world.ledger).progress)),
        ("GET", "times") => {
            let ledger = lock(&world.ledger);
            let times: Vec<_> = ledger.entries.iter().map(|entry| entry.times).collect();
            Ok(SandboxResponse::json(200, &times))
        }
        ("GET", "faults") => Ok(SandboxResponse::json(200, &lock(&world.faults).faults)),
        ("PUT", "faults") => read(call).map(|faults| {
            lock(&world.faults).replace(faults);
            SandboxResponse::empty(204)
        }),
        ("GET", "limits") => Ok(SandboxResponse::json(200, &*lock(&world.limits))),
        ("PUT", "limits") => change_limits(world, call),
        ("GET", "webhook") => Ok(SandboxResponse::json(200, &lock(&world.inbox).shown())),
        ("PUT", "webhook") => read(call).map(|mood| {
            lock(&world.inbox).mood = mood;
            SandboxResponse::empty(204)
        }),
        ("POST", "repair") => {
            world.repair();
            Ok(SandboxResponse::empty(204))
        }
        ("POST", "changes") => read(call).map(|wanted| {
            SandboxResponse::json(200, &json!({ "change_ids": world.add_changes(&wanted) }))
        }),
        ("POST", "marked") => read(call).map(|marked| {
            world.mark(&marked);
            SandboxResponse::empty(204)
        }),
        ("POST", "forgotten") => read(call).map(|forgotten| {
            let repeatable = lock(&world.ledger).forget(forgotten);
            SandboxResponse::json(200, &json!({ "repeatable": repeatable }))
        }),
        ("GET", path) => {
            one(world, path).ok_or_else(|| problem(404, "there is nothing of this name"))
        }
        _ => Err(problem(404, "the sandbox has no such command")),
    };
    answer.unwrap_or_else(|refusal| refusal)
}

fn problem(status: u16, error: &str) -> SandboxResponse {
    SandboxResponse::json(status, &json!({ "error": error }))
}

fn read<T: DeserializeOwned>(call: &SandboxRequest) -> Result<T, SandboxResponse> {
    serde_json::from_slice(&call.body).map_err(|error| problem(400, &error.to_string()))
}

/// The body names only the limits to change.
fn change_limits(world: &World, call: &SandboxRequest) -> Result<SandboxResponse, SandboxResponse> {
    let named: serde_json::Map<String, Value> = read(call)?;
    let mut limits = lock(&world.limits);
    let merged = limits
        .with(named)
        .map_err(|error| problem(400, &error.to_string()))?;
    *limits = merged;
    Ok(SandboxResponse::json(200, &*limits))
}

impl Limits {
    fn with(&self, named: serde_json::Map<String, Value>) -> serde_json::Result<Self> {
        let mut merged = serde_json::to_value(self)?;
        if let Some(fields) = merged.as_object_mut() {
            fields.extend(named);
        }
        serde_json::from_value(merged)
    }
}

fn one(world: &World, path: &str) -> Option<SandboxResponse> {
    let (kind, id) = path.split_once('/')?;
    match kind {
        "change" => Some(SandboxResponse::json(200, &world.change(id)?)),
        "person" => {
            let contact = json!(lock(&world.contacts).of_person(id));
            let supporters = lock(&world.supporters).of_person(id);
            Some(SandboxResponse::json(
                200,
                &json!({ "contact": contact, "supporters": supporters }),
            ))
        }
        _ => None,
    }
}

impl World {
    pub(super) fn change(&self, id: &str) -> Option<ChangeState> {
        let feed = lock(&self.feed);
        let (row, processed) = feed.row_of(id)?;
        let ledger = lock(&self.ledger);
        let entry = ledger.entry(id)?;
        Some(ChangeState {
            change_id: entry.id.clone(),
            xid: entry.xid.clone(),
            row: serde_json::from_slice(row).unwrap_or_default(),
            processed,
            acknowledged: entry.acknowledged,
            crm: entry.applied[slot(Destination::Crm)].clone(),
            salsa: entry.applied[slot(Destination::Salsa)].clone(),
            times: entry.times,
        })
    }
}
