//! Letters brought back and given up.

use jobs::destination::Vendor;

use super::{Handled, LETTERS_A_CALL};
use crate::{
    queue::{Queue, QueueError, audit::Handling},
    trail::CHANGE,
};

impl Queue {
    /// Brings letters back into their lanes. `forced`: even over a newer change. Rows that could not be
    /// decoded are named in the second part: they have to be read again (see [`Queue::row`]).
    pub async fn replay(
        &self,
        refs: &[(Vendor, String)],
        forced: bool,
        handling: impl Into<Handling<'_>>,
    ) -> Result<(Handled, Vec<String>), QueueError> {
        let handling = handling.into();
        let mut total = Handled::default();
        let mut undecodable = Vec::new();
        for chunk in refs.chunks(LETTERS_A_CALL) {
            let mut call = self.scripts.replay.prepare_invoke();
            self.push_hand(&mut call, handling);
            call.arg(u8::from(forced));
            for (vendor, id) in chunk {
                call.arg(vendor.as_str()).arg(id);
            }
            let verdicts: String = self.run(&mut call).await?;
            for (verdict, (vendor, id)) in verdicts.chars().zip(chunk) {
                match verdict {
                    'r' => {
                        total.handled += 1;
                        tracing::info!(target: CHANGE, change_id = id, destination = %vendor, "replayed");
                    }
                    'u' => undecodable.push(id.clone()),
                    _ => total.gone += 1,
                }
            }
        }
        Ok((total, undecodable))
    }

    /// Gives letters up. `acknowledge`: AlumnIQ is told once nothing else of the change is open.
    pub async fn discard(
        &self,
        refs: &[(Vendor, String)],
        acknowledge: bool,
        reason: &str,
        handling: impl Into<Handling<'_>>,
    ) -> Result<Handled, QueueError> {
        let handling = handling.into();
        let mut total = Handled::default();
        for chunk in refs.chunks(LETTERS_A_CALL) {
            let mut call = self.scripts.discard.prepare_invoke();
            self.push_hand(&mut call, handling);
            call.arg(u8::from(acknowledge))
                .arg(self.settings.keep.as_millis() as u64)
                .arg(self.settings.keep_payload.as_millis() as u64)
                .arg(reason);
            for (vendor, id) in chunk {
                call.arg(vendor.as_str()).arg(id);
            }
            let verdicts: String = self.run(&mut call).await?;
            for (verdict, (vendor, id)) in verdicts.chars().zip(chunk) {
                match verdict {
                    'd' => {
                        total.handled += 1;
                        // Not the reason: a person wrote it, perhaps about a person.
                        tracing::info!(target: CHANGE, change_id = id, destination = %vendor, "discarded");
                    }
                    _ => total.gone += 1,
                }
            }
        }
        Ok(total)
    }
}
