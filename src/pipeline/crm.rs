//! The CRM consumer: one change, one call.

use std::sync::Arc;

use async_trait::async_trait;
use jobs::{
    call_log::CallLog,
    crm_update::{self, CrmMapping},
    destination::Vendor,
    outcome::Outcome,
};
use queue::{
    batch::{Batch, Verdicts},
    lease::{Hold, Lease},
};

use super::{fleet::Job, rows::Rows, throttle::Throttle};
use crate::{observe::metrics, vendors::CrmClient};

/// Everything that the job needs.
pub struct CrmConsumer {
    /// The CRM.
    pub client: CrmClient,
    /// `[crm.map]`.
    pub mapping: Arc<CrmMapping>,
    /// How rows are read.
    pub rows: Rows,
    /// `crm.rate_per_minute`.
    pub throttle: Throttle,
}

#[async_trait]
impl Job for CrmConsumer {
    fn throttle(&self) -> &Throttle {
        &self.throttle
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
        let document = self
            .rows
            .decode(lease)
            .and_then(|change| self.mapping.document(&change, self.rows.anonymous_allowed));
        let document = match document {
            Ok(document) => document,
            Err(outcome) => return Some(outcome),
        };
        let place = self.throttle.reserve(hold, 1).await?.pop()?;
        lease.sent.put(&document);
        let call = CallLog::following(
            vec![lease.call_log.clone()],
            self.client.update(&document, None),
        );
        let call = hold.guard(call);
        let reply = self.throttle.spend(place, call).await?;
        let outcome = crm_update::classify(&reply);
        if outcome.is_throttled() {
            metrics::vendor_throttled(Vendor::Crm);
        }
        Some(outcome)
    }
}
