//! A destination that admits so many calls a minute: how many of them are used, and that none is refused. In real time.

use std::time::Duration;

use sandbox::Vendor;
use serde::Serialize;
use serde_json::json;

use crate::{
    Outcome,
    relay::{Concurrency, Relay},
    setting::{Setting, today},
};

/// Salsa's own limit, and for how many of its minutes it is used.
const CALLS_A_MINUTE: u64 = 300;
const MINUTES: u64 = 5;

/// More than that many calls can carry: two calls a batch of twenty.
const CHANGES: usize = (CALLS_A_MINUTE * MINUTES * 20 / 2 + 3_000) as usize;

#[derive(Debug, Serialize)]
pub struct Limited {
    pub processes: usize,
    /// Calls that Salsa saw, of those that it admits in that time.
    pub used_percent: f64,
    pub refused: u64,
}

pub async fn measure() -> Outcome<Vec<Limited>> {
    let mut all = Vec::new();
    for processes in [1, 4] {
        let limited = with(processes).await?;
        eprintln!("{limited:?}");
        all.push(limited);
    }
    Ok(all)
}

async fn with(processes: usize) -> Outcome<Limited> {
    let setting = Setting::new(CHANGES, 0).await?;
    let vendors = &setting.vendors;
    vendors
        .put("limits", &json!({ "rate_per_minute": CALLS_A_MINUTE }))
        .await?;
    let relay = Relay::new(vendors, &setting.redis, Concurrency { crm: 32, salsa: 4 });
    relay.run(&["sync", "--on", &today()]).await?;
    let mut fleet = Vec::new();
    for _ in 0..processes {
        fleet.push(relay.start(&["run", "--roles", "crm,salsa,acknowledger"])?);
    }
    vendors.reached(|progress| progress.salsa > 0).await?;
    tokio::time::sleep(Duration::from_secs(60 * MINUTES)).await;
    let made = calls(&setting).await?;
    let refused = vendors.report().await?.traffic.throttled;
    for process in fleet {
        process.stop().await?;
    }
    let admitted = CALLS_A_MINUTE * MINUTES;
    Ok(Limited {
        processes,
        used_percent: made.min(admitted) as f64 * 100.0 / admitted as f64,
        refused,
    })
}

async fn calls(setting: &Setting) -> Outcome<u64> {
    let traffic = setting.vendors.report().await?.traffic;
    let operations = ["search", "put", "metrics"];
    Ok(operations
        .iter()
        .map(|operation| traffic.calls_of(Vendor::Salsa, operation))
        .sum())
}
