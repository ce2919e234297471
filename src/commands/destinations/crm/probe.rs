//! The CRM: does it take the credentials.

use jobs::reply::Reply;

use super::client;
use crate::{
    commands::{check::finding::CheckFinding, context::Context},
    vendors::CrmCheck,
};

const ABOUT: &str = "crm";

const CHECK_URL: &str = "crm.url must be the base address of its API, e.g. https://HOST/crms/api";

/// Obtains a token, or with nothing to obtain reads the operation's address.
pub async fn probe(context: &Context) -> Vec<CheckFinding> {
    let Some(crm) = &context.config.crm else {
        return vec![CheckFinding::ok(ABOUT, "switched off")];
    };
    vec![match client(crm) {
        Ok(client) => judge(&client.check(None).await),
        Err(error) => CheckFinding::fail(ABOUT, error.to_string(), ""),
    }]
}

fn judge(check: &CrmCheck) -> CheckFinding {
    match check {
        CrmCheck::Authenticated { expires_in } => {
            let life = expires_in.map_or_else(String::new, |life| {
                format!(", good for {}", humantime::format_duration(life))
            });
            CheckFinding::ok(ABOUT, format!("it gives a token{life}"))
        }
        CrmCheck::Reached { status } => reached(*status),
        CrmCheck::Failed(reply) => failed(reply),
    }
}

/// An operation takes POST only, so a GET of its address is refused where it exists.
fn reached(status: u16) -> CheckFinding {
    match status {
        400 | 405 | 411 | 415 => CheckFinding::ok(
            ABOUT,
            "it answers; whether it takes the credentials shows at the first update",
        ),
        300..=399 => CheckFinding::fail(
            ABOUT,
            format!("it answers with a redirect ({status})"),
            CHECK_URL,
        ),
        404 => CheckFinding::warn(
            ABOUT,
            "it answers 404 at the operation's address",
            format!("{CHECK_URL}; some servers say so to anything but an update"),
        ),
        _ => CheckFinding::warn(
            ABOUT,
            format!("it answers {status} where an operation would refuse a GET (405)"),
            CHECK_URL,
        ),
    }
}

fn failed(reply: &Reply) -> CheckFinding {
    let (what, remedy) = match reply {
        Reply::Unreachable { cause, advice } => {
            (cause.clone(), advice.as_deref().unwrap_or(CHECK_URL))
        }
        Reply::Lost { cause } => (
            format!("it gives no whole answer: {cause}"),
            "try again; if it happens again, raise crm.timeout and ask the CRM's administrators",
        ),
        Reply::Answer(answer) => match answer.status {
            401 | 403 => (
                format!("it refuses the credentials ({})", answer.status),
                "check crm.username, crm.password (CRM_USERNAME, CRM_PASSWORD) and the user's rights",
            ),
            429 => (
                "it asks for fewer calls (429)".to_owned(),
                "try again later",
            ),
            status => (
                format!("it is in trouble ({status})"),
                "try again later; if it lasts, ask the CRM's administrators",
            ),
        },
    };
    CheckFinding::fail(ABOUT, what, remedy)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jobs::reply::Answer;

    use super::*;
    use crate::commands::check::finding::show;

    fn answered(status: u16) -> CrmCheck {
        CrmCheck::Failed(Reply::Answer(Answer {
            status,
            retry_after: None,
            body: "<html>ann@example.org</html>".to_owned(),
        }))
    }

    #[test]
    fn every_answer_of_the_crm_has_its_line() {
        let cause = || "no connection to crm:443: refused".to_owned();
        for (check, line) in [
            (
                CrmCheck::Authenticated {
                    expires_in: Some(Duration::from_secs(1200)),
                },
                "ok    crm      it gives a token, good for 20m",
            ),
            (
                CrmCheck::Reached { status: 405 },
                "ok    crm      it answers;",
            ),
            (
                CrmCheck::Reached { status: 302 },
                "FAIL  crm      it answers with a redirect",
            ),
            (
                CrmCheck::Reached { status: 404 },
                "warn  crm      it answers 404",
            ),
            (
                CrmCheck::Reached { status: 200 },
                "warn  crm      it answers 200",
            ),
            (
                answered(401),
                "FAIL  crm      it refuses the credentials (401) -> check crm.username",
            ),
            (answered(429), "FAIL  crm      it asks for fewer calls"),
            (answered(503), "FAIL  crm      it is in trouble (503)"),
            (
                CrmCheck::Failed(Reply::unreachable(cause())),
                "FAIL  crm      no connection",
            ),
            (
                CrmCheck::Failed(Reply::Lost { cause: cause() }),
                "FAIL  crm      it gives no whole answer",
            ),
        ] {
            let shown = show(&[judge(&check)], false);
            assert!(shown.starts_with(line), "{shown}");
            assert!(!shown.contains("ann@"));
        }
    }
}
