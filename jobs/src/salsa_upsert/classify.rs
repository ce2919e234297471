//! What an answer says about a whole call. What it says about each supporter is in
//! [`outcomes`](super::put_outcomes).

use std::time::Duration;

use serde_json::Value;

use super::{said, wire::Payload};
use crate::{
    outcome::{Blame, DeadClass, Outcome, PauseReason},
    reply::{Reply, with_advice},
};

/// How long to hold off after a throttled call without `Retry-After`: Salsa counts calls by the minute.
const THROTTLED_FOR: Duration = Duration::from_secs(60);

/// Why a call gave no payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallFailure {
    /// The call failed for every item alike.
    Items(Outcome),
    /// More items than Salsa takes at once: never repeat the call as it was, split it.
    BatchTooLarge {
        /// The most items that a call may have, where Salsa said it; at least 1.
        allowed: Option<usize>,
    },
    /// The request itself was refused. In a batch one item can be at fault for all: halve the batch
    /// until the culprit stands alone.
    Refused {
        /// Why, for people, redacted.
        cause: String,
        /// Whether these are recognizably Salsa's own words.
        is_own: bool,
    },
}

impl CallFailure {
    /// How many of a call's `items` to send at once instead, where fewer can help; at least 1.
    pub fn smaller_batch(&self, items: usize) -> Option<usize> {
        let fewer = match self {
            Self::Items(_) => return None,
            Self::BatchTooLarge { allowed } => allowed.unwrap_or(items / 2),
            Self::Refused { .. } => items / 2,
        };
        (items > 1).then(|| fewer.clamp(1, items - 1))
    }

    /// What the failure means for a call that had one item, which cannot be split further.
    pub fn for_one_item(self) -> Outcome {
        match self {
            Self::Items(outcome) => outcome,
            Self::Refused {
                cause,
                is_own: true,
            } => Outcome::Dead {
                class: DeadClass::Rejected,
                cause,
                advice: "Correct [salsa.map] or the row in AlumnIQ; then replay".into(),
            },
            // It fails for this change, or for all of them: that remains to be seen.
            Self::Refused { cause, .. } => unclear(cause),
            Self::BatchTooLarge { .. } => unclear(
                "Salsa, or something before it, calls a request with this change alone too large: shorten what \
                 [salsa.map] makes of it"
                    .into(),
            ),
        }
    }
}

/// Salsa's classification table, call by call: status and body -> payload, or what follows.
///
/// # Errors
///
/// A [`CallFailure`] for everything that is not a 200 with a JSON object that holds a `payload` object.
pub fn classify(reply: &Reply) -> Result<Payload, CallFailure> {
    let answer = match reply {
        Reply::Answer(answer) => answer,
        Reply::Unreachable { cause, advice } => {
            let cause = with_advice(cause, advice.as_deref());
            let cause = format!("Salsa cannot be reached: {cause}");
            return Err(pause(PauseReason::Outage, None, cause));
        }
        Reply::Lost { cause } => {
            let cause = format!("Salsa's answer was lost, it may have acted: {cause}");
            return Err(CallFailure::Items(Outcome::Retry {
                after: None,
                cause,
                blame: Blame::Nobody,
            }));
        }
    };
    let (status, body, after) = (answer.status, answer.body.as_str(), answer.retry_after);
    if status == 200
        && let Some(payload) = payload(body)
    {
        return Ok(payload);
    }
    let told = || format!("Salsa answered {status}: {}", said::summary(body));
    Err(match status {
        200 | 400 | 413 | 429 if said::batch_too_large(body) => CallFailure::BatchTooLarge {
            allowed: said::allowed_batch(body),
        },
        413 => CallFailure::BatchTooLarge { allowed: None },
        200 if said::throttled(body) => throttled(after, told()),
        429 => throttled(after, told()),
        401 | 403 => pause(
            PauseReason::Credentials,
            after,
            format!("Salsa answered {status} to salsa.token: renew the token"),
        ),
        300..=399 | 404 | 405 => pause(
            PauseReason::Outage,
            after,
            format!("Salsa answered {status}: salsa.url is not the address of its API"),
        ),
        502..=504 => pause(PauseReason::Outage, after, told()),
        408 | 500..=599 => retry(after, told()),
        // Each call has the same address and headers, and Salsa's refusals are no pages: no item is at fault.
        407 | 415 | 418 | 421 => pause(PauseReason::Outage, after, not_salsa(status, body)),
        400..=499 if said::is_html(body) => {
            pause(PauseReason::Outage, after, not_salsa(status, body))
        }
        400..=499 => CallFailure::Refused {
            cause: told(),
            is_own: said::is_own_refusal(body),
        },
        _ => retry(after, told()),
    })
}

fn not_salsa(status: u16, body: &str) -> String {
    let shape = match said::is_html(body) {
        true => ": an HTML page",
        false => "",
    };
    format!(
        "something that is not Salsa answered {status}{shape}; check `salsa.url`, the proxy and the firewall before it"
    )
}

fn payload(body: &str) -> Option<Payload> {
    match serde_json::from_str(body) {
        Ok(Value::Object(mut envelope)) => match envelope.remove("payload") {
            Some(Value::Object(payload)) => Some(Payload(payload)),
            _ => None,
        },
        _ => None,
    }
}

fn pause(reason: PauseReason, after: Option<Duration>, cause: String) -> CallFailure {
    CallFailure::Items(Outcome::Pause {
        after,
        reason,
        cause,
    })
}

fn throttled(after: Option<Duration>, cause: String) -> CallFailure {
    pause(
        PauseReason::Throttled,
        Some(after.unwrap_or(THROTTLED_FOR)),
        cause,
    )
}

fn retry(after: Option<Duration>, cause: String) -> CallFailure {
    CallFailure::Items(Outcome::Retry {
        after,
        cause,
        blame: Blame::Unknown,
    })
}

fn unclear(cause: String) -> Outcome {
    Outcome::Retry {
        after: None,
        cause,
        blame: Blame::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Answer;

    fn answer(status: u16, body: &str) -> Reply {
        Reply::Answer(Answer {
            status,
            retry_after: None,
            body: body.into(),
        })
    }

    fn failure(status: u16, body: &str) -> CallFailure {
        classify(&answer(status, body)).unwrap_err()
    }

    /// A failure as one line, so that the table below can be read as one.
    fn told(failure: CallFailure) -> String {
        match failure {
            CallFailure::Items(Outcome::Pause {
                reason,
                after,
                cause,
            }) => format!("pause {} {after:?}: {cause}", reason.as_str()),
            CallFailure::Items(Outcome::Retry { after, cause, .. }) => {
                format!("retry {after:?}: {cause}")
            }
            CallFailure::Items(other) => format!("{other:?}"),
            CallFailure::BatchTooLarge { allowed } => format!("split to {allowed:?}"),
            CallFailure::Refused {
                cause,
                is_own: true,
            } => format!("refused: {cause}"),
            CallFailure::Refused { cause, .. } => format!("unclear: {cause}"),
        }
    }

    const HTML: &str = "<!DOCTYPE html><html><body>ada@example.org</body></html>";
    const RATE: &str = "Call rate has been exceeded";
    const BATCH: &str = "Requested batch size exceeds the allowed size of: 10";

    #[test]
    fn every_row_of_the_table_follows_from_its_answer() {
        let table: &[(u16, &str, &str)] = &[
            (
                200,
                "Your per minute call rate has been exceeded",
                "pause throttled Some(60s): Salsa answered 200: Your per minute call rate",
            ),
            (
                200,
                r#"{"message":"Call rate has been exceeded"}"#,
                "pause throttled Some(60s)",
            ),
            (200, HTML, "retry None: Salsa answered 200: an HTML page"),
            (200, "", "retry None: Salsa answered 200: an empty body"),
            (200, "OK", "retry None: Salsa answered 200: OK"),
            (200, "[]", "retry None: Salsa answered 200: JSON"),
            (200, "{}", "retry None: Salsa answered 200: JSON"),
            (200, r#"{"payload":null}"#, "retry None"),
            (200, r#"{"payload":[]}"#, "retry None"),
            (
                200,
                r#"{"payload":{"supp"#,
                "retry None: Salsa answered 200: JSON that cannot be read",
            ),
            (200, BATCH, "split to Some(10)"),
            (204, "", "retry None: Salsa answered 204"),
            (302, "", "pause outage None: Salsa answered 302: salsa.url"),
            (400, BATCH, "split to Some(10)"),
            (
                400,
                r#"Unrecognized field "headers" (class com.salsa.Request), not marked as ignorable"#,
                "refused: Salsa answered 400: unrecognized field headers",
            ),
            (
                400,
                r#"{"errors":[{"message":"Unrecognized field \"hat\""}]}"#,
                "refused: Salsa answered 400: unrecognized field hat",
            ),
            (
                400,
                r#"{"errors":[{"code":1,"message":"Bad date"}]}"#,
                "refused: Salsa answered 400: Bad date",
            ),
            (
                400,
                HTML,
                "pause outage None: something that is not Salsa answered 400: an HTML page",
            ),
            (
                400,
                "\u{feff}\n <html>",
                "pause outage None: something that is not Salsa answered 400: an HTML page",
            ),
            (
                400,
                r#"{"message":"Bad Request"}"#,
                "unclear: Salsa answered 400: Bad Request",
            ),
            (
                400,
                r#"{"errors":[],"message":"Bad Request"}"#,
                "unclear: Salsa answered 400",
            ),
            (
                400,
                r#"{"errors":["Bad Request"]}"#,
                "unclear: Salsa answered 400",
            ),
            (
                400,
                r#"{"payload":{"supporters":[{"errors":[{"message":"Bad date"}]}]}}"#,
                "refused: Salsa answered 400",
            ),
            (400, "", "unclear: Salsa answered 400: an empty body"),
            (
                401,
                HTML,
                "pause credentials None: Salsa answered 401 to salsa.token",
            ),
            (
                403,
                "",
                "pause credentials None: Salsa answered 403 to salsa.token",
            ),
            (
                404,
                HTML,
                "pause outage None: Salsa answered 404: salsa.url",
            ),
            (405, "", "pause outage None: Salsa answered 405: salsa.url"),
            (408, "", "retry None"),
            (413, HTML, "split to None"),
            (407, "", "pause outage None"),
            (415, "", "pause outage None"),
            (418, "", "pause outage None"),
            (421, "", "pause outage None"),
            (422, "No", "unclear: Salsa answered 422: No"),
            (
                429,
                RATE,
                "pause throttled Some(60s): Salsa answered 429: Call rate",
            ),
            (429, "", "pause throttled Some(60s)"),
            (429, BATCH, "split to Some(10)"),
            (
                429,
                r#"{"errors":[{"message":"Requested batch size exceeds the allowed size of: 20"}]}"#,
                "split to Some(20)",
            ),
            (
                429,
                "Requested batch size exceeds the allowed size of: 0",
                "split to None",
            ),
            (
                429,
                "Requested batch size exceeds the allowed size",
                "split to None",
            ),
            (
                429,
                "Requested batch size exceeds the allowed size of: 99999999999999999999999",
                "split to None",
            ),
            (500, HTML, "retry None: Salsa answered 500: an HTML page"),
            (
                502,
                HTML,
                "pause outage None: Salsa answered 502: an HTML page",
            ),
            (
                503,
                "",
                "pause outage None: Salsa answered 503: an empty body",
            ),
            (
                504,
                HTML,
                "pause outage None: Salsa answered 504: an HTML page",
            ),
            (505, "", "retry None"),
            (999, "", "retry None"),
        ];
        for (status, body, expected) in table {
            let told = told(failure(*status, body));
            assert!(told.starts_with(expected), "{status} {body}: {told}");
            assert!(!told.contains("ada@"), "{told}");
        }
    }

    #[test]
    fn what_never_arrived_pauses_and_what_may_have_arrived_is_repeated() {
        let cause = || "connection refused".to_owned();
        let unreachable = classify(&Reply::unreachable(cause())).unwrap_err();
        assert_eq!(
            told(unreachable),
            "pause outage None: Salsa cannot be reached: connection refused"
        );
        let lost = classify(&Reply::Lost { cause: cause() }).unwrap_err();
        assert!(told(lost).starts_with("retry None: Salsa's answer was lost"));
    }

    #[test]
    fn retry_after_is_obeyed_wherever_it_stands() {
        for (status, expected) in [
            (200, "pause throttled Some(7s)"),
            (429, "pause throttled Some(7s)"),
            (503, "pause outage Some(7s)"),
            (500, "retry Some(7s)"),
        ] {
            let reply = Reply::Answer(Answer {
                status,
                retry_after: Some(Duration::from_secs(7)),
                body: "Your per minute call rate".into(),
            });
            let told = told(classify(&reply).unwrap_err());
            assert!(told.starts_with(expected), "{told}");
        }
    }

    #[test]
    fn a_payload_comes_through_whatever_stands_around_it() {
        let body =
            r#"{"id":"x","timestamp":1,"header":{"refId":"r"},"payload":{"total":0},"new":[]}"#;
        let payload = classify(&answer(200, body)).unwrap();
        assert_eq!(payload.get("total"), Some(&0.into()));
        assert!(payload.supporters().is_empty());
    }

    #[test]
    fn a_payload_that_speaks_of_call_rates_is_still_a_payload() {
        let body = r#"{"payload":{"supporters":[{"title":"Your per minute call rate"}]}}"#;
        assert!(classify(&answer(200, body)).is_ok());
    }

    #[test]
    fn a_smaller_batch_is_sent_only_where_fewer_items_can_help() {
        let allows = |allowed| CallFailure::BatchTooLarge { allowed };
        let refused = || CallFailure::Refused {
            cause: String::new(),
            is_own: false,
        };
        for (failure, items, expected) in [
            (allows(Some(10)), 20, Some(10)),
            (allows(Some(1)), 2, Some(1)),
            (allows(Some(20)), 20, Some(19)),
            (allows(None), 20, Some(10)),
            (allows(None), 2, Some(1)),
            (allows(Some(10)), 1, None),
            (allows(None), 0, None),
            (refused(), 5, Some(2)),
            (refused(), 1, None),
            (failure(503, ""), 20, None),
        ] {
            assert_eq!(failure.smaller_batch(items), expected, "{failure:?}");
        }
    }

    #[test]
    fn a_call_of_one_item_dies_of_salsas_own_refusal_alone() {
        let own = failure(400, r#"{"errors":[{"message":"Bad date"}]}"#);
        assert!(matches!(
            own.for_one_item(),
            Outcome::Dead {
                class: DeadClass::Rejected,
                ..
            }
        ));
        for (status, body) in [(400, "Bad date"), (413, ""), (429, BATCH), (500, "")] {
            assert!(
                matches!(
                    failure(status, body).for_one_item(),
                    Outcome::Retry {
                        blame: Blame::Unknown,
                        ..
                    }
                ),
                "{status} {body}"
            );
        }
    }
}
