//! From a row of the feed to a change on its way in.

use jiff::tz::TimeZone;
use jobs::{
    change::{self, FieldNames},
    outcome::DeadClass,
};
use queue::intake::{Listed, NewChange, NewLetter};
use serde_json::value::{RawValue, to_raw_value};

use ring::digest::{SHA256, SHA256_OUTPUT_LEN};

/// A row as it enters the queue, dead on arrival where it has no usable id, person or time; also used when an
/// undecodable row is replayed. Of a row that is too long only `null` is kept.
pub fn arrival(raw: Box<RawValue>, names: &FieldNames, timezone: &TimeZone) -> NewChange {
    let (row, identity, content) = match change::parse(raw.get(), names) {
        // Written anew: without the blanks between its parts.
        Ok(row) => (
            to_raw_value(&row).unwrap_or_else(|_| raw.clone()),
            change::identify(&row, names, timezone),
            digest(&change::content(&row, names)),
        ),
        Err(error) => (raw.clone(), Err(error), digest(raw.get())),
    };
    let listed = Some(Listed { content, row: 0 });
    match identity {
        Ok(identity) => NewChange {
            change_id: identity.change_id,
            xid: identity.xid,
            order: identity.order,
            row,
            letter: None,
            replaces: None,
            listed,
        },
        Err(error) => {
            let id = change::change_id_of(row.get(), names);
            let (class, has_id) = (DeadClass::Undecodable, id.is_some());
            NewChange {
                // Without an id, a name that the same row has again at the next fetch.
                change_id: id.unwrap_or_else(|| {
                    format!(
                        "row-{:.16}",
                        sha1_smol::Sha1::from(row.get()).digest().to_string()
                    )
                }),
                xid: None,
                order: String::new(),
                row: match row.get().len() {
                    ..=change::MAX_ROW => row,
                    _ => RawValue::NULL.to_owned(),
                },
                letter: Some(NewLetter::new(class, error.cause, error.advice, has_id)),
                replaces: None,
                listed,
            }
        }
    }
}

fn digest(content: &str) -> [u8; SHA256_OUTPUT_LEN] {
    let mut bytes = [0; SHA256_OUTPUT_LEN];
    bytes.copy_from_slice(ring::digest::digest(&SHA256, content.as_bytes()).as_ref());
    bytes
}
