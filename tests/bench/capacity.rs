//! Are the simulated vendors the limit? They are asked as fast as they answer, by as many connections as the pipeline
//! has, with the call that the pipeline makes most.

use std::{
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use reqwest::Client;
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{Outcome, bare, figure::Figure, settings::Settings, vendors::Vendors};

/// Updates of the CRM that one run makes.
const CALLS: usize = 20_000;

/// As many as the pipeline has in the throughput.
const CONNECTIONS: usize = 64;

#[derive(Debug, Serialize)]
pub struct Capacity {
    /// CRM updates a second, asked by this very process on the same machine.
    pub calls_per_second: Figure,
    /// Processor milliseconds of the vendors a call: what bounds them where the caller has processors of its own.
    pub vendors_cpu_ms: Figure,
}

pub async fn measure(settings: &Settings) -> Outcome<Capacity> {
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for _ in 0..settings.runs {
        let vendors = Vendors::start(1, 1).await?;
        let url = vendors.url_of("[crm]")?;
        let client = Client::builder().no_proxy().tcp_nodelay(true).build()?;
        let token = bare::token(&client, url).await?;
        let request = client
            .post(format!("{url}/processes/updatecontact"))
            .bearer_auth(token)
            // Nobody's: it is refused, after everything that a call costs.
            .json(&json!({ "StudentInstitutionId": "nobody", "PhoneWork": "+1 206 555 0100" }))
            .build()?;
        let (next, before, begun) = (
            Arc::new(AtomicUsize::new(0)),
            vendors.used()?,
            Instant::now(),
        );
        let mut tasks = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let (next, client, request) = (Arc::clone(&next), client.clone(), request.try_clone());
            let request = request.ok_or("the request cannot be repeated")?;
            tasks.spawn(async move {
                while next.fetch_add(1, Ordering::Relaxed) < CALLS {
                    let again = request.try_clone().ok_or("it cannot be repeated")?;
                    client.execute(again).await?.bytes().await?;
                }
                Outcome::Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        rates.push(CALLS as f64 / begun.elapsed().as_secs_f64());
        costs.push((vendors.used()?.cpu - before.cpu) * 1000.0 / CALLS as f64);
    }
    Ok(Capacity {
        calls_per_second: Figure::of(rates).ok_or("no run")?,
        vendors_cpu_ms: Figure::of(costs).ok_or("no run")?,
    })
}
