//! `[salsa]`: Salsa Engage.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use jobs::mapping::MapValue;
use secrecy::SecretString;

use super::{
    key::{default, optional, secret, table},
    limits::DestinationLimits,
    section::section,
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
        /// Calls a minute, over all processes, at the most. Salsa's own limit, asked every minute, counts where
        /// it is lower: more calls would only be refused. Absent: Salsa's limit alone.
        rate_per_minute: Option<u32> = optional("300").within(1.0, 1_000_000.0),
        /// A PEM file with the certificates of the authorities that sign its certificate. They alone are trusted then.
        /// Absent: this machine's certificate store counts (or `SSL_CERT_FILE` and `SSL_CERT_DIR`).
        ca_file: Option<PathBuf> = optional("salsa-ca.pem"),
        /// How long one call may take.
        timeout: Duration = default("60s").within(1.0, 600.0),
        /// Attempts before a change is a dead letter.
        max_attempts: u32 = default("10").within(1.0, 1_000.0),
        /// Field of Salsa's supporter -> template over the row's fields: `firstName`, `contacts.TYPE`,
        /// `custom.NAME`, `address.FIELD`. An entry replaces the default one of the same field; `false`
        /// switches a default entry off. By default `externalSystemId` is the xid, `contacts.WORK_PHONE`
        /// the work phone, and the custom fields Employer and Job Title are what they say. Once an
        /// `address.FIELD` is mapped, the address is read, merged and sent whole.
        map: BTreeMap<String, MapValue> = table(
            "contacts.CELL_PHONE = \"{{ mobile }}\"\n\
             custom.\"Job Title\" = \"{{ jobTitle }}\"\n\
             address.addressLine1 = \"{{ address1 }}\"",
        ),
    }
}

impl SalsaConfig {
    /// The destination's limits.
    pub fn limits(&self) -> DestinationLimits {
        DestinationLimits {
            concurrency: self.concurrency,
            rate_per_minute: self.rate_per_minute,
            timeout: self.timeout,
            max_attempts: self.max_attempts,
        }
    }
}
