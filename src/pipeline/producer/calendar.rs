//! When a fetch is due, and which campus days it asks for. The time is always that of Redis: a process whose own
//! clock is wrong fetches as well as any other.

use std::time::Duration;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use queue::leader::ProducerRecord;

use crate::config::Schedule;

/// How soon a failed fetch is tried again, unless AlumnIQ asks for more time.
pub(super) const TRY_AGAIN: Duration = Duration::from_secs(30);

/// How long until the next scheduled fetch is due; zero: now.
pub(super) fn due_in(
    schedule: &Schedule,
    timezone: &TimeZone,
    record: &ProducerRecord,
    now: u64,
) -> Duration {
    // A last fetch in the future: the clock was set back. Nobody knows since when, so it is not waited for.
    let Some(last) = record.last_started.filter(|last| *last <= now) else {
        return Duration::ZERO;
    };
    if record.has_gone_back() {
        return Duration::ZERO;
    }
    let due = match record.error {
        Some(_) => {
            let again = last.saturating_add(TRY_AGAIN.as_millis() as u64);
            again.max(record.not_before.unwrap_or_default())
        }
        None => instant(last)
            .and_then(|last| schedule.next_after(last, timezone))
            .map_or(u64::MAX, |due| {
                u64::try_from(due.as_millisecond()).unwrap_or_default()
            }),
    };
    Duration::from_millis(due.saturating_sub(now))
}

/// The campus day at `ms` of Redis' clock.
pub(crate) fn day(ms: u64, timezone: &TimeZone) -> Result<Date, jiff::Error> {
    Ok(instant(ms)?.to_zoned_datetime(timezone.clone()).date())
}

/// The first day that a sweep asks for: as far back as configured, and always the day before the last one, which
/// did not see its own day to the end. After days of failures that is further back than configured.
pub(crate) fn first_day(
    today: Date,
    lookback_days: u32,
    last_sweep: Option<u64>,
    timezone: &TimeZone,
) -> Result<Date, jiff::Error> {
    let configured = today.checked_sub(i64::from(lookback_days).days())?;
    Ok(match last_sweep {
        Some(last) => configured.min(day(last, timezone)?.yesterday()?),
        None => configured,
    })
}

/// Each day once, oldest first, both ends included.
pub(crate) fn days(first: Date, last: Date) -> impl Iterator<Item = Date> {
    first.series(1.day()).take_while(move |day| *day <= last)
}

/// `ms` of Redis' clock.
fn instant(ms: u64) -> Result<Timestamp, jiff::Error> {
    Timestamp::from_millisecond(i64::try_from(ms).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
