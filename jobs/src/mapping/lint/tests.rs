use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::json;

use super::{
    certainty::{GIVES_TEXT, KEEPS_TEXT},
    *,
};
use crate::{
    change::{Change, decode},
    mapping::Template,
};

fn lints(source: &str) -> Vec<Lint> {
    lint(source, &FieldNames::default(), &["changeId"])
}

#[test]
fn what_does_nothing_is_found_with_its_reason_and_place() {
    for (source, says, at) in [
        (
            "{{ 'x' | default('y') }}",
            "is a constant",
            "'x' | default('y')",
        ),
        (
            "{{ changeId | default('y') }}",
            "`changeId` is always there",
            "changeId | default('y')",
        ),
        (
            "{{ changeId | d('y', true) }}",
            "`changeId` is always there",
            "changeId | d('y', true)",
        ),
        (
            "{{ city | default('x') | default('y') }}",
            "the one before it has decided already",
            "city | default('x') | default('y')",
        ),
        (
            "{{ city | upper | default('y') }}",
            "`upper` gives a text even of nothing",
            "city | upper | default('y')",
        ),
        (
            "{{ changeId or city }}",
            "`changeId` is always there",
            "changeId or city",
        ),
        (
            "{{ (city or 'x') or state }}",
            "is always there",
            "(city or 'x') or state",
        ),
        (
            "{{ city if (changeId if state else changeId) else state }}",
            "true for every row: `(changeId if state else changeId)`",
            "(changeId if state else changeId)",
        ),
        (
            "{% if changeId %}a{% endif %}",
            "true for every row: `changeId`",
            "changeId",
        ),
        (
            "{% if not changeId %}a{% endif %}",
            "false for every row",
            "not changeId",
        ),
        (
            "{{ 'a' if changeId is defined else 'b' }}",
            "true for every row",
            "changeId is defined",
        ),
        (
            "{% if city %}{% elif changeId %}a{% endif %}",
            "true for every row",
            "changeId",
        ),
        (
            "{% for c in [city] %}{{ changeId or c }}{% endfor %}",
            "always there",
            "changeId or c",
        ),
        (
            "{% set x = changeId | upper or city %}{{ x }}",
            "always there",
            "changeId | upper or city",
        ),
    ] {
        let found = lints(source);
        assert_eq!(found.len(), 1, "{source}: {found:?}");
        assert!(found[0].what.contains(says), "{source}: {found:?}");
        let place = source[found[0].span.clone()].trim_matches(['(', ')', ' ']);
        assert_eq!(place, at.trim_matches(['(', ')', ' ']), "{source}");
        assert!(!found[0].advice.is_empty());
    }
}

#[test]
fn what_some_row_reaches_is_left_alone() {
    for source in [
        "{{ city | default('x') }}",
        "{{ city | default(state) | default('x') }}",
        "{{ city | default('') | default('x', true) }}",
        "{{ city | upper | default('x', true) }}",
        "{{ city[:1] | default('x') }}",
        "{{ '' or city }}",
        "{{ city or state or 'x' }}",
        "{% if city %}a{% endif %}",
        "{% if changeId == '7' %}a{% endif %}",
        "{% set changeId = city %}{{ changeId or 'x' }}{{ changeId | default('y') }}",
        "{% for changeId in [city, state] %}{% if changeId %}a{% endif %}{% endfor %}",
        "{{ city if state else none }}",
        "{{ xid | default('nobody') }}",
        "{{ broken",
    ] {
        assert_eq!(lints(source), [], "{source}");
    }
}

fn renders(source: &str, row: &Change) -> Option<String> {
    let template = Template::compile("x", source, &FieldNames::default()).unwrap();
    template.render(row).unwrap()
}

fn row(fields: &[(&str, &str)]) -> Change {
    let mut row = json!({"changeId": "7"});
    for (name, value) in fields {
        row[*name] = json!(value);
    }
    decode(&row, &FieldNames::default(), &TimeZone::UTC).unwrap()
}

#[test]
fn the_filters_that_are_said_to_give_text_do() {
    for filter in GIVES_TEXT {
        let call = match filter {
            "replace" => "replace('a', 'b')".to_owned(),
            "country" => "country('alpha2')".to_owned(),
            other => other.to_owned(),
        };
        let source = format!("{{% if (city | {call}) is defined %}}a text{{% endif %}}");
        let rendered = renders(&source, &row(&[]));
        assert_eq!(rendered.as_deref(), Some("a text"), "{filter}");
    }
    for filter in KEEPS_TEXT {
        let source = format!("{{{{ city | {filter} }}}}");
        assert!(
            renders(&source, &row(&[("city", "x")])).is_some(),
            "{filter}"
        );
    }
}

/// Every row that the fields of the expressions below can make.
fn rows() -> Vec<Change> {
    let values = [("city", "c"), ("state", "s"), ("phone", "p")];
    (0..8)
        .map(|mask| {
            let there = values
                .iter()
                .enumerate()
                .filter(|(at, _)| mask & (1 << at) != 0);
            row(&there.map(|(_, field)| *field).collect::<Vec<_>>())
        })
        .collect()
}

/// Expressions; each `D0` is a default of its own.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("changeId".to_owned()),
        Just("city".to_owned()),
        Just("state".to_owned()),
        Just("phone".to_owned()),
        Just("'k'".to_owned()),
        Just("''".to_owned()),
        Just("none".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            inner
                .clone()
                .prop_map(|one| format!("({one} | default('D0'))")),
            inner
                .clone()
                .prop_map(|one| format!("({one} | d('D0', true))")),
            inner.clone().prop_map(|one| format!("({one} | upper)")),
            inner.clone().prop_map(|one| format!("({one} | trim)")),
            two.clone()
                .prop_map(|(a, b)| format!("({a} | default({b}))")),
            two.clone()
                .prop_map(|(a, b)| format!("({a} | default({b}, true))")),
            two.clone().prop_map(|(a, b)| format!("({a} or {b})")),
            two.clone().prop_map(|(a, b)| format!("({a} and {b})")),
            two.prop_map(|(a, b)| format!("({a} ~ {b})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("({a} if {b} else {c})")),
        ]
    })
}

/// Each default's constant made one of its own.
fn numbered(source: &str) -> String {
    let mut parts = source.split("D0");
    let mut numbered = parts.next().unwrap_or_default().to_owned();
    for (at, part) in parts.enumerate() {
        numbered += &format!("D{at}_{part}");
    }
    numbered
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// What is reported as unreachable can be anything: no row tells.
    #[test]
    fn what_is_reported_changes_nothing_for_any_row(expression in expression()) {
        let source = numbered(&format!("{{{{ {expression} }}}}"));
        for found in lints(&source) {
            let place = &source[found.span.clone()];
            let other = if found.what.contains("`default` that is never reached") {
                // Its own constant, the last one; where a field stands in for it, nothing can be exchanged.
                let Some(at) = place.rfind("| d").and_then(|at| Some(at + place[at..].find("'D")?)) else { continue };
                if place[at..].contains("| ") { continue }
                format!("{}'E{}", &place[..at], &place[at + 2..])
            } else if found.what.contains("`if`") {
                match found.what.contains("is true for") { true => "true".to_owned(), false => "false".to_owned() }
            } else { continue };
            let changed = format!("{}{other}{}", &source[..found.span.start], &source[found.span.end..]);
            for row in rows() {
                prop_assert_eq!(renders(&source, &row), renders(&changed, &row), "{} -> {}", source, changed);
            }
        }
    }

    /// What is always there is there in every row.
    #[test]
    fn an_or_that_is_reported_gives_its_first_operand(first in expression()) {
        let source = numbered(&format!("{{{{ ({first}) or 'LAST' }}}}"));
        let reported = lints(&source).iter().any(|found| {
            found.what.contains("`or`") && source[found.span.clone()].contains("LAST")
        });
        if reported {
            for row in rows() {
                prop_assert!(!renders(&source, &row).unwrap_or_default().contains("LAST"), "{}", source);
            }
        }
    }

    /// Whatever else a school's rows are called, the shipped templates have no lint.
    #[test]
    fn the_shipped_mapping_has_no_lint(
        keys in proptest::collection::btree_map("[a-z]{3,8}", "[a-z]{9,12}", 0..4),
        xid_is_always_there: bool,
    ) {
        let fields: BTreeMap<String, Vec<String>> =
            keys.into_iter().map(|(name, key)| (name, vec![key])).collect();
        let Ok(names) = FieldNames::with_overrides(&fields) else { return Ok(()) };
        let always: &[&str] = match xid_is_always_there { true => &["changeId", "xid"], false => &["changeId"] };
        let crm = crate::crm_update::CrmMapping::defaults();
        let salsa = crate::salsa_upsert::SalsaMapping::defaults();
        for (target, source) in crm.iter().chain(salsa) {
            prop_assert_eq!(lint(source, &names, always), [], "{}", target);
        }
    }
}
