//! Who comes in at the console: each room tries a way around one of its guards, against a real process.

mod binding;
mod browser;
mod crowd;
mod forms;
mod headers;
mod people;
mod roles;
mod sessions;
mod throttle;

use harness::{
    redis::Redis, relay::Relay, service::Service, vendors::vendors, waiting::until_true,
};
use sandbox::Sandbox;

use self::browser::{Answer, Browser};

const OPERATOR: &str = "an-operator-token-for-tests";
const VIEWER: &str = "a-viewer-token-for-tests";

/// A process with the console, and what it needs.
struct Guarded {
    /// First, so that the end of its log can be shown while its directory is still there.
    service: Service,
    sandbox: Sandbox,
    redis: Redis,
    relay: Relay,
}

impl Guarded {
    /// With both tokens.
    async fn start() -> Self {
        Self::with(|relay| relay).await
    }

    /// With both tokens and more settings.
    async fn with(settings: impl FnOnce(Relay) -> Relay) -> Self {
        Self::configured(|relay| {
            let relay = relay
                .set("console.operator_token", OPERATOR)
                .set("console.viewer_token", VIEWER);
            settings(relay)
        })
        .await
    }

    /// Without tokens.
    async fn open() -> Self {
        Self::configured(|relay| relay).await
    }

    async fn configured(settings: impl FnOnce(Relay) -> Relay) -> Self {
        let sandbox = vendors(4, 2).await;
        let redis = Redis::start().await;
        let relay = settings(Relay::new(&sandbox, Some(&redis)));
        let service = ready(&relay).await;
        Self {
            sandbox,
            redis,
            relay,
            service,
        }
    }

    fn browser(&self) -> Browser {
        Browser::at(self.service.address())
    }

    /// Somebody who logged in with this token.
    async fn logged_in(&self, token: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser.log_in(token, "Ada").await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        browser
    }

    /// Whether the CRM's gate is shut: what most of the forbidden writes here would do.
    async fn is_paused(&self) -> bool {
        let status = self.relay.status().await;
        let paused = &status["destinations"]["crm"]["paused"];
        !(paused.is_null() || paused == false)
    }
}

const PAUSE: &str = "/api/v1/destinations/crm/pause";

/// A process with the role console alone, once it can answer from Redis.
async fn ready(relay: &Relay) -> Service {
    let service = relay.start("console").await;
    let browser = Browser::at(service.address());
    until_true("the console answers from Redis", async || {
        let status = browser.bearer(OPERATOR).get("/api/v1/status").await.status;
        status == 200
    })
    .await;
    service
}
