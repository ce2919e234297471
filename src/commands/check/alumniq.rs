//! AlumnIQ: does it give changes, for how long yet, and what would become of them.

use std::time::Instant;

use jiff::{Timestamp, ToSpan, civil::Date};
use serde_json::value::RawValue;

use super::{CheckFinding, rows};
use crate::{
    commands::context::Context,
    pipeline::producer::{FetchError, Poured, pour},
    vendors::{AlumniqClient, FeedFilter},
};

const ABOUT: &str = "alumniq";

/// Rows that are decoded and mapped at most.
const SAMPLE: usize = 500;

/// A key with fewer days left is worth a warning.
const KEY_DAYS: i64 = 30;

/// Asks for today's changes, and where there are none, for those of the days that a poll looks back; marks
/// nothing as processed.
pub async fn probe(context: &Context) -> Vec<CheckFinding> {
    let client = match context.alumniq() {
        Ok(client) => client,
        Err(error) => return vec![CheckFinding::fail(ABOUT, error.to_string(), "")],
    };
    let alumniq = &context.config.alumniq;
    let today = Timestamp::now()
        .to_zoned_datetime(alumniq.timezone.clone())
        .date();
    let since = today.checked_sub(i64::from(alumniq.lookback_days).days());
    let mut findings = Vec::new();
    let mut sample = fetch(&client, FeedFilter::ChangedOn(today), &mut findings).await;
    if let (Some([]), Ok(since)) = (sample.as_deref(), since) {
        sample = fetch(&client, FeedFilter::ChangedSince(since), &mut findings).await;
    }
    let sample = sample.unwrap_or_default();
    findings.extend(rows::judge(&sample, &context.config));
    findings
}

/// Some of the rows, or `None` after noting why there are none.
async fn fetch(
    client: &AlumniqClient,
    filter: FeedFilter,
    findings: &mut Vec<CheckFinding>,
) -> Option<Vec<Box<RawValue>>> {
    let started = Instant::now();
    let keep = |sample: &mut Vec<_>, row| {
        if sample.len() < SAMPLE {
            sample.push(row);
        }
        Ok(())
    };
    let Poured { key_days, rows } = pour(client, &filter, false, Vec::new(), keep).await;
    let took = started.elapsed().as_millis();
    match rows {
        Ok((rows, sample)) => {
            let what = format!("{rows} unprocessed changes {} ({took} ms)", asked(&filter));
            if findings.is_empty() {
                findings.push(key(key_days));
            }
            findings.push(CheckFinding::ok(ABOUT, what));
            Some(sample)
        }
        Err(FetchError::Feed(error)) => {
            findings.push(CheckFinding::fail(ABOUT, error.cause, error.advice));
            None
        }
        Err(error) => {
            findings.push(CheckFinding::fail(ABOUT, error.to_string(), ""));
            None
        }
    }
}

fn asked(filter: &FeedFilter) -> String {
    let day = |day: &Date| day.strftime("%Y-%m-%d").to_string();
    match filter {
        FeedFilter::ChangedOn(today) => format!("of today, {}", day(today)),
        FeedFilter::ChangedSince(since) => format!("since {}", day(since)),
        FeedFilter::Xid(_) => "of one person".to_owned(),
    }
}

fn key(days: Option<i64>) -> CheckFinding {
    let remedy = "ask AlumnIQ for a new key and put it into alumniq.api_key (ALUMNIQ_API_KEY)";
    match days {
        None => CheckFinding::ok(
            ABOUT,
            "the key is accepted; AlumnIQ does not say for how long",
        ),
        Some(days) if days <= 0 => CheckFinding::fail(ABOUT, "the key has expired", remedy),
        Some(days) if days < KEY_DAYS => {
            CheckFinding::warn(ABOUT, format!("the key expires in {days} days"), remedy)
        }
        Some(days) => CheckFinding::ok(ABOUT, format!("the key is accepted for {days} more days")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check::finding::show;

    #[test]
    fn a_key_is_good_soon_to_expire_or_expired() {
        for (days, mark) in [
            (None, "ok "),
            (Some(200), "ok "),
            (Some(30), "ok "),
            (Some(29), "warn"),
            (Some(1), "warn"),
            (Some(0), "FAIL"),
            (Some(-3), "FAIL"),
        ] {
            let text = show(&[key(days)], false);
            assert!(text.starts_with(mark), "{days:?} {text}");
        }
    }
}
