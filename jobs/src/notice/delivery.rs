//! What a webhook's answer means.

use std::time::Duration;

use crate::{
    redact::redact,
    reply::{Answer, Reply, with_advice},
};

/// A receiver that asks for more is asked again after this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// What became of one attempt to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The receiver has it.
    Taken,
    /// It is to be told again.
    Failed {
        /// The least delay, where the receiver named one.
        after: Option<Duration>,
        /// Why, redacted.
        cause: String,
        /// Whether the receiver may have it nevertheless: then what is told next must follow from it.
        perhaps_taken: bool,
    },
}

/// The one table of answers to a notification.
pub fn classify(reply: &Reply) -> Delivery {
    let failed = |cause, after, perhaps_taken| Delivery::Failed {
        after,
        cause,
        perhaps_taken,
    };
    match reply {
        Reply::Unreachable { cause, advice } => {
            failed(with_advice(cause, advice.as_deref()), None, false)
        }
        Reply::Lost { cause } => failed(cause.clone(), None, true),
        Reply::Answer(Answer {
            status,
            retry_after,
            body,
        }) => {
            let said = match redact(body.trim()) {
                said if said.is_empty() => String::new(),
                said => format!(": {said}"),
            };
            let after = retry_after.map(|after| after.min(LONGEST_RETRY_AFTER));
            match status {
                200..=299 => Delivery::Taken,
                300..=399 => failed(
                    format!(
                        "HTTP {status}: it redirects, which is not followed; configure the new address"
                    ),
                    after,
                    false,
                ),
                400..=499 if *status != 408 => failed(format!("HTTP {status}{said}"), after, false),
                _ => failed(format!("HTTP {status}{said}"), after, true),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<u64>, body: &str) -> Reply {
        Reply::Answer(Answer {
            status,
            retry_after: retry_after.map(Duration::from_secs),
            body: body.to_owned(),
        })
    }

    #[test]
    fn every_2xx_is_taken_and_only_what_surely_was_not_is_known_as_that() {
        for status in [200, 201, 202, 204] {
            assert_eq!(classify(&answer(status, None, "ok")), Delivery::Taken);
        }
        let cause = "no connection".to_owned();
        for (reply, perhaps) in [
            (answer(302, None, ""), false),
            (answer(400, None, "invalid_payload"), false),
            (answer(404, None, "no_service"), false),
            (answer(429, None, ""), false),
            (answer(408, None, ""), true),
            (answer(500, None, ""), true),
            (answer(504, None, ""), true),
            (Reply::unreachable(cause.clone()), false),
            (Reply::Lost { cause }, true),
        ] {
            let Delivery::Failed { perhaps_taken, .. } = classify(&reply) else {
                panic!("{reply:?} is no success")
            };
            assert_eq!(perhaps_taken, perhaps, "{reply:?}");
        }
    }

    #[test]
    fn the_receivers_words_are_kept_short_and_redacted() {
        let body = format!("no_service for ann@example.org {}", "x".repeat(5_000));
        let Delivery::Failed { cause, .. } = classify(&answer(404, None, &body)) else {
            panic!("it was refused")
        };
        assert!(cause.starts_with("HTTP 404: no_service"), "{cause}");
        assert!(!cause.contains("ann@") && cause.len() < 500, "{cause}");
    }

    #[test]
    fn retry_after_is_obeyed_up_to_an_hour() {
        for (named, obeyed) in [(7, 7), (86_400, 3600)] {
            let Delivery::Failed { after, .. } = classify(&answer(429, Some(named), "")) else {
                panic!("it was refused")
            };
            assert_eq!(after, Some(Duration::from_secs(obeyed)));
        }
    }
}
