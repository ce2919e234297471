//! The Salsa consumer: up to `maxBatchSize` changes a call, searched once and put once.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jobs::{
    call_log::CallLog,
    change::Change,
    outcome::{Outcome, PauseReason},
    salsa_upsert::{
        self, CallFailure, IdentifierType, Payload, SalsaMapping, Supporter, SupporterPatch,
    },
};
use queue::{
    batch::{Batch, Verdicts},
    lease::Hold,
    sent::SentDocument,
};
use serde_json::Value;
use tokio::sync::Notify;

use super::{
    fleet::{Job, JobHead},
    throttle::{CallPermit, Throttle},
};
use crate::{observe::metrics, vendors::SalsaClient};

/// Everything that the job needs.
pub struct SalsaConsumer {
    /// Salsa.
    pub client: SalsaClient,
    /// `[salsa.map]`.
    pub mapping: Arc<SalsaMapping>,
    /// `salsa.create_missing`.
    pub create_missing: bool,
    /// With Salsa's calls a minute and items a call.
    pub head: JobHead,
    /// Told when Salsa throttled a call: its limits may be others now.
    pub throttled: Notify,
}

/// How long work waits for the question about Salsa's limits once the pause after a throttled call is over.
const DOUBT: Duration = Duration::from_secs(10);

#[async_trait]
impl Job for SalsaConsumer {
    fn head(&self) -> &JobHead {
        &self.head
    }

    async fn apply(&self, batch: &Batch) -> Verdicts {
        let mut verdicts: Verdicts = vec![None; batch.leases.len()];
        let mut wanted = Vec::new();
        for (place, lease) in batch.leases.iter().enumerate() {
            let map =
                |change: &Change, anonymous_allowed| self.mapping.patch(change, anonymous_allowed);
            match self.head.mapped(lease, map) {
                Ok(patch) => wanted.push(Wanted {
                    place,
                    call_log: lease.call_log.clone(),
                    sent: lease.sent.clone(),
                    has: patch,
                }),
                Err(outcome) => verdicts[place] = Some(outcome),
            }
        }
        let calls = Calls {
            hold: batch.hold.clone(),
            put: Mutex::default(),
        };
        let merged = self.read_and_merge(wanted, &calls, &mut verdicts).await;
        // The same supporter twice in one call is undefined, and a later call would need to read again what
        // the first one wrote: whoever is not in the first group is given back and comes with a later batch.
        let mut groups = salsa_upsert::independent_batches(merged, |item| &item.has).into_iter();
        if let Some(group) = groups.next() {
            self.put(group, &calls, &mut verdicts).await;
        }
        let unused = calls.put().take();
        if let Some(place) = unused {
            self.head.throttle.give_back(place).await;
        }
        verdicts
    }
}

/// A change on its way: what is at hand of it, its place in the batch, and where its calls and its document are noted.
struct Item<T> {
    place: usize,
    call_log: CallLog,
    sent: SentDocument,
    has: T,
}

/// What a change wants.
type Wanted = Item<SupporterPatch>;

/// The document that would apply it.
type Merged = Item<Supporter>;

/// The two calls of the job.
#[derive(Clone, Copy)]
enum Operation {
    Search,
    Put,
}

/// What the calls of one batch share.
struct Calls {
    hold: Hold,
    /// The place of the PUT, taken together with that of the search: what was read is written at once, and not
    /// a minute later.
    put: Mutex<Option<CallPermit>>,
}

impl Calls {
    fn put(&self) -> std::sync::MutexGuard<'_, Option<CallPermit>> {
        self.put.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SalsaConsumer {
    async fn read_and_merge(
        &self,
        wanted: Vec<Wanted>,
        calls: &Calls,
        verdicts: &mut Verdicts,
    ) -> Vec<Merged> {
        let mut by_kind: HashMap<IdentifierType, Vec<Wanted>> = HashMap::new();
        for item in wanted {
            by_kind.entry(item.has.key().kind()).or_default().push(item);
        }
        let mut merged = Vec::new();
        for items in by_kind.into_values() {
            for (items, answer) in self
                .call(Operation::Search, items, calls, search_body)
                .await
            {
                let payload = match answer {
                    Answer::Payload(payload) => payload,
                    Answer::Verdict(verdict) => {
                        for item in items {
                            verdicts[item.place].clone_from(&verdict);
                        }
                        continue;
                    }
                };
                let found =
                    salsa_upsert::correlate_search(&payload, items.iter().map(|item| &item.has));
                for (item, found) in items.into_iter().zip(found) {
                    let document = found.and_then(|current| {
                        salsa_upsert::merge(current.as_ref(), &item.has, self.create_missing)
                    });
                    match document {
                        Ok(document) => merged.push(Merged {
                            place: item.place,
                            call_log: item.call_log,
                            sent: item.sent,
                            has: document,
                        }),
                        Err(outcome) => verdicts[item.place] = Some(outcome),
                    }
                }
            }
        }
        merged
    }

    async fn put(&self, items: Vec<Merged>, calls: &Calls, verdicts: &mut Verdicts) {
        for item in &items {
            item.sent.put(&item.has.document());
        }
        for (items, answer) in self.call(Operation::Put, items, calls, put_body).await {
            match answer {
                Answer::Payload(payload) => {
                    let documents: Vec<&Supporter> = items.iter().map(|item| &item.has).collect();
                    let outcomes = salsa_upsert::put_outcomes(&payload, documents);
                    for (item, outcome) in items.iter().zip(outcomes) {
                        verdicts[item.place] = Some(outcome);
                    }
                }
                Answer::Verdict(verdict) => {
                    for item in items {
                        verdicts[item.place].clone_from(&verdict);
                    }
                }
            }
        }
    }

    /// One call for all items; where there are more than Salsa takes, or it refuses the call, parts of them,
    /// until each part is answered or the culprit stands alone.
    fn call<'a, T: Sync + Send + 'a>(
        &'a self,
        operation: Operation,
        mut items: Vec<Item<T>>,
        calls: &'a Calls,
        body: fn(&[Item<T>]) -> Value,
    ) -> Answers<'a, T> {
        Box::pin(async move {
            if items.is_empty() {
                return Vec::new();
            }
            // The fleet may have learned of a smaller batch since this one was claimed.
            let mut part = self.head.throttle.batch();
            if items.len() <= part {
                let failure = match self
                    .call_once(operation, &body(&items), &items, calls)
                    .await
                {
                    None => return vec![(items, Answer::Verdict(None))],
                    Some(Ok(payload)) => return vec![(items, Answer::Payload(payload))],
                    Some(Err(failure)) => failure,
                };
                let Some(smaller) = failure.smaller_batch(items.len()) else {
                    return vec![(items, Answer::Verdict(Some(failure.for_one_item())))];
                };
                part = smaller;
                if let CallFailure::BatchTooLarge { .. } = failure {
                    self.head.throttle.know_batch(Some(part));
                    let vendor = self.head.throttle.limit.vendor;
                    // Whom the word does not reach makes the same experience.
                    let _ = self.head.throttle.queue.batch_refused(vendor, part).await;
                }
            }
            let mut answers = Vec::new();
            while !items.is_empty() {
                let rest = items.split_off(part.min(items.len()));
                answers.extend(self.call(operation, items, calls, body).await);
                items = rest;
            }
            answers
        })
    }

    /// `None`: not called, or given up because the lease ended.
    async fn call_once(
        &self,
        operation: Operation,
        body: &Value,
        items: &[Item<impl Sync>],
        calls: &Calls,
    ) -> Option<Result<Payload, CallFailure>> {
        let place = self.place(operation, calls).await?;
        let call = async {
            match operation {
                Operation::Search => self.client.search(body, None).await,
                Operation::Put => {
                    metrics::salsa_batch(items.len());
                    self.client.put(body, None).await
                }
            }
        };
        let call_logs = items.iter().map(|item| item.call_log.clone()).collect();
        let call = calls.hold.guard(CallLog::following(call_logs, call));
        let reply = self.head.throttle.spend(place, call).await?;
        let answer = salsa_upsert::classify(&reply);
        if let Err(CallFailure::Items(outcome)) = &answer {
            self.hold_off_if_throttled(outcome).await;
        }
        Some(answer)
    }

    async fn place(&self, operation: Operation, calls: &Calls) -> Option<CallPermit> {
        let kept = calls.put().take();
        match (operation, kept) {
            (Operation::Put, Some(kept)) => Some(kept),
            (Operation::Search, None) => {
                let mut places = self
                    .head
                    .throttle
                    .reserve(&calls.hold, 2)
                    .await?
                    .into_iter();
                let search = places.next();
                *calls.put() = places.next();
                search
            }
            (_, kept) => {
                *calls.put() = kept;
                self.head.throttle.reserve(&calls.hold, 1).await?.pop()
            }
        }
    }

    /// A call within the limits that was throttled says that they are others now, or that somebody else uses
    /// the token. The fleet stops at once, and asks before it goes on.
    pub async fn hold_off_if_throttled(&self, outcome: &Outcome) {
        if let Outcome::Pause {
            after,
            reason: reason @ PauseReason::Throttled,
            cause,
        } = outcome
        {
            let Throttle { queue, limit, .. } = &self.head.throttle;
            metrics::vendor_throttled(limit.vendor);
            // Where Redis does not hear of it, the settle of this change pauses the fleet.
            let _ = queue.shut(limit.vendor, *after, *reason, cause).await;
            let _ = queue.doubt_limits(limit.vendor, DOUBT).await;
            self.throttled.notify_one();
        }
    }
}

/// What each part of a batch was answered, in time.
type Answers<'a, T> = Pin<Box<dyn Future<Output = Vec<(Vec<Item<T>>, Answer)>> + Send + 'a>>;

/// What a part of a batch was answered.
enum Answer {
    Payload(Payload),
    /// For every item alike; `None`: never called.
    Verdict(Option<Outcome>),
}

/// All items are of one kind: they were parted by it.
fn search_body(items: &[Wanted]) -> Value {
    let kind = items
        .first()
        .map_or(IdentifierType::ExternalId, |item| item.has.key().kind());
    let ids: Vec<String> = items
        .iter()
        .map(|item| item.has.key().value().to_owned())
        .collect();
    salsa_upsert::search_body(&ids, kind)
}

fn put_body(items: &[Merged]) -> Value {
    salsa_upsert::put_body(items.iter().map(|item| &item.has))
}
