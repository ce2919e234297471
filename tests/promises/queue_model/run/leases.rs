//! Claim, renew and settle.

use std::time::Duration;

use alumniq_relay::queue::{
    executor::Transition,
    lease::{ClaimRequest, SettleVerdict, Settlement},
};
use jobs::{destination::Destination, outcome::PauseReason};
use proptest::sample::Index;

use super::{Known, LONG, Run};
use crate::queue_model::{
    compare::{Checked, require, same},
    settle::Item,
    step::{Claim, End, Kind},
};

impl Run {
    pub(super) async fn claim(&mut self, claim: &Claim) -> Checked {
        let d = claim.destination;
        let before = self.snapshot().await;
        let line = &self.model.lines[&d];
        for lane in &line.expired {
            let id = &line.running[lane].id;
            self.witness
                .reached(d, lane, &self.model.changes[id].member);
            self.witness.lost(d, lane);
        }
        let claimed = self
            .queue
            .claim(&ClaimRequest {
                destination: d,
                worker: &claim.worker_name(),
                most: claim.most,
                lease: LONG,
                fleet_limit: claim.fleet_limit,
                full_batch: claim.full_batch,
                linger_over: claim.linger_over,
            })
            .await
            .unwrap();
        self.witness.claimed(d, &claimed.leases, &before)?;
        let (expected, held_back) = self.model.claim(claim);
        let leases = claimed.leases.iter();
        let leases = leases.map(|l| (l.lane.clone(), l.change_id.clone(), l.attempts));
        same(format!("{d}: claimed"), leases.collect(), expected)?;
        same(format!("{d}: held back"), claimed.held_back, held_back)?;
        for lease in claimed.leases {
            require(lease.row.is_ok(), || format!("{}: no row", lease.change_id))?;
            let running = self.model.line(d).running.get_mut(&lease.lane);
            running.unwrap().token = lease.token;
            self.model.newest_token = lease.token;
            self.leases.push(Known {
                destination: d,
                lane: lease.lane,
                token: lease.token,
            });
        }
        Ok(())
    }

    /// A lease that is held, or perhaps one that was lost.
    pub(super) fn pick_lease(
        &self,
        d: Destination,
        pick: &Index,
        perhaps_lost: bool,
    ) -> Option<(String, u64)> {
        let leases: Vec<&Known> = self
            .leases
            .iter()
            .filter(|known| known.destination == d)
            .filter(|known| perhaps_lost || self.model.holds(d, &known.lane, known.token))
            .collect();
        // Of all that were lost the newest: their lanes may be under another lease by now.
        let leases = &leases[leases.len().saturating_sub(10)..];
        let chosen = (!leases.is_empty()).then(|| pick.get(leases))?;
        Some((chosen.lane.clone(), chosen.token))
    }

    pub(super) async fn renew(
        &mut self,
        d: Destination,
        pick: &Index,
        perhaps_lost: bool,
    ) -> Checked {
        let Some((lane, token)) = self.pick_lease(d, pick, perhaps_lost) else {
            return Ok(());
        };
        let held = self
            .queue
            .renew(d, LONG, &[(lane.clone(), token)])
            .await
            .unwrap();
        same("renewed", held, vec![self.model.renew(d, &lane, token)])
    }

    pub(super) async fn settle(&mut self, d: Destination, ends: &[End], one_call: bool) -> Checked {
        let mut items: Vec<Item> = Vec::new();
        for end in ends {
            if let Some((lane, token)) = self.pick_lease(d, &end.pick, end.perhaps_lost) {
                let call = items.first().filter(|_| one_call);
                items.push(Item {
                    call: call.map_or(token, |first| first.call),
                    token: token + u64::from(end.foreign) * 1_000_000,
                    lane,
                    kind: end.kind,
                });
            }
        }
        self.settle_items(d, items).await
    }

    async fn settle_items(&mut self, d: Destination, items: Vec<Item>) -> Checked {
        let id = |item: &Item| Some(self.model.lines[&d].running.get(&item.lane)?.id.clone());
        let ids: Vec<Option<String>> = items.iter().map(id).collect();
        let attempts = |id: &Option<String>| {
            let attempts = &self.model.changes.get(id.as_ref()?)?.attempts;
            attempts.get(&d).copied()
        };
        let settlement = |(item, id): (&Item, &Option<String>)| Settlement {
            lane: item.lane.clone(),
            token: item.token,
            call: item.call,
            transition: transition(item.kind, attempts(id).unwrap_or(0) + 1),
            took: Duration::from_millis(5),
            sent: Some(format!("sent under {}", item.token)),
        };
        let settlements: Vec<Settlement> = items.iter().zip(&ids).map(settlement).collect();
        let settled = self.queue.settle(d, "worker-0", &settlements).await;
        let expected = self.model.settle(d, &items);
        same(format!("{d}: settled"), settled.unwrap(), expected.clone())?;
        for ((item, id), verdict) in items.iter().zip(ids).zip(expected) {
            let Some(id) = id.filter(|_| verdict != SettleVerdict::LeaseLost) else {
                continue;
            };
            self.witness.lost(d, &item.lane);
            let member = &self.model.changes[&id].member;
            if matches!(item.kind, Kind::Retry | Kind::Exhausted(_) | Kind::Abandon) {
                self.witness.reached(d, &item.lane, member);
            }
            match (item.kind, verdict) {
                (Kind::Done, _) => self.witness.done(d, &item.lane, &id, member),
                (Kind::Dead(_), _) | (Kind::Exhausted(_), SettleVerdict::Settled) => {
                    self.witness.dead(d, &id);
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) async fn crash(&mut self, d: Destination, times: u32) -> Checked {
        for _ in 0..times {
            self.claim(&Claim::all(d)).await?;
            self.check().await?;
            let running = self.model.lines[&d].running.keys().cloned().collect();
            self.leases_end(d, running).await?;
        }
        self.claim(&Claim::all(d)).await
    }

    pub(super) async fn storm(&mut self, d: Destination, one_call: bool) -> Checked {
        self.claim(&Claim::all(d)).await?;
        self.check().await?;
        self.settle_all(d, Kind::Retry, one_call).await
    }

    pub(super) async fn settle_all(
        &mut self,
        d: Destination,
        kind: Kind,
        one_call: bool,
    ) -> Checked {
        let running = &self.model.lines[&d].running;
        let first = running.values().next().map_or(0, |running| running.token);
        let items = running.iter().map(|(lane, running)| Item {
            lane: lane.clone(),
            token: running.token,
            call: if one_call { first } else { running.token },
            kind,
        });
        self.settle_items(d, items.collect()).await
    }
}

fn transition(kind: Kind, attempts: u32) -> Transition {
    match kind {
        Kind::Done => Transition::Done {
            detail: "updated".to_owned(),
        },
        Kind::Retry => Transition::Retry {
            delay: LONG,
            attempts,
            cause: "HTTP 500".to_owned(),
        },
        Kind::Exhausted(blame) => Transition::Exhausted {
            delay: LONG,
            attempts,
            cause: "HTTP 500".to_owned(),
            blame,
        },
        Kind::Pause => Transition::Pause {
            delay: None,
            reason: PauseReason::Outage,
            cause: "connection refused".to_owned(),
        },
        Kind::Dead(class) => Transition::Dead {
            class,
            cause: "no".to_owned(),
            advice: "look".to_owned(),
            attempts,
        },
        Kind::Release => Transition::Release,
        Kind::Abandon => Transition::Abandon,
    }
}
