use std::io::{self, Read};

use hostile::{body, fit, json};
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;

/// The rows of a fetch at once: 200 and a JSON array (`[]` when nothing is unprocessed).
fn parse_feed(reply: &Reply) -> Result<Vec<Box<RawValue>>, FeedError> {
    let Answer {
        retry_after, body, ..
    } = good(reply)?;
    let mut rows = Vec::new();
    let read = read_rows(body.as_bytes(), |row| {
        rows.push(row);
        Ok(())
    });
    match read {
        Ok(_) => Ok(rows),
        Err(unread) => Err(instead_of_rows(*retry_after, unread).unwrap()),
    }
}

fn answer(status: u16, body: &str) -> Reply {
    let retry_after = (status == 429).then_some(Duration::from_secs(7));
    Reply::Answer(Answer {
        status,
        retry_after,
        body: body.to_owned(),
    })
}

#[test]
fn a_feed_is_a_json_array_with_or_without_byte_order_mark() {
    assert!(parse_feed(&answer(200, "[]")).unwrap().is_empty());
    assert_eq!(
        parse_feed(&answer(200, "\u{feff} [{\"changeId\":1},2]\n"))
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn anything_else_is_an_error_that_names_what_came_and_quotes_nothing() {
    for (body, found) in [
        ("", "empty body"),
        (" \n", "empty body"),
        ("<html>secret</html>", "HTML page"),
        ("{\"DATA\":[\"secret\"]}", "JSON object"),
        ("\"secret\"", "single JSON value"),
        ("[{\"secret\":", "breaks off"),
        ("secret", "no JSON"),
        ("null", "single"),
    ] {
        let error = parse_feed(&answer(200, body)).unwrap_err();
        assert!(error.cause.contains(found), "{error}");
        assert!(!error.to_string().contains("secret") && error.advice.contains("alumniq.url"));
        assert_eq!(
            (error.fault, error.is_retryable()),
            (FeedFault::Configuration, false)
        );
    }
}

#[test]
fn every_failed_fetch_has_its_fault() {
    for (statuses, fault) in [
        (&[401, 403][..], FeedFault::Credentials),
        (&[429], FeedFault::Throttled),
        (&[408, 500, 502, 503, 504], FeedFault::Outage),
        (
            &[201, 204, 302, 400, 404, 405, 422],
            FeedFault::Configuration,
        ),
    ] {
        for status in statuses {
            let error = parse_feed(&answer(*status, "")).unwrap_err();
            assert_eq!(error.fault, fault, "{status}");
            assert!(!error.advice.is_empty());
        }
    }
    assert!(
        parse_feed(&Reply::unreachable("refused"))
            .unwrap_err()
            .is_retryable()
    );
    assert!(
        parse_feed(&Reply::Lost {
            cause: "reset".to_owned()
        })
        .unwrap_err()
        .is_retryable()
    );
}

#[test]
fn a_row_that_no_parser_takes_does_not_spoil_the_others() {
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    for poison in [
        r#"{"changeId":2,"fax":1e400}"#,
        r#"{"changeId":2,"employer":"cut \ud83d"}"#,
        r#"{"changeId":2,"xid":123456789012345678901234567890}"#,
        &format!(r#"{{"changeId":2,"city":{deep}}}"#),
        &deep,
    ] {
        let body = format!(r#"[{{"changeId":1}},{poison},{{"changeId":3}}]"#);
        let rows = parse_feed(&answer(200, &body)).unwrap();
        assert_eq!(
            rows.iter().map(|row| row.get()).collect::<Vec<_>>(),
            [r#"{"changeId":1}"#, poison, r#"{"changeId":3}"#]
        );
    }
}

#[test]
fn control_characters_that_nobody_escaped_are_read_as_blanks() {
    let body = "[\r\n{\"changeId\": 1,\t\"employer\": \"Acme\u{b}Inc\nLondon\"}]";
    let rows = parse_feed(&answer(200, body)).unwrap();
    assert_eq!(
        rows[0].get(),
        r#"{"changeId": 1, "employer": "Acme Inc London"}"#
    );
}

#[test]
fn nesting_without_an_end_is_an_error_and_no_crash() {
    assert!(parse_feed(&answer(200, &"[".repeat(1_000_000))).is_err());
}

/// Gives its bytes one by one.
struct Dripping<'a>(&'a [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let given = into.len().min(1);
        self.0.read(&mut into[..given])
    }
}

fn read(body: impl Read) -> Result<Vec<String>, String> {
    let mut rows = Vec::new();
    let read = read_rows(body, |row| {
        rows.push(row.get().to_owned());
        Ok(())
    });
    match read {
        Ok(count) => {
            assert_eq!(count, rows.len() as u64);
            Ok(rows)
        }
        Err(Unread::Found(found)) => Err(found),
        Err(Unread::NoEnd { row, at }) => Err(format!("{row} {at}")),
        Err(Unread::Failed(error)) => panic!("{error}"),
    }
}

#[test]
fn wherever_a_body_is_cut_into_pieces_its_rows_and_errors_are_the_same() {
    for body in [
        "\u{feff}\u{a0}\n[\"Zażółć 👩‍👩‍👧\",\r\n{\"a\":\"b\u{b}c\"} ]\u{2003}\n".as_bytes(),
        b"[\"caf\xe9\",\"\xf0\x9f\x91\",1]\xe2\x80\x83",
        b"[1]\xe2\x80",
        b"[1,",
        b"[1] 2",
        b"\xef\xbb\xbf",
        b"<html>",
        b"{}",
    ] {
        let whole = String::from_utf8_lossy(body).replace('\u{fffd}', "\u{fdd0}");
        let (pieces, whole) = (read(Dripping(body)), read(whole.as_bytes()));
        assert_eq!(pieces, whole, "{body:?}");
    }
    let rows = read(&b"[\"caf\xe9\"]"[..]).unwrap();
    assert_eq!(rows, ["\"caf\u{fdd0}\""]);
}

#[test]
fn rows_are_handed_out_before_the_body_has_ended() {
    let mut seen = 0;
    let endless = b"[".chain(io::repeat(b' ').take(10)).chain(&b"1,2,3"[..]);
    let stopped = read_rows(endless, |_| {
        seen += 1;
        Err(io::Error::other("enough"))
    });
    assert!(matches!(stopped, Err(Unread::Failed(error)) if error.to_string() == "enough"));
    assert_eq!(seen, 1);
}

#[test]
fn a_row_without_an_end_is_not_waited_for() {
    let longest = 50_000;
    let read = |body: &mut dyn Read| rows::read_rows_of(longest, body, |_| Ok(()));
    let found = read(&mut b"[1,\"".chain(io::repeat(b'x'))).unwrap_err();
    assert!(
        matches!(&found, Unread::Found(found) if found == "a row of more than 50000 bytes"),
        "{found:?}"
    );
    let row = format!("\"{}\"", "x".repeat(longest - 10));
    let feed = format!("[{row},{row},{row}]");
    assert_eq!(read(&mut feed.as_bytes()).unwrap(), 3);
}

#[test]
fn retry_after_is_handed_on() {
    let error = parse_feed(&answer(429, "")).unwrap_err();
    assert_eq!(error.after, Some(Duration::from_secs(7)));
}

const KEYS: &[&str] = &["changeId", "Message", "errors"];

proptest! {
    #[test]
    fn whatever_is_answered_only_a_200_with_an_array_is_a_feed(
        status in prop_oneof![Just(200_u16), any::<u16>()],
        body in body(json(KEYS)),
    ) {
        match parse_feed(&answer(status, &body)) {
            Ok(rows) => {
                prop_assert_eq!(status, 200);
                // What is no JSON is a row as the text that it is.
                let is_there = |row: &str| body.contains(row)
                    || serde_json::from_str(row).is_ok_and(|text: String| body.contains(&text));
                prop_assert!(rows.iter().all(|row| is_there(row.get())) || body.contains(|c| c < ' '));
            }
            Err(error) => fit(&error.to_string()),
        }
    }
}
