//! What the fleet and the vendors are set to.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    time::Duration,
};

use super::fault::ChaosFault;
use crate::{
    Fault as CallFault, Faults, SANDBOX_API_KEY, SANDBOX_PASSWORD, SANDBOX_TOKEN, SANDBOX_USERNAME,
    Urls, VendorFaults,
};

/// `worker.lease`: the shortest there is.
pub const LEASE: Duration = Duration::from_secs(2);

/// `crm.max_attempts` and `salsa.max_attempts`.
pub const ATTEMPTS: u32 = 4;

/// `salsa.concurrency`.
const SALSA_CALLS: usize = 4;

/// Supporters a call.
const SALSA_BATCH: usize = 20;

/// The fewest CRM calls at a time; one more for so many changes.
const CRM_CALLS: usize = 6;

/// See [`CRM_CALLS`].
const CHANGES_A_CRM_CALL: usize = 600;

/// `crm.concurrency`: a small run is slow, so that there is work all the time.
pub fn crm_calls(changes: usize) -> usize {
    (changes / CHANGES_A_CRM_CALL).clamp(CRM_CALLS, 32)
}

/// Changes under way at the destinations, over the whole fleet, at the most.
pub fn in_flight(changes: usize) -> u64 {
    (crm_calls(changes) + SALSA_CALLS * SALSA_BATCH) as u64
}

/// The fleet's `relay.toml`, without secrets. AlumnIQ has the longest time: a day of the feed is one answer without
/// a cap, here of all changes that are open, and a machine that is busy with everything else sends it slowly.
pub fn relay_toml(
    namespace: &str,
    urls: &Urls,
    days: u32,
    timezone: &str,
    changes: usize,
) -> String {
    let Urls {
        alumniq,
        crm,
        salsa,
    } = urls;
    let crm_calls = crm_calls(changes);
    let lookback = days + 1;
    let lease = LEASE.as_secs();
    format!(
        r#"namespace = "{namespace}"

[redis]
response_timeout = "3s"

[alumniq]
url = "{alumniq}"
timezone = "{timezone}"
lookback_days = {lookback}
poll = "every 10s"
timeout = "30s"

[crm]
url = "{crm}"
concurrency = {crm_calls}
timeout = "3s"
max_attempts = {ATTEMPTS}

[salsa]
url = "{salsa}"
concurrency = {SALSA_CALLS}
rate_per_minute = 1000000
timeout = "3s"
max_attempts = {ATTEMPTS}

[acknowledge]
max_wait = "1s"

[worker]
lease = "{lease}s"

[console]
listen = "127.0.0.1:0"
"#
    )
}

/// Everything that the fleet inherits: the sandbox's secrets, and where Redis is.
pub fn environment(redis_url: &str) -> BTreeMap<OsString, OsString> {
    let mut environment: BTreeMap<OsString, OsString> = [
        ("ALUMNIQ_API_KEY", SANDBOX_API_KEY),
        ("CRM_USERNAME", SANDBOX_USERNAME),
        ("CRM_PASSWORD", SANDBOX_PASSWORD),
        ("SALSA_AUTH_TOKEN", SANDBOX_TOKEN),
        ("ALUMNIQ_RELAY__REDIS__URL", redis_url),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into();
    let inherited = ["PATH", "HOME", "SSL_CERT_FILE", "SSL_CERT_DIR"];
    let inherited = inherited.map(|name| (OsString::from(name), std::env::var_os(name)));
    environment.extend(
        inherited
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    environment
}

/// What the vendors do to single calls. Whatever is held against a change is so rare that no change meets it
/// on all of its attempts: in a good run nothing may die.
pub fn faults(wanted: &BTreeSet<ChaosFault>) -> Faults {
    let mut faults = Faults::default();
    (faults.alumniq.latency_ms, faults.alumniq.jitter_ms) = (20, 20);
    (faults.crm.latency_ms, faults.crm.jitter_ms) = (60, 60);
    (faults.salsa.latency_ms, faults.salsa.jitter_ms) = (100, 100);
    if wanted.contains(&ChaosFault::Tokens) {
        faults.crm.token_seconds = Some(5);
        failing(&mut faults.crm, 4.0, &[(CallFault::RevokeToken, 0.002)]);
    }
    if wanted.contains(&ChaosFault::Calls) {
        failing(
            &mut faults.alumniq,
            9.0,
            &[
                (CallFault::ServerError, 0.01),
                (CallFault::Reset, 0.01),
                (CallFault::Hang, 0.002),
                (CallFault::Lost, 0.02),
                (CallFault::Truncate, 0.01),
            ],
        );
        failing(
            &mut faults.crm,
            4.0,
            &[
                (CallFault::ServerError, 0.003),
                (CallFault::HtmlPage, 0.0003),
                (CallFault::HtmlInOk, 0.001),
                (CallFault::Reset, 0.001),
                (CallFault::Hang, 0.0005),
                (CallFault::Lost, 0.004),
                (CallFault::Truncate, 0.002),
                (CallFault::Throttle, 0.0001),
            ],
        );
        failing(
            &mut faults.salsa,
            4.0,
            &[
                (CallFault::ServerError, 0.0015),
                (CallFault::HtmlInOk, 0.001),
                (CallFault::Reset, 0.0005),
                (CallFault::Hang, 0.0005),
                (CallFault::Lost, 0.002),
                (CallFault::Truncate, 0.001),
                (CallFault::Throttle, 0.001),
            ],
        );
        faults.salsa.system_error = 0.001;
    }
    faults
}

/// Each fault is met once for sure, well apart, and then as often as its rate says.
fn failing(vendor: &mut VendorFaults, hang_seconds: f64, rates: &[(CallFault, f64)]) {
    vendor.hang_seconds = hang_seconds;
    vendor.retry_after = Some(1);
    for (fault, rate) in rates {
        vendor.rates.insert(*fault, *rate);
        vendor.next.extend([CallFault::None; 4]);
        vendor.next.push(*fault);
    }
}
