//! The dice that decide which call meets which fault.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jobs::destination::Vendor;

use super::{
    faults::{Fault, Faults, Outage, VendorFaults},
    operation::Operation,
    seeded::Seeded,
};

/// What one call meets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CallPlan {
    pub(super) fault: Fault,
    pub(super) latency: Duration,
    pub(super) hang: Duration,
    pub(super) retry_after: Option<u64>,
}

/// The faults in force, the time since when, and how often each was met.
#[derive(Debug)]
pub(super) struct FaultDice {
    pub(super) faults: Faults,
    pub(super) injected: BTreeMap<Vendor, BTreeMap<Fault, u64>>,
    since: Instant,
    dice: Seeded,
}

impl FaultDice {
    pub(super) fn new(faults: Faults, seed: u64) -> Self {
        Self {
            faults,
            injected: BTreeMap::new(),
            since: Instant::now(),
            dice: Seeded::new(seed),
        }
    }

    pub(super) fn replace(&mut self, faults: Faults) {
        self.faults = faults;
        self.since = Instant::now();
    }

    pub(super) fn plan(&mut self, operation: Operation) -> CallPlan {
        let elapsed = self.since.elapsed().as_secs_f64();
        let vendor = operation.vendor();
        let faults = self.faults.vendor_mut(vendor);
        let fault = faults.draw(operation, elapsed, &mut self.dice);
        let jitter = Duration::from_millis(faults.jitter_ms).mul_f64(self.dice.fraction());
        if fault != Fault::None {
            *self
                .injected
                .entry(vendor)
                .or_default()
                .entry(fault)
                .or_default() += 1;
        }
        CallPlan {
            fault,
            latency: Duration::from_millis(faults.latency_ms) + jitter,
            hang: Duration::try_from_secs_f64(faults.hang_seconds).unwrap_or_default(),
            retry_after: faults.retry_after,
        }
    }

    /// Whether this supporter of this PUT is to be answered SYSTEM_ERROR.
    pub(super) fn fails_supporter(&mut self, external_id: Option<&str>) -> bool {
        let faults = &self.faults.salsa;
        external_id.is_some_and(|id| faults.system_error_xids.iter().any(|xid| xid == id))
            || (faults.system_error > 0.0 && self.dice.chance(faults.system_error))
    }

    /// Whether this supporter is to be answered VALIDATION_ERROR.
    pub(super) fn refuses_supporter(&self, external_id: Option<&str>) -> bool {
        let refused = &self.faults.salsa.validation_error_xids;
        external_id.is_some_and(|id| refused.iter().any(|xid| xid == id))
    }
}

impl VendorFaults {
    fn draw(&mut self, operation: Operation, elapsed: f64, dice: &mut Seeded) -> Fault {
        if let Some(outage) = self.outages.iter().find(|outage| outage.covers(elapsed)) {
            return outage.fault;
        }
        let meant = self.operations.is_empty()
            || self
                .operations
                .iter()
                .any(|name| name == operation.as_str());
        if !meant {
            return Fault::None;
        }
        if !self.next.is_empty() {
            return self.next.remove(0);
        }
        if self.rates.is_empty() {
            return Fault::None;
        }
        let drawn = dice.fraction();
        let mut reached = 0.0;
        for (fault, rate) in &self.rates {
            reached += rate;
            if drawn < reached {
                return *fault;
            }
        }
        Fault::None
    }
}

impl Outage {
    fn covers(&self, elapsed: f64) -> bool {
        elapsed >= self.after_seconds
            && self
                .seconds
                .is_none_or(|seconds| elapsed < self.after_seconds + seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dice(crm: VendorFaults) -> FaultDice {
        let faults = Faults {
            crm,
            ..Faults::default()
        };
        FaultDice::new(faults, 1)
    }

    #[test]
    fn scripted_faults_come_in_their_order_and_then_end() {
        let mut dice = dice(VendorFaults {
            next: vec![Fault::Lost, Fault::None, Fault::Reset],
            ..VendorFaults::default()
        });
        let met = [(); 4].map(|()| dice.plan(Operation::Update).fault);
        assert_eq!(met, [Fault::Lost, Fault::None, Fault::Reset, Fault::None]);
    }

    #[test]
    fn faults_of_one_operation_spare_the_others() {
        let mut dice = dice(VendorFaults {
            rates: BTreeMap::from([(Fault::ServerError, 1.0)]),
            operations: vec!["token".to_owned()],
            ..VendorFaults::default()
        });
        assert_eq!(dice.plan(Operation::Update).fault, Fault::None);
        assert_eq!(dice.plan(Operation::Token).fault, Fault::ServerError);
        assert_eq!(dice.injected[&Vendor::Crm][&Fault::ServerError], 1);
    }

    #[test]
    fn rates_are_met_about_as_often_as_they_say() {
        let mut dice = dice(VendorFaults {
            rates: BTreeMap::from([(Fault::ServerError, 0.1), (Fault::Lost, 0.2)]),
            ..VendorFaults::default()
        });
        for _ in 0..10_000 {
            dice.plan(Operation::Update);
        }
        let met = &dice.injected[&Vendor::Crm];
        assert!((900..1100).contains(&met[&Fault::ServerError]), "{met:?}");
        assert!((1850..2150).contains(&met[&Fault::Lost]), "{met:?}");
    }

    #[test]
    fn latency_is_the_fixed_part_and_up_to_the_jitter() {
        let mut dice = dice(VendorFaults {
            latency_ms: 40,
            jitter_ms: 20,
            ..VendorFaults::default()
        });
        let latencies: Vec<_> = (0..100)
            .map(|_| dice.plan(Operation::Update).latency.as_micros())
            .collect();
        assert!(
            latencies
                .iter()
                .all(|micros| (40_000..60_000).contains(micros))
        );
        assert!(latencies.iter().any(|micros| *micros > 50_000));
        assert!(dice.plan(Operation::Search).latency.is_zero());
    }

    #[test]
    fn an_outage_has_a_beginning_and_an_end() {
        let outage = Outage {
            after_seconds: 2.0,
            seconds: Some(3.0),
            fault: Fault::Close,
        };
        assert!([1.9, 5.0].iter().all(|&at| !outage.covers(at)));
        assert!([2.0, 4.9].iter().all(|&at| outage.covers(at)));
    }
}
