//! `ContactUpsertDto` as ASP.NET binds it: unknown fields are ignored, null means absent, what cannot
//! be converted is named in ModelState.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What a field holds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Integer,
    Boolean,
    Date,
    Gender,
    /// A collection with the fields of its items, and the most items.
    Items(&'static [(&'static str, Kind)], usize),
}

use Kind::{Boolean, Date, Gender, Integer, Items, Text};

const TAG: &[(&str, Kind)] = &[("Tag", Text), ("TagDate", Date)];
const CONSENT: &[(&str, Kind)] = &[("Type", Text), ("Consent", Boolean)];
const COURSE: &[(&str, Kind)] = &[
    ("PreferenceNumber", Integer),
    ("StudyLevel", Text),
    ("Faculty", Text),
    ("Course", Text),
    ("Department", Text),
    ("Campus", Text),
    ("StudyArea", Text),
];
const COMMUNICATION: &[(&str, Kind)] = &[
    ("Incoming", Boolean),
    ("Category", Text),
    ("Type", Text),
    ("Headline", Text),
    ("Subject", Text),
    ("Code", Text),
    ("Effectiveness", Text),
    ("FromEmailAddress", Text),
    ("ToEmailAddress", Text),
    ("SendExternal", Boolean),
    ("Source", Text),
    ("ReferralSource", Text),
    ("DateCreated", Date),
];

/// The vendor's table of body parameters.
const FIELDS: &[(&str, Kind)] = &[
    ("CrmNumber", Integer),
    ("StudentInstitutionId", Text),
    ("Salutation", Text),
    ("Name", Text),
    ("Surname", Text),
    ("MiddleName", Text),
    ("Alias", Text),
    ("FormerName", Text),
    ("Gender", Gender),
    ("DateOfBirth", Date),
    ("EmailAddress", Text),
    ("EmailAddress2", Text),
    ("Mobile", Text),
    ("PhoneWork", Text),
    ("PhoneHome", Text),
    ("FaxWork", Text),
    ("FaxHome", Text),
    ("CorrespondenceStreetAddressLine1", Text),
    ("CorrespondenceStreetAddressLine2", Text),
    ("CorrespondenceStreetAddressLine3", Text),
    ("CorrespondenceTownSuburb", Text),
    ("CorrespondenceStateCity", Text),
    ("CorrespondencePostcode", Text),
    ("CorrespondenceCountry", Text),
    ("CountryOfBirth", Text),
    ("CountryOfCitizenship", Text),
    ("DualCountryOfCitizenship", Text),
    ("CountryOfResidence", Text),
    ("IsPermanentResident", Boolean),
    ("VisaType", Text),
    ("VisaExpiryDate", Date),
    ("InclusionStatus", Text),
    ("HeatStatus", Text),
    ("HeatStatusReason", Text),
    ("SubChannel", Text),
    ("Intake", Text),
    ("ContactStatus", Text),
    ("ContactStatusDate", Date),
    ("ContactStatusReason", Text),
    ("SubscribedToDirectEmails", Boolean),
    ("SubscribedToDirectPhoneCalls", Boolean),
    ("SubscribedToDirectSms", Boolean),
    ("ContactNoteContent", Text),
    ("ContactNoteType", Text),
    ("Inactive", Boolean),
    ("CreateTask", Boolean),
    ("TaskType", Text),
    ("TaskDescription", Text),
    ("TaskActionDate", Date),
    ("Tags", Items(TAG, usize::MAX)),
    ("Consents", Items(CONSENT, usize::MAX)),
    ("PackageCourses", Boolean),
    ("Courses", Items(COURSE, 99)),
    ("Communications", Items(COMMUNICATION, usize::MAX)),
];

/// A bound document: the vendor's field names and the values given.
pub(super) type BoundDocument = BTreeMap<&'static str, Value>;
/// Messages by the path of the field.
pub(super) type ModelState = BTreeMap<String, Vec<String>>;

/// All that is wrong at once, as ASP.NET tells it.
pub(super) fn bind(body: &Map<String, Value>) -> Result<BoundDocument, ModelState> {
    let mut problems = ModelState::new();
    let document = bind_fields(body, FIELDS, "dto", &mut problems);
    match problems.is_empty() {
        true => Ok(document),
        false => Err(problems),
    }
}

fn bind_fields(
    given: &Map<String, Value>,
    fields: &[(&'static str, Kind)],
    path: &str,
    problems: &mut ModelState,
) -> BoundDocument {
    let mut document = BoundDocument::new();
    for (key, value) in given {
        let known = fields
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key));
        let Some((name, kind)) = known else { continue };
        if !value.is_null() {
            check(value, *kind, &format!("{path}.{name}"), problems);
            document.insert(name, value.clone());
        }
    }
    document
}

fn check(value: &Value, kind: Kind, path: &str, problems: &mut ModelState) {
    let problem = match kind {
        Items(fields, most) => match value.as_array() {
            None => Some("The value is not a collection.".to_owned()),
            Some(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    match item.as_object() {
                        Some(item) => drop(bind_fields(item, fields, &path, problems)),
                        None => refuse(problems, &path, "The value is not an object.".to_owned()),
                    }
                }
                let name = path.rsplit('.').next().unwrap_or(path);
                (items.len() > most).then(|| {
                    format!(
                        "The field {name} must be an array type with a maximum length of '{most}'."
                    )
                })
            }
        },
        scalar => {
            (!fits(value, scalar)).then(|| "The value given is not valid for the field.".to_owned())
        }
    };
    if let Some(problem) = problem {
        refuse(problems, path, problem);
    }
}

fn refuse(problems: &mut ModelState, path: &str, problem: String) {
    problems.entry(path.to_owned()).or_default().push(problem);
}

fn fits(value: &Value, kind: Kind) -> bool {
    let text = value.as_str();
    match kind {
        Text => text.is_some() || value.is_number() || value.is_boolean(),
        Integer => {
            value
                .as_i64()
                .is_some_and(|number| i32::try_from(number).is_ok())
                || text.is_some_and(|text| text.trim().parse::<i32>().is_ok())
        }
        Boolean => {
            let word = |text: &str| {
                text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
            };
            value.is_boolean() || text.is_some_and(word)
        }
        Date => text.is_some_and(|text| {
            let day = text.get(..10).unwrap_or(text);
            day.parse::<jiff::civil::Date>().is_ok()
                && (text.len() == 10 || text.as_bytes().get(10) == Some(&b'T'))
        }),
        Gender => text.is_some_and(|text| matches!(text, "M" | "F" | "X" | "N")),
        Items(..) => value.is_array(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: Value) -> Vec<String> {
        let bound = bind(body.as_object().unwrap());
        bound
            .err()
            .map(|problems| problems.into_keys().collect())
            .unwrap_or_default()
    }

    #[test]
    fn unknown_fields_and_nulls_are_ignored() {
        let body = json!({ "Employer": { "deep": [1] }, "Gender": null, "phonework": "+1" });
        let bound = bind(body.as_object().unwrap()).unwrap();
        assert_eq!(bound, BoundDocument::from([("PhoneWork", json!("+1"))]));
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        for (body, paths) in [
            (
                json!({ "Gender": "A", "CrmNumber": "x" }),
                vec!["dto.CrmNumber", "dto.Gender"],
            ),
            (
                json!({ "DateOfBirth": "31/12/1999" }),
                vec!["dto.DateOfBirth"],
            ),
            (
                json!({ "DateOfBirth": "2024-05-09T05:36:29.2602615+10:00" }),
                vec![],
            ),
            (json!({ "PhoneWork": ["+1"] }), vec!["dto.PhoneWork"]),
            (
                json!({ "CrmNumber": 4_294_967_296_i64 }),
                vec!["dto.CrmNumber"],
            ),
            (
                json!({ "Tags": [{ "Tag": {} }, 1] }),
                vec!["dto.Tags[0].Tag", "dto.Tags[1]"],
            ),
            (json!({ "Courses": vec![json!({}); 99] }), vec![]),
            (
                json!({ "Courses": vec![json!({}); 100] }),
                vec!["dto.Courses"],
            ),
        ] {
            assert_eq!(refused(body.clone()), paths, "{body}");
        }
    }
}
