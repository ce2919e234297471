//! What the CRM's answers mean. The page documents 200 with a CrmNumber and 404; the rest is what
//! ASP.NET Web API does.

use std::time::Duration;

use serde_json::Value;

use crate::{
    outcome::{Blame, DeadClass, Outcome, PauseReason},
    redact::{gathered, redact},
    reply::{Answer, Reply},
};

const CHECK_URL: &str = "check `crm.url` (e.g. `https://HOST/crms/api`)";
/// Most entries of `ModelState` that a cause names, and most messages of each.
const SHOWN_RULES: usize = 20;

/// The CRM's table: status and body -> outcome. Causes carry the vendor's words redacted, and never
/// its stack traces.
pub fn classify(reply: &Reply) -> Outcome {
    let Answer {
        status,
        retry_after,
        body,
    } = match reply {
        Reply::Answer(answer) => answer,
        Reply::Unreachable { cause } => {
            return pause(
                PauseReason::Outage,
                None,
                format!("the CRM cannot be reached: {cause}"),
            );
        }
        Reply::Lost { cause } => {
            return retry(
                None,
                format!("the CRM's answer was lost, it may have updated the contact: {cause}"),
            );
        }
    };
    let after = *retry_after;
    match status {
        200 | 201 => match crm_number(body) {
            Some(number) => Outcome::Done {
                detail: format!("updated CrmNumber {number}"),
            },
            None => retry(
                after,
                format!(
                    "the CRM answered {status} with {} instead of a CrmNumber",
                    shape(body)
                ),
            ),
        },
        202..=299 => retry(
            after,
            format!("the CRM answered {status}, which does not say that the contact was updated"),
        ),
        300..=399 => pause(
            PauseReason::Outage,
            after,
            format!("the CRM answered with a redirect ({status}): {CHECK_URL}"),
        ),
        401 | 403 => pause(
            PauseReason::Credentials,
            after,
            format!(
                "the CRM refuses the credentials ({status}): check `crm.username`, `crm.password` and the user's rights"
            ),
        ),
        404 if is_routing(body) => pause(
            PauseReason::Outage,
            after,
            format!("the CRM has no such operation (404 from its routing): {CHECK_URL}"),
        ),
        404 => dead(
            DeadClass::Unmatched,
            "the CRM updated nobody: no contact matches well enough (404)".to_owned(),
            "give the contact this xid as StudentInstitutionId in the CRM, or loosen `crm.matching`, then replay; \
             `crm.operation = \"upsert\"` would create missing contacts",
        ),
        405 => pause(
            PauseReason::Outage,
            after,
            format!("the CRM does not take this call (405): {CHECK_URL}"),
        ),
        408 | 409 => retry(
            after,
            format!(
                "the CRM could not finish the update ({status}){}",
                said(body)
            ),
        ),
        413 | 415 => dead(
            DeadClass::Rejected,
            format!(
                "the CRM does not take the document ({status}, {})",
                if *status == 413 {
                    "too large"
                } else {
                    "content type"
                }
            ),
            "shorten the texts in `[crm.map]`; if every change fails like this, check what stands before the CRM",
        ),
        429 => pause(
            PauseReason::Throttled,
            after,
            "the CRM asks for fewer calls (429)".to_owned(),
        ),
        400..=499 => dead(
            DeadClass::Rejected,
            format!("the CRM rejected the document ({status}){}", said(body)),
            "correct the named fields in `[crm.map]` or in AlumnIQ, or the CRM's own settings, then replay",
        ),
        502..=504 => pause(
            PauseReason::Outage,
            after,
            format!("the CRM is down ({status})"),
        ),
        _ => retry(
            after,
            format!("the CRM failed on this change ({status}){}", said(body)),
        ),
    }
}

fn retry(after: Option<Duration>, cause: String) -> Outcome {
    Outcome::Retry {
        after,
        cause,
        blame: Blame::Unknown,
    }
}

fn pause(reason: PauseReason, after: Option<Duration>, cause: String) -> Outcome {
    Outcome::Pause {
        after,
        reason,
        cause,
    }
}

fn dead(class: DeadClass, cause: String, advice: &str) -> Outcome {
    Outcome::Dead {
        class,
        cause,
        advice: advice.to_owned(),
    }
}

/// The CrmNumber in the body of a good answer: a bare JSON integer above 0, which no contact has and which may
/// mean nobody; quotes around it are tolerated.
pub fn crm_number(body: &str) -> Option<i64> {
    let body = body.trim_start_matches('\u{feff}').trim();
    let bare = body
        .strip_prefix('"')
        .and_then(|body| body.strip_suffix('"'))
        .unwrap_or(body);
    let is_integer = !bare.starts_with('+');
    bare.parse().ok().filter(|number| is_integer && *number > 0)
}

fn is_html(body: &str) -> bool {
    body.trim_start_matches('\u{feff}')
        .trim_start()
        .starts_with('<')
}

/// ASP.NET's routing says `MessageDetail`; a web server in front says it in HTML.
fn is_routing(body: &str) -> bool {
    is_html(body) || json(body).is_some_and(|body| body.get("MessageDetail").is_some())
}

fn shape(body: &str) -> &'static str {
    match body.trim() {
        "" => "an empty body",
        _ if is_html(body) => "an HTML page",
        _ if json(body).is_some() => "other JSON",
        _ => "text",
    }
}

fn json(body: &str) -> Option<Value> {
    serde_json::from_str(body.trim_start_matches('\u{feff}')).ok()
}

/// `Message` and the entries of `ModelState`, redacted; empty when the body has neither.
fn said(body: &str) -> String {
    let Some(body) = json(body) else {
        return String::new();
    };
    let message = body.get("Message").and_then(Value::as_str).map(redact);
    let rules = body
        .get("ModelState")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let rules = rules.take(SHOWN_RULES).map(|(field, rules)| {
        let rules = rules
            .as_array()
            .into_iter()
            .flatten()
            .chain(rules.is_string().then_some(rules));
        let rules = rules.filter_map(Value::as_str).take(SHOWN_RULES);
        let rules: Vec<String> = rules.map(redact).collect();
        format!("{}: {}", redact(field), rules.join(", "))
    });
    match gathered(message.into_iter().chain(rules)).as_str() {
        "" => String::new(),
        said => format!(": {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, body: &str) -> Outcome {
        let retry_after = matches!(status, 429 | 503).then_some(Duration::from_secs(9));
        classify(&Reply::Answer(Answer {
            status,
            retry_after,
            body: body.to_owned(),
        }))
    }

    fn word(outcome: &Outcome) -> &'static str {
        match outcome {
            Outcome::Done { .. } => "done",
            Outcome::Retry { .. } => "retry",
            Outcome::Dead { class, .. } => class.as_str(),
            Outcome::Pause { reason, .. } => reason.as_str(),
        }
    }

    #[test]
    fn every_answer_has_its_row() {
        let routing =
            r#"{"Message":"No HTTP resource was found","MessageDetail":"No type was found"}"#;
        for (status, body, expected) in [
            (200, "1234", "done"),
            (200, "\u{feff} 1234\r\n", "done"),
            (200, "\"1234\"", "done"),
            (201, "1234", "done"),
            (200, "", "retry"),
            (200, "<html></html>", "retry"),
            (200, "null", "retry"),
            (200, "[1]", "retry"),
            (200, "12.5", "retry"),
            (200, "Service is starting", "retry"),
            (204, "", "retry"),
            (302, "", "outage"),
            (400, r#"{"Message":"The request is invalid."}"#, "rejected"),
            (400, "", "rejected"),
            (401, "", "credentials"),
            (403, "", "credentials"),
            (404, "", "unmatched"),
            (404, r#"{"Message":"Contact was not updated"}"#, "unmatched"),
            (404, "\"not found\"", "unmatched"),
            (404, routing, "outage"),
            (404, "\r\n<!DOCTYPE html>", "outage"),
            (405, "", "outage"),
            (408, "", "retry"),
            (409, "", "retry"),
            (413, "", "rejected"),
            (415, "", "rejected"),
            (422, "", "rejected"),
            (429, "", "throttled"),
            (500, "", "retry"),
            (501, "", "retry"),
            (502, "<html>", "outage"),
            (503, "", "outage"),
            (504, "", "outage"),
            (520, "", "retry"),
        ] {
            assert_eq!(word(&outcome(status, body)), expected, "{status} {body}");
        }
        assert_eq!(
            word(&classify(&Reply::Unreachable {
                cause: "refused".to_owned()
            })),
            "outage"
        );
        assert_eq!(
            word(&classify(&Reply::Lost {
                cause: "reset".to_owned()
            })),
            "retry"
        );
    }

    #[test]
    fn done_names_the_crm_number() {
        assert_eq!(
            outcome(200, "1234"),
            Outcome::Done {
                detail: "updated CrmNumber 1234".to_owned()
            }
        );
    }

    #[test]
    fn a_wrong_url_is_blamed_on_the_url() {
        for reply in [outcome(404, "<html>"), outcome(302, ""), outcome(405, "")] {
            assert!(matches!(reply, Outcome::Pause { cause, .. } if cause.contains("crm.url")));
        }
    }

    #[test]
    fn retry_after_is_handed_on() {
        for reply in [outcome(429, ""), outcome(503, "")] {
            assert!(
                matches!(reply, Outcome::Pause { after: Some(after), .. } if after.as_secs() == 9)
            );
        }
    }

    #[test]
    fn a_lost_answer_says_that_the_contact_may_have_been_updated() {
        let lost = classify(&Reply::Lost {
            cause: "read timeout".to_owned(),
        });
        assert!(matches!(lost, Outcome::Retry { cause, .. } if cause.contains("may have updated")));
    }

    #[test]
    fn a_rejection_names_fields_and_rules_and_no_values() {
        let body = r#"{"Message":"The request is invalid.","StackTrace":"at Secret()","ExceptionMessage":"Secret",
            "ModelState":{"dto.EmailAddress2":["The value 'ann@example.org' is invalid.","Ask Secret's 5550100199"],"dto.Gender":"Must be one character"}}"#;
        let Outcome::Dead {
            class,
            cause,
            advice,
        } = outcome(400, body)
        else {
            panic!("not dead")
        };
        assert_eq!(class, DeadClass::Rejected);
        assert_eq!(
            cause,
            "the CRM rejected the document (400): The request is invalid.; dto.EmailAddress2: The value '***' is invalid., \
             Ask Secret's ***; dto.Gender: Must be one character"
        );
        assert!(!advice.is_empty());
        assert!(
            matches!(outcome(500, body), Outcome::Retry { cause, .. } if !cause.contains("at Secret"))
        );
    }

    #[test]
    fn hostile_bodies_are_survived() {
        for body in [
            "[".repeat(1_000_000),
            "9".repeat(1_000_000),
            format!("{{\"Message\":\"{}\"}}", "x".repeat(10_000_000)),
            "\u{fffd}".repeat(9),
        ] {
            for status in [200, 400, 404, 500] {
                outcome(status, &body);
            }
        }
    }
}
