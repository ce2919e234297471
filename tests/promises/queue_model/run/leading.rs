//! Leads and fetches.

use proptest::sample::Index;
use queue::{QueueError, leader::ProducerRecord};
use redis::AsyncTypedCommands;

use super::{EARLY, LATE, LONG, Run};
use crate::queue_model::{
    compare::{Checked, require, same},
    step::Row,
};

impl Run {
    pub(super) async fn lead(&mut self, who: u8) -> Checked {
        let who = format!("process {who}");
        let got = self.queue.lead(&who, LONG).await.unwrap();
        self.model.leading.lead(&who, got)
    }

    pub(super) async fn lead_ends(&mut self) -> Checked {
        let key = format!("{{{}}}:leader", self.namespace);
        self.connection.del(key).await.unwrap();
        self.model.leading.leader = None;
        Ok(())
    }

    /// A fetch: what it brings and what is written down of it, each refused under a lead that is not the newest.
    pub(super) async fn enqueue(
        &mut self,
        late: bool,
        lead: Option<&Index>,
        rows: &[Row],
    ) -> Checked {
        self.clock += 1;
        let block = self.clock + if late { LATE } else { EARLY };
        let given = &self.model.leading.given;
        let lead = lead
            .filter(|_| !given.is_empty())
            .map(|pick| pick.get(given).0);
        let changes: Vec<_> = rows
            .iter()
            .zip(1..)
            .map(|(row, at)| row.change(at))
            .collect();
        let taken = self.queue.enqueue_under(lead, block, &changes).await;
        let record = ProducerRecord {
            last_sweep: Some(block),
            ..ProducerRecord::default()
        };
        let recorded = self.queue.record_fetch(lead, &record).await;
        if self.model.leading.is_deposed(lead) {
            let refused = matches!(taken, Err(QueueError::Deposed))
                && matches!(recorded, Err(QueueError::Deposed));
            return require(refused, || format!("{lead:?} got {taken:?}, {recorded:?}"));
        }
        recorded.unwrap();
        self.model.leading.swept = Some(block);
        let taken = taken.unwrap();
        let expected = self.model.enqueue(block, late, rows);
        self.forget_the_old_rows();
        same(
            "enqueue: (new, known, listed again, after two acknowledgements, corrected)",
            (
                taken.enqueued,
                taken.duplicates,
                taken.listed_again,
                taken.still_listed,
                taken.corrected,
            ),
            (
                expected.new,
                expected.known,
                expected.listed_again,
                expected.still_listed,
                expected.corrected,
            ),
        )
    }
}
