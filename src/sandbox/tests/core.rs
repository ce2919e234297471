//! The relay's core against the vendors: each accepts what the other says.

use std::collections::BTreeMap;

use jobs::{
    change::{self, Change, FieldNames},
    country::CountryCodes,
    crm_update::{self, CrmMapping},
    outcome::{DeadClass, Outcome},
    reply::{Answer, Reply},
    salsa_upsert::{self, IdentifierType, SalsaMapping},
};

use super::*;

struct Core {
    names: FieldNames,
    crm: CrmMapping,
    salsa: SalsaMapping,
}

impl Core {
    fn new() -> Self {
        let names = FieldNames::default();
        Self {
            crm: CrmMapping::compile(&BTreeMap::new(), &names, CountryCodes::Alpha3).unwrap(),
            salsa: SalsaMapping::compile(&BTreeMap::new(), &names).unwrap(),
            names,
        }
    }

    fn decode(&self, row: &Value) -> Result<Change, Outcome> {
        let campus = jiff::tz::TimeZone::get("America/New_York").unwrap();
        change::decode(row, &self.names, &campus).map_err(|error| Outcome::Dead {
            class: DeadClass::Undecodable,
            cause: error.cause,
            advice: error.advice,
        })
    }
}

async fn reply(request: RequestBuilder) -> Reply {
    let answer = request.send().await.unwrap();
    Reply::Answer(Answer {
        status: answer.status().as_u16(),
        retry_after: None,
        body: answer.text().await.unwrap(),
    })
}

impl Fixture {
    async fn apply_to_crm(&self, core: &Core, token: &str, row: &Value) -> Outcome {
        let document = core
            .decode(row)
            .and_then(|change| core.crm.document(&change, false));
        match document {
            Ok(document) => {
                let body = serde_json::to_value(&document).unwrap();
                crm_update::classify(&reply(self.contact("updatecontact", token, &body)).await)
            }
            Err(outcome) => outcome,
        }
    }

    async fn apply_to_salsa(&self, core: &Core, row: &Value) -> Outcome {
        let patch = core
            .decode(row)
            .and_then(|change| core.salsa.patch(&change, false));
        let patch = match patch {
            Ok(patch) => patch,
            Err(outcome) => return outcome,
        };
        let key = [patch.key().value().to_owned()];
        let body = salsa_upsert::search_body(&key, IdentifierType::ExternalId);
        let search = self.salsa("POST", "supporters/search", &body["payload"]);
        let found = salsa_upsert::classify(&reply(search).await).unwrap();
        let current = salsa_upsert::correlate_search(&found, [&patch])
            .remove(0)
            .unwrap();
        let document = match salsa_upsert::merge(current.as_ref(), &patch, false) {
            Ok(document) => document,
            Err(outcome) => return outcome,
        };
        let body = salsa_upsert::put_body([&document]);
        let put = reply(self.salsa("PUT", "supporters", &body["payload"])).await;
        let payload = salsa_upsert::classify(&put).unwrap();
        salsa_upsert::put_outcomes(&payload, [&document]).remove(0)
    }
}

fn class(outcome: Outcome) -> Option<DeadClass> {
    match outcome {
        Outcome::Done { .. } => None,
        Outcome::Dead { class, .. } => Some(class),
        other => panic!("neither done nor dead: {other:?}"),
    }
}

fn counted(outcomes: Vec<Option<DeadClass>>) -> BTreeMap<DeadClass, usize> {
    let mut counts = BTreeMap::new();
    for class in outcomes.into_iter().flatten() {
        *counts.entry(class).or_default() += 1;
    }
    counts
}

fn unlimited(options: SandboxOptions) -> SandboxOptions {
    SandboxOptions {
        limits: Limits {
            rate_per_minute: 0,
            ..Limits::default()
        },
        ..options
    }
}

#[tokio::test]
async fn every_generated_change_is_accepted_by_both_destinations() {
    let options = SandboxOptions {
        changes: 400,
        people: 150,
        ..small()
    };
    let it = start(unlimited(options)).await;
    let (core, token) = (Core::new(), it.token().await);
    let mut rows = it.all_rows().await;
    rows.sort_by_key(|row| core.decode(row).unwrap().order);
    for row in &rows {
        assert_eq!(
            class(it.apply_to_crm(&core, &token, row).await),
            None,
            "{row}"
        );
        assert_eq!(class(it.apply_to_salsa(&core, row).await), None, "{row}");
    }
    it.acknowledge(&ids(&rows)).await;
    let report = it.sandbox.report();
    let verdicts = report.verdicts(&[], &[]);
    assert!(verdicts.iter().all(|verdict| verdict.held), "{verdicts:?}");
    assert_eq!((report.acknowledged, report.unattributed), (400, 0));
    assert_eq!(report.address_fields_erased, 0);
}

#[tokio::test]
async fn every_flaw_becomes_the_dead_letter_it_is_made_for() {
    let options = SandboxOptions {
        changes: 200,
        people: 400,
        anonymous: 3,
        invalid_fields: 4,
        invalid_phones: 5,
        undecodable: 6,
        ..small()
    };
    let it = start(unlimited(options)).await;
    let (core, token) = (Core::new(), it.token().await);
    let (mut crm, mut salsa) = (Vec::new(), Vec::new());
    for row in it.all_rows().await {
        crm.push(class(it.apply_to_crm(&core, &token, &row).await));
        salsa.push(class(it.apply_to_salsa(&core, &row).await));
    }
    let (crm, salsa) = (counted(crm), counted(salsa));
    for counts in [&crm, &salsa] {
        assert_eq!(counts[&DeadClass::Anonymous], 3, "{counts:?}");
        assert_eq!(counts[&DeadClass::Undecodable], 6, "{counts:?}");
    }
    assert_eq!(salsa[&DeadClass::Validation], 5 + 4, "{salsa:?}");
    assert_eq!(crm.get(&DeadClass::Validation), Some(&5), "{crm:?}");
}

#[tokio::test]
async fn people_missing_at_a_destination_are_unmatched_there_until_the_repair() {
    let options = SandboxOptions {
        changes: 100,
        people: 20,
        missing_in_crm: 2,
        missing_in_salsa: 3,
        ..small()
    };
    let it = start(unlimited(options)).await;
    let (core, token) = (Core::new(), it.token().await);
    let rows = it.all_rows().await;
    for (unmatched_crm, unmatched_salsa) in [(2, 3), (0, 0)] {
        let mut missing = [
            std::collections::BTreeSet::new(),
            std::collections::BTreeSet::new(),
        ];
        for row in &rows {
            let xid = text(&row["xid"]);
            if class(it.apply_to_crm(&core, &token, row).await) == Some(DeadClass::Unmatched) {
                missing[0].insert(xid.clone());
            }
            if class(it.apply_to_salsa(&core, row).await) == Some(DeadClass::Unmatched) {
                missing[1].insert(xid);
            }
        }
        assert_eq!(
            (missing[0].len(), missing[1].len()),
            (unmatched_crm, unmatched_salsa)
        );
        it.sandbox.repair();
    }
}
