//! The renewing loop.

use std::sync::Arc;

use tokio::time::Instant;

use super::Shared;
use crate::lease::Hold;

/// Prolongs what is held, three times a lease, until nothing is held any more.
pub(super) async fn run(shared: Arc<Shared>) {
    let every = shared.settings.lease / 3;
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = shared.idle_and_closing() => return,
        }
        let held: Vec<(String, u64, Hold)> = shared
            .held()
            .iter()
            .map(|(lane, (token, hold))| (lane.clone(), *token, hold.clone()))
            .collect();
        if held.is_empty() {
            continue;
        }
        let names: Vec<(String, u64)> = held
            .iter()
            .map(|(lane, token, _)| (lane.clone(), *token))
            .collect();
        let sent = Instant::now();
        let lease = shared.settings.lease;
        match shared
            .queue
            .renew(shared.settings.destination, lease, &names)
            .await
        {
            Ok(still_held) => {
                (shared.beat)();
                let mut lost = Vec::new();
                for ((lane, token, hold), still_held) in held.iter().zip(still_held) {
                    if !still_held && shared.holds(lane, *token) {
                        lost.push(hold);
                    } else if still_held {
                        hold.prolong(sent, lease);
                    }
                }
                // A batch shares its hold: one lost lease stops the whole call.
                lost.into_iter().for_each(Hold::lose);
            }
            Err(error) => {
                tracing::debug!(destination = %shared.settings.destination, %error, "cannot renew leases");
            }
        }
    }
}
