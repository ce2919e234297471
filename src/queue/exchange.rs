//! Leases that end make room for others: both in one step, or one of the two.

use jobs::{destination::Destination, outcome::PauseReason};
use tokio::time::Instant;

use super::{
    Queue, QueueError,
    executor::Transition,
    gate::PauseChange,
    hold::Hold,
    lease::{ClaimRequest, Claimed, RawClaim},
    scripts::Invocation,
    settlement::Settlement,
    verdict::SettleVerdict,
};

/// What an exchange gave.
#[derive(Debug)]
pub struct Exchanged {
    /// What became of each lease that ended, in order.
    pub verdicts: Vec<SettleVerdict>,
    /// What was claimed in their place.
    pub claimed: Claimed,
}

impl Queue {
    /// Ends the leases `ended`, then leases changes, oldest first in their lanes, lanes in turn. Claiming also takes
    /// back what dead workers held and what is due again.
    ///
    /// # Errors
    /// Redis may have done it all the same. What ended may be given again; what was claimed comes back by itself when
    /// its leases end.
    pub async fn exchange(
        &self,
        destination: Destination,
        worker: &str,
        ended: &[Settlement],
        request: Option<&ClaimRequest>,
    ) -> Result<Exchanged, QueueError> {
        let sent = Instant::now();
        let scripts = &self.scripts;
        let mut answer = None;
        if self.usual.is_likely(destination, ended) {
            let mut call = scripts.exchange_usual.prepare_invoke();
            self.push_exchange(&mut call, destination, worker, ended, request)?;
            answer = self.run(&mut call).await?;
            if answer.is_none() {
                self.usual.was_unusual(destination);
            }
        }
        let (verdicts, turn, claimed): (String, String, RawClaim) = match answer {
            Some(answer) => answer,
            None => {
                let mut call = scripts.exchange.prepare_invoke();
                self.push_exchange(&mut call, destination, worker, ended, request)?;
                self.run(&mut call).await?
            }
        };
        let verdicts: Vec<_> = verdicts.chars().map(SettleVerdict::of).collect();
        if let Some(turn) = PauseChange::read(&turn) {
            let settled = ended.iter().zip(&verdicts);
            let mut settled =
                settled.filter_map(|(item, verdict)| item.transition.settled_as(*verdict));
            let pause = settled.find_map(|settled| match settled.into_owned() {
                Transition::Pause { reason, cause, .. } => Some((reason, cause)),
                _ => None,
            });
            let (reason, cause) = pause.unwrap_or((PauseReason::Outage, String::new()));
            turn.log(destination.into(), reason.as_str(), &cause);
        }
        let lease = request.map_or_else(Default::default, |request| request.lease);
        let claimed = self.claimed(claimed, Hold::since(sent, lease));
        if let Some(newest) = claimed.leases.iter().map(|lease| lease.token).max() {
            self.seen.remember(destination, worker, newest);
        }
        Ok(Exchanged { verdicts, claimed })
    }

    /// The arguments of exchange.lua.
    fn push_exchange(
        &self,
        call: &mut Invocation<'_>,
        destination: Destination,
        worker: &str,
        ended: &[Settlement],
        request: Option<&ClaimRequest>,
    ) -> Result<(), QueueError> {
        call.arg(destination.as_str())
            .arg(destination.bit())
            .arg(worker)
            .arg(self.settings.patience.as_millis() as u64)
            .arg(self.settings.keep.as_millis() as u64)
            .arg(self.settings.keep_payload.as_millis() as u64);
        match request {
            Some(request) => {
                let seen = self.seen.newest(destination, worker);
                request.push_arguments(call, &self.settings.seals.listed(), seen);
            }
            None => _ = call.arg(&[""; ClaimRequest::ARGUMENTS]),
        }
        for item in ended {
            item.push_arguments(call)?;
        }
        Ok(())
    }

    /// Only leases changes.
    pub async fn claim(
        &self,
        destination: Destination,
        worker: &str,
        request: &ClaimRequest,
    ) -> Result<Claimed, QueueError> {
        let exchanged = self.exchange(destination, worker, &[], Some(request));
        Ok(exchanged.await?.claimed)
    }

    /// Only ends leases.
    pub async fn settle(
        &self,
        destination: Destination,
        worker: &str,
        ended: &[Settlement],
    ) -> Result<Vec<SettleVerdict>, QueueError> {
        let exchanged = self.exchange(destination, worker, ended, None);
        Ok(exchanged.await?.verdicts)
    }
}
