use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json, value::to_raw_value};

use crate::vendors::feed::{Unread, read_rows};

fn read(body: &str) -> Result<Vec<String>, Unread> {
    let mut rows = Vec::new();
    read_rows(body.as_bytes(), |row| {
        rows.push(row.get().to_owned());
        Ok(())
    })?;
    Ok(rows)
}

fn as_text(broken: &str) -> String {
    to_raw_value(broken).unwrap().get().to_owned()
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "\\PC{0,8}".prop_map(Value::from),
        select(vec![
            "}",
            "},{\"changeId\":7",
            "]",
            "}]",
            "\"",
            "\\",
            ",",
            ":",
            "a,b",
            "{[",
            "NaN"
        ])
        .prop_map(Value::from),
    ];
    prop_oneof![
        4 => text.clone(),
        1 => any::<i64>().prop_map(Value::from),
        1 => select(vec![json!(null), json!(true), json!(1.5), json!([]), json!({})]),
        1 => (text.clone(), text).prop_map(|(a, b)| json!([a, { "inner": b }])),
    ]
}

/// The members behind a row's changeId.
fn members() -> impl Strategy<Value = Vec<Value>> {
    vec(value(), 1..5)
}

/// The row, with the text of `spoil` in the place of one of its values.
fn row(id: usize, members: &[Value], spoil: Option<(usize, &str)>) -> String {
    let mut row = format!("{{\"changeId\":{id}");
    for (at, member) in members.iter().enumerate() {
        let text = match spoil {
            Some((spoiled, text)) if spoiled == at => text.to_owned(),
            _ => member.to_string(),
        };
        row += &format!(", \"key{at}\" : {text}");
    }
    row + "}"
}

/// In the place of a value: the row's quotation marks and brackets match all the same.
const CERTAIN: [&str; 12] = [
    "NaN",
    "Infinity",
    "-Infinity",
    "undefined",
    "Acme",
    "Acme Inc",
    "\"\\x41\"",
    "\"\\u12\"",
    "1,",
    "",
    ",,",
    "[1,,{\"a\":NaN}]",
];

/// They do not match.
const UNCERTAIN: [&str; 14] = [
    "\"6\" pipe\"",
    "\"The \"Best\" of all\"",
    "Acme\"",
    "\"Acme",
    "\"",
    "\"C:\\\"",
    "'it''s'",
    "[1,2",
    "1]",
    "{\"a\":1",
    "1}",
    "new Date(1,2)",
    "\"x\"\"",
    "(\"",
];

proptest! {
    #[test]
    fn a_feed_is_cut_where_its_rows_end(rows in vec(members(), 0..6), blank in select(vec!["", " ", "\r\n", "\t"])) {
        let rows: Vec<String> = rows.iter().enumerate().map(|(id, members)| row(id, members, None)).collect();
        let body = format!("[{blank}{}{blank}]", rows.join(&format!("{blank},{blank}")));
        prop_assert_eq!(read(&body).unwrap(), rows);
    }

    #[test]
    fn one_broken_row_is_one_row_as_text_and_all_others_are_what_they_are(
        rows in vec(members(), 1..6), at in any::<prop::sample::Index>(), member in any::<prop::sample::Index>(),
        flaw in prop_oneof![select(&CERTAIN[..]), select(&UNCERTAIN[..])],
    ) {
        let at = at.index(rows.len());
        let mut texts: Vec<String> = rows.iter().enumerate().map(|(id, members)| row(id, members, None)).collect();
        texts[at] = row(at, &rows[at], Some((member.index(rows[at].len()), flaw)));
        let is_certain = CERTAIN.contains(&flaw);
        match read(&format!("[{}]", texts.join(", "))) {
            Ok(read) => {
                let broken = as_text(&texts[at]);
                texts[at] = broken;
                prop_assert_eq!(read, texts);
            }
            // The last row's end proves nothing, and what stands behind a bracket too many is no row.
            Err(Unread::NoEnd { row, .. }) => prop_assert!(!is_certain && row > at as u64),
            Err(Unread::Found(found)) => {
                prop_assert!(!is_certain && at + 1 == texts.len() && found.contains("breaks off"), "{}", found);
            }
            Err(error) => prop_assert!(false, "{:?}", error),
        }
    }

    #[test]
    fn a_comma_too_many_is_one_empty_row(rows in vec(members(), 1..6), at in any::<prop::sample::Index>()) {
        let at = at.index(rows.len() + 1);
        let mut texts: Vec<String> = rows.iter().enumerate().map(|(id, members)| row(id, members, None)).collect();
        texts.insert(at, String::new());
        let body = format!("[{}]", texts.join(","));
        texts[at] = as_text("");
        prop_assert_eq!(read(&body).unwrap(), texts);
    }

    #[test]
    fn an_answer_that_was_cut_is_no_feed(
        rows in vec(members(), 1..4), at in any::<prop::sample::Index>(), flaw in prop::option::of(select(&CERTAIN[..])),
        cut in any::<prop::sample::Index>(),
    ) {
        let at = at.index(rows.len());
        let spoil = |id| flaw.filter(|_| id == at).map(|flaw| (0, flaw));
        let texts: Vec<String> = rows.iter().enumerate().map(|(id, members)| row(id, members, spoil(id))).collect();
        let body = format!("[{}]", texts.join(","));
        let cut = body.floor_char_boundary(cut.index(body.len()));
        prop_assert!(read(&body[..cut]).is_err());
    }

    #[test]
    fn whatever_is_read_there_are_rows_or_an_error(body in "[\\[\\]{}\",:a1 \\\\]{0,30}") {
        if let Ok(rows) = read(&format!("[{body}")) {
            prop_assert!(rows.iter().all(|row| serde_json::from_str::<Value>(row).is_ok()));
        }
    }
}

#[test]
fn a_row_whose_marks_do_not_match_ends_where_the_next_begins_with_the_same_key() {
    for flaw in UNCERTAIN {
        let broken = row(1, &[json!("a"), json!("b")], Some((1, flaw)));
        let (before, behind) = (row(0, &[json!("x")], None), row(2, &[json!("y")], None));
        let body = format!("[{before},{broken}\r\n, {{ \"changeId\" :3}},{behind}]");
        assert_eq!(
            read(&body).unwrap(),
            [&before, &as_text(&broken), "{ \"changeId\" :3}", &behind],
            "{flaw}"
        );
    }
}

#[test]
fn what_proves_no_end_is_an_error_that_says_which_row_and_swallows_no_other() {
    for (body, row) in [
        // The last row: the end may be a text's.
        (r#"[{"a":1},{"a":"6" pipe}]"#, 2),
        (r#"[{"a":1},{"a":[1}]"#, 2),
        // The next row begins otherwise.
        (r#"[{"a":"6" pipe"},{"b":1},{"a":2}]"#, 1),
        // No comma stands before it.
        (r#"[{"a":1},{"a":2}}{"a":3},{"a":4}]"#, 2),
        (r#"[{"a":1}{"a":2}]"#, 1),
        // The row has no first key.
        (r#"[{a:"6" pipe"},{"a":2}]"#, 1),
    ] {
        match read(body) {
            Err(Unread::NoEnd { row: found, .. }) => assert_eq!(found, row, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn the_last_row_ends_with_the_array_where_a_text_ends_before_it() {
    let broken = r#"{"a":"6" pipe","b":"c"}"#;
    assert_eq!(
        read(&format!("[{{\"a\":1}},{broken} ]\n")).unwrap(),
        ["{\"a\":1}", &as_text(broken)]
    );
}

#[test]
fn brackets_around_no_row_are_no_feed() {
    for body in ["[error]", "[,]", "[NaN,undefined]", "[Timeout, 30]"] {
        assert!(
            matches!(read(body), Err(Unread::Found(found)) if found.contains("no JSON")),
            "{body}"
        );
    }
    assert_eq!(read("[{\"a\":1},undefined]").unwrap().len(), 2);
}
