//! The sentence that answers first: is everything in order, and if not, what is wrong and who has to do something.

use std::cmp::Reverse;

use jobs::{
    destination::{Destination, Vendor},
    outcome::PauseReason,
};
use queue::stats::{Books, Pause, Status};

use super::text::changes;
use crate::pipeline::roles::Role;

/// From when on an expiring key is spoken of.
const KEY_DAYS: i64 = 30;

/// How much of a cause a headline takes; the whole of it stands further down.
const CAUSE: usize = 110;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing to do.
    Good,
    /// It passes by itself, or has time.
    Waits,
    /// Somebody has to do something.
    Bad,
}

impl Level {
    /// The style sheet's word.
    pub const fn tone(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Waits => "wait",
            Self::Bad => "bad",
        }
    }
}

/// One thing that is to be said.
#[derive(Debug, Clone, PartialEq)]
pub struct Remark {
    /// How bad it is.
    pub level: Level,
    /// The sentence, without its full stop.
    pub text: String,
    /// When it is tried again, in seconds.
    pub left: Option<f64>,
    /// The part of the runbook that helps.
    pub help: Option<&'static str>,
    /// Whether work stands because of it: then not "everything else is moving".
    pub stops: bool,
    /// The command that shows more, for who has a command line.
    pub hint: Option<&'static str>,
}

impl Remark {
    fn new(level: Level, text: impl Into<String>) -> Self {
        Self {
            level,
            text: text.into(),
            left: None,
            help: None,
            stops: false,
            hint: None,
        }
    }

    fn help(self, section: &'static str) -> Self {
        Self {
            help: Some(section),
            ..self
        }
    }

    fn stops(self) -> Self {
        Self {
            stops: true,
            ..self
        }
    }
}

/// What stands on top of the overview.
#[derive(Debug, Clone, PartialEq)]
pub struct OverviewVerdict {
    /// The worst of all remarks.
    pub level: Level,
    /// The headline: one or two.
    pub head: Vec<Remark>,
    /// What else is to be said.
    pub also: Vec<Remark>,
}

/// Judges; `enabled`: the destinations that are switched on, where processes are expected to run at all.
pub fn judge(status: &Status, enabled: Option<&[Destination]>) -> OverviewVerdict {
    let mut remarks = Vec::new();
    remarks.extend(refused_writes(status));
    remarks.extend(memory(status));
    remarks.extend(pauses(status).filter(|remark| remark.level == Level::Bad));
    remarks.extend(rolled_back(status));
    remarks.extend(fetching(status));
    remarks.extend(books(status));
    remarks.extend(enabled.iter().flat_map(|enabled| unmanned(status, enabled)));
    remarks.extend(pauses(status).filter(|remark| remark.level != Level::Bad));
    remarks.extend(dead(status));
    remarks.extend(key(status));
    // Stable: among equals the order above, which is that of the harm. What stops work comes before dead letters, which
    // can wait, also where it passes by itself.
    remarks.sort_by_key(|remark| {
        Reverse(if remark.stops {
            Level::Bad
        } else {
            remark.level
        })
    });

    let levels = remarks.iter().map(|remark| remark.level);
    let level = levels.max().unwrap_or(Level::Good);
    let is_quiet = status.books.in_flight == 0;
    let rest = match (remarks.is_empty(), is_quiet) {
        (true, true) if status.producer.last_success.is_none() && status.books.fetched == 0 => {
            Some("Nothing was fetched yet")
        }
        (true, true) => Some("Everything is through"),
        (true, false) => Some("Everything is moving"),
        (false, true) => Some("Everything else is through"),
        (false, false) => Some("Everything else is moving"),
    };
    let rest = rest.filter(|_| remarks.iter().all(|remark| !remark.stops) && remarks.len() < 2);
    let also = remarks.split_off(remarks.len().min(if level == Level::Good { 0 } else { 2 }));
    let mut head = remarks;
    head.extend(rest.map(|rest| Remark::new(Level::Good, rest)));
    OverviewVerdict { level, head, also }
}

/// When there is no status at all.
pub fn unreachable(why: &str) -> OverviewVerdict {
    let gone = Remark::new(
        Level::Bad,
        "Redis does not answer: nothing is lost, and nothing moves",
    )
    .help("when-redis-is-away");
    OverviewVerdict {
        level: Level::Bad,
        head: vec![gone],
        also: vec![Remark::new(Level::Bad, why)],
    }
}

/// A full Redis is told by its memory.
fn refused_writes(status: &Status) -> Option<Remark> {
    let why = status.writes_refused.as_ref()?;
    let text = format!(
        "Redis refuses every write, so nothing moves: {}",
        shortened(why)
    );
    let remark = Remark::new(Level::Bad, text).help("when-redis-is-away");
    (!status.memory.is_full()).then(|| remark.stops())
}

fn memory(status: &Status) -> Option<Remark> {
    if status.memory.is_full() {
        let full = "Redis is full: nothing new is fetched until there is room";
        return Some(Remark::new(Level::Bad, full).help("when-redis-is-full"));
    }
    let share = status.memory.share();
    (share > 0.9).then(|| {
        let text = format!("Redis is {:.0} % full", share * 100.0);
        Remark::new(Level::Waits, text).help("alumniqrelayredisnearlyfull")
    })
}

fn books(status: &Status) -> Option<Remark> {
    let Books {
        fetched,
        acknowledged,
        discarded,
        in_flight,
        dead,
        difference,
    } = status.books;
    let entries = [
        ("fetched", fetched),
        ("acknowledged", acknowledged),
        ("discarded", discarded),
        ("in flight", in_flight),
        ("dead", dead),
    ];
    let negative = entries.iter().find(|(_, count)| *count < 0);
    let text = match (difference, negative) {
        (0, None) => return left(status),
        (0, Some((entry, count))) => format!("The books count {count} changes {entry}"),
        (off, _) => format!("The books are off by {}", changes(off)),
    };
    Some(Remark::new(Level::Bad, text).help("alumniqrelaybooksoff"))
}

/// What the last check could not repair.
fn left(status: &Status) -> Option<Remark> {
    let left = status.last_check.as_ref()?.defects.left;
    (left > 0).then(|| {
        let text = "The queue's data contradict themselves";
        Remark::new(Level::Bad, text).help("alumniqrelayqueuedefects")
    })
}

/// Roles that nobody runs. It is grave where work waits for them.
fn unmanned(status: &Status, enabled: &[Destination]) -> Vec<Remark> {
    let is_run = |role: Role| {
        status.workers.values().any(|process| {
            let roles = process["roles"].as_array();
            roles.is_some_and(|roles| roles.iter().any(|name| name == role.as_str()))
        })
    };
    let waiting = |destination| {
        let counts = status.destinations.get(&destination);
        counts.map_or(0, |counts| {
            counts.waiting + counts.ready + counts.running + counts.retry
        })
    };
    let mut missing = Vec::new();
    let mut remark = |role: Role, waits: i64, what: String| {
        if is_run(role) {
            return;
        }
        let level = if waits > 0 { Level::Bad } else { Level::Waits };
        let remark = Remark::new(level, what).help("alumniqrelayroleunmanned");
        missing.push(if waits > 0 { remark.stops() } else { remark });
    };
    for destination in enabled.iter().copied() {
        let role = Role::Consumer(destination);
        let name = destination.noun();
        let waits = waiting(destination);
        let text = match waits {
            0 => format!(
                "No process runs the role `{role}`: nobody carries changes to {name}",
                role = role.as_str()
            ),
            _ => format!("Nobody carries changes to {name}: {} wait", changes(waits)),
        };
        remark(role, waits, text);
    }
    let waits = status.to_acknowledge.cast_signed();
    let text = match waits {
        0 => "No process runs the role `acknowledger`: AlumnIQ is told nothing".to_owned(),
        _ => format!("Nobody tells AlumnIQ what is done: {} wait", changes(waits)),
    };
    remark(Role::Acknowledger, waits, text);
    remark(
        Role::Producer,
        0,
        "No process fetches from AlumnIQ".to_owned(),
    );
    if missing.len() == enabled.len() + 2 {
        let waits = missing.iter().any(|remark| remark.stops);
        let level = if waits { Level::Bad } else { Level::Waits };
        let nobody =
            Remark::new(level, "No process of the fleet is running").help("alumniqrelayfleetgone");
        return vec![if waits { nobody.stops() } else { nobody }];
    }
    missing
}

fn dead(status: &Status) -> Option<Remark> {
    let text = match status.books.dead {
        ..=0 => return None,
        1 => "1 change needs a person".to_owned(),
        dead => format!("{} need a person", changes(dead)),
    };
    Some(Remark {
        hint: Some("alumniq-relay dead list"),
        ..Remark::new(Level::Bad, text)
    })
}

fn pauses(status: &Status) -> impl Iterator<Item = Remark> + '_ {
    status
        .pauses
        .iter()
        .map(|(vendor, pause)| paused(*vendor, pause))
}

fn paused(vendor: Vendor, pause: &Pause) -> Remark {
    let subject = vendor.subject();
    let cause = shortened(&pause.cause);
    match pause.reason {
        PauseReason::Operator => {
            let text = match cause.is_empty() {
                true => format!("{subject} is held by an operator"),
                false => format!("{subject} is held by {cause}"),
            };
            Remark::new(Level::Waits, text).help("operator").stops()
        }
        PauseReason::Credentials => {
            let text = format!("{subject} refuses our credentials: {cause}");
            Remark {
                left: pause.seconds_left,
                ..Remark::new(Level::Bad, text).help("credentials").stops()
            }
        }
        PauseReason::Throttled | PauseReason::Outage => {
            let section = match pause.reason {
                PauseReason::Throttled => "throttled",
                _ => "outage",
            };
            Remark {
                left: pause.seconds_left,
                ..Remark::new(Level::Waits, format!("{subject} is paused: {cause}"))
                    .help(section)
                    .stops()
            }
        }
    }
}

/// A fetch that fails while AlumnIQ's gate is shut is told by the gate.
/// Nothing is applied until the feed was read again.
fn rolled_back(status: &Status) -> Option<Remark> {
    status.producer.rolled_back_since.as_ref()?;
    let text = "Redis went back in time: nothing is applied until AlumnIQ's feed was read again";
    Some(Remark::new(Level::Bad, text).help("alumniqrelayqueuedefects"))
}

fn fetching(status: &Status) -> Option<Remark> {
    let error = status.producer.error.as_ref()?;
    if status.pauses.contains_key(&Vendor::Alumniq) {
        return None;
    }
    let text = format!("Fetching from AlumnIQ fails: {}", shortened(error));
    Some(Remark::new(Level::Bad, text).help("alumniqrelayfetchfailing"))
}

/// Whether AlumnIQ refuses the key: then what it said before of its end does not count.
pub fn is_key_refused(status: &Status) -> bool {
    let pause = status.pauses.get(&Vendor::Alumniq);
    pause.is_some_and(|pause| pause.reason == PauseReason::Credentials)
}

fn key(status: &Status) -> Option<Remark> {
    let days = status
        .producer
        .key_days
        .filter(|_| !is_key_refused(status))?;
    let (level, text) = match days {
        ..=0 => (Level::Bad, "AlumnIQ's key has expired".to_owned()),
        1 => (Level::Bad, "AlumnIQ's key expires tomorrow".to_owned()),
        2..=7 => (Level::Bad, format!("AlumnIQ's key expires in {days} days")),
        8..=KEY_DAYS => (
            Level::Waits,
            format!("AlumnIQ's key expires in {days} days"),
        ),
        _ => return None,
    };
    Some(Remark::new(level, text).help("alumniqrelaykeyexpiring"))
}

fn shortened(cause: &str) -> String {
    let cause = cause.trim().trim_end_matches('.');
    match cause.char_indices().nth(CAUSE) {
        None => cause.to_owned(),
        Some((end, _)) => format!("{}…", cause[..end].trim_end()),
    }
}

#[cfg(test)]
mod tests;
