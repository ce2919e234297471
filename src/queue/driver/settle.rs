//! The settling loop.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Attempted, Finished, REDIS_AWAY, Shared};
use crate::queue::{executor, lease::Settlement};

/// How many settlements one call of the script takes.
const SETTLEMENTS_A_CALL: usize = 256;

/// Settles what has finished, in batches, until nothing can come any more.
pub(super) async fn run(shared: Arc<Shared>, mut finished: mpsc::Receiver<Finished>) {
    let mut gathered = Vec::new();
    while gather(&shared, &mut finished, &mut gathered).await {
        settle(&shared, std::mem::take(&mut gathered)).await;
        shared.bell.ring();
    }
}

/// Takes what has finished by now; `false` once nothing can come any more.
async fn gather(
    shared: &Shared,
    finished: &mut mpsc::Receiver<Finished>,
    gathered: &mut Vec<Finished>,
) -> bool {
    let count = tokio::select! {
        count = finished.recv_many(gathered, SETTLEMENTS_A_CALL) => count,
        () = shared.idle_and_closing() => 0,
    };
    count > 0
}

/// Settles until Redis has it, or says that the leases are lost.
pub(super) async fn settle(shared: &Shared, finished: Vec<Finished>) {
    let (mut leases, mut settlements) = (Vec::new(), Vec::new());
    for Finished {
        batch,
        verdicts,
        begun,
        took,
    } in &finished
    {
        let call = batch.leases.first().map_or(0, |lease| lease.token);
        for (lease, verdict) in batch.leases.iter().zip(verdicts) {
            let transition = executor::decide(
                verdict.clone(),
                batch.hold.was_interrupted(),
                lease.attempts,
                &shared.settings.retry,
                rand::random(),
            );
            leases.push((lease, *begun));
            let destination = shared.settings.destination;
            let sent = lease.sent.get().filter(|_| transition.may_bury());
            let sent = sent.map(|document| {
                shared
                    .queue
                    .stored_document(destination, &lease.change_id, &document)
            });
            settlements.push(Settlement {
                lane: lease.lane.clone(),
                token: lease.token,
                call,
                transition,
                took: *took,
                sent,
            });
        }
    }
    let calls = settlements.chunks(SETTLEMENTS_A_CALL);
    for (leases, settlements) in leases.chunks(SETTLEMENTS_A_CALL).zip(calls) {
        let settled = loop {
            let settings = &shared.settings;
            match shared
                .queue
                .settle(settings.destination, &settings.worker, settlements)
                .await
            {
                Ok(settled) => break settled,
                Err(error) => {
                    tracing::debug!(destination = %settings.destination, %error, "cannot settle; trying again");
                    tokio::time::sleep(REDIS_AWAY).await;
                }
            }
        };
        for (((lease, begun), item), verdict) in leases.iter().zip(settlements).zip(settled) {
            shared.let_go(lease);
            let transition = item.transition.settled_as(verdict);
            (shared.observer)(&Attempted {
                destination: shared.settings.destination,
                worker: &shared.settings.worker,
                lease,
                transition: transition.as_deref(),
                begun: *begun,
                took: item.took,
            });
        }
    }
}
