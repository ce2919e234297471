use hostile::{PLANTED, body, damaged, fit};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn campus() -> TimeZone {
    TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap()
}

fn decoded(row: Value) -> Result<Change, Undecodable> {
    decode(&row, &FieldNames::default(), &campus())
}

fn identified(row: Value) -> Result<ChangeIdentity, Undecodable> {
    identify(&row, &FieldNames::default(), &campus())
}

fn id_of(id: Value) -> Result<String, Undecodable> {
    change_id(&json!({ "changeId": id }), &FieldNames::default())
}

#[test]
fn a_field_whose_bytes_are_no_text_cannot_be_read_and_the_row_keeps_its_name() {
    let names = FieldNames::default();
    let row =
        json!({"changeId": 7, "xid": "1", "employer": "Nestl\u{fdd0} S.A.", "hobby": "\u{fdd0}"});
    let undecodable = decode(&row, &names, &TimeZone::UTC).unwrap_err();
    assert!(
        undecodable
            .cause
            .contains("field `employer` holds bytes that are no text"),
        "{undecodable}"
    );
    assert!(!undecodable.cause.contains("hobby"), "{undecodable}");
    assert_eq!(change_id(&row, &names).unwrap(), "7");
    for broken in [
        json!({"changeId": "7\u{fdd0}"}),
        json!({"changeId": 7, "xid": "\u{fdd0}1"}),
        json!({"changeId": 7, "changedOn": "2026\u{fdd0}"}),
    ] {
        let undecodable = identify(&broken, &names, &TimeZone::UTC).unwrap_err();
        assert!(undecodable.cause.contains("no text"), "{undecodable}");
    }
}

#[test]
fn norway_is_read_from_what_cfml_makes_of_its_code() {
    let names = FieldNames::default();
    for no in [json!(false), json!("false"), json!("False"), json!("NO")] {
        let row = json!({"changeId": 1, "countryiso": no, "country": no, "state": no, "stateiso": no, "city": "Oslo"});
        let change = decode(&row, &names, &TimeZone::UTC).unwrap();
        for field in ["countryiso", "country", "state", "stateiso"] {
            assert_eq!(change.fields[field], "NO", "{no}");
        }
        let editable = editing::editable(&row, &names);
        let country = editable
            .iter()
            .find(|field| field.name == "country")
            .unwrap();
        assert_eq!(country.text, "NO");
    }
    let row = json!({"changeId": 1, "employer": false});
    let change = decode(&row, &names, &TimeZone::UTC).unwrap();
    assert_eq!(change.fields["employer"], "false");
}

#[test]
fn text_numbers_and_booleans_are_all_text_and_blanks_are_absent() {
    let change = decoded(json!({
        "CHANGEID": 4711, "xid": " 88 ", "postalCode": 98225, "phone": 15551234567.0, "source": true,
        "employer": "  Åse & Søn ", "city": "", "state": " \u{a0}", "country": null
    }))
    .unwrap();
    let expected = [
        ("changeId", "4711"),
        ("employer", "Åse & Søn"),
        ("phone", "15551234567"),
        ("postalCode", "98225"),
        ("source", "true"),
        ("xid", "88"),
    ];
    assert_eq!(
        change.fields,
        expected
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into()
    );
    assert_eq!(
        (change.change_id.as_str(), change.xid.as_deref()),
        ("4711", Some("88"))
    );
}

#[test]
fn a_change_without_xid_is_anonymous() {
    for row in [
        json!({"changeId": 1}),
        json!({"changeId": 1, "xid": ""}),
        json!({"changeId": 1, "xid": null}),
    ] {
        assert_eq!(decoded(row.clone()).unwrap().xid, None);
        assert_eq!(identified(row).unwrap().xid, None);
    }
}

#[test]
fn a_change_id_is_text_or_a_whole_number() {
    for (id, text) in [
        (json!(123), "123"),
        (json!(123.0), "123"),
        (json!("0123"), "0123"),
        (json!(u64::MAX), "18446744073709551615"),
        (json!(" A-1 "), "A-1"),
        (json!("x".repeat(200)), &"x".repeat(200)),
    ] {
        assert_eq!(id_of(id).unwrap(), text);
    }
}

#[test]
fn a_change_id_that_a_list_cannot_carry_is_undecodable() {
    for id in [
        json!(null),
        json!(""),
        json!("  "),
        json!(true),
        json!(1.5),
        json!(1e300),
        json!([1]),
        json!({"a": 1}),
        json!("1,2"),
        json!("1 2"),
        json!("1\u{0}2"),
        json!("1\n2"),
        json!("1\u{a0}2"),
        json!("x".repeat(201)),
        json!("x".repeat(10_000_000)),
    ] {
        let row = json!({ "changeId": id });
        let error = identified(row.clone()).unwrap_err();
        assert!(!error.cause.is_empty() && !error.advice.is_empty());
        assert_eq!(decoded(row).unwrap_err(), error);
    }
}

#[test]
fn a_row_that_is_no_object_is_undecodable() {
    for row in [json!(null), json!(1), json!("x"), json!([]), json!(true)] {
        assert!(
            decoded(row.clone())
                .unwrap_err()
                .cause
                .contains("not an object")
        );
        assert!(identified(row).is_err());
    }
}

#[test]
fn the_first_key_of_the_list_that_holds_something_wins() {
    let change = decoded(json!({"changeId": 1, "company": "C", "Organization": "O", "employer": " ", "EMPLOYERNAME": null})).unwrap();
    assert_eq!(change.fields["employer"], "C");
    assert_eq!(change.unmapped, Vec::<String>::new());
}

#[test]
fn unknown_keys_are_kept_by_name() {
    let change = decoded(json!({"changeId": 1, "Nickname": "x", "nested": {"a": 1}, "empty": "", "k".repeat(200): 1})).unwrap();
    assert_eq!(
        change.unmapped,
        [
            "Nickname".to_owned(),
            "nested".to_owned(),
            format!("{}…", "k".repeat(80))
        ]
    );
}

#[test]
fn broken_fields_are_all_named_and_stop_decoding_but_not_identification() {
    let row = json!({"changeId": 1, "xid": "7", "employer": {"name": "secret"}, "city": ["secret"], "fax": 1e300, "jobTitle": "x".repeat(MAX_FIELD + 1)});
    let error = decoded(row.clone()).unwrap_err();
    for part in [
        "`employer` is an object",
        "`city` is an array",
        "`fax` is a number too large",
        "`jobTitle` has 65537 bytes",
    ] {
        assert!(error.cause.contains(part), "{}", error.cause);
    }
    assert!(!error.to_string().contains("secret"));
    assert_eq!(identified(row).unwrap().xid.as_deref(), Some("7"));
}

#[test]
fn a_moment_that_cannot_be_read_is_undecodable_because_the_order_is_unknown() {
    for moment in [
        json!("soon"),
        json!(true),
        json!(5),
        json!({}),
        json!("1969-01-01"),
        json!("x".repeat(10_000_000)),
    ] {
        let error = identified(json!({"changeId": 1, "changedOn": moment})).unwrap_err();
        assert!(
            error.cause.contains("changedOn") && error.advice.contains("alumniq.fields.changedOn")
        );
    }
}

#[test]
fn changed_on_gives_the_order_and_is_normalised_for_templates() {
    for moment in [
        json!("2026-11-21 10:00:00"),
        json!(1_795_273_200_000_i64),
        json!("{ts '2026-11-21 10:00:00'}"),
    ] {
        let change = decoded(json!({"changeId": 9, "changedOn": moment})).unwrap();
        assert_eq!(change.fields["changedOn"], "2026-11-21T10:00:00-05:00");
        assert_eq!(change.order, "001795273200000:n0019");
    }
}

#[test]
fn within_the_hour_that_the_clock_shows_twice_the_change_id_decides() {
    let new_york = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
    let order = |id: u32, changed_on: &str| {
        let row = json!({ "changeId": id, "xid": "1001", "changedOn": changed_on });
        let change = decode(&row, &FieldNames::default(), &new_york).unwrap();
        (change.order, change.fields["changedOn"].clone())
    };
    // 100 was made before the clock was turned back, 101 after it.
    let (first, second) = (
        order(100, "2026-11-01T01:50:00"),
        order(101, "2026-11-01T01:10:00"),
    );
    assert!(first.0 < second.0);
    assert_eq!(
        first.1, "2026-11-01T01:50:00-04:00",
        "templates see the time"
    );
    assert!(order(99, "2026-11-01T02:00:00").0 > second.0);
    assert!(order(102, "2026-11-01T00:59:59").0 < first.0);
}

#[test]
fn the_content_of_a_row_is_what_its_fields_say_however_they_are_written() {
    let names = FieldNames::default();
    let of = |row: serde_json::Value| content(&row, &names);
    let row = of(json!({ "changeId": 7, "xid": "1", "postalCode": "98225", "city": "Bellingham" }));
    for same in [
        json!({ "city": " Bellingham ", "POSTALCODE": 98225.0, "xid": 1, "change_id": "7", "fax": "" }),
        json!({ "changeId": 7, "xid": "1", "zip": 98225, "city": "Bellingham", "exportedAt": 5, "email": null }),
    ] {
        assert_eq!(of(same), row);
    }
    for other in [
        json!({ "changeId": 7, "xid": "1", "postalCode": "098225", "city": "Bellingham" }),
        json!({ "changeId": 7, "xid": "1", "postalCode": "98225" }),
        json!({ "changeId": 7, "xid": "1", "postalCode": "98225", "city": { "name": "Bellingham" } }),
        json!({ "changeId": 7, "postalCode": "98225", "city": "Bellingham" }),
    ] {
        assert_ne!(of(other), row);
    }
    assert_ne!(of(json!("a")), of(json!("b")));
}

#[test]
fn debug_shows_no_values() {
    let change = decoded(json!({"changeId": 1, "email": "ann@example.org"})).unwrap();
    let debug = format!("{change:?}");
    assert!(debug.contains("email") && !debug.contains("ann"));
}

const KEYS: &[&str] = &[
    "changeId",
    "CHANGEID",
    "xid",
    "changedOn",
    "email",
    "employer",
    "fax",
];

/// A row as text, sound or damaged.
fn any_row() -> BoxedStrategy<String> {
    let row = json!({
        "changeId": 4711, "xid": "88", "changedOn": "2026-11-21 10:00:00", "employer": "Acme", "email": PLANTED[0],
    });
    body(prop_oneof![damaged(row, KEYS), hostile::json(KEYS)].boxed())
}

fn assert_an_id(id: &str) {
    assert!(!id.is_empty() && id.chars().count() <= MAX_CHANGE_ID);
    assert!(
        !id.contains(|c: char| c == ',' || c.is_whitespace() || c.is_control()),
        "{id:?}"
    );
}

proptest! {
    #[test]
    fn any_row_is_a_change_or_told_why_not(text in any_row()) {
        let names = FieldNames::default();
        if let Some(id) = change_id_of(&text, &names) {
            assert_an_id(&id);
        }
        let row = match parse(&text, &names) {
            Ok(row) => row,
            Err(error) => {
                fit(&error.to_string());
                return Ok(());
            }
        };
        prop_assert_eq!(change_id(&row, &names).ok(), change_id_of(&text, &names));
        let identity = identified(row.clone());
        match &identity {
            Ok(identity) => {
                assert_an_id(&identity.change_id);
                let xid = identity.xid.as_deref().unwrap_or("none");
                prop_assert!(!xid.trim().is_empty() && !xid.contains(char::is_control));
                prop_assert!(xid.chars().count() <= MAX_CHANGE_ID);
            }
            Err(error) => fit(&error.to_string()),
        }
        match decoded(row) {
            Ok(change) => {
                let expected = ChangeIdentity { change_id: change.change_id, xid: change.xid, order: change.order };
                prop_assert_eq!(identity.unwrap(), expected);
                prop_assert!(change.fields.values().all(|text| !text.trim().is_empty()));
            }
            Err(error) => fit(&error.to_string()),
        }
    }
}

#[test]
fn a_row_that_no_parser_takes_still_has_its_id_and_names_the_field() {
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    for (field, value) in [
        ("fax", "1e400"),
        ("employer", "\"cut \\ud83d\""),
        ("city", deep.as_str()),
    ] {
        let row = format!(r#"{{"changeId": 5, "email": "ann@example.org", "{field}": {value}}}"#);
        let error = parse(&row, &FieldNames::default()).unwrap_err();
        assert_eq!(
            error.cause,
            format!("the row holds a value that cannot be read in `{field}`")
        );
        let id = change_id_of(&row, &FieldNames::default());
        assert_eq!(id.as_deref(), Some("5"));
    }
    let error = parse(r#"["cut \ud83d"]"#, &FieldNames::default()).unwrap_err();
    assert!(error.cause.contains("at its character"), "{error}");
}

#[test]
fn a_row_that_is_too_long_is_not_looked_into_but_for_its_id() {
    let row = json!({ "changeId": 5, "notes": "x".repeat(10_000_000) }).to_string();
    let error = parse(&row, &FieldNames::default()).unwrap_err();
    assert!(error.cause.contains("bytes, at most 2097152"), "{error}");
    let id = change_id_of(&row, &FieldNames::default());
    assert_eq!(id.as_deref(), Some("5"));
}

#[test]
fn an_xid_that_is_no_id_is_refused() {
    for xid in [
        json!("1\n2"),
        json!("a\0b"),
        json!("\u{1b}[2J"),
        json!("x".repeat(201)),
    ] {
        let error = identified(json!({"changeId": 1, "xid": xid})).unwrap_err();
        assert!(error.cause.starts_with("the xid "), "{error}");
    }
    for xid in ["1 2", "{a}*", "Ü 👩", &"x".repeat(200)] {
        let identity = identified(json!({"changeId": 1, "xid": xid})).unwrap();
        assert_eq!(identity.xid.as_deref(), Some(xid));
    }
}

#[test]
fn nesting_as_deep_as_the_parser_admits_does_not_panic() {
    let deep = format!(
        "{{\"changeId\":1,\"email\":{}1{}}}",
        "[".repeat(120),
        "]".repeat(120)
    );
    assert!(decoded(serde_json::from_str(&deep).unwrap()).is_err());
}
