//! What the CRM's answers mean. Its page documents 200 with a CrmNumber and 404; the rest is what ASP.NET Web API
//! does. Only what [`Body`] recognizes as the CRM's own word on the document makes a dead letter.

use std::time::Duration;

use serde_json::Value;

use super::body::Body;
use crate::{
    outcome::{Blame, DeadClass, Outcome, PauseReason},
    redact::{gathered, redact},
    reply::{Answer, Reply, with_advice},
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
        Reply::Unreachable { cause, advice } => {
            let cause = with_advice(cause, advice.as_deref());
            return pause(
                PauseReason::Outage,
                None,
                format!("the CRM cannot be reached: {cause}"),
            );
        }
        Reply::Lost { cause } => {
            return Outcome::Retry {
                after: None,
                cause: format!(
                    "the CRM's answer was lost, it may have updated the contact: {cause}"
                ),
                blame: Blame::Nobody,
            };
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
                    Body::of(body).shape()
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
        404 => match Body::of(body) {
            // The CRM's page: "If a contact was NOT updated returns 404 (Not Found) status code."
            Body::Empty | Body::Text | Body::Error(_) => dead(
                DeadClass::Unmatched,
                "the CRM updated nobody: no contact matches well enough (404)".to_owned(),
                "give the contact this xid as StudentInstitutionId in the CRM, or loosen `crm.matching`, then replay; \
                 `crm.operation = \"upsert\"` would create missing contacts",
            ),
            Body::Routing => pause(
                PauseReason::Outage,
                after,
                format!("the CRM has no such operation (404 from its routing): {CHECK_URL}"),
            ),
            other => pause(PauseReason::Outage, after, not_the_crm(404, &other)),
        },
        405 => pause(
            PauseReason::Outage,
            after,
            format!("the CRM does not take this call (405): {CHECK_URL}"),
        ),
        407 => pause(
            PauseReason::Outage,
            after,
            "a proxy before the CRM refuses the call (407): check the proxy and its credentials".to_owned(),
        ),
        // Each call has the same address and content type: no document is at fault.
        415 | 418 | 421 => pause(
            PauseReason::Outage,
            after,
            not_the_crm(*status, &Body::of(body)),
        ),
        408 | 409 => retry(
            after,
            format!(
                "the CRM could not finish the update ({status}){}",
                words(body)
            ),
        ),
        429 => pause(
            PauseReason::Throttled,
            after,
            "the CRM asks for fewer calls (429)".to_owned(),
        ),
        400..=499 => match Body::of(body) {
            Body::Error(error) => dead(
                DeadClass::Rejected,
                format!("the CRM rejected the document ({status}){}", said(&error)),
                "correct the named fields in `[crm.map]` or in AlumnIQ, or the CRM's own settings, then replay",
            ),
            _ if *status == 413 => retry(
                after,
                "the CRM, or something before it, finds the document too large (413): shorten the texts in `[crm.map]`"
                    .to_owned(),
            ),
            // Whose word that is remains to be seen: it fails for this document, or for all of them.
            unclear @ (Body::Empty | Body::Text) => retry(
                after,
                format!(
                    "the CRM answered {status} with {}, without a reason",
                    unclear.shape()
                ),
            ),
            other => pause(PauseReason::Outage, after, not_the_crm(*status, &other)),
        },
        502..=504 => pause(
            PauseReason::Outage,
            after,
            format!("the CRM is down ({status})"),
        ),
        _ => retry(
            after,
            format!("the CRM failed on this change ({status}){}", words(body)),
        ),
    }
}

fn not_the_crm(status: u16, body: &Body) -> String {
    format!(
        "something that is not the CRM answered {status} with {}: {CHECK_URL} and the gateways, firewalls and proxies \
         before the CRM",
        body.shape()
    )
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

/// What the body says, where it is the CRM's own error.
fn words(body: &str) -> String {
    match Body::of(body) {
        Body::Error(error) => said(&error),
        _ => String::new(),
    }
}

/// `Message` and the entries of `ModelState`, redacted.
fn said(error: &Value) -> String {
    let message = error.get("Message").and_then(Value::as_str).map(redact);
    let rules = error
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
        let routing_remote = r#"{"Message":"No HTTP resource was found that matches the request URI 'https://crm.school.example/crm/api/processes/updatecontact'."}"#;
        let matching = r#"{"Message":"The request is invalid.","ModelState":{"contactMatchingMinConfirmedScore":["The value is not valid."]}}"#;
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
            (400, r#"{"ModelState":{"dto.Gender":["No"]}}"#, "rejected"),
            (400, matching, "outage"),
            (400, "", "retry"),
            (400, "\"No\"", "retry"),
            (400, "<html>Bad Request - Invalid Hostname", "outage"),
            (
                400,
                "The plain HTTP request was sent to HTTPS port",
                "outage",
            ),
            (400, r#"{"message":"Bad Request"}"#, "outage"),
            (
                400,
                r#"{"Message":"Bad Request","requestId":"1"}"#,
                "outage",
            ),
            (400, r#"{"Message":null}"#, "outage"),
            (401, "", "credentials"),
            (403, "", "credentials"),
            (404, "", "unmatched"),
            (404, r#"{"Message":"Contact was not updated"}"#, "unmatched"),
            (404, "\"not found\"", "unmatched"),
            (404, routing, "outage"),
            (404, routing_remote, "outage"),
            (
                404,
                "\"No HTTP resource at 'https://crm.school.example/'\"",
                "outage",
            ),
            (
                404,
                r#"{"statusCode":404,"message":"Resource not found"}"#,
                "outage",
            ),
            (404, r#"{"Message":"Not found","statusCode":404}"#, "outage"),
            (404, "404 page not found", "outage"),
            (404, "null", "outage"),
            (404, "[]", "outage"),
            (404, "17", "outage"),
            (404, "\r\n<!DOCTYPE html>", "outage"),
            (405, "", "outage"),
            (406, "", "retry"),
            (406, "<html>blocked", "outage"),
            (407, "", "outage"),
            (408, "", "retry"),
            (409, "", "retry"),
            (413, "", "retry"),
            (413, "<html>", "retry"),
            (413, r#"{"Message":"Too long."}"#, "rejected"),
            (415, "", "outage"),
            (418, "", "outage"),
            (418, r#"{"Message":"blocked"}"#, "outage"),
            (421, "", "outage"),
            (422, "", "retry"),
            (422, r#"{"Message":"No such state."}"#, "rejected"),
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
        assert_eq!(word(&classify(&Reply::unreachable("refused"))), "outage");
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
        for reply in [
            outcome(404, "<html>"),
            outcome(404, "404 page not found"),
            outcome(400, "<html>"),
            outcome(421, ""),
            outcome(302, ""),
            outcome(405, ""),
        ] {
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
