use super::*;

/// A healthy append-only server, with these fields and settings in place of or beside its own.
fn examined(
    fields: &[(&str, &str)],
    settings: &[(&str, &str)],
    allowed: DurabilityExceptions,
) -> Vec<DurabilityFinding> {
    let healthy = [
        ("redis_version", "7.0.15"),
        ("role", "master"),
        ("aof_enabled", "1"),
        ("aof_last_write_status", "ok"),
        ("aof_last_bgrewrite_status", "ok"),
        ("rdb_last_bgsave_status", "ok"),
        ("loading", "0"),
        ("maxmemory_policy", "noeviction"),
        ("connected_clients", "10"),
        ("maxclients", "10000"),
        ("cluster_enabled", "0"),
    ];
    let info: String = healthy
        .iter()
        .filter(|(name, _)| fields.iter().all(|(changed, _)| changed != name))
        .chain(fields)
        // An empty field is one that the server does not show.
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}:{value}\r\n"))
        .collect();
    let mut known: Settings = [
        ("save", ""),
        ("appendfsync", "always"),
        ("stop-writes-on-bgsave-error", "yes"),
        ("min-replicas-to-write", "0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for (name, value) in settings {
        match *value {
            "hidden" => known.remove(*name),
            value => known.insert((*name).to_owned(), value.to_owned()),
        };
    }
    let facts = Facts::read(&info, &known);
    let mut findings = judge::judge(&facts, allowed);
    let second = Duration::from_secs(1);
    let quick = Duration::from_millis(1);
    findings.extend(judge::connection(&facts, 1, quick, second));
    findings
}

fn found(fields: &[(&str, &str)], settings: &[(&str, &str)]) -> Vec<&'static DurabilityRisk> {
    let findings = examined(fields, settings, DurabilityExceptions::default());
    findings.iter().map(|finding| finding.definition).collect()
}

#[test]
fn an_append_only_redis_in_good_health_gives_no_finding() {
    assert_eq!(found(&[], &[]), [] as [&DurabilityRisk; 0]);
}

#[test]
fn every_definition_is_found_where_its_fields_say_so_and_nothing_else_is() {
    use catalogue::*;
    const ROOMY: (&str, &str) = ("total_system_memory", "100000000000");
    type Pairs = &'static [(&'static str, &'static str)];
    let table: &[(Pairs, Pairs, &[&DurabilityRisk])] = &[
        (&[("redis_version", "6.2.14")], &[], &[OLD]),
        (&[("redis_version", "10.0.0")], &[], &[]),
        (&[("aof_enabled", "0")], &[], &[KEEPS_NOTHING]),
        (
            &[("aof_enabled", "0")],
            &[("save", "60 1")],
            &[SNAPSHOTS_ONLY],
        ),
        (&[("aof_last_write_status", "err")], &[], &[APPEND_FAILS]),
        (
            &[("aof_last_bgrewrite_status", "err")],
            &[],
            &[REWRITE_FAILS],
        ),
        (&[("rdb_last_bgsave_status", "err")], &[], &[SNAPSHOT_FAILS]),
        (
            &[("rdb_last_bgsave_status", "err")],
            &[("save", "60 1")],
            &[SNAPSHOT_STOPS],
        ),
        (
            &[("rdb_last_bgsave_status", "err")],
            &[("save", "60 1"), ("stop-writes-on-bgsave-error", "no")],
            &[SNAPSHOT_FAILS],
        ),
        (&[], &[("appendfsync", "no")], &[NEVER_FSYNCS]),
        (&[], &[("appendfsync", "everysec")], &[FSYNC_EVERY_SECOND]),
        (
            &[("maxmemory_policy", "allkeys-lru"), ("maxmemory", "1000")],
            &[],
            &[EVICTS, ROOM],
        ),
        (&[("maxmemory_policy", "volatile-ttl")], &[], &[WOULD_EVICT]),
        (
            &[("maxmemory", "1000"), ("used_memory", "1001")],
            &[],
            &[FULL, ROOM],
        ),
        // What Redis does not count against its limit does not make it full.
        (
            &[
                ("maxmemory", "1000"),
                ("used_memory", "1001"),
                ("mem_not_counted_for_evict", "500"),
            ],
            &[],
            &[ROOM],
        ),
        (
            &[("maxmemory", "1000"), ("used_memory", "801")],
            &[],
            &[NEARLY_FULL, ROOM],
        ),
        (
            &[("maxmemory", "1000"), ("used_memory", "800")],
            &[],
            &[ROOM],
        ),
        (
            &[("total_system_memory", "1000"), ("used_memory", "801")],
            &[],
            &[MACHINE_NEARLY_FULL, ROOM],
        ),
        (
            &[("total_system_memory", "1000"), ("maxmemory", "1001")],
            &[],
            &[LIMIT_BEYOND_MACHINE, ROOM],
        ),
        (&[ROOMY], &[], &[ROOM]),
        (&[("role", "slave")], &[], &[REPLICA]),
        (&[("loading", "1")], &[], &[LOADING]),
        (&[("connected_slaves", "2")], &[], &[REPLICATED]),
        (
            &[("connected_slaves", "1"), ("min_slaves_good_slaves", "1")],
            &[("min-replicas-to-write", "2")],
            &[MISSES_REPLICAS, REPLICATED],
        ),
        (
            &[("connected_clients", "81"), ("maxclients", "100")],
            &[],
            &[FEW_CONNECTIONS],
        ),
        (&[("cluster_enabled", "1")], &[], &[ONE_NODE]),
        (&[("redis_version", "")], &[], &[HIDDEN]),
        (&[("aof_enabled", "")], &[], &[HIDDEN]),
        (&[("maxmemory_policy", "")], &[], &[HIDDEN]),
        (&[], &[("save", "hidden")], &[HIDDEN]),
    ];
    let mut seen: Vec<&DurabilityRisk> = Vec::new();
    for (fields, settings, expected) in table {
        assert_eq!(
            found(fields, settings),
            *expected,
            "{fields:?} {settings:?}"
        );
        seen.extend(*expected);
    }
    // This one depends on no field.
    let second = Duration::from_secs(1);
    let none = Settings::new();
    let facts = Facts::read("", &none);
    let far = judge::connection(&facts, 1, second / 9, second);
    assert_eq!(far[0].definition, SLOW);
    seen.push(SLOW);
    for definition in ALL {
        assert!(
            seen.contains(definition),
            "{:?} has no row",
            definition.found
        );
    }
}

#[test]
fn a_key_of_the_configuration_makes_a_warning_of_what_it_names_and_of_nothing_else() {
    let worst = [
        ("redis_version", "6.0.0"),
        ("role", "slave"),
        ("aof_enabled", "0"),
        ("maxmemory_policy", "allkeys-lru"),
        ("maxmemory", "1000000"),
    ];
    let refused = |allowed| -> Vec<Option<&str>> {
        let findings = examined(&worst, &[], allowed);
        let refused = findings.iter().filter(|f| f.severity == Severity::Refuses);
        refused.map(|f| f.definition.allowed_by).collect()
    };
    let (persistence, eviction) = ("redis.allow_no_persistence", "redis.allow_eviction");
    assert_eq!(
        refused(DurabilityExceptions::default()),
        [None, Some(persistence), Some(eviction), None]
    );
    let no_persistence = DurabilityExceptions {
        no_persistence: true,
        ..DurabilityExceptions::default()
    };
    assert_eq!(refused(no_persistence), [None, Some(eviction), None]);
    let both = DurabilityExceptions {
        eviction: true,
        ..no_persistence
    };
    assert_eq!(refused(both), [None, None]);
}

#[test]
fn a_server_that_tells_nothing_is_warned_of_and_refused_for_nothing() {
    let hidden = [
        ("redis_version", ""),
        ("aof_enabled", ""),
        ("maxmemory_policy", ""),
    ];
    let findings = examined(
        &hidden,
        &[("save", "hidden")],
        DurabilityExceptions::default(),
    );
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].severity, Severity::Warns);
    assert_eq!(
        findings[0].what,
        "Redis does not tell its version, whether it persists, whether it evicts, its settings (CONFIG)"
    );
}

#[test]
fn whatever_is_not_just_told_says_what_to_do() {
    for definition in catalogue::ALL {
        assert_eq!(
            definition.todo.is_empty(),
            definition.severity == Severity::Tells,
            "{}",
            definition.found
        );
    }
}
