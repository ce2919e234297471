//! Claim, renew and settle; claim and settle also in one step.

use std::{collections::BTreeMap, time::Duration};

use harness::snapshot::Snapshot;
use jobs::{destination::Destination, outcome::PauseReason};
use proptest::sample::Index;
use queue::{
    exchange::Exchanged, executor::Transition, lease::Claimed, settlement::Settlement,
    verdict::SettleVerdict,
};

use super::{Known, LONG, Run};
use crate::queue_model::{
    compare::{Checked, require, same},
    settle::Item,
    step::{Claim, End, Kind},
};

impl Run {
    pub(super) async fn claim(&mut self, claim: &Claim) -> Checked {
        self.exchange(claim.destination, Vec::new(), Some(claim))
            .await
    }

    /// What ends, and what is claimed in its place.
    async fn exchange(
        &mut self,
        d: Destination,
        ended: Vec<Item>,
        claim: Option<&Claim>,
    ) -> Checked {
        let before = self.snapshot().await;
        let (settlements, ids) = self.settlements(d, &ended);
        let worker = claim.map_or_else(|| "worker-0".to_owned(), Claim::worker_name);
        let request = claim.map(Claim::request);
        let exchanged = self
            .queue
            .exchange(d, &worker, &settlements, request.as_ref());
        let Exchanged { verdicts, claimed } = exchanged.await.unwrap();
        let (left, corrected) = self.settled(d, &ended, ids, verdicts)?;
        match claim {
            Some(claim) => self.claimed(claim, claimed, &before, &left, corrected),
            None => {
                self.model.line(d).hungry.remove(&worker);
                require(claimed.leases.is_empty(), || {
                    "leases that nobody asked for".to_owned()
                })
            }
        }
    }

    /// `before`: the namespace before the script; `left`: the changes that left their lanes in it before the claim.
    fn claimed(
        &mut self,
        claim: &Claim,
        claimed: Claimed,
        before: &Snapshot,
        left: &[String],
        mut corrected: Vec<String>,
    ) -> Checked {
        let d = claim.destination;
        let line = &self.model.lines[&d];
        for lane in &line.expired {
            let id = &line.running[lane].id;
            self.witness
                .reached(d, lane, &self.model.changes[id].member);
            self.witness.lost(d, lane);
        }
        let (expected, held_back) = self.model.claim(claim);
        corrected.extend(self.forget_the_old_rows());
        self.witness
            .claimed(d, &claimed.leases, before, left, &corrected)?;
        let leases = claimed.leases.iter();
        let leases = leases.map(|l| (l.lane.clone(), l.change_id.clone(), l.attempts));
        same(format!("{d}: claimed"), leases.collect(), expected)?;
        same(format!("{d}: held back"), claimed.held_back, held_back)?;
        same(format!("{d}: rolled back"), claimed.rolled_back, None)?;
        if let (Some(_), Some(probe)) = (self.model.lines[&d].gate.machine, claimed.leases.first())
        {
            self.model.line(d).gate.probe = Some(probe.token);
        }
        for lease in claimed.leases {
            let deferrals = &self.model.changes[&lease.change_id].deferrals;
            same(
                format!("{}: deferrals", lease.change_id),
                lease.deferrals as usize,
                deferrals.get(&d).copied().unwrap_or(0),
            )?;
            require(lease.row.is_ok(), || format!("{}: no row", lease.change_id))?;
            let line = self.model.line(d);
            line.running.get_mut(&lease.lane).unwrap().token = lease.token;
            line.claimed.insert(claim.worker_name(), lease.token);
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

    /// `then`: claimed in the same step.
    pub(super) async fn settle(
        &mut self,
        d: Destination,
        ends: &[End],
        one_call: bool,
        then: Option<&Claim>,
    ) -> Checked {
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
        self.exchange(d, items, then).await
    }

    /// Each with its change, as far as it is held.
    fn settlements(
        &self,
        d: Destination,
        items: &[Item],
    ) -> (Vec<Settlement>, Vec<Option<String>>) {
        let id = |item: &Item| Some(self.model.lines[&d].running.get(&item.lane)?.id.clone());
        let ids: Vec<Option<String>> = items.iter().map(id).collect();
        let used = |id: &Option<String>| {
            let change = self.model.changes.get(id.as_ref()?)?;
            let deferrals = change.deferrals.get(&d).copied().unwrap_or(0);
            Some((change.attempts.get(&d).copied()?, deferrals as u32))
        };
        let settlement = |(item, id): (&Item, &Option<String>)| Settlement {
            lane: item.lane.clone(),
            token: item.token,
            call: item.call,
            transition: transition(item.kind, used(id).unwrap_or_default()),
            took: Duration::from_millis(5),
            sent: Some(format!("sent under {}", item.token)),
        };
        let settlements = items.iter().zip(&ids).map(settlement).collect();
        (settlements, ids)
    }

    /// Returns which changes left their lanes, and of which the corrected row took the place.
    fn settled(
        &mut self,
        d: Destination,
        items: &[Item],
        ids: Vec<Option<String>>,
        verdicts: Vec<SettleVerdict>,
    ) -> Checked<(Vec<String>, Vec<String>)> {
        // As they were under lease: a corrected row may have moved since.
        let items_members: BTreeMap<String, String> = ids
            .iter()
            .flatten()
            .map(|id| (id.clone(), self.model.changes[id].member.clone()))
            .collect();
        let expected = self.model.settle(d, items);
        let spared = std::mem::take(&mut self.model.spared);
        same(format!("{d}: settled"), verdicts, expected.clone())?;
        let mut left = Vec::new();
        for ((item, id), verdict) in items.iter().zip(ids).zip(expected) {
            let Some(id) = id.filter(|_| verdict != SettleVerdict::LeaseLost) else {
                continue;
            };
            self.witness.lost(d, &item.lane);
            let member = &items_members[&id];
            if item.kind.may_have_reached() {
                self.witness.reached(d, &item.lane, member);
            }
            match (item.kind, verdict) {
                _ if spared.contains(&id) => continue,
                (Kind::Done, _) => self.witness.done(d, &item.lane, &id, member),
                (Kind::Dead(_), _) | (Kind::Exhausted(_), SettleVerdict::Settled) => {
                    self.witness.dead(d, &id);
                }
                _ => continue,
            }
            left.push(id);
        }
        Ok((left, self.forget_the_old_rows()))
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

    pub(super) async fn storm(&mut self, d: Destination, kind: Kind, one_call: bool) -> Checked {
        self.claim(&Claim::all(d)).await?;
        self.check().await?;
        self.settle_all(d, kind, one_call).await
    }

    /// One change of those that can be claimed finds the destination down, so often, and the others get through.
    pub(super) async fn unlucky(&mut self, d: Destination, pick: &Index, times: usize) -> Checked {
        let mut unlucky = None;
        for _ in 0..times {
            self.claim(&Claim::all(d)).await?;
            self.check().await?;
            let running = &self.model.lines[&d].running;
            let lanes: Vec<&String> = running.keys().collect();
            if lanes.is_empty() {
                return Ok(());
            }
            let lane = unlucky.get_or_insert_with(|| pick.get(&lanes).to_string());
            let items = running.iter().map(|(name, running)| Item {
                lane: name.clone(),
                token: running.token,
                call: running.token,
                kind: match name == lane {
                    true => Kind::Defer { lost: false },
                    false => Kind::Done,
                },
            });
            let (items, lane) = (items.collect(), lane.clone());
            self.exchange(d, items, None).await?;
            self.check().await?;
            if self.model.lines[&d].later.contains(&lane) {
                self.retries_are_due(d, vec![lane]).await?;
            }
        }
        Ok(())
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
        let items = items.collect();
        self.exchange(d, items, None).await
    }
}

/// Of a change that had used these attempts, and whose last calls so often found the destination down.
fn transition(kind: Kind, (used, deferrals): (u32, u32)) -> Transition {
    let attempts = used + 1;
    match kind {
        Kind::Defer { lost } => Transition::Defer {
            delay: LONG,
            attempts: used,
            deferrals: deferrals + 1,
            cause: "HTTP 503".to_owned(),
            perhaps_taken: lost,
        },
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
