//! A fleet of two processes, of which one serves the console.

use harness::{
    redis::Redis,
    relay::{Relay, ids},
    service::Service,
    vendors::vendors_with,
    waiting::until,
};
use sandbox::{NewChanges, Sandbox, SandboxOptions};
use serde_json::Value;

pub const OPERATOR: &str = "an-operator-token-of-the-tests";
pub const VIEWER: &str = "a-viewer-token-of-the-tests";

/// Ends with its owner, the processes before what they write to.
pub struct Fleet {
    /// Fetches, acknowledges, and is looked at.
    pub console: Service,
    _worker: Service,
    pub relay: Relay,
    pub sandbox: Sandbox,
    _redis: Redis,
}

impl Fleet {
    /// With vendors made to measure, and no tokens.
    pub async fn of(options: SandboxOptions) -> Self {
        Self::with(options, |relay| relay).await
    }

    /// With this many changes of half as many people that no vendor objects to.
    pub async fn of_changes(changes: usize) -> Self {
        Self::of(quiet(changes)).await
    }

    /// Where an operator and a viewer have to log in.
    pub async fn guarded(options: SandboxOptions) -> Self {
        let tokens = |relay: Relay| {
            let relay = relay.set("console.operator_token", OPERATOR);
            relay.set("console.viewer_token", VIEWER)
        };
        Self::with(options, tokens).await
    }

    /// Otherwise configured.
    pub async fn with(options: SandboxOptions, configured: impl FnOnce(Relay) -> Relay) -> Self {
        let sandbox = vendors_with(options).await;
        let redis = Redis::start().await;
        let relay = configured(Relay::new(&sandbox, Some(&redis)));
        let (console, worker) = tokio::join!(
            relay.start("producer,acknowledger,console"),
            relay.start("crm,salsa"),
        );
        Self {
            console,
            _worker: worker,
            relay,
            sandbox,
            _redis: redis,
        }
    }

    /// Puts changes into the feed, and fetches them.
    pub async fn add(&self, changes: NewChanges) -> Vec<String> {
        let ids = self.sandbox.add_changes(&changes);
        let fetched = self.relay.run(&["sync"]).await;
        assert!(matches!(fetched.code, Some(0 | 3)), "{fetched:?}");
        ids
    }

    /// Waits until each of so many changes is acknowledged or dead; the dead letters.
    pub async fn settled(&self, changes: usize) -> Vec<Value> {
        until("everything is acknowledged or dead", async || {
            let status = self.relay.status().await;
            let under_way = ["waiting", "ready", "running", "retry"];
            let rests = |of: &Value| under_way.iter().all(|state| of[state] == 0);
            if !status["destinations"]
                .as_object()
                .unwrap()
                .values()
                .all(rests)
            {
                return None;
            }
            let letters = self.relay.dead().await;
            let settled = self.sandbox.report().acknowledged + ids(&letters).len();
            (settled == changes).then_some(letters)
        })
        .await
    }

    /// Whether AlumnIQ was told of it.
    pub fn acknowledged(&self, change: &str) -> bool {
        let change = self.sandbox.change(change).unwrap();
        change.acknowledged.is_some()
    }
}

/// Vendors with this many changes of half as many people.
pub fn quiet(changes: usize) -> SandboxOptions {
    SandboxOptions {
        changes,
        people: changes.div_ceil(2),
        ..SandboxOptions::default()
    }
}
