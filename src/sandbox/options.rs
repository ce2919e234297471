//! What the sandbox is made of, and the vendors' limits that can change while it runs.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
};

use jobs::destination::Destination;
use serde::{Deserialize, Serialize};

use super::faults::Faults;

/// The AlumnIQ key that the sandbox accepts. Obviously no secret.
pub const SANDBOX_API_KEY: &str = "sandbox-api-key-not-a-secret";
/// The CRM user that the sandbox accepts.
pub const SANDBOX_USERNAME: &str = "sandbox-user";
/// The CRM password that the sandbox accepts. Obviously no secret.
pub const SANDBOX_PASSWORD: &str = "sandbox-password-not-a-secret";
/// The Salsa token that the sandbox accepts. Obviously no secret.
pub const SANDBOX_TOKEN: &str = "sandbox-token-not-a-secret";

/// What the printed configuration signs notifications with. Obviously no secret.
pub const SANDBOX_WEBHOOK_SECRET: &str = "whsec_c2FuZGJveC13ZWJob29rLW5vdC1hLXNlY3JldA==";

/// What the sandbox starts with.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// Where it listens; port 0 chooses a free one (127.0.0.1:0).
    pub listen: SocketAddr,
    /// The same seed gives the same people, changes and faults (1).
    pub seed: u64,
    /// Changes in AlumnIQ's feed (2000).
    pub changes: usize,
    /// People the changes are about (700).
    pub people: usize,
    /// Days the changes are spread over, ending at `until` (7). From 600 changes on, one of the days
    /// has more than 500, so that the feed's cap is met.
    pub days: u32,
    /// The last day, campus-local; `None` is today, up to now.
    pub until: Option<jiff::civil::Date>,
    /// The campus's IANA time zone (`America/New_York`).
    pub timezone: String,
    /// Changes without xid: signature bio updates nobody signed in for (0).
    pub anonymous: usize,
    /// People with changes whom the CRM does not have, until repaired (0).
    pub missing_in_crm: usize,
    /// People with changes whom Salsa does not have, until repaired (0).
    pub missing_in_salsa: usize,
    /// Changes whose employer is longer than [`Limits::employer_max_length`], which Salsa refuses
    /// until the limit is lifted by a repair (0).
    pub invalid_fields: usize,
    /// Changes whose phone is no phone number, until the repair corrects the row (0).
    pub invalid_phones: usize,
    /// Changes whose row cannot be decoded (changedOn no date, xid an object), until the repair
    /// corrects the row (0).
    pub undecodable: usize,
    /// Whether AlumnIQ compresses for clients that accept it (true; benches switch it off).
    pub gzip: bool,
    /// What `x-api-key-days-remaining` says (200).
    pub api_key_days_remaining: i64,
    /// Lifetime of a CRM token in seconds (1200).
    pub token_seconds: u64,
    /// The vendors' limits at the start.
    pub limits: Limits,
    /// The faults at the start.
    pub faults: Faults,
    /// The destinations that the relay under test has enabled: what the checker expects of a change
    /// before it is acknowledged (both).
    pub destinations: Vec<Destination>,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            changes: 2000,
            people: 700,
            days: 7,
            until: None,
            timezone: "America/New_York".to_owned(),
            anonymous: 0,
            missing_in_crm: 0,
            missing_in_salsa: 0,
            invalid_fields: 0,
            invalid_phones: 0,
            undecodable: 0,
            gzip: true,
            api_key_days_remaining: 200,
            token_seconds: 1200,
            limits: Limits::default(),
            faults: Faults::default(),
            destinations: Destination::ALL.to_vec(),
        }
    }
}

/// The vendors' limits. `PUT /_sandbox/limits` changes those that its body names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Salsa calls per token in any 60 seconds; 0 is no limit (300).
    pub rate_per_minute: usize,
    /// Salsa's `maxBatchSize`, for identifiers and supporters alike (20).
    pub max_batch: usize,
    /// Whether a call over the rate is answered 200 with plain text instead of 429 (false).
    pub throttle_as_text: bool,
    /// Most characters of Salsa's custom field `Employer`; 0 is no limit (100).
    pub employer_max_length: usize,
    /// Whether AlumnIQ refuses a whole changeIdList for one id it does not know (false: it ignores it).
    pub reject_unknown_ids: bool,
    /// changeIds for which AlumnIQ refuses the whole list (none).
    pub poison_ack_ids: BTreeSet<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rate_per_minute: 300,
            max_batch: 20,
            throttle_as_text: false,
            employer_max_length: 100,
            reject_unknown_ids: false,
            poison_ack_ids: BTreeSet::new(),
        }
    }
}
