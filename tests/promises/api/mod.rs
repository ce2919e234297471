//! The JSON API, and the commands that use it: a running process, asked as people and programs ask it.

mod bulks;
mod documented;
mod elsewhere;
mod people;
mod reconciling;
mod server;

use harness::{
    redis::Redis,
    relay::{Ended, Relay},
    service::Service,
    vendors::vendors,
};
use sandbox::{Faults, NewChanges, Sandbox, VendorFaults};
use serde_json::Value;

const OPERATOR: &str = "operator-of-the-api-test";
const VIEWER: &str = "viewer-of-the-api-test";

/// A fleet with dead letters at Salsa, and its cause still there.
struct Fleet {
    sandbox: Sandbox,
    relay: Relay,
    redis: Redis,
}

impl Fleet {
    /// `letters` changes of one person each are dead.
    async fn with_letters(letters: usize) -> Self {
        let sandbox = vendors(20, 10).await;
        let redis = Redis::start().await;
        let relay = Relay::new(&sandbox, Some(&redis))
            .set("console.operator_token", OPERATOR)
            .set("console.viewer_token", VIEWER);
        relay.run(&["sync", "--wait"]).await.expect(0);
        let ids = sandbox.add_changes(&NewChanges {
            count: letters,
            ..NewChanges::default()
        });
        let xids = ids.iter().filter_map(|id| sandbox.change(id)?.xid);
        sandbox.set_faults(Faults {
            salsa: VendorFaults {
                validation_error_xids: xids.collect(),
                ..VendorFaults::default()
            },
            ..Faults::default()
        });
        relay.run(&["sync", "--wait"]).await.expect(3);
        assert_eq!(relay.dead_ids().await.len(), letters);
        Self {
            sandbox,
            relay,
            redis,
        }
    }

    /// What an operator mends at the vendor.
    fn mend(&self) {
        self.sandbox.set_faults(Faults::default());
    }

    /// Without a configuration: only the address of `service` and a token.
    async fn ask(&self, service: &Service, token: &str, arguments: &[&str]) -> Ended {
        let url = format!("http://{}", service.address());
        let desk = Relay::with_config("this = is no configuration")
            .with_variable("ALUMNIQ_RELAY_SERVER", &url)
            .with_variable("ALUMNIQ_RELAY_TOKEN", token)
            .with_variable("USER", "ada");
        desk.run(arguments).await
    }

    /// What an operator is answered at `path` of the API, which is good.
    async fn get(&self, service: &Service, path: &str) -> Value {
        let (status, body) = self.answer(service, path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// The same, whatever it is.
    async fn answer(&self, service: &Service, path: &str) -> (u16, Value) {
        let url = format!("http://{}/api/v1/{path}", service.address());
        answered(client().get(url)).await
    }

    /// The same of a write.
    async fn post(&self, service: &Service, path: &str, body: &str) -> (u16, Value) {
        let url = format!("http://{}/api/v1/{path}", service.address());
        let request = client()
            .post(url)
            .header("content-type", "application/json")
            .body(body.to_owned());
        answered(request).await
    }
}

async fn answered(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.bearer_auth(OPERATOR).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn client() -> reqwest::Client {
    // The client wants one although nothing here is encrypted; a second installation is refused.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
