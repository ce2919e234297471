//! What a server says of itself, in `INFO` and `CONFIG GET`.

use std::collections::BTreeMap;

/// Settings by name, as `CONFIG GET` gives them.
pub(super) type Settings = BTreeMap<String, String>;

/// The settings that matter here and are not in `INFO`.
pub(super) const SETTINGS: &[&str] = &[
    "save",
    "appendfsync",
    "stop-writes-on-bgsave-error",
    "min-replicas-to-write",
];

/// One server. What may be hidden is `None` then; what is absent in good health is taken for good.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    /// Empty where it is hidden.
    pub version: &'a str,
    /// Whether it is append-only.
    pub appends: Option<bool>,
    /// Whether its last write to the append-only file failed.
    pub append_failed: bool,
    /// Whether its last rewrite of it failed.
    pub rewrite_failed: bool,
    /// Whether its last snapshot failed.
    pub snapshot_failed: bool,
    /// Whether it is loading its data.
    pub loading: bool,
    /// `maxmemory-policy`.
    pub policy: Option<&'a str>,
    /// Bytes, as they count against the limit.
    pub used_memory: u64,
    /// `maxmemory`, bytes; 0 = none.
    pub max_memory: u64,
    /// The machine's memory, bytes; 0 = unknown.
    pub machine_memory: u64,
    /// Whether it is a replica.
    pub is_replica: bool,
    /// How many replicas it has.
    pub replicas: u64,
    /// How many of them keep up, where it demands some.
    pub good_replicas: Option<u64>,
    /// Connections.
    pub clients: u64,
    /// `maxclients`; 0 = unknown.
    pub max_clients: u64,
    /// Whether it is a node of a cluster.
    pub is_cluster: bool,
    /// `save`; `None` where settings are hidden.
    pub save: Option<&'a str>,
    /// `appendfsync`.
    pub fsync: Option<&'a str>,
    /// `stop-writes-on-bgsave-error`.
    pub stops_on_failed_snapshot: bool,
    /// `min-replicas-to-write`.
    pub replicas_demanded: u64,
}

impl<'a> Facts<'a> {
    /// From the answer to `INFO` and the settings.
    pub fn read(info: &'a str, settings: &'a Settings) -> Self {
        let fields: BTreeMap<&str, &str> = info
            .lines()
            .filter_map(|line| line.trim_end().split_once(':'))
            .collect();
        let text = |name: &str| fields.get(name).copied();
        let number = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
        let is = |name: &str, value: &str| text(name) == Some(value);
        let setting = |name: &str| settings.get(name).map(String::as_str);
        Self {
            version: text("redis_version").unwrap_or_default(),
            appends: text("aof_enabled").map(|enabled| enabled == "1"),
            append_failed: is("aof_last_write_status", "err"),
            rewrite_failed: is("aof_last_bgrewrite_status", "err"),
            snapshot_failed: is("rdb_last_bgsave_status", "err"),
            loading: is("loading", "1"),
            policy: text("maxmemory_policy"),
            used_memory: number("used_memory")
                .unwrap_or_default()
                .saturating_sub(number("mem_not_counted_for_evict").unwrap_or_default()),
            max_memory: number("maxmemory").unwrap_or_default(),
            machine_memory: number("total_system_memory").unwrap_or_default(),
            is_replica: is("role", "slave"),
            replicas: number("connected_slaves").unwrap_or_default(),
            good_replicas: number("min_slaves_good_slaves"),
            clients: number("connected_clients").unwrap_or_default(),
            max_clients: number("maxclients").unwrap_or_default(),
            is_cluster: is("cluster_enabled", "1"),
            save: setting("save"),
            fsync: setting("appendfsync"),
            stops_on_failed_snapshot: setting("stop-writes-on-bgsave-error") == Some("yes"),
            replicas_demanded: setting("min-replicas-to-write")
                .and_then(|count| count.parse().ok())
                .unwrap_or_default(),
        }
    }

    /// What the server does not tell.
    pub fn hidden(&self) -> Vec<&'static str> {
        [
            ("its version", self.version.is_empty()),
            ("whether it persists", self.appends.is_none()),
            ("whether it evicts", self.policy.is_none()),
            ("its settings (CONFIG)", self.save.is_none()),
        ]
        .into_iter()
        .filter_map(|(what, hidden)| hidden.then_some(what))
        .collect()
    }
}
