//! The three vendors as one local HTTP server, with their traps, faults on demand, and a checker that
//! tells whether each promise of the relay held; in [`chaos`], a run that breaks processes, Redis and vendors on
//! purpose. `alumniq-relay demo`, `sandbox` and `chaos` run it, and so do the tests and benchmarks.
//!
//! | path | is |
//! |---|---|
//! | `/api/v1/index.cfm/sync/address-change/work` | AlumnIQ |
//! | `/crms/api/…` | the CRM |
//! | `/api/integration/ext/v1/…` | Salsa Engage |
//! | `GET /_sandbox/report`, `writes`, `change/ID`, `person/XID` | what happened |
//! | `GET /_sandbox/progress`, `times` | how many changes have come how far, and when each did ([`Progress`], [`Times`]) |
//! | `GET`, `PUT /_sandbox/faults`, `limits` | what goes wrong, and what is allowed ([`Faults`], [`Limits`]) |
//! | `POST /_sandbox/repair`, `changes` | mends the data; adds changes ([`NewChanges`]) |
//! | `POST`, `GET`, `PUT /_sandbox/webhook` | takes notifications; what it took; how it answers ([`WebhookMood`]) |
//! | `POST /_sandbox/marked` | marks changes in AlumnIQ, as a person could ([`Marked`]) |
//! | `POST /_sandbox/forgotten` | tells the checker that the relay's memory was emptied ([`Forgotten`]) |
//!
//! Each change carries a marker with its changeId in its job title. Where a document with the marker
//! arrives at a destination, the checker knows which change was applied, without asking the relay.

mod admin;
mod alumniq;
pub mod chaos;
mod checker;
mod crm;
mod data;
mod dice;
mod faults;
mod http;
mod inbox;
mod marked;
mod operation;
mod options;
mod redis_server;
mod salsa;
pub mod seeded;
mod server;
mod tether;
mod traffic;
mod webhook;
mod world;

#[cfg(test)]
mod tests;

use std::{io, net::SocketAddr, sync::Arc};

pub use jobs::destination::Vendor;
use tokio::{net::TcpListener, task::JoinHandle};

use self::world::{World, lock};
pub use self::{
    admin::ChangeState,
    checker::{Breach, Forgotten, Moved, Progress, Repeat, Report, Times, Verdict},
    data::NewChanges,
    faults::{Fault, Faults, Instead, Outage, VendorFaults},
    inbox::{Posted, WebhookMood},
    marked::Marked,
    options::{
        Limits, SANDBOX_API_KEY, SANDBOX_PASSWORD, SANDBOX_TOKEN, SANDBOX_USERNAME,
        SANDBOX_WEBHOOK_SECRET, SandboxOptions,
    },
    redis_server::{RedisServer, RedisServerSettings, signal},
    tether::Tether,
    traffic::{Batches, CallCounts, TrafficReport},
};

/// The base URLs, as the relay's configuration wants them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urls {
    /// `alumniq.url`.
    pub alumniq: String,
    /// `crm.url`.
    pub crm: String,
    /// `salsa.url`.
    pub salsa: String,
}

/// The running vendors. Dropping it ends them.
#[derive(Debug)]
pub struct Sandbox {
    addr: SocketAddr,
    world: Arc<World>,
    server: JoinHandle<std::convert::Infallible>,
}

impl Sandbox {
    /// Makes the data, binds and serves on the current runtime.
    ///
    /// # Errors
    ///
    /// The address cannot be bound, or (`InvalidInput`) the options contradict each other.
    pub async fn start(options: SandboxOptions) -> io::Result<Self> {
        let listen = options.listen;
        let world = Arc::new(World::new(options)?);
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("the sandbox cannot listen on {listen}: {error}"),
            )
        })?;
        let addr = listener.local_addr()?;
        let server = tokio::spawn(server::accept(listener, Arc::clone(&world)));
        Ok(Self {
            addr,
            world,
            server,
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The vendors' base URLs.
    pub fn urls(&self) -> Urls {
        let addr = self.addr;
        Urls {
            alumniq: format!("http://{addr}/api/v1/index.cfm"),
            crm: format!("http://{addr}/crms/api"),
            salsa: format!("http://{addr}"),
        }
    }

    /// What happened so far.
    pub fn report(&self) -> Report {
        self.world.report()
    }

    /// The newest 10 000 calls as their callers name them (`X-Request-Id`, empty where there was none), oldest first.
    pub fn request_ids(&self) -> Vec<(Vendor, String)> {
        world::lock(&self.world.traffic).request_ids()
    }

    /// One change as the sandbox knows it.
    pub fn change(&self, change_id: &str) -> Option<ChangeState> {
        self.world.change(change_id)
    }

    /// The faults in force, without the scripted ones that were met already.
    pub fn faults(&self) -> Faults {
        lock(&self.world.faults).faults.clone()
    }

    /// Where notifications may be sent to.
    pub fn webhook_url(&self) -> String {
        format!("http://{}{}", self.addr, webhook::PATH)
    }

    /// The newest notifications that arrived, the oldest of them first.
    pub fn notifications(&self) -> Vec<Posted> {
        lock(&self.world.inbox).newest()
    }

    /// How the webhook answers from now on.
    pub fn set_webhook(&self, mood: WebhookMood) {
        lock(&self.world.inbox).mood = mood;
    }

    /// Replaces the faults; their outages count from now.
    pub fn set_faults(&self, faults: Faults) {
        lock(&self.world.faults).replace(faults);
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        lock(&self.world.limits).clone()
    }

    /// Replaces the limits.
    pub fn set_limits(&self, limits: Limits) {
        *lock(&self.world.limits) = limits;
    }

    /// Adds missing people to the destinations, corrects flawed rows, lifts the custom field's limit.
    pub fn repair(&self) {
        self.world.repair();
    }

    /// Adds changes to the feed; returns their changeIds.
    pub fn add_changes(&self, wanted: &NewChanges) -> Vec<String> {
        self.world.add_changes(wanted)
    }

    /// Somebody marks changes in AlumnIQ by hand.
    pub fn mark(&self, marked: &Marked) {
        self.world.mark(marked);
    }

    /// The relay's memory was emptied just now: what was applied before is not held against the order of
    /// what is applied from now on. Returns how many applications may come again.
    pub fn forgotten(&self, forgotten: Forgotten) -> u64 {
        lock(&self.world.ledger).forget(forgotten)
    }

    /// A configuration for the relay that talks to this sandbox; its secrets are commented as the
    /// environment's lines.
    pub fn relay_toml(&self) -> String {
        let Urls {
            alumniq,
            crm,
            salsa,
        } = self.urls();
        let options = &self.world.options;
        let lookback_days = options.days + 1;
        let timezone = &options.timezone;
        let webhook_url = self.webhook_url();
        format!(
            r#"# export ALUMNIQ_API_KEY={SANDBOX_API_KEY}
# export CRM_USERNAME={SANDBOX_USERNAME}
# export CRM_PASSWORD={SANDBOX_PASSWORD}
# export SALSA_AUTH_TOKEN={SANDBOX_TOKEN}
# To see notifications at {webhook_url}:
# export ALUMNIQ_RELAY__NOTIFY__WEBHOOK_URL={webhook_url}
# export ALUMNIQ_RELAY__NOTIFY__SECRET={SANDBOX_WEBHOOK_SECRET}
namespace = "sandbox"

[alumniq]
url = "{alumniq}"
timezone = "{timezone}"
lookback_days = {lookback_days}

[crm]
enabled = true
url = "{crm}"

[salsa]
enabled = true
url = "{salsa}"
"#
        )
    }

    /// Ends the server and every connection.
    pub async fn stop(mut self) {
        self.server.abort();
        // It can only end by being aborted.
        let _ = (&mut self.server).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl World {
    fn report(&self) -> Report {
        let unprocessed = lock(&self.feed).unprocessed();
        let mut report = Report::of(&lock(&self.ledger), &self.options.destinations);
        report.unprocessed = unprocessed;
        report.faults = lock(&self.faults).injected.clone();
        report.traffic = lock(&self.traffic).report();
        report
    }
}
