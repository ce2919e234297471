//! The Salsa consumer: up to `maxBatchSize` changes a call, searched once and put once.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use apalis_core::task::data::Data;
use jobs::{
    outcome::Outcome,
    salsa_upsert::{
        self, CallFailure, IdentifierType, Payload, SalsaLimits, SalsaMapping, Supporter,
        SupporterPatch,
    },
};
use serde_json::Value;

use super::{rows::Rows, throttle::Throttle};
use crate::{
    metrics,
    queue::{
        backend::{Batch, Verdicts},
        lease::Hold,
    },
    vendors::SalsaClient,
};

/// Everything that the job needs.
pub struct SalsaConsumer {
    /// Salsa.
    pub client: SalsaClient,
    /// `[salsa.map]`.
    pub mapping: Arc<SalsaMapping>,
    /// How rows are read.
    pub rows: Rows,
    /// `salsa.create_missing`.
    pub create_missing: bool,
    /// Salsa's calls a minute.
    pub throttle: Throttle,
    /// Items a call, as Salsa's metrics said last; shared with the queue's claims.
    pub batch: Arc<AtomicUsize>,
}

/// The job, as apalis calls it.
pub async fn apply_to_salsa(batch: Batch, consumer: Data<Arc<SalsaConsumer>>) -> Verdicts {
    consumer.apply(&batch).await
}

/// A change on its way: its place in the batch, and what it wants.
struct Wanted {
    place: usize,
    patch: SupporterPatch,
}

/// A change with the document that would apply it.
struct Merged {
    place: usize,
    document: Supporter,
}

/// The two calls of the job, each with how its body is made of items.
#[derive(Clone, Copy)]
enum Operation {
    Search,
    Put,
}

impl SalsaConsumer {
    async fn apply(&self, batch: &Batch) -> Verdicts {
        let mut verdicts: Verdicts = vec![None; batch.leases.len()];
        let mut wanted = Vec::new();
        for (place, lease) in batch.leases.iter().enumerate() {
            let patch = self
                .rows
                .decode(lease)
                .and_then(|change| self.mapping.patch(&change, self.rows.anonymous_allowed));
            match patch {
                Ok(patch) => wanted.push(Wanted { place, patch }),
                Err(outcome) => verdicts[place] = Some(outcome),
            }
        }
        let merged = self
            .read_and_merge(wanted, &batch.hold, &mut verdicts)
            .await;
        // The same supporter twice in one call is undefined, and a later call would need to read again what
        // the first one wrote: whoever is not in the first group is given back and comes with a later batch.
        let mut groups =
            salsa_upsert::independent_batches(merged, |item| &item.document).into_iter();
        if let Some(group) = groups.next() {
            self.put(group, &batch.hold, &mut verdicts).await;
        }
        verdicts
    }

    async fn read_and_merge(
        &self,
        wanted: Vec<Wanted>,
        hold: &Hold,
        verdicts: &mut Verdicts,
    ) -> Vec<Merged> {
        let mut by_kind: HashMap<IdentifierType, Vec<Wanted>> = HashMap::new();
        for item in wanted {
            by_kind
                .entry(item.patch.key().kind())
                .or_default()
                .push(item);
        }
        let mut merged = Vec::new();
        for items in by_kind.into_values() {
            for (items, answer) in self.call(Operation::Search, items, hold, search_body).await {
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
                    salsa_upsert::correlate_search(&payload, items.iter().map(|item| &item.patch));
                for (item, found) in items.into_iter().zip(found) {
                    let document = found.and_then(|current| {
                        salsa_upsert::merge(current.as_ref(), &item.patch, self.create_missing)
                    });
                    match document {
                        Ok(document) => merged.push(Merged {
                            place: item.place,
                            document,
                        }),
                        Err(outcome) => verdicts[item.place] = Some(outcome),
                    }
                }
            }
        }
        merged
    }

    async fn put(&self, items: Vec<Merged>, hold: &Hold, verdicts: &mut Verdicts) {
        for (items, answer) in self.call(Operation::Put, items, hold, put_body).await {
            match answer {
                Answer::Payload(payload) => {
                    let documents: Vec<&Supporter> =
                        items.iter().map(|item| &item.document).collect();
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

    /// One call for all items; where Salsa refuses the call, halves of them, until each part is answered or
    /// the culprit stands alone.
    fn call<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        mut items: Vec<T>,
        hold: &'a Hold,
        body: fn(&[T]) -> Value,
    ) -> Answers<'a, T> {
        Box::pin(async move {
            if items.is_empty() {
                return Vec::new();
            }
            let failure = match self
                .call_once(operation, &body(&items), items.len(), hold)
                .await
            {
                None => return vec![(items, Answer::Verdict(None))],
                Some(Ok(payload)) => return vec![(items, Answer::Payload(payload))],
                Some(Err(failure)) => failure,
            };
            let Some(part) = failure.smaller_batch(items.len()) else {
                return vec![(items, Answer::Verdict(Some(failure.for_one_item())))];
            };
            if let CallFailure::BatchTooLarge { .. } = failure {
                self.batch.store(part, Ordering::Relaxed);
            }
            let mut answers = Vec::new();
            while !items.is_empty() {
                let rest = items.split_off(part.min(items.len()));
                answers.extend(self.call(operation, items, hold, body).await);
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
        items: usize,
        hold: &Hold,
    ) -> Option<Result<Payload, CallFailure>> {
        if !self.throttle.admit(hold).await {
            return None;
        }
        let call = async {
            match operation {
                Operation::Search => self.client.search(body, None).await,
                Operation::Put => {
                    metrics::salsa_batch(items);
                    self.client.put(body, None).await
                }
            }
        };
        Some(salsa_upsert::classify(&hold.guard(call).await?))
    }

    /// Asks Salsa for its limits and obeys them from now on. A rate that the configuration names stays.
    ///
    /// # Errors
    /// Why Salsa did not say.
    pub async fn learn_limits(&self, configured_rate: Option<u32>) -> Result<SalsaLimits, Outcome> {
        let reply = self.client.metrics(None).await;
        let limits = salsa_upsert::classify(&reply)
            .map(|payload| SalsaLimits::read(&payload))
            .map_err(CallFailure::for_one_item)?;
        self.batch.store(limits.max_batch.max(1), Ordering::Relaxed);
        let rate = configured_rate.unwrap_or(limits.rate_per_minute);
        self.throttle.per_minute.store(rate, Ordering::Relaxed);
        Ok(limits)
    }
}

/// What each part of a batch was answered, in time.
type Answers<'a, T> = Pin<Box<dyn Future<Output = Vec<(Vec<T>, Answer)>> + Send + 'a>>;

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
        .map_or(IdentifierType::ExternalId, |item| item.patch.key().kind());
    let ids: Vec<String> = items
        .iter()
        .map(|item| item.patch.key().value().to_owned())
        .collect();
    salsa_upsert::search_body(&ids, kind)
}

fn put_body(items: &[Merged]) -> Value {
    salsa_upsert::put_body(items.iter().map(|item| &item.document))
}
