//! The answers of a search: who was found for whom, and where the next page begins.

use std::collections::{BTreeMap, HashMap};

use super::{
    identity::folded,
    outcomes::result,
    patch::{SupporterKey, SupporterPatch},
    supporter::Supporter,
    wire::Payload,
};
use crate::{
    outcome::{Blame, DeadClass, Outcome},
    redact::redact,
};

/// What a search found for each patch, in the patches' order: the supporter, `None` for a miss.
///
/// A miss may be a record with the result NOT_FOUND or no record at all. Records are matched by the key
/// that was searched, never by position; the search may have been about one kind of key only, then the
/// patches of the other kind are misses.
///
/// # Errors
///
/// Per patch: [`Outcome::Retry`] when the payload is no list of supporters, which would pass for one without a hit, or
/// when Salsa failed on its record; [`Outcome::Dead`] of class `unmatched` when several supporters share its key, because
/// any choice could update the wrong person; [`Outcome::Retry`] when the record has no supporterId,
/// without which a PUT would add.
pub fn correlate_search<'a>(
    payload: &Payload,
    patches: impl IntoIterator<Item = &'a SupporterPatch>,
) -> Vec<Result<Option<Supporter>, Outcome>> {
    if !payload.is_list() {
        let none = Outcome::Retry {
            after: None,
            cause: "Salsa's answer to a search has no list of supporters".into(),
            blame: Blame::Unknown,
        };
        return patches.into_iter().map(|_| Err(none.clone())).collect();
    }
    let records: Vec<_> = hits(payload).collect();
    let mut by_key: HashMap<SupporterKey, Vec<&Hit>> = HashMap::new();
    for hit in &records {
        let external_id = hit.supporter.external_id();
        let email = hit.supporter.email();
        let keys = [
            external_id.map(|id| SupporterKey::ExternalId(id.trim().to_owned())),
            email.map(|email| SupporterKey::Email(folded(email))),
        ];
        for key in keys.into_iter().flatten() {
            by_key.entry(key).or_default().push(hit);
        }
    }
    patches
        .into_iter()
        .map(|patch| {
            let key = match &patch.key {
                SupporterKey::ExternalId(id) => SupporterKey::ExternalId(id.trim().to_owned()),
                SupporterKey::Email(email) => SupporterKey::Email(folded(email)),
            };
            one_of(by_key.get(&key).map_or(&[][..], Vec::as_slice), &key)
        })
        .collect()
}

/// A record of a search's answer that is no miss.
struct Hit<'a> {
    supporter: Supporter,
    result: &'a str,
}

fn hits(payload: &Payload) -> impl Iterator<Item = Hit<'_>> {
    payload.supporters().iter().filter_map(|record| {
        let result = result(record);
        let supporter = Supporter::read(record).filter(|_| result != "NOT_FOUND")?;
        Some(Hit { supporter, result })
    })
}

fn one_of(hits: &[&Hit], key: &SupporterKey) -> Result<Option<Supporter>, Outcome> {
    let retry = |cause: String| Outcome::Retry {
        after: None,
        cause,
        blame: Blame::Change,
    };
    if hits.is_empty() {
        return Ok(None);
    }
    if let Some(failed) = hits.iter().find(|hit| hit.result.ends_with("_ERROR")) {
        let cause = format!(
            "Salsa failed to look a supporter up: {}",
            redact(failed.result)
        );
        return Err(retry(cause));
    }
    let identified: BTreeMap<_, _> = hits
        .iter()
        .filter_map(|hit| Some((folded(hit.supporter.id()?), &hit.supporter)))
        .collect();
    match identified.len() {
        0 => Err(retry(
            "Salsa found a supporter and left out its supporterId".into(),
        )),
        1 => Ok(identified.into_values().next().cloned()),
        several => Err(Outcome::Dead {
            class: DeadClass::Unmatched,
            cause: format!("{several} supporters share this {}", key.kind().field()),
            advice: "Merge them in Salsa, or correct the one that is wrong; then replay".into(),
        }),
    }
}

/// The supporters of a search's answer, without its misses.
pub fn found(payload: &Payload) -> Vec<Supporter> {
    hits(payload).map(|hit| hit.supporter).collect()
}

/// Where the next page of a search by time begins; `None` after the last one. `offset` and `count` are
/// those of the call: answers may leave `offset` out. `total` is only trusted to tell the end.
pub fn next_offset(payload: &Payload, offset: u64, count: usize) -> Option<u64> {
    let records = payload.supporters().len();
    let next = offset.checked_add(u64::try_from(records).ok()?)?;
    let more = match payload.get("total").and_then(serde_json::Value::as_u64) {
        Some(total) => next < total,
        None => records >= count,
    };
    (records > 0 && more).then_some(next)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::salsa_upsert::supporter::Fields;

    fn patch(key: SupporterKey) -> SupporterPatch {
        SupporterPatch {
            key,
            census: Fields::new(),
            address: Fields::new(),
            contacts: Fields::new(),
            custom: Vec::new(),
            row_email: None,
        }
    }

    fn xid(xid: &str) -> SupporterPatch {
        patch(SupporterKey::ExternalId(xid.into()))
    }

    fn email(email: &str) -> SupporterPatch {
        patch(SupporterKey::Email(email.into()))
    }

    fn payload(payload: Value) -> Payload {
        Payload(payload.as_object().unwrap().clone())
    }

    /// What was found as one line a patch.
    fn told(supporters: Value, patches: &[SupporterPatch]) -> Vec<String> {
        correlate_search(&payload(json!({ "supporters": supporters })), patches)
            .into_iter()
            .map(|found| match found {
                Ok(Some(supporter)) => supporter.id().unwrap().to_owned(),
                Ok(None) => "nobody".into(),
                Err(Outcome::Dead { class, cause, .. }) => format!("{class}: {cause}"),
                Err(Outcome::Retry { cause, .. }) => format!("retry: {cause}"),
                Err(other) => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn supporters_go_to_whom_they_were_searched_for_in_any_order() {
        let supporters = json!([
            {"externalSystemId": "9", "result": "NOT_FOUND"},
            {"supporterId": "s-3", "result": "FOUND", "externalSystemId": 3},
            null,
            {"supporterId": "s-stranger", "result": "FOUND", "externalSystemId": "77"},
            {"supporterId": "s-1", "externalSystemId": "1"},
        ]);
        assert_eq!(
            told(supporters, &[xid("1"), xid("2"), xid("3"), xid("9")]),
            ["s-1", "nobody", "s-3", "nobody"]
        );
    }

    #[test]
    fn an_email_finds_its_supporter_in_any_case_and_serves_two_patches() {
        let supporters = json!([{
            "supporterId": "s-1", "result": "FOUND", "externalSystemId": "ada@example.org",
            "contacts": [{"type": "EMAIL", "value": "Ada@Example.org"}],
        }]);
        assert_eq!(
            told(
                supporters,
                &[
                    email("ADA@example.org"),
                    email("ada@example.org"),
                    email("b@example.org")
                ]
            ),
            ["s-1", "s-1", "nobody"]
        );
    }

    #[test]
    fn supporters_that_share_a_key_are_nobodys() {
        let supporters = json!([
            {"supporterId": "s-1", "externalSystemId": "1"},
            {"supporterId": "s-2", "externalSystemId": "1"},
            {"supporterId": "s-3", "externalSystemId": "3"},
            {"supporterId": "S-3", "externalSystemId": "3"},
        ]);
        assert_eq!(
            told(supporters, &[xid("1"), xid("3")]),
            ["unmatched: 2 supporters share this externalSystemId", "S-3"]
        );
    }

    #[test]
    fn a_record_that_cannot_be_trusted_is_asked_for_again() {
        let supporters = json!([
            {"result": "FOUND", "externalSystemId": "1"},
            {"supporterId": "s-2", "result": "SYSTEM_ERROR", "externalSystemId": "2"},
        ]);
        assert_eq!(
            told(supporters, &[xid("1"), xid("2")]),
            [
                "retry: Salsa found a supporter and left out its supporterId",
                "retry: Salsa failed to look a supporter up: SYSTEM_ERROR",
            ]
        );
    }

    #[test]
    fn only_a_list_of_supporters_says_that_nobody_was_found() {
        let told = |answer: Value| {
            let found = correlate_search(&payload(answer), &[xid("1")]).remove(0);
            match found {
                Ok(None) => "nobody",
                Err(Outcome::Retry {
                    blame: Blame::Unknown,
                    ..
                }) => "retry",
                other => panic!("{other:?}"),
            }
        };
        for (answer, expected) in [
            (json!({"supporters": []}), "nobody"),
            (json!({"total": 0}), "nobody"),
            (json!({"count": 0, "supporters": null}), "nobody"),
            (json!({}), "retry"),
            (json!({"supporters": null}), "retry"),
            (json!({"supporters": {}, "total": 0}), "retry"),
            (json!({"supporters": "x"}), "retry"),
            (json!({"status": "ok"}), "retry"),
        ] {
            assert_eq!(told(answer.clone()), expected, "{answer}");
        }
    }

    #[test]
    fn pages_end_by_the_total_or_by_a_short_page() {
        let page = |records: usize, total: Value| {
            payload(json!({"supporters": vec![json!({}); records], "total": total}))
        };
        for (records, total, next) in [
            (20, json!(1200), Some(60)),
            (7, json!(1200), Some(47)),
            (20, json!(60), None),
            (0, json!(1200), None),
            (20, json!(null), Some(60)),
            (19, json!(null), None),
            (20, json!("many"), Some(60)),
        ] {
            assert_eq!(
                next_offset(&page(records, total.clone()), 40, 20),
                next,
                "{records} {total}"
            );
        }
        assert_eq!(next_offset(&page(1, json!(null)), u64::MAX, 1), None);
    }
}
