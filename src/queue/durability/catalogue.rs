//! Everything that can be found of a Redis. The documents' table is made of it.

/// What follows from a finding. Ordered, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Changes, or what is known of them, could be lost without a word: `run` and `sync` refuse to start.
    Refuses,
    /// It stands still or takes nothing in, and loses nothing: `check --connect` fails. `run` starts and waits.
    Fails,
    /// It works, and a person should know: a line in the log at start.
    Warns,
    /// How it is: shown by `check --connect` only.
    Tells,
}

/// One thing that can be found.
#[derive(Debug, PartialEq, Eq)]
pub struct DurabilityRisk {
    /// In general words.
    pub found: &'static str,
    /// What follows.
    pub severity: Severity,
    /// The configuration key that makes a warning of a refusal.
    pub allowed_by: Option<&'static str>,
    /// What it means for changes.
    pub means: &'static str,
    /// What to do; empty where there is nothing to do.
    pub todo: &'static str,
}

/// Writes each definition as a constant and gathers all of them in [`ALL`], so that there is no second list to
/// keep.
macro_rules! define {
    ($(
        $name:ident: $severity:ident $(unless $key:literal)?, $found:literal
            means $means:literal
            todo $todo:literal;
    )+) => {
        $(
            pub(super) const $name: &DurabilityRisk = &DurabilityRisk {
                found: $found,
                severity: Severity::$severity,
                allowed_by: { let none: Option<&str> = None; $(let none = { let _ = none; Some($key) };)? none },
                means: $means,
                todo: $todo,
            };
        )+

        /// Every definition, in the order of the documents' table.
        pub const ALL: &[&DurabilityRisk] = &[$($name),+];
    };
}

define! {
    OLD: Refuses, "older than 7.0"
        means "It does not know the flags by which scripts say whether they may run when it is full: it would stand still for good."
        todo "Use Redis 7.0 or newer, or Valkey.";
    KEEPS_NOTHING: Refuses unless "redis.allow_no_persistence", "keeps nothing on disk (`appendonly no`, `save \"\"`)"
        means "Its restart forgets everything. AlumnIQ lists what it was not told about, so no change is lost; but dead letters are fetched and tried again, and an older change may be applied over a newer one."
        todo "Set `appendonly yes`.";
    SNAPSHOTS_ONLY: Refuses unless "redis.allow_no_persistence", "saves snapshots only (`appendonly no`)"
        means "Its crash forgets the minutes since the last snapshot: what was done in them is done again, and discarded dead letters are back."
        todo "Set `appendonly yes`.";
    EVICTS: Refuses unless "redis.allow_eviction", "throws keys away when it is full (`maxmemory-policy`)"
        means "It would lose changes in flight without a word until AlumnIQ lists them again, and with them their dead letters and their order."
        todo "Set `maxmemory-policy noeviction`.";
    REPLICA: Refuses, "a read-only replica"
        means "It takes no changes."
        todo "Point `redis.url` at the primary.";
    FULL: Fails, "full (more in use than `maxmemory`)"
        means "Nothing new is taken in. What is queued goes on, timelines of closed changes give way, and intake resumes by itself."
        todo "Raise `maxmemory`, or clear dead letters.";
    APPEND_FAILS: Fails, "cannot write its append-only file"
        means "It refuses every change, so that nothing is lost and everything stands still; it goes on by itself once it can write."
        todo "Its disk is probably full: make room, see its log.";
    SNAPSHOT_STOPS: Fails, "its last snapshot failed, and it stops for that (`stop-writes-on-bgsave-error`)"
        means "It refuses every change, so that nothing is lost and everything stands still; it goes on by itself after the next good snapshot."
        todo "Make room on its disk, or set `save \"\"` where it is append-only anyway.";
    MISSES_REPLICAS: Fails, "has fewer good replicas than it demands (`min-replicas-to-write`)"
        means "It refuses every change until they are back; nothing is lost."
        todo "Bring its replicas back.";
    LOADING: Fails, "is loading its data"
        means "Everything waits until it is done; nothing is lost."
        todo "Wait.";
    NEARLY_FULL: Warns, "uses more than 80 % of `maxmemory`"
        means "From 90 % on timelines of closed changes give way; once it is full, nothing new is taken in."
        todo "Raise `maxmemory`.";
    MACHINE_NEARLY_FULL: Warns, "has no limit and uses more than 80 % of the machine's memory"
        means "When the machine has no more, the system kills Redis; append-only, it loses up to a second then, and comes back only where there is room."
        todo "Give the machine more memory, and set `maxmemory`: a full Redis waits, a killed one does not.";
    LIMIT_BEYOND_MACHINE: Warns, "`maxmemory` is more than the machine has"
        means "Redis would be killed before it is full."
        todo "Set `maxmemory` well below the machine's memory.";
    WOULD_EVICT: Warns, "would throw keys away if it had a limit (`maxmemory-policy`)"
        means "Nothing yet; the day somebody sets `maxmemory`, changes are lost."
        todo "Set `maxmemory-policy noeviction`.";
    REWRITE_FAILS: Warns, "cannot rewrite its append-only file"
        means "The file grows until the disk is full; then everything stands still."
        todo "Make room on its disk, see its log.";
    SNAPSHOT_FAILS: Warns, "its last snapshot failed"
        means "The append-only file still holds everything, but its disk or memory is short."
        todo "See its log.";
    NEVER_FSYNCS: Warns, "leaves it to the system when to write (`appendfsync no`)"
        means "A power failure forgets about half a minute: calls are repeated, an older change may follow a newer one; nothing is lost."
        todo "Set `appendfsync everysec`.";
    FEW_CONNECTIONS: Warns, "more than 80 % of `maxclients` are in use"
        means "A process that finds no place waits, and its leases run out: others take over."
        todo "Raise `maxclients`: each process of the relay holds two connections.";
    SLOW: Warns, "far away (a call takes more than a tenth of `redis.response_timeout`)"
        means "A hiccup passes for a loss of Redis: calls are repeated, never lost."
        todo "Bring Redis nearer, or raise `redis.response_timeout`.";
    ONE_NODE: Warns, "a node of a cluster, and no other is named"
        means "When the namespace moves to another node, everything stands still until `redis.url` is corrected; nothing is lost."
        todo "Name several nodes in `redis.url`.";
    HIDDEN: Warns, "does not tell everything (a managed service, or the user's rights)"
        means "What it does not tell cannot be judged."
        todo "Make sure by hand that it is 7.0 or newer, persists and does not evict, or allow `INFO` and `CONFIG GET`.";
    FSYNC_EVERY_SECOND: Tells, "writes once a second (`appendfsync everysec`)"
        means "A power failure forgets up to a second: its leases and results are, so those calls are repeated (a second CRM note). AlumnIQ's PUT is the commit point: nothing is lost."
        todo "";
    REPLICATED: Tells, "has replicas"
        means "They follow a moment later: a failover forgets that moment, with the same effect as a power failure."
        todo "";
    ROOM: Tells, "its room"
        means "An estimate: 2 KiB for each change on the way, which is twice what the simulated rows take. Dead letters stay; of a closed change up to 1 KiB stays for `history.keep`, and gives way when memory is short."
        todo "";
}
