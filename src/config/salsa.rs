//! `[salsa]`: Salsa Engage.

use std::{collections::BTreeMap, time::Duration};

use secrecy::SecretString;

use super::{
    key::{default, optional, secret, section, table},
    limits::Limits,
    url::BaseUrl,
};

section! {
    /// Salsa Engage.
    SalsaConfig at "salsa" {
        /// Whether changes go to Salsa.
        enabled: bool = default("true"),
        /// The API's host.
        url: BaseUrl = default("https://api.salsalabs.org"),
        /// The integration API's token.
        token: SecretString = secret("SALSA_AUTH_TOKEN"),
        /// Whether a person whom Salsa does not know is added. Otherwise the change is a dead letter of
        /// class `unmatched`.
        create_missing: bool = default("false"),
        /// Calls at the same time, over all processes.
        concurrency: u32 = default("4").within(1.0, 1_000.0),
        /// Calls a minute, over all processes. Absent: what Salsa's metrics endpoint says.
        rate_per_minute: Option<u32> = optional("300").within(1.0, 1_000_000.0),
        /// How long one call may take.
        timeout: Duration = default("60s").within(1.0, 600.0),
        /// Attempts before a change is a dead letter.
        max_attempts: u32 = default("10").within(1.0, 1_000.0),
        /// Field of Salsa's supporter, contact or custom field by name -> template over the row's
        /// fields. An entry replaces the default one; `false` switches a default entry off.
        map: BTreeMap<String, toml::Value> = table("WORK_PHONE = \"{{ phone }}\""),
    }
}

impl SalsaConfig {
    /// The destination's limits.
    pub fn limits(&self) -> Limits {
        Limits {
            concurrency: self.concurrency,
            rate_per_minute: self.rate_per_minute,
            timeout: self.timeout,
            max_attempts: self.max_attempts,
        }
    }
}
