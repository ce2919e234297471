//! What must hold whatever the model says: read from Redis and from the answers alone.

use std::collections::{BTreeMap, BTreeSet};

use harness::snapshot::Snapshot;
use jobs::destination::{Destination, Vendor};
use queue::lease::Lease;

use super::compare::{Checked, require};

#[derive(Debug, Default)]
pub struct Witness {
    /// Lanes under lease.
    leased: BTreeSet<(Destination, String)>,
    /// Changes that a destination accepted or an operator gave up there.
    finished: BTreeSet<(Vendor, String)>,
    /// The newest member that was applied, or may have been.
    applied: BTreeMap<(Destination, String), String>,
    /// Members to be applied even over a newer one.
    forced: BTreeSet<(Destination, String)>,
    newest_token: u64,
}

impl Witness {
    /// `before`: the namespace before the claim, but for the changes that have `left` their lanes, and for those whose
    /// corrected rows took their places in the same step.
    pub fn claimed(
        &mut self,
        d: Destination,
        leases: &[Lease],
        before: &Snapshot,
        left: &[String],
        corrected: &[String],
    ) -> Checked {
        for lease in leases {
            let (lane, id) = (&lease.lane, &lease.change_id);
            let is_first = self.leased.insert((d, lane.clone()));
            require(is_first, || format!("{d}: two leases on {lane} at a time"))?;
            require(lease.token > self.newest_token, || {
                format!("{d}: the token of {lane} is not newer than all before")
            })?;
            self.newest_token = lease.token;

            if corrected.contains(id) {
                continue;
            }
            let lanes = before.lanes();
            let waiting = lanes.get(lane.as_str()).into_iter().flatten();
            let members = waiting
                .filter(|(_, who)| **who & d.bit() != 0)
                .map(|(member, _)| *member)
                .filter(|member| {
                    !left
                        .iter()
                        .chain(corrected)
                        .any(|id| member.ends_with(&format!(" {id}")))
                });
            let applied = self.applied.get(&(d, lane.clone()));
            let is_late =
                |member: &str| applied.is_some_and(|newest| member.as_bytes() < newest.as_bytes());
            // A death by crash, in an earlier claim, has taken the operator's word back.
            let still_forced = before.hash(&format!("forced:{d}"));
            let may_go = |member: &&str| {
                let id = member.split_once(' ').unwrap().1;
                let forced = self.forced.contains(&(d, id.to_owned()));
                !is_late(member) || (forced && still_forced.contains_key(id))
            };
            let crashed_here = |member: &str| {
                let id = member.split_once(' ').unwrap().1;
                before.hash(&format!("crashes:{d}")).contains_key(id)
            };
            let member = members
                .clone()
                .find(|member| member.split_once(' ').is_some_and(|(_, name)| name == id));
            let member = member.ok_or_else(|| format!("{d}: {id} did not wait in {lane}"))?;
            require(may_go(&member), || {
                format!("{d}: {id} is older than what was applied")
            })?;
            for older in members.filter(|other| other.as_bytes() < member.as_bytes()) {
                // A claim may bury what is late or keeps killing its workers on the way.
                require(!may_go(&older) || crashed_here(older), || {
                    format!("{d}: {id} went before the older {older}")
                })?;
            }
        }
        Ok(())
    }

    /// Whoever had the lease has it no more.
    pub fn lost(&mut self, d: Destination, lane: &str) {
        self.leased.remove(&(d, lane.to_owned()));
    }

    pub fn done(&mut self, d: Destination, lane: &str, id: &str, member: &str) {
        self.finished.insert((d.into(), id.to_owned()));
        self.forced.remove(&(d, id.to_owned()));
        self.reached(d, lane, member);
    }

    /// The destination took it, or may have taken it.
    pub fn reached(&mut self, d: Destination, lane: &str, member: &str) {
        if lane.starts_with("x:") {
            let newest = self.applied.entry((d, lane.to_owned())).or_default();
            if newest.as_bytes() < member.as_bytes() {
                *newest = member.to_owned();
            }
        }
    }

    pub fn dead(&mut self, d: Destination, id: &str) {
        self.forced.remove(&(d, id.to_owned()));
    }

    pub fn forced(&mut self, d: Destination, id: &str) {
        self.forced.insert((d, id.to_owned()));
    }

    /// Every destination has to take it again.
    pub fn corrected(&mut self, id: &str) {
        self.finished.retain(|(_, other)| other != id);
        self.forced.retain(|(_, other)| other != id);
    }

    pub fn discarded(&mut self, vendor: Vendor, id: &str) {
        self.finished.insert((vendor, id.to_owned()));
    }

    /// Nothing is known of the person any more: neither leases nor what was applied.
    pub fn erased(&mut self, xid: &str) {
        self.freed(xid);
        let lane = format!("x:{xid}");
        self.applied.retain(|(_, other), _| *other != lane);
    }

    /// Nobody holds a change of the person any more.
    pub fn freed(&mut self, xid: &str) {
        let lane = format!("x:{xid}");
        self.leased.retain(|(_, other)| *other != lane);
    }

    /// A change that may be told to AlumnIQ is finished at every destination, or given up as a whole.
    pub fn to_acknowledge(&self, id: &str, destinations: &[Destination]) -> Checked {
        let finished = |vendor| self.finished.contains(&(vendor, id.to_owned()));
        for d in destinations {
            require(
                finished(Vendor::Alumniq) || finished(Vendor::from(*d)),
                || format!("{id} would be acknowledged before {d} has it"),
            )?;
        }
        Ok(())
    }
}
