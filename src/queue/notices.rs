//! What the outside was told last, against what is: whoever of the fleet looks first tells the difference, once.
//!
//! ```text
//!  well, told nothing --differs for `after`--> to tell (id, facts) --claim--> leased --taken--> told
//!                                                  ^    |                       |
//!                                                  |    '- over again and surely nobody knows: dropped
//!                                                  '---- failed, or the lease ended
//! ```
//!
//! What was begun to be told is told as it was, under the same id, until it is taken; only then the state is
//! compared again. So what comes and goes while the receiver is away is not told at all.

use std::{collections::BTreeMap, num::ParseIntError, time::Duration};

use jiff::Timestamp;
use jobs::{
    destination::UnknownVendor,
    notice::{Event, Notice, Subject},
    outcome::{DeadClass, PauseReason},
};
use serde::Deserialize;

use super::{ClassifyForPeople, Queue, QueueError};

/// A leased notice.
#[derive(Debug)]
pub struct ToTell {
    /// What to tell.
    pub notice: Notice,
    /// How often it was tried, this attempt included.
    pub attempts: u32,
    /// Redis' clock: a machine's may be wrong, and receivers refuse what looks old.
    pub now: Timestamp,
    lease: NoticeLease,
}

impl ToTell {
    /// What it is settled by.
    pub fn lease(&self) -> &NoticeLease {
        &self.lease
    }
}

/// The right to tell it, with a fencing token.
#[derive(Debug, Clone)]
pub struct NoticeLease {
    subject: Subject,
    token: String,
}

/// A notice, or when to look again (`None`: nothing will change by itself).
#[derive(Debug)]
pub enum NoticeClaim {
    /// Tell this.
    Tell(Box<ToTell>),
    /// Nothing yet.
    Wait(Option<Duration>),
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeEnd {
    /// The receiver has it.
    Taken,
    /// Again after `delay`.
    Failed {
        /// How long to wait.
        delay: Duration,
        /// Whether the receiver may have it nevertheless.
        perhaps_taken: bool,
    },
}

/// As the script writes it down when it first finds it.
#[derive(Deserialize)]
struct Facts {
    since: i64,
    lasted: Option<u64>,
    reason: Option<PauseReason>,
    cause: Option<String>,
    #[serde(default)]
    counts: BTreeMap<DeadClass, u64>,
    difference: Option<i64>,
}

impl Queue {
    /// Leases what is to be told next: a state that has differed for `after` from what was told.
    pub async fn claim_notice(
        &self,
        after: Duration,
        lease: Duration,
    ) -> Result<NoticeClaim, QueueError> {
        let mut call = self.scripts.notice_claim.prepare_invoke();
        call.arg(after.as_millis() as u64)
            .arg(lease.as_millis() as u64);
        for class in DeadClass::ALL {
            call.arg(class.as_str());
        }
        let (wait, token, found): (i64, String, Vec<String>) = self.run(&mut call).await?;
        if token.is_empty() {
            let wait = u64::try_from(wait).ok().map(Duration::from_millis);
            return Ok(NoticeClaim::Wait(wait));
        }
        self.to_tell(token, found)
            .map(|to_tell| NoticeClaim::Tell(Box::new(to_tell)))
    }

    fn to_tell(&self, token: String, found: Vec<String>) -> Result<ToTell, QueueError> {
        let unreadable = |why: String| QueueError::unreadable("a notice", why);
        let [now, id, subject, trouble, at, attempts, facts] = found
            .try_into()
            .map_err(|_| unreadable("it has other parts".to_owned()))?;
        let time = |ms: i64| {
            Timestamp::from_millisecond(ms).map_err(|error| unreadable(error.to_string()))
        };
        let read = |ms: &str| {
            let ms: Result<i64, ParseIntError> = ms.parse();
            time(ms.map_err(|error| unreadable(error.to_string()))?)
        };
        let subject: Subject = subject
            .parse()
            .map_err(|error: UnknownVendor| unreadable(error.to_string()))?;
        let facts: Facts = serde_json::from_str(&facts)
            .map_err(|error| unreadable(error.classify_for_people()))?;
        let namespace = &self.settings.namespace;
        Ok(ToTell {
            notice: Notice {
                // What is signed is parted by full stops.
                id: format!("msg_{}_{id}", namespace.replace('.', "-")),
                namespace: namespace.clone(),
                event: Event::of(subject, trouble == "1"),
                destination: subject.vendor(),
                at: read(&at)?,
                since: time(facts.since)?,
                lasted: facts.lasted.map(Duration::from_millis),
                reason: facts.reason,
                cause: facts.cause.filter(|cause| !cause.is_empty()),
                counts: facts.counts,
                difference: facts.difference,
            },
            attempts: attempts.parse().unwrap_or(u32::MAX),
            now: read(&now)?,
            lease: NoticeLease { subject, token },
        })
    }

    /// Ends an attempt. `false`: the lease was lost, nothing was changed.
    pub async fn settle_notice(
        &self,
        lease: &NoticeLease,
        end: NoticeEnd,
    ) -> Result<bool, QueueError> {
        let (kind, delay, doubt) = match end {
            NoticeEnd::Taken => ("taken", Duration::ZERO, false),
            NoticeEnd::Failed {
                delay,
                perhaps_taken,
            } => ("failed", delay, perhaps_taken),
        };
        let mut call = self.scripts.notice_settle.prepare_invoke();
        call.arg(lease.subject.to_string())
            .arg(&lease.token)
            .arg(kind)
            .arg(delay.as_millis() as u64)
            .arg(u8::from(doubt));
        self.run(&mut call).await
    }
}
