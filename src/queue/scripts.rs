//! The transitions: one Lua script each, with the shared prelude in front.

use redis::Script;

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident: $file:literal,)*) => {
        /// Every script, compiled once. A script that Redis has forgotten is loaded again on the way.
        pub(super) struct Scripts { $($(#[$doc])* pub $name: Script,)* }

        impl Scripts {
            pub fn new() -> Self {
                Self { $($name: Script::new(concat!(
                    include_str!("scripts/prelude.lua"),
                    include_str!("scripts/gate_prelude.lua"),
                    include_str!(concat!("scripts/", $file)),
                )),)* }
            }
        }
    };
}

scripts! {
    enqueue: "enqueue.lua",
    claim: "claim.lua",
    renew: "renew.lua",
    settle: "settle.lua",
    ack_claim: "ack_claim.lua",
    ack_renew: "ack_renew.lua",
    ack_settle: "ack_settle.lua",
    replay: "replay.lua",
    discard: "discard.lua",
    gate: "gate.lua",
    throttle: "throttle.lua",
    leader: "leader.lua",
    beat: "beat.lua",
    stats: "stats.lua",
}
