//! The acknowledgement of changes to AlumnIQ: `changeIdList` batches, and what the PUT's answers mean.

mod answer;

use std::time::Duration;

use self::answer::Word;

use crate::{
    outcome::PauseReason,
    reply::{Answer, Reply, with_advice},
};

/// What to do where something else than AlumnIQ may have answered.
pub const CHECK_URL: &str =
    "check `alumniq.url` (it ends in `/api/v1/index.cfm`) and that AlumnIQ is up";
/// What to do where AlumnIQ refuses the key.
pub const CHECK_KEY: &str =
    "check `alumniq.api_key`: each host has its own key and a key lasts about a year";

/// The value of `changeIdList`: comma-delimited (AlumnIQ's page, "PUT /sync/address-change/work").
/// Decoding sees to it that no id contains a comma.
pub fn change_id_list(ids: &[String]) -> String {
    ids.join(",")
}

/// The two halves of a list that was refused; the left one is the longer. One id alone is the left
/// half, and the culprit.
pub fn split(ids: &[String]) -> (&[String], &[String]) {
    ids.split_at(ids.len().div_ceil(2))
}

/// What follows from the PUT of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AckOutcome {
    /// AlumnIQ has marked the changes as processed.
    Accepted,
    /// AlumnIQ refuses this list, or fails on it: CFML answers a bad id with 500 as well as with 400. The list
    /// must be [`split`] until the culprit stands alone, and even then AlumnIQ may be in trouble itself.
    Refused {
        /// The least delay, where AlumnIQ named one.
        after: Option<Duration>,
        /// Why, for people.
        cause: String,
    },
    /// No list is at fault: the whole fleet holds off.
    Pause {
        /// The least delay, where AlumnIQ named one.
        after: Option<Duration>,
        /// Which kind of pause.
        reason: PauseReason,
        /// Why, for people.
        cause: String,
    },
}

/// The table of answers to the PUT. AlumnIQ publishes none; its server is CFML, whose errors have an
/// empty body. A good status counts only where the body does not say otherwise. What AlumnIQ says against a list may be
/// about one of its ids; what something before AlumnIQ says is about none.
pub fn classify(reply: &Reply) -> AckOutcome {
    let Answer {
        status,
        retry_after,
        body,
    } = match reply {
        Reply::Answer(answer) => answer,
        Reply::Unreachable { cause, advice } => {
            let cause = with_advice(cause, advice.as_deref());
            return AckOutcome::Pause {
                after: None,
                reason: PauseReason::Outage,
                cause: format!("AlumnIQ cannot be reached: {cause}"),
            };
        }
        Reply::Lost { cause } => {
            return AckOutcome::Pause {
                after: None,
                reason: PauseReason::Outage,
                cause: format!(
                    "AlumnIQ's answer to the list was lost, it may have been accepted: {cause}"
                ),
            };
        }
    };
    let after = *retry_after;
    let pause = |reason, cause| AckOutcome::Pause {
        after,
        reason,
        cause,
    };
    match status {
        200..=299 => match answer::word(body) {
            Word::Good => AckOutcome::Accepted,
            Word::Failed => AckOutcome::Refused {
                after,
                cause: format!("AlumnIQ answered {status} and says that it failed"),
            },
            Word::Page => pause(PauseReason::Outage, page(*status)),
        },
        401 | 403 => pause(
            PauseReason::Credentials,
            format!("AlumnIQ refuses the API key ({status}); {CHECK_KEY}"),
        ),
        408 => pause(
            PauseReason::Outage,
            "AlumnIQ timed out waiting for the list (408)".to_owned(),
        ),
        429 => pause(
            PauseReason::Throttled,
            "AlumnIQ asks for fewer calls (429)".to_owned(),
        ),
        // Each call has the same address and headers: no changeId is at fault.
        407 | 415 | 418 | 421 => pause(
            PauseReason::Outage,
            format!("something that is not AlumnIQ answered {status}; {CHECK_URL}"),
        ),
        400..=499 if answer::word(body) == Word::Page => pause(PauseReason::Outage, page(*status)),
        400..=499 => AckOutcome::Refused {
            after,
            cause: format!("AlumnIQ rejected the list of changeIds ({status})"),
        },
        502..=504 => pause(PauseReason::Outage, format!("AlumnIQ is down ({status})")),
        300..=399 => pause(
            PauseReason::Outage,
            format!("AlumnIQ answered with a redirect ({status}); {CHECK_URL}"),
        ),
        _ => AckOutcome::Refused {
            after,
            cause: format!("AlumnIQ failed on the list of changeIds ({status})"),
        },
    }
}

fn page(status: u16) -> String {
    format!("an HTML page answered instead of AlumnIQ ({status}), as for a sign-in; {CHECK_URL}")
}

#[cfg(test)]
mod tests {
    use hostile::{body, fit, json};
    use proptest::prelude::*;

    use super::*;

    fn answer(status: u16, body: &str) -> Reply {
        let retry_after = (status == 429).then_some(Duration::from_secs(7));
        Reply::Answer(Answer {
            status,
            retry_after,
            body: body.to_owned(),
        })
    }

    fn word(outcome: &AckOutcome) -> &'static str {
        match outcome {
            AckOutcome::Accepted => "accepted",
            AckOutcome::Refused { .. } => "refused",
            AckOutcome::Pause { reason, .. } => reason.as_str(),
        }
    }

    #[test]
    fn every_answer_to_the_put_has_its_row() {
        for (statuses, expected) in [
            (&[200, 201, 202, 204][..], "accepted"),
            (&[400, 404, 405, 409, 413, 414, 422], "refused"),
            (&[407, 415, 418, 421], "outage"),
            (&[401, 403], "credentials"),
            (&[429], "throttled"),
            (&[500, 501, 520], "refused"),
            (&[301, 302, 408, 502, 503, 504], "outage"),
        ] {
            for status in statuses {
                assert_eq!(word(&classify(&answer(*status, ""))), expected, "{status}");
            }
        }
        assert_eq!(word(&classify(&Reply::unreachable("refused"))), "outage");
        assert_eq!(
            word(&classify(&Reply::Lost {
                cause: "reset".to_owned()
            })),
            "outage"
        );
    }

    #[test]
    fn a_page_accepts_nothing_and_a_declared_failure_refuses_the_list() {
        const PAGE: &str = "<html><title>Sign in</title></html>";
        for (status, body, expected) in [
            (200, PAGE, "outage"),
            (202, PAGE, "outage"),
            (302, PAGE, "outage"),
            (400, PAGE, "outage"),
            (404, PAGE, "outage"),
            (200, r#"{"success":false}"#, "refused"),
            (200, "Invalid API key", "refused"),
            (200, r#"{"success":true}"#, "accepted"),
            (200, "OK", "accepted"),
        ] {
            assert_eq!(
                word(&classify(&answer(status, body))),
                expected,
                "{status} {body}"
            );
        }
    }

    #[test]
    fn retry_after_is_handed_on() {
        let after = Some(Duration::from_secs(7));
        assert!(
            matches!(classify(&answer(429, "")), AckOutcome::Pause { after: named, .. } if named == after)
        );
    }

    const KEYS: &[&str] = &["changeId", "Message", "errors"];

    proptest! {
        #[test]
        fn whatever_is_answered_only_a_2xx_that_says_no_failure_accepts(
            status in prop_oneof![Just(200_u16), any::<u16>()],
            body in body(json(KEYS)),
        ) {
            let reply = answer(status, &body);
            let outcome = classify(&reply);
            let is_good = (200..300).contains(&status) && super::answer::word(&body) == Word::Good;
            prop_assert_eq!(word(&outcome) == "accepted", is_good);
            match outcome {
                AckOutcome::Accepted => {}
                AckOutcome::Refused { cause, .. } | AckOutcome::Pause { cause, .. } => fit(&cause),
            }
        }

        #[test]
        fn halving_keeps_every_id_and_ends_with_the_culprit_alone(count in 1..50_usize) {
            let ids: Vec<String> = (0..count).map(|id| id.to_string()).collect();
            let (left, right) = split(&ids);
            prop_assert_eq!([left, right].concat(), ids.clone());
            prop_assert!(!left.is_empty() && (count == 1 || left.len() < count));
            prop_assert_eq!(change_id_list(&ids).split(',').count(), count);
        }
    }
}
