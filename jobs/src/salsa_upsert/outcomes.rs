//! What an answer says about each supporter: Salsa puts a `result` on every record of a 200 and
//! `errors` on whatever object had the problem.

use serde_json::Value;

use super::{errors, identity::SupporterIdentity, supporter::Supporter, wire::Payload};
use crate::outcome::{Blame, DeadClass, Outcome};

/// One outcome for each document of a PUT, in the documents' order. Records of nobody that was sent are
/// ignored; where several records answer one document, a refusal counts.
pub fn put_outcomes<'a>(
    payload: &Payload,
    sent: impl IntoIterator<Item = &'a Supporter>,
) -> Vec<Outcome> {
    let sent = sent.into_iter().map(SupporterIdentity::of);
    outcomes(payload, sent, put_outcome)
}

/// One outcome for each supporterId of a DELETE, in the ids' order.
pub fn delete_outcomes(payload: &Payload, supporter_ids: &[String]) -> Vec<Outcome> {
    let sent = supporter_ids.iter().map(|id| SupporterIdentity::of_id(id));
    outcomes(payload, sent, delete_outcome)
}

fn outcomes(
    payload: &Payload,
    sent: impl Iterator<Item = SupporterIdentity>,
    outcome: fn(&Value) -> Outcome,
) -> Vec<Outcome> {
    let answers: Vec<_> = payload
        .supporters()
        .iter()
        .filter_map(|record| Some((SupporterIdentity::of(&Supporter::read(record)?), record)))
        .collect();
    sent.map(|one| {
        let (done, refused): (Vec<_>, Vec<_>) = answers
            .iter()
            .filter(|(answered, _)| one.is_answered_by(answered))
            .map(|(_, record)| outcome(record))
            .partition(|outcome| matches!(outcome, Outcome::Done { .. }));
        refused
            .into_iter()
            .chain(done)
            .next()
            .unwrap_or_else(|| retry("Salsa's answer left this supporter out"))
    })
    .collect()
}

/// The table of a PUT's results. A nested error means that its object was refused, whatever the result
/// says; only SYSTEM_ERROR may pass by itself.
fn put_outcome(record: &Value) -> Outcome {
    let errors = errors::told(record);
    match (result(record), errors) {
        ("SYSTEM_ERROR", None) => retry("Salsa answered SYSTEM_ERROR"),
        ("SYSTEM_ERROR", Some(errors)) => retry(&format!("Salsa answered SYSTEM_ERROR: {errors}")),
        ("NOT_FOUND", _) => gone(),
        (_, Some(errors)) => invalid(&errors),
        ("VALIDATION_ERROR", None) => invalid("VALIDATION_ERROR without an error"),
        ("ADDED", None) => done("added in Salsa"),
        ("UPDATED", None) => done("updated in Salsa"),
        _ => retry("Salsa's answer has no result that is known for a PUT"),
    }
}

fn delete_outcome(record: &Value) -> Outcome {
    match (result(record), errors::told(record)) {
        ("DELETED", None) => done("deleted in Salsa"),
        ("NOT_FOUND", _) => gone(),
        ("SYSTEM_ERROR", _) => retry("Salsa answered SYSTEM_ERROR"),
        (_, Some(errors)) => invalid(&errors),
        ("VALIDATION_ERROR", None) => invalid("VALIDATION_ERROR without an error"),
        _ => retry("Salsa's answer has no result that is known for a DELETE"),
    }
}

pub(super) fn result(record: &Value) -> &str {
    record
        .get("result")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn done(detail: &str) -> Outcome {
    Outcome::Done {
        detail: detail.into(),
    }
}

fn retry(cause: &str) -> Outcome {
    Outcome::Retry {
        after: None,
        cause: cause.into(),
        blame: Blame::Change,
    }
}

fn invalid(errors: &str) -> Outcome {
    Outcome::Dead {
        class: DeadClass::Validation,
        cause: format!("Salsa refused the supporter: {errors}"),
        advice: "Correct the named fields in AlumnIQ, in Salsa or in [salsa.map]; then replay"
            .into(),
    }
}

fn gone() -> Outcome {
    Outcome::Dead {
        class: DeadClass::Unmatched,
        cause: "Salsa has no supporter of this supporterId (any more)".into(),
        advice: "It was deleted or merged in Salsa after it was looked up: replay looks it up anew"
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "1F4D3EE4-AF08-42BB-8CA2-50FC232E7B40";

    fn payload(supporters: Value) -> Payload {
        let payload = json!({ "supporters": supporters });
        Payload(payload.as_object().unwrap().clone())
    }

    fn sent(id: Option<&str>, email: &str, external_id: Option<&str>) -> Supporter {
        Supporter::read(&json!({
            "supporterId": id,
            "externalSystemId": external_id,
            "contacts": [{"type": "EMAIL", "value": email}],
        }))
        .unwrap()
    }

    fn put(record: Value) -> Outcome {
        let sent = [sent(Some(ID), "ada@example.org", None)];
        let [outcome] = put_outcomes(&payload(json!([record])), &sent)
            .try_into()
            .unwrap();
        outcome
    }

    fn told(outcome: &Outcome) -> String {
        match outcome {
            Outcome::Done { detail } => format!("done: {detail}"),
            Outcome::Retry { cause, .. } => format!("retry: {cause}"),
            Outcome::Dead { class, cause, .. } => format!("{class}: {cause}"),
            Outcome::Pause { cause, .. } => format!("pause: {cause}"),
        }
    }

    #[test]
    fn every_result_of_a_put_has_its_outcome() {
        let errors =
            json!([{"id": "x", "code": 2008, "fieldName": "value", "message": "Wrong form"}]);
        let table = [
            (json!({"result": "ADDED"}), "done: added in Salsa"),
            (json!({"result": "UPDATED"}), "done: updated in Salsa"),
            (
                json!({"result": "VALIDATION_ERROR"}),
                "validation: Salsa refused the supporter: VALIDATION_ERROR without an error",
            ),
            (
                json!({"result": "VALIDATION_ERROR", "errors": errors}),
                "validation: Salsa refused the supporter: value code 2008 Wrong form",
            ),
            (
                json!({"result": "UPDATED", "address": {"errors": errors}}),
                "validation: Salsa refused the supporter: address.value code 2008 Wrong form",
            ),
            (
                json!({"result": "MERGED", "errors": errors}),
                "validation: Salsa refused the supporter: value code 2008 Wrong form",
            ),
            (
                json!({"result": "SYSTEM_ERROR"}),
                "retry: Salsa answered SYSTEM_ERROR",
            ),
            (
                json!({"result": "SYSTEM_ERROR", "errors": errors}),
                "retry: Salsa answered SYSTEM_ERROR: value code 2008 Wrong form",
            ),
            (
                json!({"result": "NOT_FOUND", "errors": errors}),
                "unmatched: Salsa has no supporter of this supporterId",
            ),
            (
                json!({"result": "MERGED"}),
                "retry: Salsa's answer has no result that is known",
            ),
            (
                json!({"result": 7}),
                "retry: Salsa's answer has no result that is known",
            ),
            (
                json!({}),
                "retry: Salsa's answer has no result that is known",
            ),
        ];
        for (mut record, expected) in table {
            record["supporterId"] = ID.into();
            let told = told(&put(record.clone()));
            assert!(told.starts_with(expected), "{record}: {told}");
        }
    }

    #[test]
    fn errors_are_gathered_from_every_object_at_once() {
        let error =
            |code: u32, field: &str| json!([{"code": code, "fieldName": field, "message": "no"}]);
        let outcome = put(json!({
            "supporterId": ID,
            "result": "VALIDATION_ERROR",
            "errors": error(1, "firstName"),
            "address": {"city": "Anytown", "errors": error(2, "city")},
            "contacts": [
                {"type": "EMAIL", "value": "ada@example.org", "errors": error(3, "value")},
                {"type": "WORK_PHONE", "value": "+1", "errors": {"code": "4", "message": "no"}},
            ],
            "customFieldValues": [{"name": "Employer", "value": "X", "errors": error(5, "value")}],
        }));
        assert_eq!(
            told(&outcome),
            "validation: Salsa refused the supporter: firstName code 1 no; address.city code 2 no; \
             contacts[EMAIL].value code 3 no; contacts[WORK_PHONE] code 4 no; \
             customFieldValues[Employer].value code 5 no"
        );
    }

    #[test]
    fn an_endless_list_of_errors_is_cut() {
        let errors = vec![json!({"code": 1}); 100_000];
        let outcome = put(json!({"supporterId": ID, "errors": errors}));
        let told = told(&outcome);
        assert!(told.ends_with("; and 99950 more"));
        assert!(told.len() < 2_000);
    }

    #[test]
    fn answers_are_matched_by_identity_and_never_by_position() {
        let documents = [
            sent(Some("id-1"), "one@example.org", None),
            sent(None, "two@example.org", None),
            sent(None, "three@example.org", Some("X3")),
            sent(Some("id-4"), "four@example.org", None),
        ];
        let answer = payload(json!([
            {"supporterId": "stranger", "result": "UPDATED"},
            null,
            "text",
            {"externalSystemId": "X3", "result": "SYSTEM_ERROR"},
            {"supporterId": "new", "result": "ADDED", "contacts": [{"type": "EMAIL", "value": "TWO@example.org"}]},
            {"supporterId": "ID-1", "result": "UPDATED"},
        ]));
        let told: Vec<_> = put_outcomes(&answer, &documents).iter().map(told).collect();
        assert_eq!(
            told,
            [
                "done: updated in Salsa",
                "done: added in Salsa",
                "retry: Salsa answered SYSTEM_ERROR",
                "retry: Salsa's answer left this supporter out",
            ]
        );
    }

    #[test]
    fn another_supporter_with_the_same_email_does_not_answer_for_ours() {
        let outcome = put(json!({
            "supporterId": "somebody-else",
            "result": "UPDATED",
            "contacts": [{"type": "EMAIL", "value": "ada@example.org"}],
        }));
        assert!(told(&outcome).contains("left this supporter out"));
    }

    #[test]
    fn of_two_answers_the_refusal_counts() {
        let answer = payload(json!([
            {"supporterId": ID, "result": "UPDATED"},
            {"supporterId": ID, "result": "VALIDATION_ERROR"},
        ]));
        let outcomes = put_outcomes(&answer, &[sent(Some(ID), "ada@example.org", None)]);
        assert!(told(&outcomes[0]).starts_with("validation"));
    }

    #[test]
    fn an_answer_without_supporters_leaves_everyone_to_be_retried() {
        let documents = [sent(Some(ID), "ada@example.org", None)];
        for odd in [
            json!({}),
            json!({"supporters": null}),
            json!({"supporters": {}}),
        ] {
            let payload = Payload(odd.as_object().unwrap().clone());
            assert!(matches!(
                put_outcomes(&payload, &documents)[..],
                [Outcome::Retry { .. }]
            ));
        }
    }

    #[test]
    fn every_deletion_has_its_outcome() {
        let answer = payload(json!([
            {"supporterId": "c", "result": "SYSTEM_ERROR"},
            {"supporterId": "b", "result": "NOT_FOUND"},
            {"supporterId": "a", "result": "DELETED"},
            {"supporterId": "e", "result": "UPDATED"},
        ]));
        let ids = ["A", "b", "c", "d", "e"].map(str::to_owned);
        let told: Vec<_> = delete_outcomes(&answer, &ids).iter().map(told).collect();
        let expected = [
            "done: deleted",
            "unmatched",
            "retry: Salsa answered",
            "retry: Salsa's answer left",
            "retry",
        ];
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told}");
        }
    }
}
