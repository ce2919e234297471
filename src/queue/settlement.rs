//! The end of a lease: the transition of its change, as settle.lua takes it.

use std::time::Duration;

use jobs::outcome::Blame;

use super::{
    executor::{EXHAUSTED_ADVICE, Transition},
    scripts::or_empty,
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

impl Settlement {
    /// The eleven fields of settle.lua.
    pub(super) fn push_arguments(&self, call: &mut redis::ScriptInvocation<'_>) {
        let (mut detail, mut delay, mut word, mut advice) = ("", None, "", "");
        let mut attempts = String::new();
        match &self.transition {
            Transition::Done { detail: said } => detail = said,
            Transition::Retry {
                delay: after,
                attempts: used,
                cause,
            } => {
                (detail, delay, attempts) = (cause, Some(*after), used.to_string());
            }
            Transition::Exhausted {
                delay: after,
                attempts: used,
                cause,
                blame,
            } => {
                (detail, delay, attempts) = (cause, Some(*after), used.to_string());
                advice = EXHAUSTED_ADVICE;
                word = match blame {
                    Blame::Change => "own",
                    Blame::Unknown | Blame::Nobody => "",
                };
            }
            Transition::Defer {
                delay: after,
                attempts: used,
                deferrals,
                cause,
                perhaps_taken,
            } => {
                (detail, delay) = (cause, Some(*after));
                attempts = format!("{used} {deferrals}");
                (word, advice) = (if *perhaps_taken { "lost" } else { "" }, EXHAUSTED_ADVICE);
            }
            Transition::Pause {
                delay: after,
                reason,
                cause,
            } => {
                (detail, delay, word) = (cause, *after, reason.as_str());
            }
            Transition::Dead {
                class,
                cause,
                advice: todo,
                attempts: used,
            } => {
                (detail, attempts) = (cause, used.to_string());
                (word, advice) = (class.as_str(), todo);
            }
            Transition::Abandon => detail = ABANDONED,
            Transition::Release => {}
        }
        call.arg(&self.lane)
            .arg(self.token)
            .arg(self.transition.kind())
            .arg(detail)
            .arg(or_empty(delay.map(|delay| delay.as_millis())))
            .arg(attempts)
            .arg(word)
            .arg(advice)
            .arg(self.took.as_millis() as u64)
            .arg(self.call)
            .arg(self.sent.as_deref().unwrap_or_default());
    }
}
