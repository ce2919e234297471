//! Progress on a terminal; nothing elsewhere.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use queue::{Queue, stats::Status};

use crate::observe::logs;

/// A bar of changes that are through.
pub struct ProgressDisplay {
    bar: ProgressBar,
}

impl ProgressDisplay {
    /// Over `total` changes; nothing at all where the person asked for `quiet`.
    pub fn new(total: usize, quiet: bool) -> Self {
        let target = match quiet {
            true => ProgressDrawTarget::hidden(),
            false => logs::bar_target(),
        };
        let bar = ProgressBar::with_draw_target(Some(total as u64), target);
        // The template is a constant that the tests render.
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} through  {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        logs::spare((!bar.is_hidden()).then(|| bar.clone()));
        Self { bar }
    }

    /// Over `total` dead letters.
    pub fn of_letters(total: u64, quiet: bool) -> Self {
        let progress = Self::new(usize::try_from(total).unwrap_or(usize::MAX), quiet);
        progress.bar.set_message("Ctrl-C calls it off");
        progress
    }

    /// Shows how many are through.
    pub fn at(&self, through: u64) {
        self.bar.set_position(through);
    }

    /// Shows where the rest is. Asks Redis only where somebody looks.
    pub async fn show(&self, acknowledged: u64, dead: u64, queue: &Queue) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_position(acknowledged + dead);
        if let Ok(status) = queue.status().await {
            self.bar.set_message(line(&status));
        }
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

fn line(status: &Status) -> String {
    let mut parts: Vec<String> = status
        .destinations
        .iter()
        .map(|(destination, counts)| {
            let open = counts.waiting + counts.ready + counts.retry;
            format!("{destination} {open} open, {} running", counts.running)
        })
        .collect();
    parts.push(format!(
        "{} to acknowledge",
        status.to_acknowledge + status.acknowledging
    ));
    if status.books.dead > 0 {
        parts.push(format!("{} dead", status.books.dead));
    }
    for (vendor, pause) in &status.pauses {
        parts.push(format!("{vendor} paused ({})", pause.reason.as_str()));
    }
    parts.join(" | ")
}
