//! The envelopes of Salsa's calls. They hold `payload` only: an unknown top-level field is a 400.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::supporter::Supporter;

/// What the identifiers of a search are; one search takes one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdentifierType {
    /// Salsa's own ids.
    SupporterId,
    /// EMAIL contacts.
    EmailAddress,
    /// `externalSystemId`s.
    ExternalId,
}

impl IdentifierType {
    /// The wire constant. Salsa's page spells the second one `EMAIL_ADDESS` and `EMAIL_ADDRESSS`;
    /// clients that work send `EMAIL_ADDRESS`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SupporterId => "SUPPORTER_ID",
            Self::EmailAddress => "EMAIL_ADDRESS",
            Self::ExternalId => "EXTERNAL_ID",
        }
    }

    /// The field that it searches, for people.
    pub const fn field(self) -> &'static str {
        match self {
            Self::SupporterId => "supporterId",
            Self::EmailAddress => "EMAIL contact",
            Self::ExternalId => "externalSystemId",
        }
    }
}

/// The `payload` of an answer that [`classify`](super::classify) let through.
#[derive(Clone, Default, PartialEq)]
pub struct Payload(pub(super) Map<String, Value>);

impl Payload {
    /// A member of the payload, e.g. `total`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Whether it is a list of supporters: Salsa leaves out what is null, but then it says how many there are.
    pub(super) fn is_list(&self) -> bool {
        let counts = || {
            ["total", "count"]
                .iter()
                .any(|name| self.get(name).is_some_and(Value::is_u64))
        };
        match self.get("supporters") {
            Some(Value::Array(_)) => true,
            None | Some(Value::Null) => counts(),
            Some(_) => false,
        }
    }

    /// The records of `supporters`, as they are; none when the member is missing or no array.
    pub fn supporters(&self) -> &[Value] {
        self.get("supporters")
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }
}

/// Names members only: their values are personal data.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Payload")
            .field(&self.0.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// `POST supporters/search` by identity. At most `maxBatchSize` identifiers a call.
pub fn search_body(identifiers: &[String], kind: IdentifierType) -> Value {
    json!({ "payload": { "identifiers": identifiers, "identifierType": kind.as_str() } })
}

/// `POST supporters/search` by the time of the census data's last change, both ends included;
/// `to: None` means until now. `count` is at most `maxBatchSize`.
pub fn search_modified_body(
    from: Timestamp,
    to: Option<Timestamp>,
    offset: u64,
    count: usize,
) -> Value {
    let mut payload = Map::new();
    payload.insert("modifiedFrom".into(), gmt(from).into());
    if let Some(to) = to {
        payload.insert("modifiedTo".into(), gmt(to).into());
    }
    payload.insert("offset".into(), offset.into());
    payload.insert("count".into(), count.into());
    json!({ "payload": payload })
}

/// `PUT supporters`. At most `maxBatchSize` documents a call, independent of each other (see
/// [`independent_batches`](super::independent_batches)).
pub fn put_body<'a>(documents: impl IntoIterator<Item = &'a Supporter>) -> Value {
    let supporters: Vec<_> = documents.into_iter().map(Supporter::document).collect();
    json!({ "payload": { "supporters": supporters } })
}

/// `DELETE supporters`, by Salsa's own ids. A deletion cannot be undone.
pub fn delete_body(supporter_ids: &[String]) -> Value {
    let supporters: Vec<_> = supporter_ids
        .iter()
        .map(|id| json!({ "supporterId": id }))
        .collect();
    json!({ "payload": { "supporters": supporters } })
}

fn gmt(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_by_identity_holds_nothing_but_its_payload() {
        let body = search_body(&["a@example.org".into()], IdentifierType::EmailAddress);
        assert_eq!(
            body.to_string(),
            r#"{"payload":{"identifiers":["a@example.org"],"identifierType":"EMAIL_ADDRESS"}}"#
        );
        assert_eq!(IdentifierType::SupporterId.as_str(), "SUPPORTER_ID");
        assert_eq!(IdentifierType::ExternalId.as_str(), "EXTERNAL_ID");
    }

    #[test]
    fn a_search_by_time_is_in_gmt_with_milliseconds() {
        let from = "2016-05-26T13:49:24.905999+02:00".parse().unwrap();
        assert_eq!(
            search_modified_body(from, None, 40, 20).to_string(),
            r#"{"payload":{"modifiedFrom":"2016-05-26T11:49:24.905Z","offset":40,"count":20}}"#
        );
        let to = "2016-06-01T00:00:00Z".parse().unwrap();
        assert_eq!(
            search_modified_body(from, Some(to), 0, 20)["payload"]["modifiedTo"],
            "2016-06-01T00:00:00.000Z"
        );
    }

    #[test]
    fn a_deletion_names_ids_only() {
        assert_eq!(
            delete_body(&["id-1".into(), "id-2".into()]).to_string(),
            r#"{"payload":{"supporters":[{"supporterId":"id-1"},{"supporterId":"id-2"}]}}"#
        );
    }
}
