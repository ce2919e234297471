//! A walk over the namespace, and what `repair.lua` says of the suspects.

use std::collections::{BTreeMap, BTreeSet};

use jobs::destination::Destination;

use super::{
    super::{Queue, QueueError, keys, record::whose, scripts::Invocation},
    DefectKind, OrderOf,
    survey::{Missing, Survey},
};

/// How many of the server's keys, or of a collection's members, one step looks at.
const A_STEP: usize = 500;

/// How many suspects one call decides about.
const ITEMS_A_CALL: usize = 100;

/// How many lanes: each costs a look through the whole line.
const LANES_A_CALL: usize = 20;

/// Up to this length a lane is listed with the others of its step.
const LONGEST_LISTED: usize = 100;

/// What `repair.lua` is asked, of which kind of defect, and how many arguments an item has.
#[derive(Clone, Copy)]
struct Question(&'static str, DefectKind, usize);

const LANE: Question = Question("lane", DefectKind::Lane, 1);
const CHANGE: Question = Question("change", DefectKind::Change, 4);
const ROW: Question = Question("row", DefectKind::Row, 3);
const CLOSED: Question = Question("closed", DefectKind::Closed, 1);
const BUCKET: Question = Question("bucket", DefectKind::Closed, 1);
const ACK: Question = Question("ack", DefectKind::Acknowledgement, 1);
const DEAD: Question = Question("dead", DefectKind::Letter, 1);
const LETTER: Question = Question("letter", DefectKind::Letter, 1);
const INDEX: Question = Question("index", DefectKind::Letter, 2);
const COUNT: Question = Question("count", DefectKind::Letter, 1);

/// Open changes (id, block, state), closed ones, buckets that do not end, lanes with their members, lanes of which a set was left behind, letters, indexes, keys of a foreign type.
type Step = (
    String,
    Vec<(String, String, String)>,
    Vec<String>,
    Vec<String>,
    Vec<Vec<String>>,
    Vec<String>,
    Vec<String>,
    Vec<String>,
    Vec<String>,
);

/// One round of a pass.
pub(super) struct Round<'a> {
    queue: &'a Queue,
    order_of: OrderOf<'a>,
    fix: bool,
    /// What was found and, where that was asked for, repaired.
    pub repaired: BTreeMap<DefectKind, u64>,
    /// What is still there.
    pub left: BTreeMap<DefectKind, u64>,
    /// Whether nobody changed the books meanwhile.
    pub recounted: bool,
    /// Changes on their way that have no row.
    rowless: u64,
}

impl<'a> Round<'a> {
    pub async fn go(
        queue: &'a Queue,
        order_of: OrderOf<'a>,
        fix: bool,
    ) -> Result<Self, QueueError> {
        let mut round = Self {
            queue,
            order_of,
            fix,
            repaired: BTreeMap::new(),
            left: BTreeMap::new(),
            recounted: false,
            rowless: 0,
        };
        match round.run().await {
            // Nothing more can be said: the scripts count on their types.
            Err(QueueError::Redis(error)) if error.code() == Some("WRONGTYPE") => {
                round.left.insert(DefectKind::Key, 1);
            }
            ended => ended?,
        }
        if !fix {
            for (kind, count) in std::mem::take(&mut round.repaired) {
                *round.left.entry(kind).or_default() += count;
            }
        }
        Ok(round)
    }

    async fn run(&mut self) -> Result<(), QueueError> {
        let version = self.ask("version", &[]).await?;
        let mut survey = Survey::default();
        self.places(&mut survey).await?;
        if !self.walk(&mut survey, None, &mut Vec::new()).await? {
            return Ok(());
        }
        if survey.has_place_without_lane() {
            self.places_without_lane(&survey).await?;
        }
        for (name, scan, question) in [("ack", "ZSCAN", ACK), ("dead", "HSCAN", DEAD)] {
            let members = self.scanned(scan, &[name]).await?;
            self.decide(question, members).await?;
        }
        let (in_flight, pending) = (survey.in_flight, std::mem::take(&mut survey.pending));
        let outstanding = std::mem::take(&mut survey.outstanding);
        let missing = survey.missing();
        if !missing.is_empty() {
            self.look_again(&missing).await?;
        }
        if self.fix && !self.repaired.is_empty() {
            // What was counted is another state by now: the next round recounts.
            return Ok(());
        }
        let mut recount = vec![version, (in_flight + self.rowless).to_string()];
        for d in Destination::ALL {
            recount.push(pending.get(&d).copied().unwrap_or(0).to_string());
        }
        for (block, count) in outstanding {
            recount.extend([block, count.to_string()]);
        }
        let verdict = self.ask("books", &recount).await?;
        self.recounted = verdict == "-" || verdict == "f";
        match verdict.as_str() {
            "f" => self.repaired.insert(DefectKind::Books, 1),
            "n" => self.left.insert(DefectKind::Books, 1),
            _ => None,
        };
        Ok(())
    }

    /// A second walk: what is missing on both is put before the script.
    async fn look_again(&mut self, missing: &Missing) -> Result<(), QueueError> {
        let (mut survey, mut strays) = (Survey::default(), Vec::new());
        self.walk(&mut survey, Some(missing), &mut strays).await?;
        strays.retain(|id| survey.is_in_no_lane(id));
        self.decide_changes(&strays).await
    }

    /// Where lanes stand before the destinations.
    async fn places(&mut self, survey: &mut Survey) -> Result<(), QueueError> {
        for d in Destination::ALL {
            let mut suspects = BTreeSet::new();
            let is_again = |lane: &String| !survey.stands(d, lane);
            suspects.extend(self.ready(d, is_again).await?);
            let leased = self.scanned("ZSCAN", &["lease", d.as_str()]).await?;
            let due = self.scanned("ZSCAN", &["due", d.as_str()]).await?;
            for lane in leased.iter().chain(&due) {
                if !survey.stands(d, lane) {
                    suspects.insert(lane.clone());
                }
            }
            let held = self.scanned("HSCAN", &["running", d.as_str()]).await?;
            suspects.extend(leased.symmetric_difference(&held).cloned());
            self.decide(LANE, suspects).await?;
        }
        Ok(())
    }

    /// Lanes without changes that stand before a destination.
    async fn places_without_lane(&mut self, survey: &Survey) -> Result<(), QueueError> {
        for d in Destination::ALL {
            let is_unknown = |lane: &String| !survey.has_lane(lane);
            let mut suspects: BTreeSet<String> =
                self.ready(d, is_unknown).await?.into_iter().collect();
            for set in ["lease", "due"] {
                let lanes = self.scanned("ZSCAN", &[set, d.as_str()]).await?;
                suspects.extend(lanes.into_iter().filter(is_unknown));
            }
            self.decide(LANE, suspects).await?;
        }
        Ok(())
    }

    /// The ready lanes that pass.
    async fn ready(
        &self,
        d: Destination,
        mut passes: impl FnMut(&String) -> bool,
    ) -> Result<Vec<String>, QueueError> {
        let (mut found, mut from) = (Vec::new(), 0);
        loop {
            let mut lanes: Vec<String> = redis::cmd("LRANGE")
                .arg(self.key(&["ready", d.as_str()]))
                .arg(from)
                .arg(from + A_STEP - 1)
                .query_async(&mut self.queue.connection.clone())
                .await?;
            from += lanes.len();
            let is_last = lanes.len() < A_STEP;
            lanes.retain(&mut passes);
            found.append(&mut lanes);
            if is_last {
                return Ok(found);
            }
        }
    }

    /// Once round the namespace. Without `missing` every suspect is put before the script, and lanes that stand
    /// where they should not; with it only what is missing is named. False where a key is of a foreign type.
    async fn walk(
        &mut self,
        survey: &mut Survey,
        missing: Option<&Missing>,
        named: &mut Vec<String>,
    ) -> Result<bool, QueueError> {
        let mut cursor = "0".to_owned();
        loop {
            let mut call = self.queue.scripts.survey.prepare_invoke();
            call.arg(&cursor).arg(A_STEP).arg(LONGEST_LISTED);
            let step: Step = self.queue.run(&mut call).await?;
            let (next, open, closed, endless, lanes, left_behind, letters, indexes, foreign) = step;
            if !foreign.is_empty() {
                let count = self.left.entry(DefectKind::Key).or_default();
                *count = foreign.len() as u64;
                tracing::error!(keys = ?foreign, "Redis holds keys of a foreign type in the namespace");
                return Ok(false);
            }
            let mut without_letter = Vec::new();
            for (id, block, state) in open {
                survey.open(&id, &block, &state);
                if missing.is_some_and(|missing| state == "w" && missing.is_stray(&id)) {
                    named.push(id);
                } else if state == "l" && missing.is_none() {
                    without_letter.push(id);
                }
            }
            self.lanes(survey, missing, lanes).await?;
            if missing.is_none() {
                self.decide_changes(&without_letter).await?;
                self.decide(CLOSED, closed).await?;
                self.decide(BUCKET, endless).await?;
                self.decide(LANE, left_behind).await?;
                self.decide(LETTER, letters).await?;
                self.indexes(indexes).await?;
            }
            if next == "0" {
                return Ok(true);
            }
            cursor = next;
        }
    }

    async fn lanes(
        &mut self,
        survey: &mut Survey,
        missing: Option<&Missing>,
        lanes: Vec<Vec<String>>,
    ) -> Result<(), QueueError> {
        let (mut misplaced, mut rowless) = (Vec::new(), Vec::new());
        for listed in lanes {
            let mut listed = listed.into_iter();
            let Some(lane) = listed.next() else { continue };
            if !survey.lane(&lane) {
                continue;
            }
            let members: Vec<String> = match listed.len() {
                0 => self.scores(&lane).await?,
                _ => listed.collect(),
            };
            let mut waits = 0;
            for pair in members.chunks_exact(2) {
                let (member, mask) = (&pair[0], pair[1].parse::<f64>().unwrap_or_default() as u8);
                let Some((_, id)) = member.split_once(' ') else {
                    continue;
                };
                waits |= mask;
                survey.in_lane(id, mask);
                if missing.is_some_and(|missing| missing.is_rowless(id)) {
                    rowless.extend([id.to_owned(), lane.clone(), member.clone()]);
                }
            }
            if missing.is_none() && survey.is_misplaced(&lane, waits) {
                misplaced.push(lane);
            }
        }
        self.decide(LANE, misplaced).await?;
        self.decide(ROW, rowless).await
    }

    /// A long lane's members with their scores.
    async fn scores(&self, lane: &str) -> Result<Vec<String>, QueueError> {
        let members = self.queue.lane_members(lane).await?.into_iter();
        Ok(members
            .flat_map(|(member, mask)| [member, mask.to_string()])
            .collect())
    }

    /// What these indexes name, and how they count it.
    async fn indexes(&mut self, names: Vec<String>) -> Result<(), QueueError> {
        for name in names {
            let (scan, is_counted) = match name.split_once(':') {
                Some(("letters-of", _)) => ("SSCAN", false),
                Some(("letters", _)) => ("ZSCAN", false),
                Some(("because", _)) => ("ZSCAN", true),
                _ => ("", true),
            };
            if !scan.is_empty() {
                let members = self.scanned(scan, &[&name]).await?;
                let items = members
                    .into_iter()
                    .flat_map(|member| [name.clone(), member]);
                self.decide(INDEX, items).await?;
            }
            if is_counted {
                self.decide(COUNT, [name]).await?;
            }
        }
        Ok(())
    }

    /// Changes that seem to be nowhere, or dead without a letter.
    async fn decide_changes(&mut self, ids: &[String]) -> Result<(), QueueError> {
        for ids in ids.chunks(ITEMS_A_CALL) {
            let stored: Vec<Option<String>> = redis::cmd("HMGET")
                .arg(self.key(&["changes"]))
                .arg(ids)
                .query_async(&mut self.queue.connection.clone())
                .await?;
            let mut items = Vec::new();
            for (id, stored) in ids.iter().zip(stored) {
                let Some(stored) = stored else { continue };
                let xid = whose(id, &stored).ok().and_then(|(_, xid)| xid);
                let record = self.queue.read(id, &stored).ok();
                let order = record.and_then(|(_, record)| (self.order_of)(&record));
                let member = order.map(|order| format!("{order} {id}"));
                items.extend([
                    id.clone(),
                    keys::lane(xid.as_deref(), id),
                    member.unwrap_or_default(),
                    stored,
                ]);
            }
            self.decide(CHANGE, items).await?;
        }
        Ok(())
    }

    async fn decide(
        &mut self,
        Question(what, kind, width): Question,
        items: impl IntoIterator<Item = String>,
    ) -> Result<(), QueueError> {
        let items: Vec<String> = items.into_iter().collect();
        let a_call = match what {
            "lane" => LANES_A_CALL,
            _ => ITEMS_A_CALL,
        };
        for items in items.chunks(a_call * width) {
            for verdict in self.ask(what, items).await?.chars() {
                let count = match verdict {
                    'f' => &mut self.repaired,
                    'u' | 'd' => &mut self.left,
                    _ => continue,
                };
                *count.entry(kind).or_default() += 1;
                self.rowless += u64::from(what == "row" && verdict == 'u');
            }
        }
        Ok(())
    }

    async fn ask(&self, what: &str, items: &[String]) -> Result<String, QueueError> {
        let settings = &self.queue.settings;
        let mask: u8 = settings.destinations.iter().map(|d| d.bit()).sum();
        let scripts = &self.queue.scripts;
        // Whoever only looks need not be allowed to write.
        let script = if self.fix {
            &scripts.repair
        } else {
            &scripts.judge
        };
        let mut call: Invocation<'_> = script.prepare_invoke();
        call.arg(what)
            .arg(u8::from(self.fix))
            .arg(settings.keep.as_millis() as u64)
            .arg(settings.keep_payload.as_millis() as u64)
            .arg(mask)
            .arg(items);
        self.queue.run(&mut call).await
    }

    /// The members of a collection, each once.
    async fn scanned(&self, scan: &str, parts: &[&str]) -> Result<BTreeSet<String>, QueueError> {
        let flat = self.scan(scan, parts).await?;
        let step = if scan == "SSCAN" { 1 } else { 2 };
        Ok(flat.into_iter().step_by(step).collect())
    }

    async fn scan(&self, scan: &str, parts: &[&str]) -> Result<Vec<String>, QueueError> {
        let (key, mut all, mut cursor) = (self.key(parts), Vec::new(), "0".to_owned());
        loop {
            let (next, page): (String, Vec<String>) = redis::cmd(scan)
                .arg(&key)
                .arg(&cursor)
                .arg("COUNT")
                .arg(A_STEP)
                .query_async(&mut self.queue.connection.clone())
                .await?;
            all.extend(page);
            if next == "0" {
                return Ok(all);
            }
            cursor = next;
        }
    }

    fn key(&self, parts: &[&str]) -> String {
        self.queue.keys.of(parts)
    }
}
