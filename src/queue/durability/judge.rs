//! Facts -> findings.

use std::time::Duration;

use super::{
    DurabilityExceptions, DurabilityFinding, OLDEST,
    catalogue::{self, DurabilityRisk, Severity},
    facts::Facts,
};

/// What a change takes while it is on the way, bytes: generously.
pub const BYTES_A_CHANGE: u64 = 2048;

/// The share of a limit from which on it is said, in tenths.
const NEARLY: u64 = 8;

fn find(definition: &'static DurabilityRisk, what: impl Into<String>) -> DurabilityFinding {
    DurabilityFinding {
        definition,
        severity: definition.severity,
        what: what.into(),
    }
}

/// What the key in the configuration allows is only warned of.
fn find_unless(
    allowed: bool,
    definition: &'static DurabilityRisk,
    what: impl Into<String>,
) -> DurabilityFinding {
    let severity = match allowed {
        true => Severity::Warns,
        false => definition.severity,
    };
    DurabilityFinding {
        severity,
        ..find(definition, what)
    }
}

/// The server by itself.
pub(super) fn judge(facts: &Facts<'_>, allowed: DurabilityExceptions) -> Vec<DurabilityFinding> {
    let mut findings = Vec::new();
    let hidden = facts.hidden();
    if !hidden.is_empty() {
        let hidden = hidden.join(", ");
        findings.push(find(
            catalogue::HIDDEN,
            format!("Redis does not tell {hidden}"),
        ));
    }
    if !facts.version.is_empty() && version(facts.version) < OLDEST {
        let what = format!("Redis {} is too old", facts.version);
        findings.push(find(catalogue::OLD, what));
    }
    findings.extend(persistence(facts, allowed));
    findings.extend(memory(facts, allowed));
    findings.extend(replication(facts));
    if facts.loading {
        findings.push(find(catalogue::LOADING, "Redis is loading its data"));
    }
    findings
}

fn version(text: &str) -> (u32, u32) {
    let mut parts = text
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or_default());
    let mut next = || parts.next().unwrap_or_default();
    (next(), next())
}

fn persistence(facts: &Facts<'_>, allowed: DurabilityExceptions) -> Vec<DurabilityFinding> {
    let mut findings = Vec::new();
    match (facts.appends, facts.save) {
        (Some(false), Some("")) => findings.push(find_unless(
            allowed.no_persistence,
            catalogue::KEEPS_NOTHING,
            "Redis keeps nothing on disk (appendonly no, save \"\")",
        )),
        (Some(false), _) => findings.push(find_unless(
            allowed.no_persistence,
            catalogue::SNAPSHOTS_ONLY,
            "Redis saves snapshots only (appendonly no)",
        )),
        (Some(true), _) => match facts.fsync {
            Some("no") => findings.push(find(
                catalogue::NEVER_FSYNCS,
                "Redis leaves it to the system when its file is written (appendfsync no)",
            )),
            Some("everysec") => findings.push(find(
                catalogue::FSYNC_EVERY_SECOND,
                "it writes its file once a second (appendfsync everysec)",
            )),
            _ => {}
        },
        (None, _) => {}
    }
    if facts.append_failed {
        findings.push(find(
            catalogue::APPEND_FAILS,
            "Redis cannot write its append-only file",
        ));
    }
    if facts.rewrite_failed {
        findings.push(find(
            catalogue::REWRITE_FAILS,
            "Redis cannot rewrite its append-only file",
        ));
    }
    // Without save points it takes no snapshots of its own, and does not stop for one that failed.
    let stops = facts.stops_on_failed_snapshot && facts.save.is_some_and(|save| !save.is_empty());
    if facts.snapshot_failed && stops {
        findings.push(find(
            catalogue::SNAPSHOT_STOPS,
            "Redis' last snapshot failed, and it takes no changes until one succeeds",
        ));
    } else if facts.snapshot_failed {
        findings.push(find(
            catalogue::SNAPSHOT_FAILS,
            "Redis' last snapshot failed",
        ));
    }
    findings
}

fn memory(facts: &Facts<'_>, allowed: DurabilityExceptions) -> Vec<DurabilityFinding> {
    let mut findings = Vec::new();
    let (used, limit, machine) = (facts.used_memory, facts.max_memory, facts.machine_memory);
    let mib = |bytes: u64| bytes >> 20;
    match facts.policy {
        None | Some("noeviction") => {}
        Some(policy) if limit > 0 => findings.push(find_unless(
            allowed.eviction,
            catalogue::EVICTS,
            format!("Redis throws keys away when it is full (maxmemory-policy {policy})"),
        )),
        Some(policy) => findings.push(find(
            catalogue::WOULD_EVICT,
            format!("Redis would throw keys away if it had a limit (maxmemory-policy {policy})"),
        )),
    }
    let is_nearly = |of: u64| used > of / 10 * NEARLY;
    if limit > 0 && used > limit {
        let what = format!("Redis is full: {used} of {limit} bytes are in use");
        findings.push(find(catalogue::FULL, what));
    } else if limit > 0 && is_nearly(limit) {
        let what = format!("Redis uses {} of {} MiB", mib(used), mib(limit));
        findings.push(find(catalogue::NEARLY_FULL, what));
    } else if limit == 0 && machine > 0 && is_nearly(machine) {
        let what = format!(
            "Redis uses {} of the machine's {} MiB and has no limit of its own",
            mib(used),
            mib(machine)
        );
        findings.push(find(catalogue::MACHINE_NEARLY_FULL, what));
    }
    if limit > machine && machine > 0 {
        let what = format!(
            "Redis may use {} MiB, the machine has {}",
            mib(limit),
            mib(machine)
        );
        findings.push(find(catalogue::LIMIT_BEYOND_MACHINE, what));
    }
    let (end, whose) = match limit {
        0 => (machine, " if nothing else needs the machine's memory"),
        limit => (limit, ""),
    };
    if end > 0 {
        let changes = end.saturating_sub(used) / BYTES_A_CHANGE;
        findings.push(find(
            catalogue::ROOM,
            format!(
                "room for about {} more changes on the way{whose}",
                about(changes)
            ),
        ));
    }
    findings
}

/// An estimate in two digits: more would not be true.
fn about(number: u64) -> String {
    let unit = 10_u64.pow(
        number
            .checked_ilog10()
            .unwrap_or_default()
            .saturating_sub(1),
    );
    let rounded = (number + unit / 2) / unit * unit;
    match (rounded / 1_000_000, rounded / 100_000 % 10, rounded / 1_000) {
        (0, _, 0) => rounded.to_string(),
        (0, _, thousands) => format!("{thousands},{:03}", rounded % 1_000),
        (millions, 0, _) | (millions @ 10.., _, _) => format!("{millions} million"),
        (millions, tenths, _) => format!("{millions}.{tenths} million"),
    }
}

#[cfg(test)]
#[test]
fn an_estimate_has_two_digits() {
    for (number, said) in [
        (0, "0"),
        (7, "7"),
        (94, "94"),
        (996, "1,000"),
        (1_234, "1,200"),
        (45_678, "46,000"),
        (999_999, "1 million"),
        (1_150_000, "1.2 million"),
        (12_341_573, "12 million"),
        (123_415_730, "120 million"),
    ] {
        assert_eq!(about(number), said);
    }
}

fn replication(facts: &Facts<'_>) -> Vec<DurabilityFinding> {
    let mut findings = Vec::new();
    if facts.is_replica {
        findings.push(find(
            catalogue::REPLICA,
            "this Redis is a read-only replica",
        ));
    }
    let demanded = facts.replicas_demanded;
    if let Some(good) = facts.good_replicas.filter(|good| *good < demanded) {
        let what = format!("Redis has {good} good replicas and demands {demanded}");
        findings.push(find(catalogue::MISSES_REPLICAS, what));
    }
    if facts.replicas > 0 {
        let what = format!(
            "it has {} replicas, which follow a moment later",
            facts.replicas
        );
        findings.push(find(catalogue::REPLICATED, what));
    }
    findings
}

/// The way to the server. `urls`: how many addresses are configured.
pub(super) fn connection(
    facts: &Facts<'_>,
    urls: usize,
    round_trip: Duration,
    response_timeout: Duration,
) -> Vec<DurabilityFinding> {
    let mut findings = Vec::new();
    let (clients, most) = (facts.clients, facts.max_clients);
    if most > 0 && clients > most / 10 * NEARLY {
        let what = format!("{clients} of Redis' {most} connections are in use");
        findings.push(find(catalogue::FEW_CONNECTIONS, what));
    }
    if facts.is_cluster && urls == 1 {
        findings.push(find(
            catalogue::ONE_NODE,
            "this Redis is a node of a cluster, and redis.url names no other",
        ));
    }
    if round_trip > response_timeout / 10 {
        let what = format!(
            "a call to Redis takes {} ms, redis.response_timeout is {} ms",
            round_trip.as_millis(),
            response_timeout.as_millis()
        );
        findings.push(find(catalogue::SLOW, what));
    }
    findings
}
