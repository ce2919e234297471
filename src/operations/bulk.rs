//! Bulks: begun, and worked on by every process with the role `console`.

use std::{collections::BTreeSet, time::Duration};

use jobs::destination::Vendor;
use queue::{
    QueueError,
    audit::{Actor, Handling},
    bulk::{BulkAction, BulkClaim, BulkLease, BulkNews, BulkOrder},
    wake::Bell,
};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::{
    Operations,
    dead_letters::{DeadLetterFilter, no_letter},
    error::OperatorError,
    rate::Rate,
    reason::Reason,
    shapes::object,
};

/// How soon a process that had a bulk looks again after Redis failed it.
const LOOK: Duration = Duration::from_secs(1);

/// How many letters are read, and without a rate handled, at once.
const LETTERS_A_STEP: usize = 500;

/// With a rate, steps are at least this far apart: so many letters a step as fit.
const STEP: Duration = Duration::from_millis(100);

/// How one claim of a bulk ended.
enum Left {
    /// Every letter was looked at.
    Through,
    /// Somebody else has it, or it was cancelled.
    Lost,
    /// This process stops: another goes on.
    Stopping,
}

/// What is to be done with all letters that a filter matches.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBulk {
    /// What.
    pub action: BulkAction,
    /// With which letters; {} is all. Those that die after the start are left alone.
    #[serde(deserialize_with = "object")]
    pub filter: DeadLetterFilter,
    /// Only those of these changes, at most 5000; absent: of any. A change without such a letter is an error, and then
    /// nothing is done.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(max_items = 5000)]
    pub change_ids: Vec<String>,
    /// Not faster than this; absent: as fast as it goes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rate: Option<Rate>,
    /// Why, in at most 1,000 characters; a discard needs it.
    #[serde(default)]
    pub reason: String,
    /// A replay applies even over a newer change of the same person.
    #[serde(default)]
    pub apply_stale: bool,
    /// A discard does not tell AlumnIQ.
    #[serde(default)]
    pub keep_unacknowledged: bool,
}

impl Operations {
    /// Begins a bulk over the letters that are dead now. Returns its id.
    ///
    /// # Errors
    /// A discard without a reason, a reason that is too long, a change without such a letter, or Redis.
    pub(super) async fn start_bulk(
        &self,
        asked: NewBulk,
        by: &Actor,
    ) -> Result<String, OperatorError> {
        let reason = match asked.action {
            BulkAction::Discard => Some(asked.reason.parse()?),
            BulkAction::Replay => Reason::optional(&asked.reason)?,
        };
        let queue = self.queue();
        let mut filter = asked.filter.resolve(self.timezone());
        let change_ids: BTreeSet<String> = asked.change_ids.into_iter().collect();
        filter.change_ids = change_ids.into_iter().collect();
        // Redis' clock has the last word: letters that die from now on are not meant.
        let now = queue.now().await?;
        filter.until = Some(filter.until.map_or(now, |until| until.min(now)));
        for id in &filter.change_ids {
            let letters = queue.letters_of(id).await?;
            if !letters.iter().any(|letter| filter.matches(letter)) {
                return Err(no_letter(id));
            }
        }
        let total = queue.letters(&filter, None, 1).await?.total;
        let about = match filter.cause {
            Some(_) => queue.letter_groups(&filter).await?,
            None => Vec::new(),
        };
        let about = about.first().map_or("", |group| group.text.as_str());
        let order = BulkOrder {
            action: asked.action,
            filter,
            rate: asked.rate.map(|rate| rate.to_string()),
            reason: reason.map(String::from).unwrap_or_default(),
            apply_stale: asked.apply_stale,
            keep_unacknowledged: asked.keep_unacknowledged,
            by: by.clone(),
        };
        Ok(queue.start_bulk(&order, total, about).await?)
    }

    /// Works on whatever bulk nobody works on, until `closing`; `only`: on this one.
    pub async fn work_bulks(&self, only: Option<&str>, bell: &Bell, closing: &CancellationToken) {
        let (worker, lease) = (self.producer.who.as_str(), self.producer.lease);
        while !closing.is_cancelled() {
            match self.queue().claim_bulk(only, worker, lease).await {
                Ok(BulkClaim::Lease(bulk)) => self.work_bulk(&bulk, lease, closing).await,
                Ok(BulkClaim::Wait(wait)) => {
                    let rest = bell.wait(bell.rest(wait), || ());
                    let _ = closing.run_until_cancelled(rest).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "no bulk can be worked on");
                    let _ = closing.run_until_cancelled(sleep(lease)).await;
                }
            }
        }
    }

    async fn work_bulk(&self, bulk: &BulkLease, lease: Duration, closing: &CancellationToken) {
        let mut news = BulkNews {
            cursor: bulk.cursor.clone(),
            ..BulkNews::default()
        };
        let id = &bulk.id;
        let left = self.walk(bulk, lease, &mut news, closing).await;
        let last = match left {
            Ok(Left::Through) => {
                news.ended = Some(Ok(()));
                let last = self.queue().keep_bulk(bulk, lease, &news).await;
                let bulk = self.queue().bulk(id).await.ok().flatten();
                let done = bulk.map(|bulk| (bulk.handled, bulk.gone));
                let (handled, gone) = done.unzip();
                tracing::info!(bulk = id, handled, gone, "a bulk is through");
                last
            }
            Ok(Left::Stopping) => self.queue().keep_bulk(bulk, Duration::ZERO, &news).await,
            Ok(Left::Lost) => Ok(false),
            // Redis may be away, or this process does not agree with its namespace: the lease ends, and another goes on.
            Err(error @ (QueueError::Redis(_) | QueueError::Deposed | QueueError::Mismatch(_))) => {
                Err(error)
            }
            Err(error) => {
                news.ended = Some(Err(error.to_string()));
                self.queue().keep_bulk(bulk, lease, &news).await
            }
        };
        if let Err(error) = last {
            tracing::warn!(bulk = id, %error, "a bulk waits until Redis can be used");
            let _ = closing.run_until_cancelled(sleep(LOOK)).await;
        }
    }

    /// Page by page, step by step. What is handled leaves the filter's letters; the cursor passes over the rest.
    async fn walk(
        &self,
        bulk: &BulkLease,
        lease: Duration,
        news: &mut BulkNews,
        closing: &CancellationToken,
    ) -> Result<Left, QueueError> {
        let pace = bulk
            .order
            .rate
            .as_deref()
            .and_then(|rate| rate.parse::<Rate>().ok());
        let (step, apart) = pace.map_or((LETTERS_A_STEP, Duration::ZERO), |rate| steps(&rate));
        let mut due = Instant::now();
        loop {
            let cursor = news.cursor.clone();
            let page = self
                .queue()
                .letters(&bulk.order.filter, cursor.as_ref(), LETTERS_A_STEP)
                .await?;
            let letters: Vec<(Vendor, String)> = page
                .items
                .into_iter()
                .map(|letter| (letter.destination, letter.change_id))
                .collect();
            for letters in letters.chunks(step) {
                if !self.keep_until(bulk, lease, news, due, closing).await? {
                    return Ok(match closing.is_cancelled() {
                        true => Left::Stopping,
                        false => Left::Lost,
                    });
                }
                due = due.max(Instant::now()) + apart;
                self.step(bulk, letters, news).await?;
            }
            match page.next {
                Some(next) => news.cursor = Some(next),
                None => return Ok(Left::Through),
            }
        }
    }

    /// Waits until `due` and keeps the bulk meanwhile. `false`: it is not ours any more, or this process stops.
    async fn keep_until(
        &self,
        bulk: &BulkLease,
        lease: Duration,
        news: &mut BulkNews,
        due: Instant,
        closing: &CancellationToken,
    ) -> Result<bool, QueueError> {
        loop {
            if closing.is_cancelled() || !self.queue().keep_bulk(bulk, lease, news).await? {
                return Ok(false);
            }
            (news.handled, news.gone) = (0, 0);
            let until = due.min(Instant::now() + lease / 3);
            let _ = closing.run_until_cancelled(sleep_until(until)).await;
            if Instant::now() >= due {
                return Ok(!closing.is_cancelled());
            }
        }
    }

    async fn step(
        &self,
        bulk: &BulkLease,
        letters: &[(Vendor, String)],
        news: &mut BulkNews,
    ) -> Result<(), QueueError> {
        let (order, step) = (&bulk.order, bulk.step());
        let handling = Handling {
            by: &order.by,
            bulk: Some(&step),
            entry: None,
        };
        match order.action {
            BulkAction::Replay => {
                let again = self
                    .replay_step(letters, order.apply_stale, handling)
                    .await?;
                news.handled += again.handled;
                news.gone += again.gone;
            }
            BulkAction::Discard => {
                let keep = order.keep_unacknowledged;
                self.queue()
                    .discard(letters, keep, &order.reason, handling)
                    .await?;
            }
        }
        Ok(())
    }
}

/// How many letters a step has, and how far apart steps are.
fn steps(rate: &Rate) -> (usize, Duration) {
    let interval = rate.interval();
    let many = (STEP.as_nanos() / interval.as_nanos().max(1)).clamp(1, LETTERS_A_STEP as u128);
    let many = u32::try_from(many).unwrap_or(1);
    (many as usize, interval * many)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_keep_the_rate_and_are_not_closer_than_a_tenth_of_a_second_unless_they_are_full() {
        for (rate, letters, apart) in [
            ("1/m", 1, Duration::from_secs(60)),
            ("1/s", 1, Duration::from_secs(1)),
            ("10/s", 1, Duration::from_millis(100)),
            ("50/s", 5, Duration::from_millis(100)),
            ("1000/s", 100, Duration::from_millis(100)),
            ("100000/s", 500, Duration::from_millis(5)),
        ] {
            assert_eq!(steps(&rate.parse().unwrap()), (letters, apart), "{rate}");
        }
    }
}
