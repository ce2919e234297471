//! The addresses of the pages. Nothing else puts one together.

use std::fmt::Write as _;

use form_urlencoded::Serializer;
use jobs::{destination::Vendor, outcome::DeadClass};

/// The overview.
pub const OVERVIEW: &str = "/";
/// The dead letters.
pub const LETTERS: &str = "/dead-letters";
/// Where a change or a person is looked up.
pub const CHANGES: &str = "/changes";
/// The vendors.
pub const DESTINATIONS: &str = "/destinations";
/// Who did what.
pub const AUDIT: &str = "/audit";

/// One change.
pub fn change(id: &str) -> String {
    match segment(id) {
        Some(id) => format!("{CHANGES}/{id}"),
        None => with_query(CHANGES, &[("find", Some(id))]),
    }
}

/// All changes of one person.
pub fn person(xid: &str) -> String {
    match segment(xid) {
        Some(xid) => format!("/people/{xid}"),
        None => with_query(CHANGES, &[("xid", Some(xid))]),
    }
}

/// The next page of them.
pub fn person_after(xid: &str, cursor: &str) -> String {
    match segment(xid) {
        Some(xid) => with_query(&format!("/people/{xid}"), &[("cursor", Some(cursor))]),
        None => with_query(CHANGES, &[("xid", Some(xid)), ("cursor", Some(cursor))]),
    }
}

/// One dead letter.
pub fn letter(vendor: Vendor, id: &str) -> String {
    match segment(id) {
        Some(id) => format!("{LETTERS}/{vendor}/{id}"),
        None => change(id),
    }
}

/// One bulk.
pub fn bulk(id: &str) -> String {
    format!("{BULKS}/{}", segment(id).unwrap_or_default())
}

/// All bulks.
pub const BULKS: &str = "/bulks";

/// What an operator does about letters of `class`.
pub fn runbook(class: DeadClass) -> String {
    format!("/runbook#{class}")
}

/// `path` with those of the parameters that have a value.
pub fn with_query(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            query.append_pair(name, value);
        }
    }
    match query.finish().as_str() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// `text` as one segment of a path. `None` where browsers would take it for a step between directories, however it
/// is written.
fn segment(text: &str) -> Option<String> {
    if matches!(text, "" | "." | "..") {
        return None;
    }
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                segment.push(char::from(byte));
            }
            // Writing to a string cannot fail.
            _ => drop(write!(segment, "%{byte:02X}")),
        }
    }
    Some(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_one_segment_whatever_it_holds() {
        for (id, address) in [
            ("41", "/changes/41"),
            ("a/b?c#d", "/changes/a%2Fb%3Fc%23d"),
            ("\"><script>", "/changes/%22%3E%3Cscript%3E"),
            ("é\u{202e}", "/changes/%C3%A9%E2%80%AE"),
            ("..", "/changes?find=.."),
            ("", "/changes"),
        ] {
            assert_eq!(change(id), address);
        }
    }

    #[test]
    fn a_query_leaves_out_what_has_no_value() {
        let query = [
            ("class", Some("stale")),
            ("xid", None),
            ("cause", Some("")),
            ("since", Some("a&b=c")),
        ];
        assert_eq!(
            with_query(LETTERS, &query),
            "/dead-letters?class=stale&since=a%26b%3Dc"
        );
    }
}
