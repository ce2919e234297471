//! Salsa: does it take the token, and what does it allow.

use jobs::{
    outcome::{Outcome, PauseReason},
    reply::Reply,
    salsa_upsert::{self, SalsaLimits},
};

use super::client;
use crate::commands::{check::finding::CheckFinding, context::Context};

const ABOUT: &str = "salsa";

const CHECK_URL: &str = "check salsa.url (https://api.salsalabs.org) and the network";

/// Reads the metrics, one call.
pub async fn probe(context: &Context) -> Vec<CheckFinding> {
    let Some(salsa) = &context.config.salsa else {
        return vec![CheckFinding::ok(ABOUT, "switched off")];
    };
    match client(salsa) {
        Ok(client) => judge(&client.metrics(None).await, salsa.rate_per_minute),
        Err(error) => vec![CheckFinding::fail(ABOUT, error.to_string(), "")],
    }
}

fn judge(reply: &Reply, configured_rate: Option<u32>) -> Vec<CheckFinding> {
    if let Reply::Lost { cause } = reply {
        let remedy = "try again; if it happens again, raise salsa.timeout or check salsa.url";
        return vec![CheckFinding::fail(ABOUT, cause.clone(), remedy)];
    }
    if let Reply::Unreachable { cause, advice } = reply {
        let remedy = advice.as_deref().unwrap_or(CHECK_URL);
        return vec![CheckFinding::fail(ABOUT, cause.clone(), remedy)];
    }
    let limits = match salsa_upsert::classify(reply) {
        Ok(payload) => SalsaLimits::read(&payload),
        Err(failure) => return vec![failed(failure.for_one_item())],
    };
    let SalsaLimits {
        rate_per_minute,
        max_batch,
        current_rate,
    } = limits;
    let current = current_rate.map_or_else(String::new, |current| {
        format!(" (currentRateLimit {current})")
    });
    let mut findings = vec![CheckFinding::ok(
        ABOUT,
        format!(
            "it takes the token: {rate_per_minute} calls a minute{current}, {max_batch} supporters a call"
        ),
    )];
    if let Some(configured) = configured_rate.filter(|rate| *rate > rate_per_minute) {
        findings.push(CheckFinding::warn(
            ABOUT,
            format!("salsa.rate_per_minute = {configured} is more than Salsa admits"),
            format!("remove it: Salsa's own limit of {rate_per_minute} is used anyway"),
        ));
    }
    findings
}

fn failed(outcome: Outcome) -> CheckFinding {
    let (what, remedy) = match outcome {
        Outcome::Pause { reason, cause, .. } => (
            cause,
            match reason {
                PauseReason::Credentials => {
                    "put a token of Salsa's Integration API into salsa.token (SALSA_AUTH_TOKEN)"
                }
                PauseReason::Throttled => "other programs use the token too: try again in a minute",
                PauseReason::Outage | PauseReason::Operator => CHECK_URL,
            },
        ),
        Outcome::Retry { cause, .. } | Outcome::Dead { cause, .. } => (
            cause,
            "check salsa.url (https://api.salsalabs.org), then try again",
        ),
        Outcome::Done { detail } => (detail, ""),
    };
    CheckFinding::fail(ABOUT, what, remedy)
}

#[cfg(test)]
mod tests {
    use jobs::reply::Answer;

    use super::*;
    use crate::commands::check::finding::show;

    fn shown(status: u16, body: &str, rate: Option<u32>) -> String {
        let reply = Reply::Answer(Answer {
            status,
            retry_after: None,
            body: body.to_owned(),
        });
        show(&judge(&reply, rate), false)
    }

    #[test]
    fn the_limits_are_told_and_held_against_the_configuration() {
        let body = r#"{"payload":{"rateLimit":120,"maxBatchSize":10,"currentRateLimit":120}}"#;
        let told = "ok    salsa    it takes the token: 120 calls a minute (currentRateLimit 120), 10 supporters a call\n";
        assert_eq!(shown(200, body, Some(120)), told);
        let warned = shown(200, body, Some(121));
        assert!(
            warned.starts_with(told)
                && warned.contains("warn  salsa    salsa.rate_per_minute = 121")
        );
    }

    #[test]
    fn whatever_is_no_answer_of_the_api_fails_with_a_remedy() {
        for (status, body, line) in [
            (401, "", "FAIL  salsa    Salsa answered 401 to salsa.token"),
            (
                404,
                "<html>",
                "FAIL  salsa    Salsa answered 404: salsa.url",
            ),
            (
                200,
                "<html>",
                "FAIL  salsa    Salsa answered 200: an HTML page",
            ),
            (200, "", "FAIL  salsa    Salsa answered 200: an empty body"),
            (
                200,
                "Your per minute call rate",
                "FAIL  salsa    Salsa answered 200: Your per",
            ),
            (400, "", "FAIL  salsa    Salsa answered 400"),
            (503, "<html>", "FAIL  salsa    Salsa answered 503"),
        ] {
            let shown = shown(status, body, None);
            assert!(shown.starts_with(line) && shown.contains(" -> "), "{shown}");
        }
    }
}
