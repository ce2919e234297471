//! What would become of rows that AlumnIQ offers: decoded and mapped in memory, sent nowhere. No value of a
//! row is shown: names of fields, rules and counts only.

use std::collections::BTreeMap;

use jobs::{
    change::{self, Change},
    outcome::{DeadClass, Outcome},
};
use serde_json::value::RawValue;

use super::CheckFinding;
use crate::config::{AnonymousRows, Config};

/// More row keys than this are counted, not named.
const NAMED_KEYS: usize = 40;

/// What is found in `rows`; none for no rows.
pub fn judge(rows: &[Box<RawValue>], config: &Config) -> Vec<CheckFinding> {
    if rows.is_empty() {
        return Vec::new();
    }
    let mut undecodable = Deaths::default();
    let mut changes = Vec::new();
    for row in rows {
        let (names, timezone) = (&config.mappings.names, &config.alumniq.timezone);
        let decoded =
            change::parse(row.get(), names).and_then(|row| change::decode(&row, names, timezone));
        match decoded {
            Ok(change) => changes.push(change),
            Err(error) => undecodable.add(DeadClass::Undecodable, error.cause, error.advice),
        }
    }
    let mut findings = drift(&changes);
    findings.extend(undecodable.findings("alumniq", rows.len()));
    let anonymous_allowed = config.alumniq.anonymous == AnonymousRows::Match;
    for (at, mapping) in config.mappings.by_destination() {
        let outcomes = changes
            .iter()
            .map(|change| mapping.map(change, anonymous_allowed).map(|_| ()));
        findings.extend(destination(at.as_str(), changes.len(), outcomes));
    }
    findings
}

/// A warning for each row key that nothing maps, once.
fn drift(changes: &[Change]) -> Vec<CheckFinding> {
    let mut keys: BTreeMap<&str, usize> = BTreeMap::new();
    for key in changes.iter().flat_map(|change| &change.unmapped) {
        *keys.entry(key).or_default() += 1;
    }
    let rows = changes.len();
    let named = keys.iter().take(NAMED_KEYS).map(|(key, count)| {
        CheckFinding::warn(
            "alumniq",
            format!("nothing maps the row key `{key}` ({count} of {rows} rows have it)"),
            "name it in [alumniq.fields] if a template should use it; it is ignored otherwise",
        )
    });
    let rest = keys.len().saturating_sub(NAMED_KEYS);
    let rest = (rest > 0).then(|| {
        CheckFinding::warn(
            "alumniq",
            format!("nothing maps {rest} further row keys"),
            "compare the rows with [alumniq.fields]",
        )
    });
    named.chain(rest).collect()
}

fn destination(
    about: &'static str,
    rows: usize,
    outcomes: impl Iterator<Item = Result<(), Outcome>>,
) -> Vec<CheckFinding> {
    let mut deaths = Deaths::default();
    let mut good = 0;
    for outcome in outcomes {
        match outcome {
            Ok(()) => good += 1,
            Err(Outcome::Dead {
                class,
                cause,
                advice,
            }) => deaths.add(class, cause, advice),
            // A mapping knows no other outcome.
            Err(_) => {}
        }
    }
    let mut findings = deaths.findings(about, rows);
    if good > 0 {
        findings.insert(
            0,
            CheckFinding::ok(about, format!("{good} of {rows} rows can be mapped")),
        );
    }
    findings
}

/// Rows that would be dead letters, by class, with the first one's cause and advice.
#[derive(Default)]
struct Deaths(BTreeMap<DeadClass, (usize, String, String)>);

impl Deaths {
    fn add(&mut self, class: DeadClass, cause: String, advice: String) {
        self.0.entry(class).or_insert((0, cause, advice)).0 += 1;
    }

    /// Single rows are a warning; that none of them works is a failure of the configuration.
    fn findings(self, about: &'static str, rows: usize) -> Vec<CheckFinding> {
        let deaths = self.0.into_iter();
        deaths
            .map(|(class, (count, cause, advice))| {
                let what = format!(
                    "{count} of {rows} rows would be dead letters of class {class}, the first because: {cause}"
                );
                match class {
                    DeadClass::Undecodable if count == rows => CheckFinding::fail(about, what, advice),
                    _ => CheckFinding::warn(about, what, advice),
                }
            })
            .collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::ffi::OsString;

    use serde_json::{Value, json, value::to_raw_value};

    use super::*;
    use crate::{commands::check::finding::show, config};

    /// A usable configuration with both destinations; `more` is TOML that stands behind it.
    pub fn config(more: &str) -> Config {
        let section = |name: &str, keys: &str| match more.contains(&format!("[{name}]")) {
            true => String::new(),
            false => format!("[{name}]\n{keys}\n"),
        };
        let toml = [
            section(
                "alumniq",
                "url = \"http://127.0.0.1:1/api/v1/index.cfm\"\ntimezone = \"America/New_York\"",
            ),
            section("crm", "url = \"http://127.0.0.1:1/crms/api\""),
            section("salsa", "url = \"http://127.0.0.1:1\""),
            more.to_owned(),
        ]
        .concat();
        let secrets = [
            "ALUMNIQ_API_KEY",
            "CRM_USERNAME",
            "CRM_PASSWORD",
            "SALSA_AUTH_TOKEN",
        ];
        let environment =
            secrets.map(|name| (OsString::from(name), OsString::from("secret-enough")));
        config::parse("test", &toml, environment).unwrap().config
    }

    fn judged(rows: &[Value]) -> String {
        let rows: Vec<_> = rows.iter().map(|row| to_raw_value(row).unwrap()).collect();
        show(&judge(&rows, &config("")), false)
    }

    #[test]
    fn good_rows_are_counted_for_each_destination() {
        let row = json!({"changeId": 1, "xid": "7", "employer": "Acme", "phone": "+12065550100"});
        assert_eq!(
            judged(&[row.clone(), row]),
            "ok    crm      2 of 2 rows can be mapped\nok    salsa    2 of 2 rows can be mapped\n"
        );
        assert_eq!(judged(&[]), "");
    }

    #[test]
    fn dead_letters_to_be_are_told_by_class_and_without_a_value() {
        let text = judged(&[
            json!({"changeId": 1, "xid": "7", "phone": "Ann's 555"}),
            json!({"changeId": 2, "phone": "+12065550100"}),
            json!({"changeId": 3, "xid": {"no": "Ann's 555"}}),
        ]);
        for part in [
            "warn  alumniq  1 of 3 rows would be dead letters of class undecodable",
            "warn  crm      1 of 2 rows would be dead letters of class anonymous",
            "warn  crm      1 of 2 rows would be dead letters of class validation",
            "warn  salsa    1 of 2 rows would be dead letters of class validation",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("555"), "{text}");
        assert!(text.lines().all(|line| line.contains(" -> ")), "{text}");
    }

    #[test]
    fn a_feed_of_which_nothing_can_be_decoded_is_a_failure() {
        let text = judged(&[json!({"ID": 1}), json!("row")]);
        assert!(text.starts_with("FAIL  alumniq  2 of 2"), "{text}");
    }

    #[test]
    fn a_row_key_that_nothing_maps_is_named_once() {
        let row = json!({"changeId": 1, "xid": "7", "Spouse": "Ann", "blank": ""});
        let text = judged(&[row.clone(), row]);
        assert_eq!(text.matches("`Spouse` (2 of 2 rows have it)").count(), 1);
        assert!(!text.contains("Ann") && !text.contains("blank"), "{text}");
    }

    #[test]
    fn a_flood_of_row_keys_is_cut() {
        let mut row = json!({"changeId": 1, "xid": "7"});
        for at in 0..1_000 {
            row[format!("key{at}")] = "x".into();
        }
        let text = judged(&[row]);
        assert_eq!(text.matches("nothing maps the row key").count(), NAMED_KEYS);
        assert!(text.contains("nothing maps 960 further row keys"));
    }
}
