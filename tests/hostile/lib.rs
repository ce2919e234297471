//! What may come from outside, for property tests: values of every shape, the vendors' documents damaged,
//! and personal data planted in them.

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Map, Value, json};

/// Planted where personal data may stand in a vendor's words; no message may show any of it.
pub const PLANTED: [&str; 4] = [
    "sam.secret@example.org",
    "sam.secret＠example.org",
    "'Sam Secret'",
    "+1 555–010‑0199",
];

/// What is left of the above where redaction forgets a part.
const TRACES: [&str; 4] = ["sam.secret", "Sam Secret", "555–", "010‑"];

/// No message is longer than this, whatever the body was.
const LONGEST_MESSAGE: usize = 4_000;

/// Text as a database may hold it.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => ".{0,20}",
        2 => "[\\x00-\\x20\\x7f]{0,6}",
        1 => vec(any::<char>(), 0..8).prop_map(String::from_iter),
        2 => select(vec![
            "", " ", "0", "-0", "00123", "1e400", "NaN", "true", "null", "\u{202e}gnp.exe", "\u{feff}x",
            "𝒳👩‍👩‍👧", "a b", "a\nb", "{ns}:*", "\u{1b}[31m", "2026-02-30", "99999999999999999999",
            "{{ 7 * 7 }}", "\r\nX-Injected: 1", "<html>", "a,b", "'", "\"", "\\",
        ]).prop_map(str::to_owned),
        1 => (select(vec!["x", "Ü", "👩", "9", " ", "é\u{301}", "[", "'"]), 0..3_000_usize)
            .prop_map(|(piece, times)| piece.repeat(times)),
        2 => select(PLANTED.to_vec()).prop_map(str::to_owned),
    ]
}

/// Any JSON value; its objects have many of the `names` that are looked for.
pub fn json(names: &'static [&'static str]) -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let name = prop_oneof![8 => select(names).prop_map(str::to_owned), 1 => text()];
    let nested = leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((name.clone(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    let deep = (nested.clone(), 0..100_usize)
        .prop_map(|(value, depth)| (0..depth).fold(value, |value, _| json!([value])));
    prop_oneof![9 => nested, 1 => deep].boxed()
}

/// `document` with a few of its nodes removed, doubled or replaced.
pub fn damaged(document: Value, names: &'static [&'static str]) -> BoxedStrategy<Value> {
    let damage = (any::<prop::sample::Index>(), 0..4_u8, json(names));
    vec(damage, 0..4)
        .prop_map(move |damages| {
            damages
                .into_iter()
                .fold(document.clone(), |mut document, (at, kind, value)| {
                    let mut paths = Vec::new();
                    pointers("", &document, &mut paths);
                    damage_at(&mut document, &paths[at.index(paths.len())], kind, value);
                    document
                })
        })
        .boxed()
}

/// JSON text that may be no JSON: `value` as it is, cut anywhere, or with a piece of it replaced by what no
/// parser keeps.
pub fn body(value: BoxedStrategy<Value>) -> BoxedStrategy<String> {
    let poison = select(vec![
        "1e400",
        "\"\\ud800\"",
        "-",
        "NaN",
        "\"\u{b}\"",
        "\u{feff}",
        "}",
        "\"",
        "[[",
        "<html>",
        "\0",
        "{\"a\":1,\"a\":2}",
    ]);
    let written = value.prop_map(|value| value.to_string());
    prop_oneof![
        4 => written.clone(),
        2 => (written.clone(), any::<prop::sample::Index>())
            .prop_map(|(text, at)| text[..boundary(&text, at.index(text.len() + 1))].to_owned()),
        2 => (written, poison, any::<prop::sample::Index>()).prop_map(|(text, poison, at)| {
            let (before, after) = text.split_at(boundary(&text, at.index(text.len() + 1)));
            format!("{before}{poison}{after}")
        }),
        1 => text(),
        1 => (select(vec!["[", "{\"a\":", "[{\"changeId\":1},"]), 0..50_000_usize)
            .prop_map(|(piece, times)| piece.repeat(times)),
    ]
    .boxed()
}

/// Fails where a message is endless, steers a terminal or shows what was planted.
pub fn fit(message: &str) {
    assert!(
        message.chars().count() <= LONGEST_MESSAGE,
        "{} characters",
        message.len()
    );
    assert!(!message.contains(char::is_control), "{message:?}");
    for trace in TRACES {
        assert!(!message.contains(trace), "{message:?} shows {trace}");
    }
}

/// At or before `at`, but neither within what is planted nor beside it: half an address is none, and a quotation
/// that begins within a word is an apostrophe.
fn boundary(text: &str, at: usize) -> usize {
    let planted = PLANTED
        .iter()
        .flat_map(|planted| text.match_indices(planted));
    let mut around = planted.map(|(start, found)| start..start + found.len());
    let within = around.find(|around| around.start <= at && at <= around.end);
    text.floor_char_boundary(within.map_or(at, |around| around.start.saturating_sub(1)))
}

fn pointers(path: &str, value: &Value, paths: &mut Vec<String>) {
    paths.push(path.to_owned());
    let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                pointers(&format!("{path}/{}", escaped(name)), member, paths);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                pointers(&format!("{path}/{at}"), item, paths);
            }
        }
        _ => {}
    }
}

fn damage_at(document: &mut Value, path: &str, kind: u8, value: Value) {
    let (parent, name) = path.rsplit_once('/').unwrap_or_default();
    let Some(node) = document.pointer_mut(path) else {
        return;
    };
    let old = node.clone();
    match kind {
        0 => *node = value,
        1 => *node = Value::from(old.to_string()),
        2 => *node = Value::from(vec![old; 2]),
        _ => match document.pointer_mut(parent) {
            Some(Value::Object(members)) => drop::<Option<Value>>(members.shift_remove(name)),
            Some(Value::Array(items)) => items.push(old),
            _ => *document = Value::Object(Map::new()),
        },
    }
}
