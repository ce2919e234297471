//! The transitions: one Lua script each, with the shared preludes in front and the frame behind. Each is the body of a
//! function, so that what it gathered is written whichever way it ends.

use std::ops::{Deref, DerefMut};

use redis::{FromRedisValue, RedisResult, Script, ScriptInvocation, aio::ConnectionLike};

use super::keys::Keys;

/// What a script is for decides when Redis may refuse it. The flags in a script's first line say so to Redis,
/// which then refuses a call before it has begun, never in its middle. They exist since Redis 7.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ScriptPurpose {
    /// Reads only: runs on a Redis that takes no writes, too.
    Looks,
    /// Counts calls to vendors, of commands that only read the queue, too: what it writes ends by itself.
    Counts,
    /// Moves what is in the queue already: runs although Redis is full, for that is how it becomes less full.
    CarriesOn,
    /// Takes something new in: refused while Redis is full.
    TakesIn,
}

/// A script's first line, by its [`ScriptPurpose`].
macro_rules! first_line {
    (Looks) => {
        "#!lua flags=no-writes\n"
    };
    (Counts) => {
        "#!lua flags=allow-oom\n"
    };
    (CarriesOn) => {
        "#!lua flags=allow-oom\n"
    };
    (TakesIn) => {
        "#!lua\n"
    };
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident: $purpose:ident $($file:literal)+,)*) => {
        /// Every script, compiled once. A script that Redis has forgotten is loaded again on the way.
        pub(super) struct Scripts { $($(#[$doc])* pub $name: QueueScript,)* }

        impl Scripts {
            pub fn new() -> Self {
                Self { $($name: QueueScript {
                    purpose: ScriptPurpose::$purpose,
                    script: Script::new(concat!(
                        first_line!($purpose),
                        include_str!("scripts/prelude.lua"),
                        include_str!("scripts/lane_prelude.lua"),
                        include_str!("scripts/change_prelude.lua"),
                        include_str!("scripts/gate_prelude.lua"),
                        include_str!("scripts/hands_prelude.lua"),
                        "local function transition()\n",
                        $(include_str!(concat!("scripts/", $file)),)+
                        "\nend\n",
                        include_str!("scripts/frame.lua"),
                    )),
                },)* }
            }
        }
    };
}

scripts! {
    admit: CarriesOn "namespace.lua" "admit.lua",
    compare: Looks "namespace.lua" "admit.lua",
    enqueue: TakesIn "namespace.lua" "correction.lua" "enqueue.lua",
    exchange: CarriesOn "share.lua" "correction.lua" "settle.lua" "claim.lua" "exchange.lua",
    renew: CarriesOn "renew.lua",
    ack_claim: CarriesOn "correction.lua" "ack_claim.lua",
    ack_renew: CarriesOn "ack_renew.lua",
    ack_settle: CarriesOn "correction.lua" "ack_settle.lua",
    replay: CarriesOn "replay.lua",
    discard: CarriesOn "discard.lua",
    edit: CarriesOn "edit.lua",
    make_room: CarriesOn "make_room.lua",
    note: CarriesOn "note.lua",
    bulk_start: CarriesOn "bulk_start.lua",
    bulk_claim: CarriesOn "bulk_claim.lua",
    bulk_keep: CarriesOn "bulk_keep.lua",
    bulk_cancel: CarriesOn "bulk_cancel.lua",
    gate: CarriesOn "gate.lua",
    throttle: Counts "throttle.lua",
    leader: CarriesOn "leader.lua",
    producer: CarriesOn "producer.lua",
    beat: CarriesOn "stats_prelude.lua" "beat.lua",
    notice_claim: CarriesOn "notice_claim.lua",
    notice_settle: CarriesOn "notice_settle.lua",
    stats: Looks "stats_prelude.lua" "stats.lua",
    watch: Looks "stats_prelude.lua" "watch.lua",
    standing: Looks "standing.lua",
    open: Looks "open.lua",
    person: Looks "person.lua",
    payloads: Looks "payloads.lua",
    reseal: CarriesOn "reseal.lua",
    seals: CarriesOn "seals.lua",
    erase: CarriesOn "erase.lua",
    erase_end: CarriesOn "erase_end.lua",
    whose: Looks "whose.lua",
    survey: Looks "defects_prelude.lua" "survey.lua",
    judge: Looks "defects_prelude.lua" "repair.lua",
    repair: CarriesOn "defects_prelude.lua" "repair.lua",
    empty: CarriesOn "empty.lua",
    is_empty: Looks "empty.lua",
    session: CarriesOn "session.lua",
    knock: CarriesOn "knock.lua",
    rights: Looks "rights.lua",
}

/// A script and what it is for.
pub(super) struct QueueScript {
    purpose: ScriptPurpose,
    script: Script,
}

impl QueueScript {
    /// A call of it, still without arguments.
    pub fn prepare_invoke(&self) -> Invocation<'_> {
        Invocation {
            purpose: self.purpose,
            call: self.script.prepare_invoke(),
        }
    }

    /// Has Redis keep it.
    pub async fn load(&self, connection: &mut impl ConnectionLike) -> RedisResult<()> {
        self.script.load_async(connection).await.map(drop)
    }
}

/// What a script answered, and what it has for the log.
pub(super) struct ScriptReply<T> {
    pub value: T,
    pub warnings: Vec<String>,
}

/// A call of a script that knows what it is for.
pub(super) struct Invocation<'a> {
    pub purpose: ScriptPurpose,
    call: ScriptInvocation<'a>,
}

impl Invocation<'_> {
    /// Calls it. Two keys, and neither exists: while a cluster moves the slot, neither node then runs a script over the
    /// half of the namespace that it has. One key alone would be redirected, and the script would run.
    pub async fn invoke<T: FromRedisValue>(
        &mut self,
        keys: &Keys,
        connection: &mut impl ConnectionLike,
    ) -> RedisResult<ScriptReply<T>> {
        let call = self.call.key(keys.prefix()).key(keys.of(&["none"]));
        let (value, warnings) = call.invoke_async(connection).await?;
        Ok(ScriptReply { value, warnings })
    }
}

impl<'a> Deref for Invocation<'a> {
    type Target = ScriptInvocation<'a>;

    fn deref(&self) -> &Self::Target {
        &self.call
    }
}

impl DerefMut for Invocation<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.call
    }
}

/// A script's argument; scripts take `''` for nothing.
pub(super) fn or_empty(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
