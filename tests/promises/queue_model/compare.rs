//! Redis against the model: every key of the namespace.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use harness::snapshot::Snapshot;
use jobs::{
    destination::{Destination, Vendor},
    outcome::DeadClass,
};
use queue::stats::{Books, Status};

use super::{
    change::{Ack, Change},
    gate::{Gate, Machine},
    model::{Model, destination},
};

/// What is wrong.
pub type Checked<T = ()> = Result<T, String>;

pub fn require(holds: bool, complaint: impl FnOnce() -> String) -> Checked {
    holds.then_some(()).ok_or_else(complaint)
}

/// Both sides must be equal.
pub fn same<T: PartialEq + Debug>(what: impl ToString, redis: T, model: T) -> Checked {
    require(redis == model, || {
        format!(
            "{}: Redis has {redis:?}, the model {model:?}",
            what.to_string()
        )
    })
}

/// The whole namespace.
pub fn compare(snapshot: &Snapshot, status: &Status, model: &Model) -> Checked {
    for d in Destination::ALL {
        line(snapshot, status, model, d)?;
    }
    changes(snapshot, model)?;
    letters(snapshot, status, model)?;
    memory(snapshot, model)?;
    acknowledgements(snapshot, model)?;
    gate(snapshot, "alumniq", &model.alumniq)?;
    let leading = &model.leading;
    same(
        "leader",
        snapshot.string("leader"),
        leading.leader.as_deref(),
    )?;
    same(
        "producer",
        owned(snapshot.hash("producer")),
        leading.record(),
    )?;
    namespace(snapshot, model)?;
    books(snapshot, status, model)
}

/// What processes must agree on. Where Redis was emptied it is written with the first change.
fn namespace(snapshot: &Snapshot, model: &Model) -> Checked {
    let mut fields = snapshot.hash("namespace");
    if fields.is_empty() && model.changes.is_empty() {
        return Ok(());
    }
    require(fields.remove("since").is_some(), || {
        "namespace: when it began is not known".to_owned()
    })?;
    let destinations: Vec<_> = model.destinations.iter().map(|d| d.as_str()).collect();
    let destinations = destinations.join(" ");
    let expected = [
        ("schema", "2"),
        ("destinations", destinations.as_str()),
        ("sealing_key", ""),
    ];
    same("namespace", fields, expected.into())
}

fn line(snapshot: &Snapshot, status: &Status, model: &Model, d: Destination) -> Checked {
    let line = &model.lines[&d];
    let of = |part: &str| format!("{part}:{d}");
    same(
        of("ready"),
        snapshot.list(&of("ready")).to_vec(),
        line.ready.clone().into(),
    )?;
    let leased: BTreeSet<&str> = snapshot.members(&of("lease")).into_iter().collect();
    same(
        of("lease"),
        leased,
        line.running.keys().map(String::as_str).collect(),
    )?;
    let running = line.running.iter().map(|(lane, running)| {
        let member = &model.changes[&running.id].member;
        (
            lane.as_str(),
            format!("{} {} {member}", running.token, running.worker),
        )
    });
    same(
        of("running"),
        owned(snapshot.hash(&of("running"))),
        running.collect(),
    )?;
    let due: BTreeSet<&str> = snapshot.members(&of("due")).into_iter().collect();
    let expected = line
        .due
        .iter()
        .chain(&line.later)
        .map(String::as_str)
        .collect();
    same(of("due"), due, expected)?;
    same(
        of("applied"),
        owned(snapshot.hash(&of("applied"))),
        line.applied
            .iter()
            .map(|(l, m)| (l.as_str(), m.clone()))
            .collect(),
    )?;
    same(
        of("claimed"),
        owned(snapshot.hash(&of("claimed"))),
        line.claimed
            .iter()
            .map(|(worker, token)| (worker.as_str(), token.to_string()))
            .collect(),
    )?;
    let counted = |which: fn(&Change) -> &BTreeMap<Destination, u32>| {
        let counts = model.changes.iter();
        let counts =
            counts.filter_map(move |(id, c)| Some((id.as_str(), which(c).get(&d)?.to_string())));
        counts.collect::<BTreeMap<_, _>>()
    };
    // When the first call of a row found the destination down is Redis' time.
    let timeless = |used: String| match used.splitn(3, ' ').collect::<Vec<_>>()[..] {
        [attempts, deferrals, _] => format!("{attempts} {deferrals}"),
        _ => used,
    };
    let attempts = owned(snapshot.hash(&of("attempts"))).into_iter();
    let expected = model.changes.iter().filter_map(|(id, c)| {
        let attempts = c.attempts.get(&d)?.to_string();
        let used = match c.deferrals.get(&d) {
            Some(deferrals) => format!("{attempts} {deferrals}"),
            None => attempts,
        };
        Some((id.as_str(), used))
    });
    same(
        of("attempts"),
        attempts
            .map(|(id, used)| (id, timeless(used)))
            .collect::<BTreeMap<_, _>>(),
        expected.collect(),
    )?;
    same(
        of("crashes"),
        owned(snapshot.hash(&of("crashes"))),
        counted(|c| &c.crashes),
    )?;
    let forced = model.changes.iter().filter(|(_, c)| c.forced.contains(&d));
    same(
        of("forced"),
        snapshot.hash(&of("forced")).into_keys().collect::<Vec<_>>(),
        forced.map(|(id, _)| id.as_str()).collect(),
    )?;
    gate(snapshot, d.as_str(), &line.gate)?;
    let suspects = snapshot.hash(&of("suspects")).into_keys();
    same(
        of("suspects"),
        suspects.collect::<Vec<_>>(),
        line.suspects.keys().map(String::as_str).collect(),
    )?;
    let poison = snapshot.list(&of("poison")).iter().cloned();
    same(of("poison"), poison.collect(), line.poison.clone())?;
    let hungry: BTreeSet<String> = (snapshot.members(&of("hungry")).into_iter())
        .map(str::to_owned)
        .collect();
    same(of("hungry"), hungry, line.hungry.clone())?;
    one_place_a_lane(snapshot, model, d)?;

    let shown = &status.destinations[&d];
    let retry = (line.due.len() + line.later.len()) as i64;
    let (ready, running) = (line.ready.len() as i64, line.running.len() as i64);
    same(
        format!("{d}: (waiting, ready, running, retry)"),
        (shown.waiting, shown.ready, shown.running, shown.retry),
        (
            model.pending(d) - ready - running - retry,
            ready,
            running,
            retry,
        ),
    )
}

/// A lane stands in exactly one of ready, lease and due as long as it has something to take.
fn one_place_a_lane(snapshot: &Snapshot, model: &Model, d: Destination) -> Checked {
    let ready = snapshot
        .list(&format!("ready:{d}"))
        .iter()
        .map(String::as_str);
    let (lease, due) = (format!("lease:{d}"), format!("due:{d}"));
    let mut places: Vec<&str> = ready
        .chain(snapshot.members(&lease))
        .chain(snapshot.members(&due))
        .collect();
    places.sort_unstable();
    let active = model.changes.values().filter(|c| c.waits(d));
    let active: BTreeSet<&str> = active.map(|c| c.lane.as_str()).collect();
    same(
        format!("{d}: active lanes"),
        places,
        active.into_iter().collect(),
    )
}

fn gate(snapshot: &Snapshot, vendor: &str, gate: &Gate) -> Checked {
    let fields = snapshot.hash(&format!("gate:{vendor}"));
    let machine = fields.get("until").map(|until| match until.len() {
        13 => Machine::Shut,
        _ => Machine::HalfOpen,
    });
    let number = |field: &str| {
        fields
            .get(field)
            .map(|number| number.parse::<usize>().unwrap())
    };
    same(
        format!("gate:{vendor} (operator, machine, streak, ramp, failed, doubt, opened)"),
        (
            fields.contains_key("operator"),
            machine,
            number("streak").unwrap_or(0),
            number("ramp"),
            number("failed").unwrap_or(0),
            fields.contains_key("doubt"),
            fields.contains_key("opened"),
        ),
        (
            gate.operator,
            gate.machine,
            gate.streak as usize,
            gate.ramp,
            gate.failed,
            gate.doubt.is_some(),
            gate.opened.is_some(),
        ),
    )?;
    let probe = fields.get("probe").and_then(|probe| probe.split_once(' '));
    let window = ["row", "calls", "down"].map(number);
    let (calls, down) = gate.window;
    same(
        format!("gate:{vendor} (probe, row, calls, down)"),
        (probe.map(|(token, _)| token.parse().unwrap()), window),
        (
            gate.probe,
            [gate.row, calls, down].map(|number| (calls > 0).then_some(number)),
        ),
    )
}

fn changes(snapshot: &Snapshot, model: &Model) -> Checked {
    let open = || model.changes.iter().filter(|(_, c)| !c.is_closed());
    let stored = snapshot.hash("changes").into_iter();
    let stored = stored.map(|(id, record)| (id, unlisted(record).0));
    let expected = open().map(|(id, c)| (id.as_str(), format!("{:013}{}", c.block, c.record)));
    same(
        "changes",
        stored.collect::<BTreeMap<_, _>>(),
        expected.collect(),
    )?;
    let stored = snapshot.hash("changes").into_iter();
    let listed = stored.filter_map(|(id, record)| Some((id, unlisted(record).1?)));
    let expected = open().filter(|(_, c)| !c.record.is_empty());
    let expected = expected.filter_map(|(id, c)| Some((id.as_str(), c.listed?.shown())));
    same(
        "how the changes are listed: (since, row)",
        listed.collect::<BTreeMap<_, _>>(),
        expected.collect(),
    )?;
    let relisted = open().filter(|(_, c)| c.record.is_empty() && c.listed.is_some());
    same(
        "relisted",
        snapshot.hash("relisted").into_keys().collect::<Vec<_>>(),
        relisted.map(|(id, _)| id.as_str()).collect(),
    )?;
    let waiting = open().filter(|(_, c)| c.correction.is_some());
    same(
        "corrected",
        owned(snapshot.hash("corrected")).into_keys().collect(),
        waiting.map(|(id, _)| id.as_str()).collect::<Vec<_>>(),
    )?;
    let edited = open().filter(|(_, c)| c.edits > 0);
    let stored = snapshot
        .below("edits:")
        .map(|id| (id, snapshot.list(&format!("edits:{id}")).len()));
    same(
        "edits:*",
        stored.collect::<BTreeMap<_, _>>(),
        edited.map(|(id, c)| (id.as_str(), c.edits)).collect(),
    )?;
    let mut lanes: BTreeMap<&str, BTreeMap<&str, u8>> = BTreeMap::new();
    for change in model.changes.values() {
        let waiting: u8 = Destination::ALL
            .iter()
            .filter(|d| change.waits(**d))
            .map(|d| d.bit())
            .sum();
        if waiting != 0 {
            lanes
                .entry(&change.lane)
                .or_default()
                .insert(&change.member, waiting);
        }
    }
    same("lanes", snapshot.lanes(), lanes)?;
    let mut outstanding: BTreeMap<String, String> = BTreeMap::new();
    for (_, change) in open() {
        let block = format!("{:013}", change.block);
        let count = outstanding
            .get(&block)
            .map_or(0, |count| count.parse().unwrap())
            + 1;
        outstanding.insert(block, count.to_string());
    }
    let stored = snapshot.hash("outstanding").into_iter();
    let stored = stored.map(|(block, count)| (block.to_owned(), count.to_owned()));
    same("outstanding", stored.collect(), outstanding)
}

fn letters(snapshot: &Snapshot, status: &Status, model: &Model) -> Checked {
    let mut letters = BTreeMap::new();
    let mut indexes: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut dead: BTreeMap<&str, String> = BTreeMap::new();
    let mut because: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut causes: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    let mut sent: BTreeMap<String, String> = BTreeMap::new();
    let mut of_people: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut shown: BTreeMap<Vendor, BTreeMap<DeadClass, u64>> = Vendor::ALL
        .map(|vendor| (vendor, BTreeMap::new()))
        .into_iter()
        .collect();
    for (id, change) in &model.changes {
        let mut bits = 0;
        for (vendor, class) in change.dead() {
            letters.insert(format!("{vendor}:{id}"), class.to_string());
            indexes
                .entry(format!("{vendor}:{class}"))
                .or_default()
                .insert(id);
            *shown.entry(vendor).or_default().entry(class).or_default() += 1;
            // That causes which should be one group are one is tested elsewhere.
            let letter = snapshot.hash(&format!("letter:{vendor}:{id}"));
            let cause = letter.get("because").copied().unwrap_or_default();
            because
                .entry(format!("{vendor}:{class}:{cause}"))
                .or_default()
                .insert(id);
            let counts = causes.entry(format!("{vendor}:{class}")).or_default();
            *counts.entry(cause.to_owned()).or_default() += 1;
            let document = destination(vendor).and_then(|d| change.sent.get(&d));
            if let Some(token) = document {
                sent.insert(format!("{vendor}:{id}"), format!("sent under {token}"));
            }
            if let Some(xid) = change.letter_lane(vendor).strip_prefix("x:") {
                of_people
                    .entry(xid)
                    .or_default()
                    .insert(format!("{vendor} {id}"));
            }
            bits += match vendor {
                Vendor::Crm => 1,
                Vendor::Salsa => 2,
                Vendor::Alumniq => 4,
            };
        }
        if bits != 0 {
            dead.insert(id, bits.to_string());
        }
    }
    let stored = snapshot.below("letter:").map(|name| {
        let class = snapshot.hash(&format!("letter:{name}"))["class"].to_owned();
        (name.to_owned(), class)
    });
    same("letter:*", stored.collect(), letters)?;
    let stored = snapshot.below("letters:").map(|name| {
        let ids = snapshot.members(&format!("letters:{name}"));
        (name.to_owned(), ids.into_iter().collect())
    });
    same("letters:*", stored.collect(), indexes)?;
    let stored = snapshot.below("because:").map(|name| {
        let ids = snapshot.members(&format!("because:{name}"));
        (name.to_owned(), ids.into_iter().collect())
    });
    same("because:*", stored.collect(), because)?;
    let stored = snapshot.below("causes:").map(|name| {
        let counts = snapshot.sorted(&format!("causes:{name}")).into_iter();
        let counts = counts.map(|(cause, count)| (cause.to_owned(), count as u64));
        (name.to_owned(), counts.collect())
    });
    same("causes:*", stored.collect(), causes)?;
    let stored = snapshot.below("sent:").map(|name| {
        let document = snapshot.string(&format!("sent:{name}"));
        (name.to_owned(), document.unwrap_or_default().to_owned())
    });
    same("sent:*", stored.collect(), sent)?;
    let stored = snapshot.below("letters-of:x:").map(|xid| {
        let letters = snapshot.list(&format!("letters-of:x:{xid}"));
        (xid, letters.iter().cloned().collect())
    });
    same("letters-of:*", stored.collect(), of_people)?;
    same("dead", owned(snapshot.hash("dead")), dead)?;
    same("status: dead letters", &status.dead_letters, &shown)
}

/// What people did, and what is known of those who have nothing open.
fn memory(snapshot: &Snapshot, model: &Model) -> Checked {
    same("past", snapshot.past(), model.past.clone())?;
    let stored = snapshot.members("audit").into_iter().map(|id| {
        let entry = snapshot.hash(&format!("audit:{id}"));
        let ids = entry.get("change_ids").copied().unwrap_or("[]");
        (
            entry["action"].parse().unwrap(),
            entry.get("destination").map(|name| name.parse().unwrap()),
            serde_json::from_str(ids).unwrap(),
        )
    });
    same("audit", stored.collect(), model.audit.clone())
}

fn acknowledgements(snapshot: &Snapshot, model: &Model) -> Checked {
    let with = |which: fn(&Change) -> Option<String>| {
        let changes = model.changes.iter();
        let some = changes.filter_map(move |(id, c)| Some((id.as_str(), which(c)?)));
        some.collect::<BTreeMap<_, _>>()
    };
    let line = snapshot.sorted("ack");
    let ids: Vec<&str> = line.iter().map(|(id, _)| *id).collect();
    same(
        "ack",
        ids,
        model.to_tell.iter().map(String::as_str).collect(),
    )?;
    require(line.is_sorted_by(|a, b| a.1 < b.1), || {
        format!("two changes have one place in the line: {line:?}")
    })?;
    let list = snapshot.hash("acking");
    let up_to = |last: &&str| last.parse::<f64>().unwrap();
    let last = list.get("last").map_or(0.0, up_to);
    let told = line.iter().filter(|(_, place)| *place <= last);
    same(
        "acking: (token, what is left of it)",
        (
            list.get("token").map(|token| token.parse::<u64>().unwrap()),
            told.map(|(id, _)| *id).collect(),
        ),
        match &model.list {
            Some(list) => (
                Some(list.token),
                list.ids.iter().map(String::as_str).collect::<Vec<_>>(),
            ),
            None => (None, Vec::new()),
        },
    )?;
    same("told", snapshot.string("told"), model.told.as_deref())?;
    same(
        "changes that are to be acknowledged",
        model
            .to_tell
            .iter()
            .map(String::as_str)
            .collect::<BTreeSet<_>>(),
        with(|c| (c.ack == Ack::Queued).then(String::new))
            .into_keys()
            .collect(),
    )?;
    let given_up = with(|c| Some(u8::from(c.given_up.filter(|_| !c.is_closed())?).to_string()));
    same("discarded", owned(snapshot.hash("discarded")), given_up)?;
    let verdict = |c: &Change| match c.ack {
        Ack::Acknowledged => Some("acknowledged"),
        Ack::Discarded { told: true } => Some("discarded"),
        Ack::Discarded { told: false } => Some("discarded untold"),
        _ => None,
    };
    let done = snapshot.closed().into_iter().map(|(id, (marker, _))| {
        let (marker, listed) = match marker.split_once(" listed ") {
            Some((marker, listed)) => (marker, Some(shown(listed))),
            None => (marker, None),
        };
        let words: Vec<&str> = marker.split(' ').collect();
        let untold = words
            .get(3)
            .map(|word| format!(" {word}"))
            .unwrap_or_default();
        (id, (format!("{}{untold}", words[0]), listed))
    });
    let expected = model.changes.iter();
    let listed = |c: &Change| c.listed.map(|listed| listed.shown());
    let expected =
        expected.filter_map(|(id, c)| Some((id.as_str(), (verdict(c)?.to_owned(), listed(c)))));
    same(
        "closed",
        done.collect(),
        expected.collect::<BTreeMap<_, _>>(),
    )?;
    let open = |c: &Change| !c.is_closed();
    let open = model.changes.iter().filter(|(_, c)| open(c));
    let open: BTreeSet<_> = open.map(|(id, _)| id.as_str()).collect();
    let timelines = snapshot.hash("events").into_keys();
    let strays: Vec<_> = timelines.filter(|id| !open.contains(id)).collect();
    same("timelines of what is not open", strays, Vec::new())?;
    // What is over is not kept for ever, and what is not over does not expire.
    for key in snapshot.keys() {
        let expires = ["leader", "closed:", "past:", "buckets", "audit:", "hungry:"]
            .iter()
            .any(|kind| key.starts_with(kind));
        same(
            format!("{key} expires"),
            snapshot.ttl(key).is_some(),
            expires,
        )?;
    }
    Ok(())
}

fn books(snapshot: &Snapshot, status: &Status, model: &Model) -> Checked {
    let counters = snapshot.hash("counters");
    let counter = |name: &str| counters.get(name).map_or(0, |count| count.parse().unwrap());
    for d in Destination::ALL {
        let name = format!("pending:{d}");
        same(&name, counter(&name), model.pending(d))?;
    }
    let rates = status.rates.iter();
    let rates = rates.map(|(name, rate)| (name.clone(), rate.minutes.iter().sum::<u64>()));
    let happened = |name: &str| model.happened.get(name).copied().unwrap_or(0);
    let expected = ["fetched", "crm", "salsa", "acknowledged"];
    let expected = expected.map(|name| (name.to_owned(), happened(name)));
    same("rates", rates.collect(), BTreeMap::from(expected))?;
    for d in Destination::ALL {
        let applied = status.destinations[&d].applied;
        same(
            format!("{d}: applied"),
            applied,
            happened(d.as_str()) as i64,
        )?;
    }
    same("refused", counter("refused"), model.refused_settles)?;
    let books = Books {
        fetched: model.changes.len() as i64 + model.former.0 + model.former.1,
        acknowledged: model.acknowledged(),
        discarded: model.discarded(),
        in_flight: model.in_flight(),
        dead: model.dead(),
        difference: 0,
    };
    same("books", status.books, books)
}

/// A stored record without what says how AlumnIQ listed it, and that.
fn unlisted(record: &str) -> (String, Option<(u64, u64)>) {
    match record.split_once(",\"listed\":\"") {
        Some((record, listed)) => (format!("{record}}}"), Some(shown(listed))),
        None => (record.to_owned(), None),
    }
}

/// Since when, and in which row.
fn shown(listed: &str) -> (u64, u64) {
    let mut words = listed.split(' ').map(|word| word.parse().unwrap());
    (words.next().unwrap(), words.next().unwrap())
}

/// With values of one's own.
fn owned<'a>(hash: BTreeMap<&'a str, &str>) -> BTreeMap<&'a str, String> {
    hash.into_iter()
        .map(|(field, value)| (field, value.to_owned()))
        .collect()
}
