//! The settling loop.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Attempted, Finished, REDIS_AWAY, Shared};
use crate::queue::{
    executor,
    lease::{SettleVerdict, Settlement},
};

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
pub(super) async fn settle(shared: &Shared, mut finished: Vec<Finished>) {
    let settlements: Vec<Settlement> = (finished.iter())
        .flat_map(|finished| settlements(shared, finished))
        .collect();
    let mut verdicts = Vec::with_capacity(settlements.len());
    for settlements in settlements.chunks(SETTLEMENTS_A_CALL) {
        verdicts.extend(record(shared, settlements).await);
    }
    // Their places are others' while it is told what came of them.
    finished
        .iter_mut()
        .for_each(|finished| finished.batch.place = None);
    let leases = finished.iter().flat_map(|Finished { batch, begun, .. }| {
        let leases = batch.leases.iter();
        leases.map(|lease| (lease, *begun))
    });
    for (((lease, begun), item), verdict) in leases.zip(&settlements).zip(verdicts) {
        shared.let_go(lease);
        let transition = item.transition.settled_as(verdict);
        (shared.observer)(&Attempted {
            destination: shared.settings.destination,
            worker: &shared.settings.worker,
            lease,
            transition: transition.as_deref(),
            begun,
            took: item.took,
        });
    }
}

/// What is to be recorded of one call.
fn settlements(shared: &Shared, finished: &Finished) -> Vec<Settlement> {
    let Finished {
        batch,
        verdicts,
        took,
        ..
    } = finished;
    let call = batch.leases.first().map_or(0, |lease| lease.token);
    let ended = batch.leases.iter().zip(verdicts);
    ended
        .map(|(lease, verdict)| {
            let transition = executor::decide(
                verdict.clone(),
                batch.hold.was_interrupted(),
                lease.attempts,
                &shared.settings.retry,
                rand::random(),
            );
            let destination = shared.settings.destination;
            let sent = lease.sent.get().filter(|_| transition.may_bury());
            let sent = sent.map(|document| {
                shared
                    .queue
                    .stored_document(destination, &lease.change_id, &document)
            });
            Settlement {
                lane: lease.lane.clone(),
                token: lease.token,
                call,
                transition,
                took: *took,
                sent,
            }
        })
        .collect()
}

async fn record(shared: &Shared, settlements: &[Settlement]) -> Vec<SettleVerdict> {
    let settings = &shared.settings;
    loop {
        match shared
            .queue
            .settle(settings.destination, &settings.worker, settlements)
            .await
        {
            Ok(settled) => return settled,
            Err(error) => {
                tracing::debug!(destination = %settings.destination, %error, "cannot settle; trying again");
                tokio::time::sleep(REDIS_AWAY).await;
            }
        }
    }
}
