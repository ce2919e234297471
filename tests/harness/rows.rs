//! Changes on their way in.

use jiff::{Timestamp, civil::DateTime};
use jobs::{order::order_key, outcome::DeadClass};
use queue::intake::{NewChange, NewLetter};
use sandbox::SandboxOptions;
use serde_json::{json, value::to_raw_value};

/// The campus's clock now. AlumnIQ dates rows by it, wherever the tests run.
pub fn campus_now() -> DateTime {
    let zone = SandboxOptions::default().timezone;
    Timestamp::now().in_tz(&zone).unwrap().datetime()
}

/// A change of `xid` (`None`: of nobody) made at `changed_on` ms.
pub fn change(id: &str, xid: Option<&str>, changed_on: i64) -> NewChange {
    NewChange {
        change_id: id.to_owned(),
        xid: xid.map(str::to_owned),
        order: order_key(Timestamp::from_millisecond(changed_on).ok(), id),
        row: to_raw_value(&json!({ "changeId": id, "xid": xid })).unwrap(),
        letter: None,
        replaces: None,
        listed: None,
    }
}

/// A row that cannot even be queued, and has no id that AlumnIQ would know.
pub fn undecodable(id: &str) -> NewChange {
    NewChange {
        order: String::new(),
        letter: Some(NewLetter::new(
            DeadClass::Undecodable,
            "field `changedOn` is no date".to_owned(),
            "correct the row".to_owned(),
            false,
        )),
        ..change(id, None, 0)
    }
}
