//! Letters brought back and given up.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use jobs::{call_log::CHANGE, destination::Vendor};

use super::{Handled, LETTERS_A_CALL};
use crate::{Queue, QueueError, audit::Handling};

impl Queue {
    /// Brings letters back into their lanes. `apply_stale`: even over a newer change. Rows that could not be
    /// decoded are named in the second part: they have to be read again (see [`Queue::row`]).
    pub async fn replay(
        &self,
        refs: &[(Vendor, String)],
        apply_stale: bool,
        handling: impl Into<Handling<'_>>,
    ) -> Result<(Handled, Vec<String>), QueueError> {
        let (mut handling, entry) = (handling.into(), AtomicU64::default());
        let is_whole = handling.begin(&entry);
        let mut total = Handled::default();
        let mut undecodable = Vec::new();
        for chunk in refs.chunks(LETTERS_A_CALL) {
            let mut call = self.scripts.replay.prepare_invoke();
            self.push_hand(&mut call, handling);
            call.arg(u8::from(apply_stale));
            for (vendor, id) in chunk {
                call.arg(vendor.as_str()).arg(id);
            }
            let answer: String = self.run(&mut call).await?;
            let verdicts = verdicts(&answer, handling);
            for (verdict, (vendor, id)) in verdicts.chars().zip(chunk) {
                match verdict {
                    'r' => {
                        total.handled += 1;
                        tracing::debug!(target: CHANGE, change_id = id, destination = %vendor, "replayed");
                    }
                    'u' => undecodable.push(id.clone()),
                    _ => total.gone += 1,
                }
            }
        }
        if is_whole {
            total.log("replayed");
        }
        Ok((total, undecodable))
    }

    /// Gives letters up. AlumnIQ is told once nothing else of the change is open, unless `keep_unacknowledged`.
    pub async fn discard(
        &self,
        refs: &[(Vendor, String)],
        keep_unacknowledged: bool,
        reason: &str,
        handling: impl Into<Handling<'_>>,
    ) -> Result<Handled, QueueError> {
        let (mut handling, entry) = (handling.into(), AtomicU64::default());
        let is_whole = handling.begin(&entry);
        let mut total = Handled::default();
        for chunk in refs.chunks(LETTERS_A_CALL) {
            let mut call = self.scripts.discard.prepare_invoke();
            self.push_hand(&mut call, handling);
            call.arg(u8::from(keep_unacknowledged))
                .arg(self.settings.keep.as_millis() as u64)
                .arg(self.settings.keep_payload.as_millis() as u64)
                .arg(reason);
            for (vendor, id) in chunk {
                call.arg(vendor.as_str()).arg(id);
            }
            let answer: String = self.run(&mut call).await?;
            let verdicts = verdicts(&answer, handling);
            for (verdict, (vendor, id)) in verdicts.chars().zip(chunk) {
                match verdict {
                    'd' => {
                        total.handled += 1;
                        // Not the reason: a person wrote it, perhaps about a person.
                        tracing::debug!(target: CHANGE, change_id = id, destination = %vendor, "discarded");
                    }
                    _ => total.gone += 1,
                }
            }
        }
        if is_whole {
            total.log("discarded");
        }
        Ok(total)
    }
}

impl Handled {
    /// One line an action, however many changes it is about.
    pub fn log(&self, what: &str) {
        let Self { handled, gone } = self;
        tracing::info!(handled, gone, "dead letters {what}");
    }
}

/// A script's verdicts; the entry of the audit that it wrote is kept for the next step.
fn verdicts<'a>(answer: &'a str, handling: Handling<'_>) -> &'a str {
    let (verdicts, entry) = answer.split_once(' ').unwrap_or((answer, ""));
    if let (Some(kept), Ok(entry)) = (handling.entry, entry.parse()) {
        kept.store(entry, Relaxed);
    }
    verdicts
}
