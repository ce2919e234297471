//! Claims and ends of batches for the PUT.

use std::time::Duration;

use alumniq_relay::queue::acknowledgement::{AckClaim, AckEnd, AckLimits};
use jobs::outcome::PauseReason;
use proptest::sample::Index;

use super::{LONG, Run, pick_some};
use crate::queue_model::{
    change::Ack,
    compare::{Checked, same},
    step::AckKind,
};

impl Run {
    pub(super) async fn ack_claim(&mut self, most: usize, patient: bool, eager: bool) -> Checked {
        let limits = AckLimits {
            max_batch: most,
            max_wait: if patient { LONG } else { Duration::ZERO },
            eager,
            lease: LONG,
        };
        let before = self.snapshot().await;
        let lost = std::mem::take(&mut self.acks_lost);
        let expected = self.model.ack_claim(&lost, most, patient, eager);
        let batch = match self.queue.claim_acknowledgements(&limits).await.unwrap() {
            AckClaim::Wait(_) => return same("acknowledgements claimed", 0, expected),
            AckClaim::Batch(batch) => batch,
        };
        same("acknowledgements claimed", batch.changes.len(), expected)?;
        let ids: Vec<String> = batch.changes.iter().map(|c| c.change_id.clone()).collect();
        if lost.is_empty() {
            let oldest = before.members("ack").into_iter().take(ids.len());
            same(
                "the oldest acknowledgements",
                ids.clone(),
                oldest.map(str::to_owned).collect(),
            )?;
        }
        for (id, change) in ids.iter().zip(&batch.changes) {
            self.witness.to_acknowledge(id, &self.model.destinations)?;
            let known = self.model.change(id);
            same(
                format!("{id} is to be acknowledged"),
                known.ack,
                Ack::Queued,
            )?;
            known.ack = Ack::Leased(batch.token);
            same("fetched at", change.fetched_at, known.block)?;
            same("discarded", change.discarded, known.given_up.is_some())?;
        }
        self.batches.push((batch.token, ids));
        Ok(())
    }

    pub(super) async fn ack_settle(
        &mut self,
        batch: &Index,
        parts: &[Index],
        kind: AckKind,
    ) -> Checked {
        // Mostly the newest batches, now and then one that was settled or lost long ago.
        let recent = self.batches.len().saturating_sub(3);
        let Some((token, ids)) =
            (!self.batches.is_empty()).then(|| batch.get(&self.batches[recent..]))
        else {
            return Ok(());
        };
        let (token, ids) = (*token, pick_some(parts, ids.clone()));
        self.ack_settle_items(token, ids, kind).await
    }

    pub(super) async fn ack_settle_items(
        &mut self,
        token: u64,
        ids: Vec<String>,
        kind: AckKind,
    ) -> Checked {
        let end = match kind {
            AckKind::Accepted => AckEnd::Accepted,
            AckKind::Release => AckEnd::Release,
            AckKind::Rejected => AckEnd::Rejected {
                cause: "HTTP 404".to_owned(),
                advice: "ask AlumnIQ".to_owned(),
            },
            AckKind::Pause => AckEnd::Pause {
                delay: None,
                reason: PauseReason::Outage,
                cause: "HTTP 503".to_owned(),
            },
        };
        let settled = self
            .queue
            .settle_acknowledgements(token, &end, &ids)
            .await
            .unwrap();
        let expected = self.model.ack_settle(token, kind, &ids);
        self.acks_lost
            .retain(|id| !ids.contains(id) || !expected[position(&ids, id)]);
        same("acknowledgements settled", settled, expected)
    }
}

fn position(ids: &[String], id: &str) -> usize {
    ids.iter().position(|other| other == id).unwrap_or_default()
}
