//! The CRM consumer: one change, one call.

use std::sync::Arc;

use async_trait::async_trait;
use jobs::{
    call_log::CallLog,
    change::Change,
    crm_update::{self, CrmMapping},
    destination::Vendor,
    outcome::Outcome,
};
use queue::{
    batch::{Batch, Verdicts},
    lease::{Hold, Lease},
};

use super::fleet::{Job, JobHead};
use crate::{observe::metrics, vendors::CrmClient};

/// Everything that the job needs.
pub struct CrmConsumer {
    /// The CRM.
    pub client: CrmClient,
    /// `[crm.map]`.
    pub mapping: Arc<CrmMapping>,
    /// With `crm.rate_per_minute`.
    pub head: JobHead,
}

#[async_trait]
impl Job for CrmConsumer {
    fn head(&self) -> &JobHead {
        &self.head
    }

    async fn apply(&self, batch: &Batch) -> Verdicts {
        let mut verdicts = Verdicts::with_capacity(batch.leases.len());
        for lease in batch.leases.iter() {
            verdicts.push(self.apply_one(lease, &batch.hold).await);
        }
        verdicts
    }
}

impl CrmConsumer {
    async fn apply_one(&self, lease: &Lease, hold: &Hold) -> Option<Outcome> {
        let map =
            |change: &Change, anonymous_allowed| self.mapping.document(change, anonymous_allowed);
        let document = match self.head.mapped(lease, map) {
            Ok(document) => document,
            Err(outcome) => return Some(outcome),
        };
        let place = self.head.throttle.reserve(hold, 1).await?.pop()?;
        lease.sent.put(&document);
        let call = CallLog::following(
            vec![lease.call_log.clone()],
            self.client.update(&document, None),
        );
        let call = hold.guard(call);
        let reply = self.head.throttle.spend(place, call).await?;
        let outcome = crm_update::classify(&reply);
        if outcome.is_throttled() {
            metrics::vendor_throttled(Vendor::Crm);
        }
        Some(outcome)
    }
}
