//! The transitions: one Lua script each, in `scripts/`, in folders by purpose. A script defines `transition()`, and names in
//! `-- @include` lines the files of `scripts/lib` that it uses; they name theirs. It is put together once in a process.

use std::{
    fmt::Write,
    ops::{Deref, DerefMut},
};

use jobs::destination::{Destination, Vendor};
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

impl ScriptPurpose {
    /// A script's first line.
    const fn first_line(self) -> &'static str {
        match self {
            Self::Looks => "#!lua flags=no-writes\n",
            Self::Counts | Self::CarriesOn => "#!lua flags=allow-oom\n",
            Self::TakesIn => "#!lua\n",
        }
    }
}

macro_rules! library {
    ($($name:literal)+) => {
        /// The files of `scripts/lib`, by name.
        const LIBRARY: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("scripts/lib/", $name, ".lua"))),)+];
    };
}

library! {
    "ack" "all_new" "audit" "batch" "breaker" "buckets" "changes" "claim" "clock" "closed" "closed_index" "core" "correction" "defects" "handling" "lanes"
    "lead" "letters" "memory" "namespace" "order" "own" "rates" "rollback" "settle" "share" "stats" "timeline" "walk"
}

/// Every script has these before the ones that it names, and the frame behind it.
const ALWAYS: [&str; 2] = ["core", "batch"];
const FRAME: &str = include_str!("scripts/lib/frame.lua");

/// What starts a line that names a file of the library.
const INCLUDE: &str = "-- @include ";

/// The destinations and the vendors with their bits, as scripts know them.
fn destinations() -> String {
    let (mut named, mut bits, mut every) = (String::new(), String::new(), 0);
    for destination in Destination::ALL {
        let bit = destination.bit();
        // Writing to a string cannot fail.
        let _ = write!(named, "{{ name = '{destination}', bit = {bit} }}, ");
        every |= bit;
    }
    for vendor in Vendor::ALL {
        let _ = write!(bits, "{vendor} = {}, ", vendor.bit());
    }
    format!(
        "local DESTINATIONS, EVERY_DESTINATION = {{ {named}}}, {every}\nlocal VENDOR_BIT = {{ {bits}}}\n"
    )
}

/// Adds a file behind those that it names, each once.
fn add(script: &mut String, included: &mut Vec<&'static str>, text: &'static str) {
    let (mut own, mut rest) = (String::new(), text);
    while let Some(line) = rest.split_inclusive('\n').next() {
        match line.strip_prefix(INCLUDE) {
            Some(name) => include(script, included, name.trim_end()),
            None => own.push_str(line),
        }
        rest = &rest[line.len()..];
    }
    script.push_str(&own);
}

fn include(script: &mut String, included: &mut Vec<&'static str>, name: &str) {
    if included.contains(&name) {
        return;
    }
    // A test puts every script together: each name is in the library.
    let part = LIBRARY.iter().find(|(known, _)| *known == name);
    if let Some((name, text)) = part {
        included.push(name);
        add(script, included, text);
    }
}

pub(super) fn assemble(purpose: ScriptPurpose, text: &'static str) -> String {
    let mut script = purpose.first_line().to_owned() + &destinations();
    let mut included = Vec::new();
    for name in ALWAYS {
        include(&mut script, &mut included, name);
    }
    add(&mut script, &mut included, text);
    add(&mut script, &mut included, FRAME);
    script
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident: $purpose:ident $file:literal,)*) => {
        /// Every script, put together once. A script that Redis has forgotten is loaded again on the way.
        pub(super) struct Scripts { $($(#[$doc])* pub $name: QueueScript,)* }

        impl Scripts {
            pub fn new() -> Self {
                Self { $($name: QueueScript {
                    purpose: ScriptPurpose::$purpose,
                    script: Script::new(&assemble(
                        ScriptPurpose::$purpose,
                        include_str!(concat!("scripts/", $file, ".lua")),
                    )),
                },)* }
            }
        }

        /// The text of every script, by its file.
        #[cfg(test)]
        const FILES: &[(&str, &str)] =
            &[$(($file, include_str!(concat!("scripts/", $file, ".lua"))),)*];
    };
}

scripts! {
    admit: CarriesOn "enqueue/admit",
    compare: Looks "enqueue/admit",
    enqueue: TakesIn "enqueue/enqueue",
    exchange: CarriesOn "work/exchange",
    exchange_usual: CarriesOn "work/exchange_usual",
    renew: CarriesOn "work/renew",
    ack_claim: CarriesOn "acknowledge/ack_claim",
    ack_renew: CarriesOn "acknowledge/ack_renew",
    ack_settle: CarriesOn "acknowledge/ack_settle",
    replay: CarriesOn "operate/replay",
    discard: CarriesOn "operate/discard",
    edit: CarriesOn "operate/edit",
    make_room: CarriesOn "admin/make_room",
    note: CarriesOn "operate/note",
    bulk_start: CarriesOn "operate/bulk_start",
    bulk_claim: CarriesOn "operate/bulk_claim",
    bulk_keep: CarriesOn "operate/bulk_keep",
    bulk_cancel: CarriesOn "operate/bulk_cancel",
    gate: CarriesOn "work/gate",
    throttle: Counts "work/throttle",
    leader: CarriesOn "enqueue/leader",
    producer: CarriesOn "enqueue/producer",
    beat: CarriesOn "observe/beat",
    notice_claim: CarriesOn "operate/notice_claim",
    notice_settle: CarriesOn "operate/notice_settle",
    stats: Looks "observe/stats",
    watch: Looks "observe/watch",
    standing: Looks "observe/standing",
    open: Looks "observe/open",
    changes: Looks "observe/changes",
    settled: Looks "observe/settled",
    through: Looks "observe/through",
    person: Looks "observe/person",
    payloads: Looks "admin/payloads",
    reseal: CarriesOn "admin/reseal",
    seals: CarriesOn "admin/seals",
    erase: CarriesOn "admin/erase",
    erase_end: CarriesOn "admin/erase_end",
    whose: Looks "admin/whose",
    survey: Looks "admin/survey",
    judge: Looks "admin/repair",
    repair: CarriesOn "admin/repair",
    convert: CarriesOn "admin/convert",
    empty: CarriesOn "admin/empty",
    is_empty: Looks "admin/empty",
    session: CarriesOn "operate/session",
    knock: CarriesOn "operate/knock",
    rights: Looks "admin/rights",
}

/// A script and what it is for.
pub(super) struct QueueScript {
    purpose: ScriptPurpose,
    script: Script,
}

impl QueueScript {
    pub const fn new(purpose: ScriptPurpose, script: Script) -> Self {
        Self { purpose, script }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_library_is_named_and_each_name_is_in_it() {
        let library = LIBRARY.iter().map(|(_, text)| *text);
        let texts: Vec<_> = FILES.iter().map(|(_, text)| *text).chain(library).collect();
        let named: Vec<_> = texts
            .iter()
            .flat_map(|text| text.lines().filter_map(|line| line.strip_prefix(INCLUDE)))
            .chain(ALWAYS)
            .collect();
        for name in &named {
            assert!(LIBRARY.iter().any(|(known, _)| known == name), "{name}");
        }
        for (name, _) in LIBRARY {
            assert!(named.contains(name), "nothing uses lib/{name}.lua");
        }
    }

    #[test]
    fn a_script_has_what_it_names_once_and_before_itself() {
        let script = assemble(
            ScriptPurpose::TakesIn,
            "-- @include lanes\n-- @include lanes\nlocal function transition() end\n",
        );
        assert_eq!(script.matches("local lanes = {").count(), 1);
        assert!(script.find("local lanes = {") < script.find("local function transition"));
        assert!(script.starts_with("#!lua\nlocal DESTINATIONS"));
        assert!(!script.contains(INCLUDE));
    }
}
