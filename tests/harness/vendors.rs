//! The simulated vendors, in the test's own process.

use sandbox::{Fault, Limits, Outage, Report, Sandbox, SandboxOptions, Vendor, VendorFaults};

use crate::waiting::until_true;

/// Vendors with `changes` of `people`, whose Salsa has no call rate: the tests are no benchmark.
pub async fn vendors(changes: usize, people: usize) -> Sandbox {
    vendors_with(SandboxOptions {
        changes,
        people,
        ..SandboxOptions::default()
    })
    .await
}

/// The same, made to measure.
pub async fn vendors_with(options: SandboxOptions) -> Sandbox {
    let limits = Limits {
        rate_per_minute: 0,
        ..options.limits.clone()
    };
    Sandbox::start(SandboxOptions { limits, ..options })
        .await
        .unwrap()
}

/// Waits until AlumnIQ was told of so many changes.
pub async fn acknowledged(sandbox: &Sandbox, count: usize) {
    let what = format!("{count} changes are acknowledged");
    until_true(&what, async || sandbox.report().acknowledged >= count).await;
}

/// Fails where a promise did not hold. `discarded` and `dead` are changeIds.
#[track_caller]
pub fn every_promise_held(report: &Report, discarded: &[String], dead: &[String]) {
    let broken: Vec<_> = report
        .verdicts(discarded, dead)
        .into_iter()
        .filter(|verdict| !verdict.held)
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
    assert_eq!(report.unknown_acknowledgements, 0);
    assert_eq!(report.unattributed, 0);
}

/// Applications beyond the first of each change.
pub fn repeats(report: &Report) -> usize {
    report.repeated()
}

/// Calls that carry changes to Salsa.
pub fn salsa_calls(report: &Report) -> u64 {
    let calls = |operation| report.traffic.calls_of(Vendor::Salsa, operation);
    calls("search") + calls("put")
}

/// A vendor that is down in this way until it is told otherwise.
pub fn down(fault: Fault) -> VendorFaults {
    VendorFaults {
        outages: vec![Outage {
            after_seconds: 0.0,
            seconds: None,
            fault,
        }],
        retry_after: Some(1),
        ..VendorFaults::default()
    }
}
