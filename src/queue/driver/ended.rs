//! From calls that have finished to what is recorded of them, and told.

use super::{Attempted, Finished, Shared};
use crate::{executor, settlement::Settlement, verdict::SettleVerdict};

/// What is to be recorded of the calls, a settlement a lease.
pub(super) fn settlements(shared: &Shared, finished: &[Finished]) -> Vec<Settlement> {
    finished
        .iter()
        .flat_map(|finished| of_one(shared, finished))
        .collect()
}

fn of_one(shared: &Shared, finished: &Finished) -> Vec<Settlement> {
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
                (lease.attempts, lease.deferrals),
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

/// Lets go of the leases and tells the observer what came of each.
pub(super) fn tell(
    shared: &Shared,
    finished: &[Finished],
    settlements: &[Settlement],
    verdicts: Vec<SettleVerdict>,
) {
    let leases = finished.iter().flat_map(|Finished { batch, begun, .. }| {
        let leases = batch.leases.iter();
        leases.map(|lease| (lease, *begun))
    });
    for (((lease, begun), item), verdict) in leases.zip(settlements).zip(verdicts) {
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
