//! The JSON API, and the commands that use it: a running process, asked as people and programs ask it.

mod bulks;
mod documented;
mod server;

use alumniq_relay::sandbox::{Faults, NewChanges, Sandbox, VendorFaults};

use crate::harness::{
    redis::Redis,
    relay::{Ended, Relay},
    service::Service,
    vendors::vendors,
};

const OPERATOR: &str = "operator-of-the-api-test";
const VIEWER: &str = "viewer-of-the-api-test";

/// A fleet with dead letters at Salsa, and its cause still there.
struct Fleet {
    sandbox: Sandbox,
    relay: Relay,
    _redis: Redis,
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
            _redis: redis,
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
}
