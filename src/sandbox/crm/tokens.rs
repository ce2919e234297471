//! The tokens of the CRM.

use std::time::{Duration, Instant};

use crate::seeded;

/// Tokens issued and not yet expired or revoked.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    issued: u64,
    good: Vec<(String, Instant)>,
}

impl Tokens {
    pub(crate) fn issue(&mut self, lifetime: Duration) -> String {
        let now = Instant::now();
        self.good.retain(|(_, until)| *until > now);
        self.issued += 1;
        let token = format!("sandbox-{}", seeded::uuid(self.issued));
        self.good.push((token.clone(), now + lifetime));
        token
    }

    pub(super) fn accepts(&self, token: &str) -> bool {
        let now = Instant::now();
        self.good
            .iter()
            .any(|(good, until)| good == token && *until > now)
    }

    pub(super) fn revoke(&mut self, token: &str) {
        self.good.retain(|(good, _)| good != token);
    }
}
