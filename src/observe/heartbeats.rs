//! Readiness: progress is possible while every loop of this process has turned recently.
//!
//! Redis is one of the loops: whoever asks it something beats when it answers.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// The loops of this process and when each last turned. Clones share one list.
#[derive(Debug, Clone, Default)]
pub struct Heartbeats {
    loops: Arc<Mutex<Vec<Loop>>>,
    closing: CancellationToken,
}

#[derive(Debug)]
struct Loop {
    role: String,
    max_age: Duration,
    pulse: Arc<Mutex<Pulse>>,
}

#[derive(Debug, Clone)]
enum Pulse {
    Never,
    At(Instant),
    Waits(String),
    Ended,
}

/// One loop's handle: it beats every time the loop has turned. Dropped, the loop counts as ended.
#[derive(Debug)]
pub struct Heartbeat(Arc<Mutex<Pulse>>);

/// What is known of one loop at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reading {
    /// As registered: a role's name, or `redis`.
    pub role: String,
    /// Whether it turned recently enough.
    pub ready: bool,
    /// Age of its last turn, if it ever turned.
    pub last_turn_seconds_ago: Option<f64>,
    /// The greatest age that still counts as turning.
    pub max_seconds: f64,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Heartbeats {
    /// Of a process that leaves once `closing` is cancelled.
    pub fn until(closing: CancellationToken) -> Self {
        Self {
            loops: Arc::default(),
            closing,
        }
    }

    /// Whether the process takes no new work any more, although its loops may turn.
    pub fn is_leaving(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Adds a loop that is to turn at least every `max_age`. It is not ready before its first beat. A role
    /// that is registered again (its loop was started anew) replaces the former one.
    pub fn register(&self, role: impl Into<String>, max_age: Duration) -> Heartbeat {
        let role = role.into();
        let pulse = Arc::new(Mutex::new(Pulse::Never));
        let entry = Loop {
            role,
            max_age,
            pulse: Arc::clone(&pulse),
        };
        let mut loops = lock(&self.loops);
        match loops.iter_mut().find(|known| known.role == entry.role) {
            Some(known) => *known = entry,
            None => loops.push(entry),
        }
        Heartbeat(pulse)
    }

    /// Every loop, in the order of registration.
    pub fn readings(&self, now: Instant) -> Vec<Reading> {
        lock(&self.loops)
            .iter()
            .map(|entry| entry.reading(now))
            .collect()
    }

    /// The loops that are not ready.
    pub fn stale(&self, now: Instant) -> Vec<Reading> {
        let mut readings = self.readings(now);
        readings.retain(|reading| !reading.ready);
        readings
    }
}

impl Heartbeat {
    /// The loop has turned just now.
    pub fn beat(&self) {
        self.beat_at(Instant::now());
    }

    /// The loop cannot turn yet; why.
    pub fn waits(&self, why: String) {
        *lock(&self.0) = Pulse::Waits(why);
    }

    /// The loop turned at `at`.
    pub fn beat_at(&self, at: Instant) {
        *lock(&self.0) = Pulse::At(at);
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        *lock(&self.0) = Pulse::Ended;
    }
}

impl Loop {
    fn reading(&self, now: Instant) -> Reading {
        let max = self.max_age.as_secs_f64();
        let (age, why) = match &*lock(&self.pulse) {
            Pulse::Waits(why) => (None, Some(why.clone())),
            Pulse::Never => (None, Some("has not turned yet".to_owned())),
            Pulse::Ended => (None, Some("has ended".to_owned())),
            Pulse::At(at) => {
                let age = now.saturating_duration_since(*at);
                let late = age > self.max_age;
                let why = format!(
                    "last turned {:.1} s ago, at most {max} s are allowed",
                    age.as_secs_f64()
                );
                (Some(age.as_secs_f64()), late.then_some(why))
            }
        };
        Reading {
            role: self.role.clone(),
            ready: why.is_none(),
            last_turn_seconds_ago: age,
            max_seconds: max,
            why,
        }
    }
}

/// No code panics while it holds these locks, and the data is whole after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_secs(10);

    fn why(heartbeats: &Heartbeats, now: Instant) -> Vec<String> {
        heartbeats
            .stale(now)
            .into_iter()
            .map(|reading| format!("{} {}", reading.role, reading.why.unwrap()))
            .collect()
    }

    #[test]
    fn a_loop_is_ready_from_its_first_beat_until_it_stops_turning() {
        let (heartbeats, start) = (Heartbeats::default(), Instant::now());
        let beat = heartbeats.register("producer", MAX);
        assert_eq!(why(&heartbeats, start), ["producer has not turned yet"]);
        beat.beat_at(start);
        assert!(heartbeats.stale(start + MAX).is_empty());
        assert_eq!(
            why(&heartbeats, start + MAX + Duration::from_millis(500)),
            ["producer last turned 10.5 s ago, at most 10 s are allowed"]
        );
        beat.beat_at(start + MAX * 2);
        assert!(heartbeats.stale(start + MAX * 2).is_empty());
    }

    #[test]
    fn each_loop_is_judged_by_its_own_age() {
        let (heartbeats, start) = (Heartbeats::default(), Instant::now());
        let redis = heartbeats.register("redis", MAX);
        let producer = heartbeats.register("producer", MAX * 6);
        redis.beat_at(start);
        producer.beat_at(start);
        let stale = heartbeats.stale(start + MAX * 2);
        assert_eq!(stale.len(), 1);
        assert_eq!(stale[0].role, "redis");
    }

    #[test]
    fn a_loop_that_ended_is_not_ready_until_it_is_registered_again() {
        let (heartbeats, start) = (Heartbeats::default(), Instant::now());
        let beat = heartbeats.register("crm", MAX);
        beat.beat_at(start);
        drop(beat);
        assert_eq!(why(&heartbeats, start), ["crm has ended"]);
        heartbeats.register("crm", MAX).beat_at(start);
        assert_eq!(heartbeats.readings(start).len(), 1);
    }

    #[test]
    fn the_end_of_a_replaced_loop_does_not_touch_its_successor() {
        let (heartbeats, start) = (Heartbeats::default(), Instant::now());
        let first = heartbeats.register("crm", MAX);
        let second = heartbeats.register("crm", MAX);
        second.beat_at(start);
        drop(first);
        assert!(heartbeats.stale(start).is_empty());
    }

    #[test]
    fn a_beat_from_the_future_is_fresh() {
        let (heartbeats, start) = (Heartbeats::default(), Instant::now());
        let beat = heartbeats.register("salsa", MAX);
        beat.beat_at(start + MAX);
        assert!(heartbeats.stale(start).is_empty());
    }
}
