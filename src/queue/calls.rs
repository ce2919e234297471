//! A vendor's limit of calls a minute, and what it says of its limits, shared by the whole fleet.

use std::time::Duration;

use jobs::destination::Vendor;

use super::{Queue, QueueError, scripts::Invocation};

/// What bounds the calls a minute to one vendor: the lowest of what is known.
#[derive(Debug, Clone, Copy)]
pub struct CallLimit {
    /// Whose.
    pub vendor: Vendor,
    /// `rate_per_minute` of the configuration; `None` = no bound.
    pub configured: Option<u32>,
    /// What the vendor publishes, until it says it itself; `None`: it has no limit that could be asked for.
    pub published: Option<u32>,
}

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallPurpose {
    /// Changes: not while the vendor's gate is shut or its limits are in doubt.
    Work,
    /// The question for the vendor's limits.
    Question,
    /// A person's command, which a pause of the fleet does not concern.
    Hand,
}

impl CallPurpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Question => "question",
            Self::Hand => "hand",
        }
    }
}

/// The answer to [`Queue::book_calls`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booking {
    /// So many of the calls may be made now.
    Given(usize),
    /// None of them before this has passed, and then ask again.
    Wait(Duration),
    /// The gate is shut.
    Shut,
}

/// Whether it is this process's turn to ask for the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitsTurn {
    /// Ask, and tell [`Queue::limits_told`] or [`Queue::limits_untold`].
    Ask,
    /// Somebody did or does: look again after this.
    Wait(Duration),
}

/// The vendor's batch size, where it has told one.
pub type ToldBatch = Option<usize>;

impl Queue {
    /// Asks for places for calls, each with an id of its own. A small limit may give fewer than asked for.
    /// Each place is to be given back by [`Queue::call_ended`] or [`Queue::call_unused`]; one that is not is
    /// held for `longest`, which a call may take, and a minute.
    pub async fn book_calls(
        &self,
        limit: &CallLimit,
        purpose: CallPurpose,
        longest: Duration,
        ids: &[String],
    ) -> Result<(Booking, ToldBatch), QueueError> {
        let mut call = self.throttle(limit.vendor, "book");
        call.arg(limit.configured.unwrap_or(0))
            .arg(limit.published.unwrap_or(0))
            .arg(purpose.as_str())
            .arg(longest.as_millis() as u64)
            .arg(ids);
        let (given, wait, batch): (usize, i64, usize) = self.run(&mut call).await?;
        let booking = match (given, u64::try_from(wait)) {
            (0, Ok(wait)) => Booking::Wait(Duration::from_millis(wait)),
            (0, Err(_)) => Booking::Shut,
            (given, _) => Booking::Given(given),
        };
        Ok((booking, told(batch)))
    }

    /// The call was answered or given up: its place is free again a minute from now.
    pub async fn call_ended(&self, vendor: Vendor, id: &str) -> Result<(), QueueError> {
        let mut call = self.throttle(vendor, "ended");
        call.arg(id);
        self.run(&mut call).await
    }

    /// The call was not made: its place is free.
    pub async fn call_unused(&self, vendor: Vendor, id: &str) -> Result<(), QueueError> {
        let mut call = self.throttle(vendor, "unused");
        call.arg(id);
        self.run(&mut call).await
    }

    /// Takes the turn of asking for the vendor's limits if what it said is older than `age`; then nobody else
    /// asks for `claim`.
    pub async fn limits_turn(
        &self,
        limit: &CallLimit,
        age: Duration,
        claim: Duration,
    ) -> Result<(LimitsTurn, ToldBatch), QueueError> {
        let mut call = self.throttle(limit.vendor, "turn");
        call.arg(limit.configured.unwrap_or(0))
            .arg(limit.published.unwrap_or(0))
            .arg(age.as_millis() as u64)
            .arg(claim.as_millis() as u64);
        let (mine, wait, batch): (bool, u64, usize) = self.run(&mut call).await?;
        let turn = match mine {
            true => LimitsTurn::Ask,
            false => LimitsTurn::Wait(Duration::from_millis(wait)),
        };
        Ok((turn, told(batch)))
    }

    /// The vendor said its limits: calls a minute, items a call.
    pub async fn limits_told(
        &self,
        vendor: Vendor,
        rate_per_minute: u32,
        batch: usize,
    ) -> Result<(), QueueError> {
        let mut call = self.throttle(vendor, "told");
        call.arg(rate_per_minute).arg(batch);
        self.run(&mut call).await
    }

    /// The vendor did not say its limits: somebody asks again after `again`.
    pub async fn limits_untold(&self, vendor: Vendor, again: Duration) -> Result<(), QueueError> {
        let mut call = self.throttle(vendor, "untold");
        call.arg(again.as_millis() as u64);
        self.run(&mut call).await
    }

    /// The vendor refused a call with more than `batch` items.
    pub async fn batch_refused(&self, vendor: Vendor, batch: usize) -> Result<(), QueueError> {
        let mut call = self.throttle(vendor, "smaller");
        call.arg(batch);
        self.run(&mut call).await
    }

    /// The vendor throttled a call: its limits are asked for as soon as the gate's time has come, and work
    /// waits for the answer, at the most for `longest`.
    pub async fn doubt_limits(&self, vendor: Vendor, longest: Duration) -> Result<(), QueueError> {
        let mut call = self.throttle(vendor, "doubt");
        call.arg(longest.as_millis() as u64);
        self.run(&mut call).await
    }

    fn throttle(&self, vendor: Vendor, action: &str) -> Invocation<'_> {
        let mut call = self.scripts.throttle.prepare_invoke();
        call.arg(vendor.as_str()).arg(action);
        call
    }
}

fn told(batch: usize) -> ToldBatch {
    (batch > 0).then_some(batch)
}
