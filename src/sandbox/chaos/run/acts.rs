//! What each act of the plan does.

use std::time::{Duration, Instant};

use super::{
    super::{
        door::ChaosProxy,
        plan::{ChaosAct, PlannedAct},
        summary::Done,
        watch::QueueObserver,
    },
    ChaosEvent, ChaosRun, TICK,
};
use crate::{Fault as CallFault, Forgotten, NewChanges, Outage, Vendor};
use miette::{IntoDiagnostic, miette};

/// How long a process that is to be stopped may take to hold leases.
const UNTIL_BUSY: Duration = Duration::from_secs(12);

/// After Redis was emptied, calls that began before may still arrive for so long: a lease and the time to
/// notice its loss.
const GRACE: Duration = Duration::from_secs(3);

impl ChaosRun {
    /// Does what the step says.
    pub(super) async fn perform(
        &mut self,
        step: PlannedAct,
        watch: &QueueObserver,
        tell: &impl AsyncFn(ChaosEvent<'_>) -> miette::Result<()>,
    ) -> miette::Result<()> {
        let PlannedAct { at, act } = step;
        let done = Done {
            at: (at.as_secs_f64() * 10.0).round() / 10.0,
            what: act.to_string(),
        };
        if !matches!(act, ChaosAct::Publish(_)) {
            let line = format!("{:7.1} s  {}", done.at, done.what);
            tell(ChaosEvent::Line(&line)).await?;
        }
        self.done.push(done);
        self.counts.interruptions += u64::from(act.interrupts());
        match act {
            ChaosAct::Publish(count) => {
                self.sandbox.add_changes(&NewChanges {
                    count,
                    ..NewChanges::default()
                });
            }
            ChaosAct::Kill(worker) => {
                self.counts.kills += 1;
                self.processes.kill(worker).await;
            }
            ChaosAct::Stop(worker) => {
                self.counts.stops += 1;
                self.counts.zombies += u64::from(self.stop_with_leases(worker, watch, tell).await?);
            }
            ChaosAct::Continue(worker) => self.processes.signal(worker, "CONT"),
            ChaosAct::Shut(vendor) => {
                self.counts.outages += 1;
                self.door(vendor)?.shut().await.into_diagnostic()?;
            }
            ChaosAct::Open(vendor) => self.door(vendor)?.open().into_diagnostic()?,
            ChaosAct::Fail(vendor) => {
                self.counts.outages += 1;
                self.outage(vendor, Some(CallFault::ServerError));
            }
            ChaosAct::Mend(vendor) => self.outage(vendor, None),
            ChaosAct::RestartRedis
            | ChaosAct::KillRedis
            | ChaosAct::FillRedis
            | ChaosAct::FreeRedis
            | ChaosAct::EmptyRedis
            | ChaosAct::CutRedis => {
                self.counts.redis += u64::from(act.interrupts());
                if act == ChaosAct::EmptyRedis {
                    // What it counted so far goes with it.
                    watch.look().await;
                }
                let (queue, processes) = (watch.queue(), &self.processes);
                self.redis.perform(act, queue, processes).await?;
                if act == ChaosAct::EmptyRedis {
                    self.sandbox.forgotten(Forgotten {
                        grace_seconds: GRACE.as_secs_f64(),
                    });
                }
            }
        }
        Ok(())
    }

    fn door(&mut self, vendor: Vendor) -> miette::Result<&mut ChaosProxy> {
        let door = self.doors.get_mut(&vendor);
        door.ok_or_else(|| miette!("this vendor has no door"))
    }

    fn outage(&mut self, vendor: Vendor, fault: Option<CallFault>) {
        let mut faults = self.sandbox.faults();
        let outage = fault.map(|fault| Outage {
            after_seconds: 0.0,
            seconds: None,
            fault,
        });
        faults.vendor_mut(vendor).outages = outage.into_iter().collect();
        self.sandbox.set_faults(faults);
    }

    /// A process that holds nothing when it is stopped would prove nothing when it wakes up. Returns whether it
    /// holds something.
    async fn stop_with_leases(
        &mut self,
        worker: usize,
        watch: &QueueObserver,
        tell: &impl AsyncFn(ChaosEvent<'_>) -> miette::Result<()>,
    ) -> miette::Result<bool> {
        let began = Instant::now();
        loop {
            if self.holds_leases(worker, watch).await {
                self.processes.signal(worker, "STOP");
                // It may have given them back at the last moment.
                if self.holds_leases(worker, watch).await {
                    return Ok(true);
                }
                self.processes.signal(worker, "CONT");
            }
            if began.elapsed() > UNTIL_BUSY {
                self.processes.signal(worker, "STOP");
                return Ok(false);
            }
            self.tick(watch, tell).await?;
            tokio::time::sleep(TICK / 10).await;
        }
    }

    async fn holds_leases(&self, worker: usize, watch: &QueueObserver) -> bool {
        let holders = watch.queue().holders().await.unwrap_or_default();
        let mut names = holders.keys();
        names.any(|name| self.processes.is_called(worker, name))
    }
}
