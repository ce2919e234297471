//! Claims and ends of the lists for the PUT.

use std::time::Duration;

use jobs::outcome::PauseReason;
use proptest::sample::Index;
use queue::acknowledgement::{AckClaim, AckEnd, AckLimits, AckPause};

use super::{LONG, Run};
use crate::queue_model::{
    compare::{Checked, require, same},
    model::AckList,
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
        let expected = self.model.ack_claim(most, patient, eager);
        self.forget_the_old_rows();
        let batch = match self.queue.claim_acknowledgements(&limits).await.unwrap() {
            AckClaim::Wait(_) => return same("acknowledgements claimed", Vec::new(), expected),
            AckClaim::Batch(batch) => batch,
        };
        let ids: Vec<String> = batch.changes.iter().map(|c| c.change_id.clone()).collect();
        same("acknowledgements claimed", &ids, &expected)?;
        same("told before", &batch.told, &self.model.told)?;
        for (id, change) in ids.iter().zip(&batch.changes) {
            self.witness.to_acknowledge(id, &self.model.destinations)?;
            let known = self.model.change(id);
            same("fetched at", change.fetched_at, known.block)?;
            same("discarded", change.discarded, known.given_up.is_some())?;
        }
        self.model.list = Some(AckList {
            token: batch.token,
            ids: ids.clone(),
            has_expired: false,
        });
        self.batches.push((batch.token, ids));
        Ok(())
    }

    /// Mostly the list that is out, now and then one that was settled or lost.
    fn pick_batch(&self, pick: &Index) -> Option<(u64, Vec<String>)> {
        let recent = &self.batches[self.batches.len().saturating_sub(3)..];
        (!recent.is_empty()).then(|| pick.get(recent).clone())
    }

    /// As the acknowledger does: part by part from the first, but for what AlumnIQ refuses.
    pub(super) async fn ack_settle(
        &mut self,
        batch: &Index,
        many: usize,
        refused: bool,
        kind: AckKind,
    ) -> Checked {
        let Some((token, ids)) = self.pick_batch(batch) else {
            return Ok(());
        };
        let left = self.model.list_of(token).map(|list| list.ids.clone());
        let mut ids = left.unwrap_or(ids);
        if refused && ids.len() > 1 {
            let refused = ids.remove(0);
            self.model.change(&refused).may_lag = true;
        }
        ids.truncate(many);
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
            AckKind::Rejected => AckEnd::Rejected {
                cause: "HTTP 404".to_owned(),
                advice: "ask AlumnIQ".to_owned(),
            },
        };
        let settled = self
            .queue
            .settle_acknowledgements(token, &end, &ids)
            .await
            .unwrap();
        let expected = self.model.ack_settle(token, kind, &ids);
        self.forget_the_old_rows();
        same("acknowledgements settled", &settled, &expected)?;
        for id in ids.iter().filter(|_| kind == AckKind::Accepted) {
            if self.model.changes[id].is_closed() {
                let overtaken = self.model.overtaken_by(id);
                require(overtaken.is_none(), || {
                    format!("AlumnIQ was told of {id} before the older {overtaken:?}")
                })?;
            }
        }
        Ok(())
    }

    pub(super) async fn ack_return(&mut self, batch: &Index, pause: bool) -> Checked {
        let Some((token, _)) = self.pick_batch(batch) else {
            return Ok(());
        };
        let why = AckPause {
            delay: None,
            reason: PauseReason::Outage,
            cause: "HTTP 503".to_owned(),
        };
        let held = self
            .queue
            .return_acknowledgements(token, pause.then_some(&why))
            .await
            .unwrap();
        same("list returned", held, self.model.ack_return(token, pause))
    }

    pub(super) async fn ack_renew(&mut self, batch: &Index) -> Checked {
        let Some((token, _)) = self.pick_batch(batch) else {
            return Ok(());
        };
        let held = self
            .queue
            .renew_acknowledgements(token, LONG)
            .await
            .unwrap();
        let list = self.model.list_of(token);
        same("list renewed", held, list.is_some())?;
        if let Some(list) = list {
            list.has_expired = false;
        }
        Ok(())
    }
}
