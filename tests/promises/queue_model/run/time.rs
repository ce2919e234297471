//! Time passes: leases end, retries come due, gates open by half.

use jobs::destination::{Destination, Vendor};
use redis::AsyncTypedCommands;

use super::{FAR_FUTURE, Run};
use crate::queue_model::{compare::Checked, gate::Machine};

impl Run {
    /// As if time had passed.
    pub(super) async fn age(&mut self, key: String, member: &str) {
        self.clock += 1;
        let key = format!("{{{}}}:{key}", self.namespace);
        self.connection.zadd(key, member, self.clock).await.unwrap();
    }

    pub(super) async fn leases_end(&mut self, d: Destination, lanes: Vec<String>) -> Checked {
        for lane in lanes {
            self.age(format!("lease:{d}"), &lane).await;
            let expired = &mut self.model.line(d).expired;
            expired.retain(|other| *other != lane);
            expired.push(lane);
        }
        Ok(())
    }

    pub(super) async fn retries_are_due(&mut self, d: Destination, lanes: Vec<String>) -> Checked {
        for lane in lanes {
            self.age(format!("due:{d}"), &lane).await;
            let line = self.model.line(d);
            line.later.remove(&lane);
            line.due.push(lane);
        }
        Ok(())
    }

    pub(super) async fn gates_time_has_come(&mut self, vendor: Vendor) -> Checked {
        if self.model.gate(vendor).machine == Some(Machine::Shut) {
            self.model.gate(vendor).machine = Some(Machine::HalfOpen);
            self.write_gate(vendor, "1").await;
        }
        Ok(())
    }

    /// Only where there is one: a missing `until` is for the comparison to find.
    pub(super) async fn write_gate(&mut self, vendor: Vendor, until: &str) {
        let key = format!("{{{}}}:gate:{vendor}", self.namespace);
        if self.connection.hexists(&key, "until").await.unwrap() {
            self.connection.hset(&key, "until", until).await.unwrap();
        }
    }

    /// However slow the machine is, no gate opens by itself.
    pub(super) async fn hold_gates_shut(&mut self) {
        for vendor in Vendor::ALL {
            if self.model.gate(vendor).machine == Some(Machine::Shut) {
                self.write_gate(vendor, FAR_FUTURE).await;
            }
        }
    }

    pub(super) async fn ack_lease_ends(&mut self) -> Checked {
        if let Some(list) = &mut self.model.list {
            list.has_expired = true;
            let key = format!("{{{}}}:acking", self.namespace);
            self.connection.hset(key, "ends", "1").await.unwrap();
        }
        Ok(())
    }
}
