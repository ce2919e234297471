//! Progress: a bar on a terminal, a log line now and then elsewhere.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jobs::destination::Vendor;
use queue::{
    Queue,
    stats::{Pause, Status},
};

use crate::observe::logs;

/// How often the bar asks Redis where the changes are.
const REDRAW: Duration = Duration::from_millis(200);

/// How often a line is logged where there is no bar.
const LINE: Duration = Duration::from_secs(10);

/// How far changes have come.
pub struct ProgressDisplay {
    bar: ProgressBar,
    total: u64,
    shown: Mutex<Shown>,
}

/// What was shown last.
#[derive(Clone, Copy)]
struct Shown {
    at: Instant,
    applied: u64,
}

impl ProgressDisplay {
    /// Over `total` changes; nothing at all where the person asked for `quiet`.
    pub fn new(total: usize, quiet: bool) -> Self {
        Self::of(total, quiet, "applied")
    }

    /// `unit`: what is done to each of them.
    fn of(total: usize, quiet: bool, unit: &'static str) -> Self {
        let target = match quiet {
            true => ProgressDrawTarget::hidden(),
            false => logs::bar_target(),
        };
        let bar = ProgressBar::with_draw_target(Some(total as u64), target);
        // The template is a constant that the tests render.
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {prefix}  {msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(unit);
        bar.enable_steady_tick(Duration::from_millis(200));
        logs::spare((!bar.is_hidden()).then(|| bar.clone()));
        Self {
            bar,
            total: total as u64,
            shown: Mutex::new(Shown {
                at: Instant::now(),
                applied: 0,
            }),
        }
    }

    /// Over `total` dead letters.
    pub fn of_letters(total: u64, quiet: bool) -> Self {
        let progress = Self::of(
            usize::try_from(total).unwrap_or(usize::MAX),
            quiet,
            "processed",
        );
        progress.bar.set_message("Ctrl-C calls it off");
        progress
    }

    /// Shows how many are processed.
    pub fn at(&self, processed: u64) {
        self.bar.set_position(processed);
    }

    /// Shows how many are applied and acknowledged, and where the rest is. Asks Redis only where something is to be
    /// shown.
    pub async fn show(&self, acknowledged: u64, dead: u64, queue: &Queue) {
        let has_bar = !self.bar.is_hidden();
        let before = *self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let since = before.at.elapsed();
        if since < if has_bar { REDRAW } else { LINE } {
            return;
        }
        let Ok(status) = queue.status().await else {
            return;
        };
        let seen = Seen {
            acknowledged,
            unacknowledged: status.to_acknowledge + status.acknowledging,
            dead,
            total: self.total,
        };
        let applied = seen.applied();
        if has_bar {
            self.bar.set_position(applied + dead);
            self.bar.set_message(beside_the_bar(acknowledged, &status));
        } else {
            let rate = applied.saturating_sub(before.applied) as f64 / since.as_secs_f64();
            tracing::info!("{}", seen.line(rate, &status.pauses));
        }
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Shown {
            at: Instant::now(),
            applied,
        };
    }

    /// Prints a line above the bar.
    pub fn line(&self, text: &str) -> miette::Result<()> {
        if !self.bar.is_hidden() && io::stdout().is_terminal() {
            // The same terminal, where the bar steps aside.
            logs::tell(text);
            return Ok(());
        }
        super::print(&format!("{text}\n"))
    }

    /// Takes the bar away: the summary follows.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for ProgressDisplay {
    fn drop(&mut self) {
        logs::spare(None);
    }
}

fn beside_the_bar(acknowledged: u64, status: &Status) -> String {
    let mut parts = vec![format!("{acknowledged} acknowledged")];
    parts.extend(status.destinations.iter().map(|(destination, counts)| {
        let open = counts.waiting + counts.ready + counts.retry;
        format!("{destination} {open} open, {} running", counts.running)
    }));
    if status.books.dead > 0 {
        parts.push(format!("{} dead", status.books.dead));
    }
    parts.extend(listed(&status.pauses));
    parts.join(" | ")
}

/// What became of the changes of one command.
#[derive(Clone, Copy)]
struct Seen {
    acknowledged: u64,
    /// Applied everywhere and not acknowledged. The queue may hold changes of others, too.
    unacknowledged: u64,
    dead: u64,
    total: u64,
}

impl Seen {
    fn applied(self) -> u64 {
        let most = self.total.saturating_sub(self.dead);
        (self.acknowledged + self.unacknowledged).min(most)
    }

    fn line(self, rate: f64, pauses: &BTreeMap<Vendor, Pause>) -> String {
        let Self {
            acknowledged,
            dead,
            total,
            ..
        } = self;
        let applied = self.applied();
        let mut line = format!(
            "{applied} of {total} changes applied ({rate:.1} a second), {acknowledged} acknowledged"
        );
        if dead > 0 {
            line += &format!(", {dead} dead letters");
        }
        for pause in listed(pauses) {
            line += "; ";
            line += &pause;
        }
        line
    }
}

/// Which destinations are paused, why, and for how long.
fn listed(pauses: &BTreeMap<Vendor, Pause>) -> impl Iterator<Item = String> {
    pauses.iter().map(|(vendor, pause)| {
        let reason = pause.reason.as_str();
        match pause.seconds_left {
            Some(left) => format!("{vendor} paused ({reason}, {:.0} s left)", left.ceil()),
            None => format!("{vendor} paused ({reason})"),
        }
    })
}

#[cfg(test)]
mod tests {
    use jobs::outcome::PauseReason;

    use super::*;

    #[test]
    fn a_line_says_how_far_the_changes_are_how_fast_and_what_they_wait_for() {
        let pause = |reason, seconds_left| Pause {
            reason,
            cause: "secret".to_owned(),
            since: String::new(),
            since_timestamp_seconds: 0.0,
            seconds_left,
        };
        let pauses = BTreeMap::from([
            (Vendor::Crm, pause(PauseReason::Operator, None)),
            (Vendor::Salsa, pause(PauseReason::Throttled, Some(41.2))),
        ]);
        let seen = Seen {
            acknowledged: 500,
            unacknowledged: 80,
            dead: 3,
            total: 1_200,
        };
        assert_eq!(
            seen.line(12.34, &pauses),
            "580 of 1200 changes applied (12.3 a second), 500 acknowledged, 3 dead letters; \
             crm paused (operator); salsa paused (throttled, 42 s left)"
        );
    }

    #[test]
    fn changes_of_others_are_not_counted_as_the_commands_own() {
        let seen = Seen {
            acknowledged: 10,
            unacknowledged: 80,
            dead: 1,
            total: 12,
        };
        assert_eq!(seen.applied(), 11);
    }
}
