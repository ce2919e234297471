//! The end of a lease: the transition of its change, as settle.lua takes it.

use std::time::Duration;

use jobs::outcome::Blame;

use serde::Serialize;

use super::{
    QueueError,
    executor::{EXHAUSTED_ADVICE, Transition},
};

/// What the timeline says of a call that was given up.
const ABANDONED: &str =
    "the call was given up while it was under way: it may have been applied, and comes again";

/// The end of one lease.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The lease's lane.
    pub lane: String,
    /// Its token.
    pub token: u64,
    /// Which call to the vendor it was part of: the token of the batch's first lease. A call of twenty
    /// changes that fails is one sign of trouble, not twenty.
    pub call: u64,
    /// What came of it.
    pub transition: Transition,
    /// How long the attempt took.
    pub took: Duration,
    /// The document that was sent, see [`Queue::stored_document`](super::Queue::stored_document): kept where the change dies.
    pub sent: Option<String>,
}

/// What some kinds of transition carry, by the names that settle.lua knows.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Particulars<'a> {
    /// From now, ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<u128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deferrals: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    blames_change: bool,
    #[serde(skip_serializing_if = "is_false")]
    perhaps_taken: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<&'a str>,
}

/// What serde skips.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands a reference over"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Settlement {
    /// What is said of it, and its particulars.
    fn parts(&self) -> (&str, Particulars<'_>) {
        let sent = self.sent.as_deref();
        let after = |delay: &Duration| Some(delay.as_millis());
        match &self.transition {
            Transition::Done { detail } => (detail, Particulars::default()),
            Transition::Retry {
                delay,
                attempts,
                cause,
            } => {
                let particulars = Particulars {
                    delay: after(delay),
                    attempts: Some(*attempts),
                    ..Particulars::default()
                };
                (cause, particulars)
            }
            Transition::Exhausted {
                delay,
                attempts,
                cause,
                blame,
            } => {
                let particulars = Particulars {
                    delay: after(delay),
                    attempts: Some(*attempts),
                    advice: Some(EXHAUSTED_ADVICE),
                    blames_change: matches!(blame, Blame::Change),
                    sent,
                    ..Particulars::default()
                };
                (cause, particulars)
            }
            Transition::Defer {
                delay,
                attempts,
                deferrals,
                cause,
                perhaps_taken,
            } => {
                let particulars = Particulars {
                    delay: after(delay),
                    attempts: Some(*attempts),
                    deferrals: Some(*deferrals),
                    advice: Some(EXHAUSTED_ADVICE),
                    perhaps_taken: *perhaps_taken,
                    sent,
                    ..Particulars::default()
                };
                (cause, particulars)
            }
            Transition::Pause {
                delay,
                reason,
                cause,
            } => {
                let particulars = Particulars {
                    delay: delay.as_ref().and_then(after),
                    reason: Some(reason.as_str()),
                    ..Particulars::default()
                };
                (cause, particulars)
            }
            Transition::Dead {
                class,
                cause,
                advice,
                attempts,
            } => {
                let particulars = Particulars {
                    attempts: Some(*attempts),
                    class: Some(class.as_str()),
                    advice: Some(advice),
                    sent,
                    ..Particulars::default()
                };
                (cause, particulars)
            }
            Transition::Abandon => (ABANDONED, Particulars::default()),
            Transition::Release => ("", Particulars::default()),
        }
    }

    /// The fields of settle.lua.
    pub(super) fn push_arguments(
        &self,
        call: &mut redis::ScriptInvocation<'_>,
    ) -> Result<(), QueueError> {
        let (detail, particulars) = self.parts();
        let particulars = match particulars == Particulars::default() {
            true => String::new(),
            false => serde_json::to_string(&particulars)
                .map_err(|error| QueueError::unreadable("a settlement", error))?,
        };
        call.arg(&self.lane)
            .arg(self.token)
            .arg(self.call)
            .arg(self.took.as_millis() as u64)
            .arg(self.transition.kind())
            .arg(detail)
            .arg(particulars);
        Ok(())
    }
}
