//! A campus around the queue: what AlumnIQ lists and was told, what the vendors do with each change, and the moves of the
//! fleet. Everything is done by the queue's public interface.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    time::Duration,
};

use harness::namespace::{LONG, dead, done, settlement};
use jiff::Timestamp;
use jobs::{
    destination::{
        Destination::{self, Crm, Salsa},
        Vendor,
    },
    order::order_key,
    outcome::DeadClass,
};
use queue::{
    Record,
    acknowledgement::{AckClaim, AckEnd, AckLimits},
    audit::Actor,
    bulk::BulkLease,
    executor::Transition,
    intake::{Listed, NewChange, NewLetter},
    lease::{ClaimRequest, Lease},
    notices::NoticeLease,
    stats::Books,
};
use serde_json::{Value, json, value::to_raw_value};

use super::stage::Stage;

pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// What AlumnIQ lists of a change.
#[derive(Debug, Clone)]
pub struct Row {
    pub xid: Option<&'static str>,
    /// When it was made, ms.
    pub at: i64,
    /// Which of its contents: AlumnIQ corrects rows.
    pub version: u8,
}

/// What happened so far, outside Redis.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Every row there ever was, as AlumnIQ has it now.
    pub rows: BTreeMap<String, Row>,
    /// Those of them that it calls unprocessed.
    pub listed: BTreeSet<String>,
    /// Which changes which vendor refuses.
    pub refused: BTreeMap<(String, Vendor), DeadClass>,
    /// How often AlumnIQ was told.
    pub told: BTreeMap<String, u32>,
    /// What each destination took, in order: the changes and which of their contents.
    pub applied: BTreeMap<Destination, Vec<(String, u8)>>,
    /// What the worker of the case holds.
    pub leases: Vec<(Destination, Lease)>,
    pub list: Option<(u64, Vec<String>)>,
    pub bulk: Option<BulkLease>,
    pub notice: Option<NoticeLease>,
}

pub struct Campus {
    pub stage: Stage,
    pub progress: Progress,
    /// Who works now; a new name in each run: a process remembers which tokens it has seen.
    pub worker: String,
}

/// What the vendors refuse from the beginning.
const REFUSED: [(&str, Vendor, DeadClass); 6] = [
    ("6", Vendor::Crm, DeadClass::Rejected),
    ("17", Vendor::Crm, DeadClass::Rejected),
    ("18", Vendor::Crm, DeadClass::Rejected),
    ("19", Vendor::Crm, DeadClass::Rejected),
    ("7", Vendor::Salsa, DeadClass::Unmatched),
    ("8", Vendor::Alumniq, DeadClass::AckRejected),
];

/// A row that cannot be read, and has no id that AlumnIQ knows.
pub const UNDECODABLE: &str = "row-5eed";

pub fn operator() -> Actor {
    Actor::at_command("tester")
}

fn raw(id: &str, row: &Row) -> Box<serde_json::value::RawValue> {
    let at = (id != UNDECODABLE).then_some(row.at);
    to_raw_value(&json!({
        "changeId": id, "xid": row.xid, "at": at, "version": row.version,
    }))
    .unwrap()
}

pub fn new_change(id: &str, row: &Row) -> NewChange {
    let is_readable = id != UNDECODABLE;
    let order = order_key(Timestamp::from_millisecond(row.at).ok(), id);
    NewChange {
        change_id: id.to_owned(),
        xid: row.xid.map(str::to_owned),
        order: if is_readable { order } else { String::new() },
        row: raw(id, row),
        letter: (!is_readable).then(|| {
            let cause = "field `changedOn` is no date".to_owned();
            NewLetter::new(DeadClass::Undecodable, cause, "look".to_owned(), false)
        }),
        replaces: None,
        listed: Some(Listed {
            content: [row.version; 32],
            row: row.at.unsigned_abs(),
        }),
    }
}

pub fn order_of(record: &Record) -> Option<String> {
    let row: Value = serde_json::from_str(record.row.get()).ok()?;
    let at = Timestamp::from_millisecond(row["at"].as_i64()?).ok()?;
    Some(order_key(Some(at), row["changeId"].as_str()?))
}

impl Campus {
    pub async fn goes_back(&mut self, copy: usize, progress: &Progress) {
        self.stage.go_back(copy).await;
        self.progress = progress.clone();
    }

    pub async fn books(&self) -> Books {
        self.stage.queue.status().await.unwrap().books
    }

    pub fn lists(&mut self, id: &str, xid: Option<&'static str>) {
        let at = i64::try_from(self.progress.rows.len()).unwrap() + 1;
        let row = Row {
            xid,
            at,
            version: 1,
        };
        self.progress.rows.insert(id.to_owned(), row);
        self.progress.listed.insert(id.to_owned());
    }

    pub fn corrects(&mut self, id: &str) {
        self.progress.rows.get_mut(id).unwrap().version += 1;
    }

    /// Takes in these, as one answer of AlumnIQ lists them.
    pub async fn fetch_these(&self, ids: &[&str]) -> Outcome {
        let rows = ids
            .iter()
            .map(|id| new_change(id, &self.progress.rows[*id]));
        let rows: Vec<NewChange> = rows.collect();
        let queue = &self.stage.queue;
        queue.enqueue(queue.now().await?, &rows).await?;
        Ok(())
    }

    /// Takes in all that AlumnIQ lists.
    pub async fn fetch(&self) -> Outcome {
        let ids: Vec<&str> = self.progress.listed.iter().map(String::as_str).collect();
        self.fetch_these(&ids).await
    }

    /// What a claim gives is not kept.
    pub async fn claim_for(
        &self,
        d: Destination,
        most: usize,
        lease: Duration,
    ) -> Outcome<Vec<Lease>> {
        let request = ClaimRequest {
            most,
            held: 0,
            lease,
            fleet_limit: 1_000,
            full_batch: 1,
            linger_over: true,
        };
        let claimed = self.stage.queue.claim(d, &self.worker, &request).await?;
        Ok(claimed.leases)
    }

    /// The worker holds what it got.
    pub async fn claim(&mut self, d: Destination) -> Outcome {
        let leases = self.claim_for(d, 100, LONG).await?;
        self.holds(d, leases);
        Ok(())
    }

    pub fn holds(&mut self, d: Destination, leases: Vec<Lease>) {
        let held = leases.into_iter().map(|lease| (d, lease));
        self.progress.leases.extend(held);
    }

    /// The leases that the worker holds, and what the vendor does with each change.
    fn calls(&mut self, d: Destination) -> Vec<(Lease, Transition)> {
        let (held, kept) = std::mem::take(&mut self.progress.leases)
            .into_iter()
            .partition(|(of, _)| *of == d);
        self.progress.leases = kept;
        let held: Vec<(Destination, Lease)> = held;
        held.into_iter()
            .map(|(_, lease)| {
                let end = self.call(d, &lease);
                (lease, end)
            })
            .collect()
    }

    /// What the vendor does with a change, whenever it gets it.
    fn refusal(&self, id: &str, vendor: Vendor) -> Option<DeadClass> {
        self.progress.refused.get(&(id.to_owned(), vendor)).copied()
    }

    /// From now on every vendor takes the change.
    pub fn is_fixed(&mut self, id: &str) {
        self.progress
            .refused
            .retain(|(refused, _), _| refused != id);
    }

    /// Calls the vendor.
    pub fn call(&mut self, d: Destination, lease: &Lease) -> Transition {
        let id = &lease.change_id;
        match self.refusal(id, d.into()) {
            Some(class) => dead(class),
            None => {
                let row = lease.row.as_ref().unwrap();
                let row: Value = serde_json::from_str(row.get()).unwrap();
                let version = u8::try_from(row["version"].as_u64().unwrap()).unwrap();
                let applied = self.progress.applied.entry(d).or_default();
                applied.push((id.clone(), version));
                done()
            }
        }
    }

    /// Settles all that the worker holds there, each as the vendor answers.
    pub async fn settle(&mut self, d: Destination) -> Outcome {
        let calls = self.calls(d);
        self.settle_these(d, &calls).await
    }

    pub async fn settle_these(&self, d: Destination, ends: &[(Lease, Transition)]) -> Outcome {
        let ended: Vec<_> = ends
            .iter()
            .map(|(lease, end)| {
                let mut ended = settlement(lease, end.clone());
                let queue = &self.stage.queue;
                ended.sent = Some(queue.stored_document(d, &lease.change_id, "{}"));
                ended
            })
            .collect();
        self.stage.queue.settle(d, &self.worker, &ended).await?;
        Ok(())
    }

    /// All of one destination, as far as it goes without waiting.
    pub async fn work(&mut self, d: Destination) -> Outcome {
        loop {
            let leases = self.claim_for(d, 100, LONG).await?;
            if leases.is_empty() {
                return Ok(());
            }
            self.holds(d, leases);
            self.settle(d).await?;
        }
    }

    /// The token and the changes of a list for AlumnIQ.
    pub async fn claim_list(&self) -> Outcome<Option<(u64, Vec<String>)>> {
        let limits = AckLimits {
            max_batch: 100,
            max_wait: Duration::ZERO,
            eager: true,
            lease: LONG,
        };
        let queue = &self.stage.queue;
        let AckClaim::Batch(batch) = queue.claim_acknowledgements(&limits).await? else {
            return Ok(None);
        };
        let ids = batch.changes.into_iter().map(|change| change.change_id);
        Ok(Some((batch.token, ids.collect())))
    }

    /// AlumnIQ is told, and takes what it takes off its list. Returns that, and what it refuses.
    pub fn tell_alumniq(&mut self, ids: &[String]) -> (Vec<String>, Vec<String>) {
        let (refused, taken): (Vec<String>, Vec<String>) = ids
            .iter()
            .cloned()
            .partition(|id| self.refusal(id, Vendor::Alumniq).is_some());
        for id in &taken {
            self.progress.listed.remove(id);
            *self.progress.told.entry(id.clone()).or_default() += 1;
        }
        (taken, refused)
    }

    pub async fn settle_list(&self, token: u64, taken: &[String], refused: &[String]) -> Outcome {
        let rejected = AckEnd::Rejected {
            cause: "no such change".to_owned(),
            advice: "look".to_owned(),
        };
        for (end, ids) in [(AckEnd::Accepted, taken), (rejected, refused)] {
            if !ids.is_empty() {
                let queue = &self.stage.queue;
                queue.settle_acknowledgements(token, &end, ids).await?;
            }
        }
        Ok(())
    }

    /// Tells AlumnIQ of what is done, as far as it goes without waiting.
    pub async fn acknowledge(&mut self) -> Outcome {
        while let Some((token, ids)) = self.claim_list().await? {
            let (taken, refused) = self.tell_alumniq(&ids);
            self.settle_list(token, &taken, &refused).await?;
        }
        Ok(())
    }

    /// A queue in the middle of its work: something of everything.
    pub async fn begins(&mut self) -> Outcome {
        self.first_day().await?;
        let at_work = [
            ("2", "ada"),
            ("3", "ada"),
            ("4", "bob"),
            ("5", "bob"),
            ("10", "fay"),
            ("11", "fay"),
            ("12", "gus"),
            ("13", "hal"),
            ("14", "hal"),
            ("15", "ida"),
            ("16", "ida"),
        ];
        for (id, xid) in at_work {
            self.lists(id, Some(xid));
        }
        self.lists("9", None);
        self.fetch().await?;
        // Some are done, some are tried again later, one is corrected while a call is out with it.
        for d in [Crm, Salsa] {
            let leases = self.claim_for(d, 100, LONG).await?;
            let mut ends = Vec::new();
            for lease in leases {
                let end = match (lease.change_id.as_str(), d) {
                    ("2", Salsa) | ("12", _) => self.call(d, &lease),
                    ("10", Crm) => harness::namespace::retry(1),
                    ("13", Crm) => harness::namespace::deferred(1),
                    ("4", Crm) => continue,
                    _ => Transition::Release,
                };
                ends.push((lease, end));
            }
            self.settle_these(d, &ends).await?;
        }
        self.corrects("4");
        self.fetch_these(&["4"]).await
    }

    /// Changes that are through, given up, or dead.
    async fn first_day(&mut self) -> Outcome {
        let refused = REFUSED.map(|(id, vendor, class)| ((id.to_owned(), vendor), class));
        self.progress.refused.extend(refused);
        let people = [
            ("1", "ada"),
            ("6", "cy"),
            ("7", "dee"),
            ("8", "eve"),
            ("17", "kit"),
            ("18", "lou"),
            ("19", "cy"),
        ];
        for (id, xid) in people {
            self.lists(id, Some(xid));
        }
        self.lists(UNDECODABLE, None);
        self.fetch().await?;
        self.work(Crm).await?;
        self.work(Salsa).await?;
        for (id, is_untold) in [("17", false), ("18", true)] {
            let letters = [(Vendor::Crm, id.to_owned())];
            let by = operator();
            let queue = &self.stage.queue;
            queue.discard(&letters, is_untold, "no", &by).await?;
        }
        self.acknowledge().await
    }
}
