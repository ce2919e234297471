//! The limit: the same calls with the same documents and no queue. Nothing is durable, nobody's changes keep their
//! order, nothing is tried again, and a failed call ends the run.

use std::{
    ffi::OsString,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use alumniq_relay::config;
use harness::relay::SECRETS;
use jobs::{
    change::{self, Change},
    crm_update::CrmMapping,
    outcome::Outcome as Verdict,
    reply::{Answer, Reply},
    salsa_upsert::{self, IdentifierType, Payload, SalsaMapping},
};
use reqwest::{Client, RequestBuilder};
use sandbox::{SANDBOX_API_KEY, SANDBOX_PASSWORD, SANDBOX_TOKEN, SANDBOX_USERNAME};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use tokio::task::JoinSet;

use crate::{Outcome, relay::Concurrency};

/// What the loop is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Load {
    /// `relay.toml`.
    pub config: String,
    /// The day whose changes are fetched.
    pub day: String,
    pub concurrency: Concurrency,
}

/// Salsa's batch and AlumnIQ's list, as the pipeline has them by default.
const BATCH: usize = 20;
const LIST: usize = 200;

struct Loop {
    client: Client,
    alumniq: String,
    crm: String,
    salsa: String,
    token: String,
    changes: Vec<Change>,
    to_crm: CrmMapping,
    to_salsa: SalsaMapping,
    next_crm: AtomicUsize,
    next_salsa: AtomicUsize,
}

/// This very program as a process of its own.
pub fn command(load: &Load) -> Outcome<tokio::process::Command> {
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    command.args(["--bare", &serde_json::to_string(load)?]);
    Ok(command)
}

pub async fn run(load: &str) -> Outcome<()> {
    let load: Load = serde_json::from_str(load)?;
    let bare = Arc::new(Loop::begin(&load).await?);
    let mut tasks = JoinSet::new();
    for _ in 0..load.concurrency.crm {
        let bare = Arc::clone(&bare);
        tasks.spawn(async move { bare.update_all().await });
    }
    for _ in 0..load.concurrency.salsa {
        let bare = Arc::clone(&bare);
        tasks.spawn(async move { bare.upsert_all().await });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    bare.acknowledge_all().await
}

impl Loop {
    async fn begin(load: &Load) -> Outcome<Self> {
        let config = config::parse("bare loop", &load.config, environment())?.config;
        let (crm, salsa) = (config.crm.ok_or("no CRM")?, config.salsa.ok_or("no Salsa")?);
        let names = config.mappings.names;
        let client = Client::builder().no_proxy().tcp_nodelay(true).build()?;
        let alumniq = format!("{}/sync/address-change/work", config.alumniq.url.as_str());
        let token = token(&client, crm.url.as_str()).await?;
        let query = [("apikey", SANDBOX_API_KEY), ("changedOnDate", &load.day)];
        let rows = text(client.get(&alumniq).query(&query)).await?;
        let rows: Vec<&RawValue> = serde_json::from_str(&rows)?;
        let decode = |row: &&RawValue| -> Outcome<Change> {
            let row = change::parse(row.get(), &names).map_err(|error| error.cause)?;
            let change = change::decode(&row, &names, &config.alumniq.timezone);
            Ok(change.map_err(|error| error.cause)?)
        };
        Ok(Self {
            alumniq,
            crm: format!("{}/processes/updatecontact", crm.url.as_str()),
            salsa: format!("{}/api/integration/ext/v1/supporters", salsa.url.as_str()),
            token,
            changes: rows.iter().map(decode).collect::<Outcome<_>>()?,
            to_crm: CrmMapping::compile(&crm.map, &names, crm.country_codes)
                .map_err(|errors| format!("{errors:?}"))?,
            to_salsa: SalsaMapping::compile(&salsa.map, &names)
                .map_err(|errors| format!("{errors:?}"))?,
            client,
            next_crm: AtomicUsize::new(0),
            next_salsa: AtomicUsize::new(0),
        })
    }

    async fn update_all(&self) -> Outcome<()> {
        while let Some(change) = self
            .changes
            .get(self.next_crm.fetch_add(1, Ordering::Relaxed))
        {
            let document = self.to_crm.document(change, false).map_err(failed)?;
            let matching = [
                ("contactMatchingMinConfirmedScore", "82"),
                ("contactMatchingMinNameSimilarity", "0.4"),
                ("contactMatchingEnabled", "True"),
            ];
            let request = self.client.post(&self.crm).query(&matching);
            text(request.bearer_auth(&self.token).json(&document)).await?;
        }
        Ok(())
    }

    async fn upsert_all(&self) -> Outcome<()> {
        loop {
            let first = self.next_salsa.fetch_add(BATCH, Ordering::Relaxed);
            let Some(rest) = self.changes.get(first..).filter(|rest| !rest.is_empty()) else {
                return Ok(());
            };
            let patches = rest.iter().take(BATCH);
            let patches = patches.map(|change| self.to_salsa.patch(change, false));
            let patches: Vec<_> = patches.collect::<Result<_, _>>().map_err(failed)?;
            let ids: Vec<_> = patches
                .iter()
                .map(|patch| patch.key().value().to_owned())
                .collect();
            let body = salsa_upsert::search_body(&ids, IdentifierType::ExternalId);
            let request = self.client.post(format!("{}/search", self.salsa));
            let found =
                salsa_upsert::correlate_search(&self.salsa(request, &body).await?, &patches);
            let merged = found
                .into_iter()
                .zip(&patches)
                .map(|(current, patch)| salsa_upsert::merge(current?.as_ref(), patch, false));
            let merged: Vec<_> = merged.collect::<Result<_, _>>().map_err(failed)?;
            for group in salsa_upsert::independent_batches(merged, |supporter| supporter) {
                let body = salsa_upsert::put_body(&group);
                let request = self.client.put(&self.salsa);
                let payload = self.salsa(request, &body).await?;
                let outcomes = salsa_upsert::put_outcomes(&payload, &group);
                if !outcomes
                    .iter()
                    .all(|outcome| matches!(outcome, Verdict::Done { .. }))
                {
                    return Err("Salsa refused a supporter".into());
                }
            }
        }
    }

    async fn salsa(&self, request: RequestBuilder, body: &Value) -> Outcome<Payload> {
        let body = text(request.header("authToken", SANDBOX_TOKEN).json(body)).await?;
        let answer = Answer {
            status: 200,
            retry_after: None,
            body,
        };
        salsa_upsert::classify(&Reply::Answer(answer))
            .map_err(|failure| format!("{failure:?}").into())
    }

    async fn acknowledge_all(&self) -> Outcome<()> {
        for list in self.changes.chunks(LIST) {
            let ids: Vec<&str> = list
                .iter()
                .map(|change| change.change_id.as_str())
                .collect();
            let form = [
                ("apikey", SANDBOX_API_KEY),
                ("changeIdList", &ids.join(",")),
            ];
            text(self.client.put(&self.alumniq).form(&form)).await?;
        }
        Ok(())
    }
}

/// The CRM's token for its calls.
pub async fn token(client: &Client, crm: &str) -> Outcome<String> {
    let form = [
        ("grant_type", "password"),
        ("username", SANDBOX_USERNAME),
        ("password", SANDBOX_PASSWORD),
    ];
    let answer: Value =
        serde_json::from_str(&text(client.post(format!("{crm}/token")).form(&form)).await?)?;
    Ok(answer["access_token"]
        .as_str()
        .ok_or("no token")?
        .to_owned())
}

async fn text(request: RequestBuilder) -> Outcome<String> {
    Ok(request.send().await?.error_for_status()?.text().await?)
}

fn failed(outcome: Verdict) -> String {
    format!("{outcome:?}")
}

/// The secrets, as the configuration wants them.
fn environment() -> Vec<(OsString, OsString)> {
    SECRETS
        .map(|(name, value)| (name.into(), value.into()))
        .into()
}
