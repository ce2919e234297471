//! What happens when: a pure function of the seed.

use std::{collections::BTreeSet, fmt, ops::Range, time::Duration};

use super::fault::ChaosFault;
use crate::{Vendor, seeded::Seeded};

/// A vendor must be up for so long before the next one goes down: its gate is probed once more and opens.
const BETWEEN_OUTAGES: Duration = Duration::from_secs(3);

/// A process that was stopped has so long to find that its leases are lost.
const WAKES_UP: Duration = Duration::from_secs(1);

/// Redis is left alone for so long after each time that it was not: what it forgot is fetched again.
const REDIS_RECOVERS: Duration = Duration::from_secs(4);

/// How long Redis has no memory left.
const FULL: Duration = Duration::from_secs(4);

/// New changes arrive this often.
const WAVES: Duration = Duration::from_secs(4);

/// What is not about the vendors happens so often, and once more for each [`CHANGES_AN_ACT`] changes.
const ACTS: usize = 8;

/// See [`ACTS`].
const CHANGES_AN_ACT: usize = 600;

/// One thing that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChaosAct {
    /// New changes.
    Publish(usize),
    /// SIGKILL for a process, counted from 0.
    Kill(usize),
    /// SIGSTOP for a process that holds leases.
    Stop(usize),
    /// SIGCONT for it.
    Continue(usize),
    /// Redis ends in good order and comes back.
    RestartRedis,
    /// SIGKILL for Redis.
    KillRedis,
    /// Redis has no memory left.
    FillRedis,
    /// It has memory again.
    FreeRedis,
    /// Redis is emptied.
    EmptyRedis,
    /// Every connection to Redis is cut.
    CutRedis,
    /// A vendor refuses connections.
    Shut(Vendor),
    /// It takes them again.
    Open(Vendor),
    /// A vendor answers 500 to everything.
    Fail(Vendor),
    /// It works again.
    Mend(Vendor),
}

impl ChaosAct {
    /// Whether calls that are under way lose what came of them, so that they are made again. The end of a
    /// fault does no harm of its own.
    pub fn interrupts(self) -> bool {
        match self {
            Self::Kill(_)
            | Self::Stop(_)
            | Self::RestartRedis
            | Self::KillRedis
            | Self::FillRedis
            | Self::EmptyRedis
            | Self::CutRedis
            | Self::Shut(Vendor::Crm | Vendor::Salsa) => true,
            Self::Publish(_)
            | Self::Continue(_)
            | Self::FreeRedis
            | Self::Shut(Vendor::Alumniq)
            | Self::Open(_)
            | Self::Fail(_)
            | Self::Mend(_) => false,
        }
    }
}

/// In people's words; processes are counted from 1.
impl fmt::Display for ChaosAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish(changes) => write!(f, "{changes} new changes"),
            Self::Kill(worker) => write!(f, "process {} is killed", worker + 1),
            Self::Stop(worker) => write!(f, "process {} is stopped", worker + 1),
            Self::Continue(worker) => write!(f, "process {} goes on", worker + 1),
            Self::RestartRedis => f.write_str("Redis is restarted"),
            Self::KillRedis => f.write_str("Redis is killed"),
            Self::FillRedis => f.write_str("Redis is out of memory"),
            Self::FreeRedis => f.write_str("Redis has memory again"),
            Self::EmptyRedis => f.write_str("Redis is emptied"),
            Self::CutRedis => f.write_str("every connection to Redis is cut"),
            Self::Shut(vendor) => write!(f, "{} refuses connections", name(*vendor)),
            Self::Open(vendor) => write!(f, "{} takes connections again", name(*vendor)),
            Self::Fail(vendor) => write!(f, "{} answers 500 to everything", name(*vendor)),
            Self::Mend(vendor) => write!(f, "{} works again", name(*vendor)),
        }
    }
}

/// In people's words.
fn name(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::Alumniq => "AlumnIQ",
        Vendor::Crm => "the CRM",
        Vendor::Salsa => "Salsa",
    }
}

/// An act and its time, counted from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedAct {
    /// When.
    pub at: Duration,
    /// What.
    pub act: ChaosAct,
}

/// What the plan is made for.
#[derive(Debug, Clone)]
pub struct ChaosParameters {
    /// Changes altogether.
    pub changes: usize,
    /// Processes.
    pub workers: usize,
    /// How long work stays with a process that does not answer.
    pub lease: Duration,
    /// How long a vendor is down.
    pub outage: Duration,
    /// What may happen.
    pub faults: BTreeSet<ChaosFault>,
}

/// A whole run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChaosPlan {
    /// Changes that are there from the start.
    pub first_changes: usize,
    /// The rest, in the order of time.
    pub steps: Vec<PlannedAct>,
}

impl ChaosPlan {
    /// The same seed and wishes draw the same plan. Each fault that is wanted happens at least once.
    pub fn draw(seed: u64, wanted: &ChaosParameters) -> Self {
        let mut draft = Draft {
            dice: Seeded::new(seed),
            wanted,
            steps: Vec::new(),
        };
        let closed = draft.outages();
        draft.disturbances(&closed);
        let first_changes = draft.waves();
        let mut steps = draft.steps;
        steps.sort_by_key(|step| step.at);
        Self {
            first_changes,
            steps,
        }
    }
}

struct Draft<'w> {
    dice: Seeded,
    wanted: &'w ChaosParameters,
    steps: Vec<PlannedAct>,
}

impl Draft<'_> {
    fn add(&mut self, at: Duration, act: ChaosAct) {
        self.steps.push(PlannedAct { at, act });
    }

    fn between(&mut self, least: f64, most: f64) -> Duration {
        Duration::from_secs_f64(least + (most - least) * self.dice.fraction())
    }

    fn wants(&self, fault: ChaosFault) -> bool {
        self.wanted.faults.contains(&fault)
    }

    /// One vendor after the other is down; AlumnIQ together with a destination, and only when there is work in
    /// the queue. Both destinations are never down at once: then nothing would be leased, and nothing else
    /// could go wrong. Returns when AlumnIQ is down.
    fn outages(&mut self) -> Vec<Range<Duration>> {
        let mut closed = Vec::new();
        let kinds: [(ChaosFault, Outage); 2] = [
            (ChaosFault::VendorStop, (ChaosAct::Shut, ChaosAct::Open)),
            (ChaosFault::VendorErrors, (ChaosAct::Fail, ChaosAct::Mend)),
        ];
        let mut destinations = Vec::new();
        let mut alumniq = Vec::new();
        for (fault, kind) in kinds {
            if self.wants(fault) {
                destinations.extend([(Vendor::Crm, kind), (Vendor::Salsa, kind)]);
                alumniq.push(kind);
            }
        }
        self.dice.shuffle(&mut destinations);
        self.dice.shuffle(&mut alumniq);
        let mut at = self.between(3.0, 5.0);
        for (index, (vendor, kind)) in destinations.into_iter().enumerate() {
            self.outage(at, vendor, kind);
            if matches!(index, 1 | 2)
                && let Some(kind) = alumniq.pop()
            {
                let later = at + self.between(0.0, 1.0);
                self.outage(later, Vendor::Alumniq, kind);
                closed.push(later..later + self.wanted.outage);
            }
            at += self.wanted.outage + BETWEEN_OUTAGES + self.between(0.0, 1.0);
        }
        closed
    }

    fn outage(&mut self, at: Duration, vendor: Vendor, (begin, end): Outage) {
        self.add(at, begin(vendor));
        self.add(at + self.wanted.outage, end(vendor));
    }

    /// What happens to the processes and to Redis: each kind once, then by chance.
    fn disturbances(&mut self, closed: &[Range<Duration>]) {
        let mut weighted = Vec::new();
        let mut kinds = Vec::new();
        for (fault, weight) in [
            (ChaosFault::Kill, 6),
            (ChaosFault::Stop, 3),
            (ChaosFault::RedisRestart, 1),
            (ChaosFault::RedisKill, 1),
            (ChaosFault::RedisFull, 1),
            // Once is enough: whatever is not acknowledged then is applied again, all of it.
            (ChaosFault::RedisEmpty, 0),
            (ChaosFault::RedisCut, 2),
        ] {
            if self.wants(fault) {
                kinds.push(fault);
                weighted.extend(std::iter::repeat_n(fault, weight));
            }
        }
        if kinds.is_empty() {
            return;
        }
        let acts = ACTS + self.wanted.changes / CHANGES_AN_ACT;
        while !weighted.is_empty() && kinds.len() < acts {
            kinds.push(*self.dice.pick(&weighted));
        }
        self.dice.shuffle(&mut kinds);

        // Until when each process is stopped, and until when Redis is left alone.
        let mut stopped = vec![Duration::ZERO; self.wanted.workers];
        let mut redis = Duration::ZERO;
        let mut now = Duration::from_secs(2);
        for kind in kinds {
            now += self.between(1.0, 3.0);
            if matches!(kind, ChaosFault::Kill | ChaosFault::Stop) {
                let worker = self.dice.below(stopped.len());
                now = now.max(stopped[worker]);
                let stops = kind == ChaosFault::Stop;
                if stops
                    && stopped.iter().filter(|until| **until > now).count() + 1 == stopped.len()
                {
                    // Somebody has to be there to take over.
                    now = stopped.iter().copied().max().unwrap_or(now);
                }
                if !stops {
                    self.add(now, ChaosAct::Kill(worker));
                    continue;
                }
                let for_long = self.wanted.lease + self.between(1.5, 4.0);
                stopped[worker] = now + for_long + WAKES_UP;
                self.add(now, ChaosAct::Stop(worker));
                self.add(now + for_long, ChaosAct::Continue(worker));
                continue;
            }
            now = now.max(redis);
            let mut lasts = Duration::ZERO;
            match kind {
                ChaosFault::RedisRestart => self.add(now, ChaosAct::RestartRedis),
                ChaosFault::RedisKill => self.add(now, ChaosAct::KillRedis),
                ChaosFault::RedisCut => self.add(now, ChaosAct::CutRedis),
                ChaosFault::RedisEmpty => {
                    // A process that sleeps through it would wake up in another world, and with it a call
                    // that the checker cannot tell from a new one.
                    now = stopped.iter().copied().fold(now, Duration::max) + Duration::from_secs(1);
                    // Nothing could be fetched again for long, and so nothing else could go wrong.
                    let again = |down: &&Range<Duration>| down.contains(&(now + REDIS_RECOVERS));
                    now = closed.iter().find(again).map_or(now, |down| down.end);
                    self.add(now, ChaosAct::EmptyRedis);
                }
                _ => {
                    lasts = FULL;
                    self.add(now, ChaosAct::FillRedis);
                    self.add(now + lasts, ChaosAct::FreeRedis);
                }
            }
            redis = now + lasts + REDIS_RECOVERS;
        }
    }

    /// Half of the changes is there at first; the others come as long as anything happens.
    fn waves(&mut self) -> usize {
        let changes = self.wanted.changes;
        let end = self.steps.iter().map(|step| step.at).max();
        let waves = end.unwrap_or_default().as_secs() / WAVES.as_secs();
        let waves = usize::try_from(waves).unwrap_or(0).min(changes);
        if waves == 0 {
            return changes;
        }
        let later = changes / 2;
        for wave in 0..waves {
            let size = later * (wave + 1) / waves - later * wave / waves;
            let at = WAVES * u32::try_from(wave).unwrap_or(0) + self.between(0.0, 3.9);
            if size > 0 {
                self.add(at, ChaosAct::Publish(size));
            }
        }
        changes - later
    }
}

type Outage = (fn(Vendor) -> ChaosAct, fn(Vendor) -> ChaosAct);

#[cfg(test)]
mod tests;
