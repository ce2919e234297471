use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    change::{self, Change, FieldNames},
    country::CountryCodes,
    crm_update::CrmMapping,
    outcome::Blame,
    salsa_upsert::{SalsaMapping, Supporter, SupporterPatch},
    trial::DestinationMapping,
};

fn change(row: Value) -> Change {
    change::decode(&row, &FieldNames::default(), &TimeZone::UTC).unwrap()
}

fn patch(id: u32, xid: &str, employer: &str, phone: &str) -> SupporterPatch {
    let mapping = SalsaMapping::compile(&BTreeMap::new(), &FieldNames::default()).unwrap();
    let row = json!({
        "changeId": id, "xid": xid, "employer": employer, "phone": phone, "email": "work@example.org",
    });
    mapping.patch(&change(row), false).unwrap()
}

fn ada() -> Supporter {
    let record = json!({
        "supporterId": "S-1", "externalSystemId": "7", "firstName": "Ada",
        "contacts": [{"type": "EMAIL", "value": "ada@example.org", "status": "OPT_OUT"}],
        "customFieldValues": [{"fieldId": "f-1", "name": "Employer", "value": "Acme"}],
    });
    Supporter::read(&record).unwrap()
}

fn json_of(would: &[Would]) -> Value {
    serde_json::to_value(would).unwrap()
}

#[test]
fn what_is_previewed_has_this_form_because_scripts_read_it() {
    let mut sequence = Sequence::new(true);
    let found = Ok(Some(ada()));
    let would = [
        sequence.next(&found, &patch(1, "7", "Babbage & Co", "")),
        sequence.next(&found, &patch(2, "7", "Lovelace Ltd", "+442079460062")),
        sequence.next(&Ok(None), &patch(3, "8", "", "+12065550100")),
        Would::Nothing {
            because: "applied already",
        },
        Outcome::Retry {
            after: None,
            cause: "Salsa failed".into(),
            blame: Blame::Change,
        }
        .into(),
    ];
    assert_eq!(
        json_of(&would),
        json!([
            {"would": "update", "unchanged": 3, "fields": [
                {"field": "custom.Employer", "old": "Acme", "new": "Babbage & Co"},
            ]},
            {"would": "update", "unchanged": 3, "fields": [
                {"field": "contacts.WORK_PHONE", "old": null, "new": "+442079460062"},
                {"field": "custom.Employer", "old": "Babbage & Co", "new": "Lovelace Ltd"},
            ]},
            {"would": "add", "fields": [
                {"field": "externalSystemId", "old": null, "new": "8"},
                {"field": "contacts.WORK_PHONE", "old": null, "new": "+12065550100"},
                {"field": "contacts.EMAIL", "old": null, "new": "work@example.org"},
            ]},
            {"would": "nothing", "because": "applied already"},
            {"would": "unknown", "cause": "Salsa failed"},
        ])
    );
}

#[test]
fn whoever_is_not_found_dies_unless_the_missing_are_added() {
    let would = Sequence::new(false).next(&Ok(None), &patch(1, "7", "Acme", ""));
    let Would::Die { class, advice, .. } = &would else {
        panic!("it does not die");
    };
    assert_eq!(*class, DeadClass::Unmatched);
    assert!(advice.contains("salsa.create_missing"));
    assert_eq!(json_of(&[would])[0]["would"], "die");
}

#[test]
fn whoever_was_added_by_an_older_change_is_updated_by_the_next() {
    let mut sequence = Sequence::new(true);
    sequence.next(&Ok(None), &patch(1, "8", "Acme", ""));
    let second = sequence.next(&Ok(None), &patch(2, "8", "Babbage & Co", ""));
    let changes: Vec<_> = second
        .changes()
        .iter()
        .map(|c| (c.old.as_deref(), &*c.new))
        .collect();
    assert_eq!(changes, [(Some("Acme"), "Babbage & Co")]);
    assert!(matches!(second, Would::Update { .. }));
}

#[test]
fn a_change_that_dies_leaves_the_supporter_as_the_one_before_did() {
    let mut sequence = Sequence::new(false);
    let shared = Err(Outcome::Dead {
        class: DeadClass::Unmatched,
        cause: "2 supporters share this externalSystemId".into(),
        advice: "Merge them".into(),
    });
    assert!(sequence.next(&shared, &patch(1, "7", "Acme", "")).dies());
    let next = sequence.next(&Ok(Some(ada())), &patch(2, "7", "Babbage & Co", ""));
    assert_eq!(next.changes()[0].old.as_deref(), Some("Acme"));
}

#[test]
fn the_crm_is_shown_what_it_would_be_sent_lists_included() {
    let overrides = BTreeMap::from([(
        "Tags".to_owned(),
        serde_json::from_value(json!([{"Tag": "AlumnIQ {{ changeId }}"}])).unwrap(),
    )]);
    let names = FieldNames::default();
    let mapping = CrmMapping::compile(&overrides, &names, CountryCodes::Alpha3).unwrap();
    let row =
        change(json!({"changeId": 41, "xid": "7", "employer": "Acme", "phone": "+12065550100"}));
    let would = sent(&mapping.map(&row, false).unwrap().document);
    let fields = &json_of(&[would])[0]["fields"];
    for field in [
        json!({"field": "PhoneWork", "new": "+12065550100"}),
        json!({"field": "Tags[0].Tag", "new": "AlumnIQ 41"}),
    ] {
        assert!(fields.as_array().unwrap().contains(&field), "{fields}");
    }
}

/// A few changes of two people, so that they meet.
fn changes() -> impl Strategy<Value = Vec<(bool, String)>> {
    prop::collection::vec((any::<bool>(), "[A-C]"), 1..12)
}

proptest! {
    #[test]
    fn each_old_value_is_the_new_one_of_the_change_before(changes in changes(), known in any::<bool>()) {
        let mut sequence = Sequence::new(true);
        let mut employers: [Option<String>; 2] = [known.then(|| "Acme".to_owned()), None];
        for (id, (is_ada, employer)) in changes.into_iter().enumerate() {
            let found = Ok((is_ada && known).then(ada));
            let xid = if is_ada { "7" } else { "8" };
            let would = sequence.next(&found, &patch(id as u32 + 1, xid, &employer, ""));
            let before = &mut employers[usize::from(!is_ada)];
            let told = would.changes().iter().find(|change| change.field == "custom.Employer");
            match told {
                Some(told) => {
                    prop_assert_eq!(&told.old, &*before);
                    prop_assert_eq!(&told.new, &employer);
                }
                None => prop_assert_eq!(before.as_ref(), Some(&employer)),
            }
            *before = Some(employer);
        }
    }
}
