//! What a fleet does after a fault until nothing is open, and how it ends.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::try_join_all;
use harness::namespace::LONG;
use jobs::{destination::Destination, outcome::DeadClass};
use queue::{
    audit::Handling,
    bulk::{BulkAction, BulkClaim, BulkNews},
    defects::Defects,
    letters::LetterFilter,
    notices::{NoticeClaim, NoticeEnd},
    stats::Books,
};

use super::campus::{Campus, Outcome, operator, order_of};

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// By change: its state, and where it is dead.
    pub fates: BTreeMap<String, String>,
    pub books: Books,
    /// Names and types.
    pub keys: BTreeMap<String, String>,
}

impl Campus {
    pub async fn repair(&self, fix: bool) -> Outcome<Defects> {
        Ok(self.stage.queue.find_defects(&order_of, fix).await?)
    }

    /// Nothing contradicts.
    pub async fn require_sound(&self, when: &str) -> Outcome {
        let seen = self.repair(false).await?;
        if seen.total() > 0 || !seen.recounted {
            return Err(format!("{when} there are defects: {seen}").into());
        }
        let status = self.stage.queue.status().await?;
        if status.is_damaged() {
            return Err(format!("{when} the books are wrong: {}", status.books).into());
        }
        Ok(())
    }

    /// The fleet works as far as it goes without waiting. How it ends, where nothing is open any more. `overtaken`: changes
    /// that came too late somewhere, and were given up for that.
    pub async fn work_round(
        &mut self,
        overtaken: &mut BTreeSet<String>,
    ) -> Outcome<Option<Ending>> {
        let pauses = self.stage.queue.status().await?.pauses;
        for (vendor, _) in pauses
            .iter()
            .filter(|(_, pause)| pause.seconds_left.is_none())
        {
            self.stage.queue.resume(*vendor, &operator()).await?;
        }
        self.bulks().await?;
        self.notifications().await?;
        for d in Destination::ALL {
            self.work(d).await?;
        }
        self.acknowledge().await?;
        let status = self.stage.queue.status().await?;
        let destinations = status.destinations.values();
        // A change that is dead at one destination may still wait for another one.
        let waiting = destinations.map(|d| d.waiting + d.ready + d.running + d.retry);
        let open = status.books.in_flight + waiting.sum::<i64>();
        if self.give_up_overtaken(overtaken).await? || open != 0 {
            return Ok(None);
        }
        self.require_sound("at the end").await?;
        let fates = self.fates().await?;
        self.require_order()?;
        self.require_applied(&fates)?;
        Ok(Some(Ending {
            fates,
            books: status.books,
            keys: self.stage.lasting_keys().await,
        }))
    }

    /// A process works on the bulk actions that were ordered.
    async fn bulks(&self) -> Outcome {
        loop {
            let queue = &self.stage.queue;
            let claimed = queue.claim_bulk(None, &self.worker, LONG).await?;
            let BulkClaim::Lease(lease) = claimed else {
                return Ok(());
            };
            let step = lease.step();
            let handling = Handling {
                by: &lease.order.by,
                bulk: Some(&step),
                entry: None,
            };
            let filter: &LetterFilter = &lease.order.filter;
            let found = queue.letter_refs(filter, None, 100).await?.into_iter();
            let found: Vec<_> = found.map(|name| (name.vendor, name.change_id)).collect();
            match lease.order.action {
                BulkAction::Replay => _ = queue.replay(&found, false, handling).await?,
                BulkAction::Discard => _ = queue.discard(&found, false, "no", handling).await?,
            }
            let news = BulkNews {
                ended: Some(Ok(())),
                ..BulkNews::default()
            };
            queue.keep_bulk(&lease, LONG, &news).await?;
        }
    }

    /// The receiver of notifications takes each of them.
    async fn notifications(&self) -> Outcome {
        let queue = &self.stage.queue;
        while let NoticeClaim::Tell(notice) = queue.claim_notice(Duration::ZERO, LONG).await? {
            queue
                .settle_notice(notice.lease(), NoticeEnd::Taken)
                .await?;
        }
        Ok(())
    }

    /// An operator discards what a newer change has overtaken, as the advice says. Whether there was any.
    async fn give_up_overtaken(&self, overtaken: &mut BTreeSet<String>) -> Outcome<bool> {
        let filter = LetterFilter {
            class: Some(DeadClass::Stale),
            ..LetterFilter::default()
        };
        let queue = &self.stage.queue;
        let found = queue.letter_refs(&filter, None, 100).await?.into_iter();
        let found: Vec<_> = found.map(|name| (name.vendor, name.change_id)).collect();
        if found.is_empty() {
            return Ok(false);
        }
        overtaken.extend(found.iter().map(|(_, id)| id.clone()));
        queue
            .discard(&found, false, "overtaken", &operator())
            .await?;
        Ok(true)
    }

    async fn fates(&self) -> Outcome<BTreeMap<String, String>> {
        let fates = self.progress.rows.keys().map(async |id| {
            let timeline = self.stage.queue.timeline(id).await?;
            let fate = timeline.map_or("unknown".to_owned(), |timeline| {
                let letters = timeline.letters.iter();
                let dead =
                    letters.map(|letter| format!(" {}/{}", letter.destination, letter.class));
                let dead: String = dead.collect();
                format!("{}{dead}", timeline.state)
            });
            Ok::<_, queue::QueueError>((id.clone(), fate))
        });
        Ok(try_join_all(fates).await?.into_iter().collect())
    }

    /// No destination got an older change of a person after a newer one.
    fn require_order(&self) -> Outcome {
        for (d, applied) in &self.progress.applied {
            let mut newest = BTreeMap::new();
            for (id, _) in applied {
                let row = &self.progress.rows[id];
                let Some(xid) = row.xid else { continue };
                let at = newest.entry(xid).or_insert(row.at);
                if *at > row.at {
                    return Err(format!("{d} got {id} after a newer change: {applied:?}").into());
                }
                *at = row.at;
            }
        }
        Ok(())
    }

    /// Every change that AlumnIQ was told of is applied as AlumnIQ lists it, or was given up.
    fn require_applied(&self, fates: &BTreeMap<String, String>) -> Outcome {
        let told = self.progress.told.keys();
        for id in told.filter(|id| fates[*id] == "acknowledged") {
            for d in Destination::ALL {
                let applied = self.progress.applied.get(&d).into_iter().flatten();
                let last = applied.rev().find(|(applied, _)| applied == id);
                let version = last.map(|(_, version)| *version);
                if version != Some(self.progress.rows[id].version) {
                    return Err(
                        format!("{id} is acknowledged, and {d} has {version:?} of it").into(),
                    );
                }
            }
        }
        Ok(())
    }
}
