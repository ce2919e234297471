//! The data in Redis.
//!
//! Every key of a namespace starts with `{namespace}:`: the braces are Redis Cluster's hash tag, so one
//! campus lives in one slot and a script may touch all of it, while many campuses spread over a cluster.
//!
//! ```text
//!                   lanes: x:1001 -> a line a change, oldest first (who still waits: 1 CRM, 2 Salsa, 3 both)
//!                   .---------------------------------------------.
//!  enqueue -------> | 3…:n0024 41 | 3…:n0024 42 | …               |      changes: 41 -> fetched ms + record
//!                   '---------------------------------------------'
//!                        the lane's name stands, per destination, in exactly one of:
//!
//!     ready:crm (list) --claim--> lease:crm (by end of lease) + running:crm (token, worker, member)
//!         ^    ^                      |         |        |
//!         |    '---- lease expired ---'         |        '-- settle done/dead: leave the lane; next is ready
//!         '------- due:crm (by time) <--retry---'
//!                                                done: the set loses the bit; 0 and nothing dead:
//!     ack (the line) --ack_claim--> acking (a lease on its first ids) --accepted--> closed:<when it ends>: 41
//!
//!     dead:   letter:crm:41 (the letter), dead (41 -> who is dead), and three ways to find it:
//!             letters:crm:unmatched, because:crm:unmatched:<cause> (by time), letters-of:x:1001 (by person)
//!     whose:  x:1001 -> lane (open), letters-of (dead), past (through: to acknowledge, acknowledged, discarded)
//!     audit (by place) -> audit:<place>: who did what to which changes
//! ```
//!
//! An active lane is one with something to take; it is in `ready`, `lease` or `due` of that destination,
//! never in two. So "is the lane active" is "has it a head", and no flag can disagree with the data.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `changes` | hash | open change -> 13 digits (ms, the fetch) + JSON [`Record`](super::Record), its row sealed where there is a key; last in it `listed`: since when AlumnIQ lists this content (ms), its place in that answer, keyed digests of it; without the JSON: only what AlumnIQ is to be told of is left |
//! | `lanes` | hash | lane -> a line a change, oldest first: a character for the set of destinations that wait for it (`0` and its bits), then its member, `<order> <id>`; lane = `x:<xid>`, or `a:<id>` for an anonymous change. `*` where the lane has more than sixteen |
//! | `lane:<lane>` | sorted set | such a lane: its members, scored by the set |
//! | `ready:<d>` `due:<d>` `lease:<d>` | list, sorted sets | lanes (see the picture) |
//! | `running:<d>` | hash | lane -> `<fencing token> <worker> <member>` |
//! | `hungry:<d>` | sorted set with expiry | processes that find none of the fleet's places free, each by when (ms) it is forgotten |
//! | `attempts:<d>` | hash | id -> attempts used; after a call that found the destination down `<attempts> <such calls in a row> <ms of the first>` |
//! | `crashes:<d>` `forced:<d>` | hash | id -> count; only where not zero |
//! | `suspects:<d>` | hash | id -> token of its first failure; who failed since the vendor last proved to work |
//! | `poison:<d>` | set | lanes with a change that died of its own failures and others that still wait |
//! | `claimed:<d>` | hash | process -> newest fencing token that it was given: a process that knows a newer one has seen what this state has forgotten |
//! | `applied:<d>` | hash | lane -> newest member that was, or may have been, applied: what an older one is held against |
//! | `ack` | sorted set | id by when it was done: µs, each later than the one before; until AlumnIQ was told |
//! | `acking` | hash | the one list that AlumnIQ is being told: token, end of lease (ms), last place in `ack` |
//! | `told` | string | the id that AlumnIQ accepted last |
//! | `dead` | hash | id -> bits of the vendors at which it is dead (1 CRM, 2 Salsa, 4 AlumnIQ) |
//! | `letter:<v>:<id>` | hash | class, cause, because (its group's key), advice, attempts, lane, member, died_at |
//! | `letters:<v>:<class>` | sorted set | id by time of death |
//! | `because:<v>:<class>:<group>` | sorted set | the same of one group of causes: those that differ only in ids and figures |
//! | `causes:<v>:<class>` | sorted set | group -> how many letters it has |
//! | `sent:<v>:<id>` | string | the document that was sent last before the change died (sealed where there is a key); goes with the letter |
//! | `edits:<id>` | list | what operators changed in the row, `<ms> <JSON>` (the JSON sealed), newest 20; goes with the row, which stands against AlumnIQ's as long as there is one |
//! | `letters-of:<lane>` | set | `<v> <id>` of a person's letters |
//! | `discarded` | hash | id of a change that an operator gave up somewhere -> `1`: AlumnIQ is told, `0`: it is not |
//! | `events` | hash | open change -> its timeline, `<ms> <JSON>` a line, newest 100 |
//! | `corrected` | hash | id -> the row (JSON) that AlumnIQ corrected while a call, or the list for AlumnIQ, was out with the old one; it takes its place when that ends |
//! | `relisted` | hash | id -> how AlumnIQ listed a change that it was told of and is told of again: what its closed marker says next |
//! | `closed:<ms>` | hash with expiry | closed change -> its marker, by which a late fetch is recognised, and a corrected row: `<verdict> <ms> <fetched ms>[ untold][ listed <how AlumnIQ listed it>]`; below it its timeline |
//! | `rows:<ms>` | hash with expiry | closed change -> what `changes` held of it, where rows are kept |
//! | `past:<ms>` | sorted set with expiry | `<lane>`, a zero byte, `<ms> <id>`, by their bytes: whose changes are through everywhere, since when |
//! | `buckets` | sorted set with expiry | the names of these three by when (ms) they end; each takes in what is closed within a quarter of the time that it is kept |
//! | `outstanding` | hash | fetch (ms) -> changes of it that are not yet acknowledged |
//! | `counters` | hash | the books, `pending:<d>`, `applied:<d>`, `refused` |
//! | `rates:<name>` | string | `fetched`, a destination (applied) or `acknowledged`: 32 bits the number of the newest bucket of 10 s, then a ring of 360 |
//! | `calls:<v>` | list | the newest 50 calls (JSON), newest first; nothing of people |
//! | `gate:<v>` | hash | the circuit breaker, and the pause (see scripts/lib/breaker.lua) |
//! | `places:<v>` | sorted set with expiry | calls of the last minute, by when the place of each is free again |
//! | `limits:<v>` | hash | what the vendor said: `rate`, `batch`, `at` (ms); `asking`, `doubt`: until when (ms) somebody asks, work waits for the answer; of AlumnIQ the `batch` that the acknowledger asks for |
//! | `notice:<subject>` | hash | of `gate:<v>`, `letters:<v>`, `books`: `told` = since when (ms) the outside knows of a trouble; `differs` since when the state is another; what is being told: `id`, `trouble`, `at`, `facts`, `attempts`, `next`, `doubt`, and as a lease `token`, `ends` |
//! | `audit` | sorted set | places of the entries by themselves: µs, each later than the one before |
//! | `audit:<place>` | hash with expiry | at, by, via, action; destination, count, change_ids (JSON), reason, detail, bulk where there are any |
//! | `leader` `producer` `workers` | string, hashes | who leads; the last fetch, as `lead` the newest lead, `<token> <who>`, and as `rolled_back` when (ms) it was noticed that this state went back in time; who lives |
//! | `session:<digest>` | hash with expiry | a login at the console: `json`, `ends` (ms); by the SHA-256 of what the cookie holds |
//! | `refused:<door>:<client>` `refused:<door>` | hashes with expiry | wrong tokens: `times`, `until` when (ms) nobody is let in; of a client, when (ms) it was `told` to the audit |
//! | `noted:<door>` | string with expiry | how many clients with wrong tokens came into the audit lately |
//! | `known:<client>` | string with expiry | where the right token was presented from |
//! | `bulk:<id>` | hash with expiry | what was ordered, `state`, `handled`, `gone`, `cursor`, and its worker's fencing token |
//! | `bulks` `bulking` | sorted sets | the ids of the newest 100; those under way by the end of their lease (ms; 0 = nobody's) |
//! | `namespace` | hash | what every process that writes must agree on: `schema`, this layout's version (2), or `<from>><to>` while it is converted; `destinations` that a new change waits for; `sealing_key`, the newest key that payloads are sealed under ('' = they are not); and `since` when (µs) |
//! | `seals` | hash | key that payloads are sealed under -> since when (ms), or `leaving`: it is being given up |
//! | `clock` | string | where it was set back: `<by how many ms> <what it showed then>`; see scripts/lib/clock.lua |
//! | `check` | string | JSON of the leader's last check of these data (see [`defects`](super::defects)) |
//! | `token` | string | the last fencing token or place in `ack`: µs at least |
//! | `wake` | channel | there is something to do: `crm`, `salsa`, `alumniq` for a vendor, `bulks` without a worker, `producer`: nobody leads, `limits` in doubt, `fleet`: something to see |
//!
//! Where memory is short, timelines and rows of closed changes give way before their time ([`room`](super::room)); their
//! markers stay.

/// The prefix of a namespace, with its hash tag. No key has this name.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// The keys of `namespace`.
    pub fn new(namespace: &str) -> Self {
        Self {
            prefix: format!("{{{namespace}}}"),
        }
    }

    /// `{namespace}`: what scripts derive their keys from.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// `{namespace}:<part>:<part>…`.
    pub fn of(&self, parts: &[&str]) -> String {
        format!("{}:{}", self.prefix, parts.join(":"))
    }
}

/// The lane of a change: one a constituent; an anonymous change has one to itself.
pub fn lane(xid: Option<&str>, change_id: &str) -> String {
    match xid {
        Some(xid) => format!("x:{xid}"),
        None => format!("a:{change_id}"),
    }
}
