//! One list of changeIds on its way to AlumnIQ: told in order, halved where it is refused.

use std::{
    slice,
    time::{Duration, SystemTime},
};

use jobs::{
    acknowledge::{self, AckOutcome},
    call_log::CallLog,
    destination::Vendor,
    outcome::PauseReason,
};
use queue::acknowledgement::{AckBatch, AckEnd, AckPause};

use super::Acknowledger;
use crate::observe::metrics;

/// So often AlumnIQ must refuse an id, accepting others in between, until that is held against the id.
const REFUSALS_PROVE: u32 = 3;

/// So many ids refused one by one, and nothing accepted in between, are no coincidence.
const REFUSED_MEANS_OUTAGE: usize = 8;

const REFUSED_ADVICE: &str =
    "Ask AlumnIQ about this changeId; then replay to tell it again, or discard.";

/// One PUT, as the changes tell of it that it named.
pub(super) struct Put {
    pub begun: SystemTime,
    pub call_log: CallLog,
}

impl Put {
    /// When the last of its calls had ended.
    pub fn ended(&self) -> SystemTime {
        let calls = self.call_log.calls();
        let ends = calls.iter().map(|call| call.begun + call.duration);
        ends.fold(self.begun, SystemTime::max)
    }
}

impl Default for Put {
    /// About to begin.
    fn default() -> Self {
        Self {
            begun: SystemTime::now(),
            call_log: CallLog::default(),
        }
    }
}

/// A list that is being told.
pub(super) struct Telling<'a> {
    acknowledger: &'a Acknowledger,
    batch: &'a AckBatch,
    /// An id that AlumnIQ accepted. Told again, it shows whether AlumnIQ accepts anything at the moment.
    control: Option<String>,
    /// Whether AlumnIQ is held to accept an id again.
    accepts_repeats: bool,
    /// Ids that were refused alone, oldest first.
    suspects: Vec<Suspect>,
    refused_in_a_row: usize,
    has_accepted: bool,
}

struct Suspect {
    id: String,
    refusals: u32,
}

struct Refusal {
    after: Option<Duration>,
    cause: String,
}

/// Why a list was not told to its end. What is left of it keeps its place.
pub(super) enum Stop {
    /// The list is another's.
    Lost,
    /// AlumnIQ takes no list.
    Down(AckPause),
    /// It refuses even what it accepted before: it takes no list, or no id twice.
    ControlRefused(AckPause),
    /// It refuses some ids, and what it accepted does not suffice to hold that against them.
    Unproven,
    /// This process stops. AlumnIQ may know the part at hand by now: telling it again changes nothing there.
    Abandoned,
}

impl<'a> Telling<'a> {
    /// `accepts_repeats`: AlumnIQ may be told again what it accepted before.
    pub fn new(acknowledger: &'a Acknowledger, batch: &'a AckBatch, accepts_repeats: bool) -> Self {
        Self {
            acknowledger,
            batch,
            control: batch.told.clone().filter(|_| accepts_repeats),
            accepts_repeats,
            suspects: Vec::new(),
            refused_in_a_row: 0,
            has_accepted: false,
        }
    }

    /// Tells the list part by part, the oldest first. An id that is refused alone is told again after whatever
    /// AlumnIQ accepts next: first of all the control, so that nothing newer is told before the id's case is
    /// decided. Without a control, the parts behind it must show that AlumnIQ accepts anything.
    pub async fn tell(mut self, ids: &[String]) -> Result<(), Stop> {
        let mut parts = vec![ids];
        loop {
            if let (Some(suspect), Some(control)) = (self.suspects.first(), &self.control) {
                self.ask_control(control, &suspect.id).await?;
            } else if let Some(part) = parts.pop() {
                let put = Put::default();
                if let Some(refusal) = self.ask(part, &put).await? {
                    match part {
                        [alone] => self.suspect(alone, refusal, parts.is_empty())?,
                        _ => {
                            let (count, cause) = (part.len(), refusal.cause);
                            tracing::warn!(count, %cause, "AlumnIQ refuses a list of changeIds: halving it");
                            let (left, right) = acknowledge::split(part);
                            parts.extend([right, left]);
                        }
                    }
                    continue;
                }
                self.accepted(part, &put).await?;
            } else {
                break;
            }
            self.ask_suspects_again().await?;
        }
        match self.suspects.is_empty() {
            true => Ok(()),
            false => Err(Stop::Unproven),
        }
    }

    /// `None`: accepted.
    async fn ask(&self, ids: &[String], put: &Put) -> Result<Option<Refusal>, Stop> {
        metrics::ack_batch(ids.len());
        let call = self.acknowledger.client.acknowledge(ids, None);
        let reply = CallLog::following(vec![put.call_log.clone()], call).await;
        match acknowledge::classify(&reply) {
            AckOutcome::Accepted => Ok(None),
            AckOutcome::Refused { after, cause } => Ok(Some(Refusal { after, cause })),
            AckOutcome::Pause {
                after: delay,
                reason,
                cause,
            } => {
                if reason == PauseReason::Throttled {
                    metrics::vendor_throttled(Vendor::Alumniq);
                }
                Err(Stop::Down(AckPause {
                    delay,
                    reason,
                    cause,
                }))
            }
        }
    }

    async fn ask_control(&self, control: &String, suspect: &str) -> Result<(), Stop> {
        let Some(refusal) = self.ask(slice::from_ref(control), &Put::default()).await? else {
            return Ok(());
        };
        let cause = format!(
            "AlumnIQ refuses changeId {suspect}, and also {control}, which it accepted before: {}",
            refusal.cause
        );
        Err(Stop::ControlRefused(outage(refusal.after, cause)))
    }

    fn suspect(&mut self, id: &str, refusal: Refusal, is_last: bool) -> Result<(), Stop> {
        self.suspects.push(Suspect {
            id: id.to_owned(),
            refusals: 1,
        });
        self.refused_in_a_row += 1;
        let nothing_to_compare = is_last && self.control.is_none() && !self.has_accepted;
        if self.refused_in_a_row >= REFUSED_MEANS_OUTAGE || nothing_to_compare {
            let cause = format!(
                "AlumnIQ refuses {} changeIds in a row and accepts no other, the last was {id}: {}",
                self.refused_in_a_row, refusal.cause
            );
            return Err(Stop::Down(outage(refusal.after, cause)));
        }
        Ok(())
    }

    /// AlumnIQ has just accepted something.
    async fn ask_suspects_again(&mut self) -> Result<(), Stop> {
        self.refused_in_a_row = 0;
        for mut suspect in std::mem::take(&mut self.suspects) {
            let id = slice::from_ref(&suspect.id);
            let put = Put::default();
            let Some(refusal) = self.ask(id, &put).await? else {
                self.accepted(id, &put).await?;
                continue;
            };
            suspect.refusals += 1;
            if suspect.refusals < REFUSALS_PROVE {
                self.suspects.push(suspect);
                continue;
            }
            let end = AckEnd::Rejected {
                cause: refusal.cause,
                advice: REFUSED_ADVICE.to_owned(),
            };
            self.settle(&end, id, &put).await?;
        }
        Ok(())
    }

    async fn accepted(&mut self, ids: &[String], put: &Put) -> Result<(), Stop> {
        self.has_accepted = true;
        if self.accepts_repeats {
            self.control = ids.last().cloned();
        }
        self.settle(&AckEnd::Accepted, ids, put).await
    }

    async fn settle(&self, end: &AckEnd, ids: &[String], put: &Put) -> Result<(), Stop> {
        match self.acknowledger.settle(self.batch, end, ids, put).await {
            true => Ok(()),
            false => Err(Stop::Lost),
        }
    }
}

fn outage(delay: Option<Duration>, cause: String) -> AckPause {
    AckPause {
        delay,
        reason: PauseReason::Outage,
        cause,
    }
}
