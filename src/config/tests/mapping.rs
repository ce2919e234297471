use proptest::{prelude::*, sample::subsequence};

use super::*;

fn with_lines(lines: &str) -> Loaded {
    loaded(&format!("{LEAST}\n{lines}"))
}

/// Place, what and help of each lint.
fn lints(lines: &str) -> Vec<String> {
    let found = with_lines(lines).lint();
    found
        .iter()
        .map(|finding| {
            format!(
                "{} {} ({})",
                finding.location().unwrap_or_default(),
                finding.message(),
                finding.remedy().unwrap_or_default()
            )
        })
        .collect()
}

fn problems(lines: &str) -> String {
    match with(&format!("{LEAST}\n{lines}"), &[]) {
        Ok(_) => panic!("accepted: {lines}"),
        Err(errors) => shown(&errors),
    }
}

#[test]
fn an_example_is_read_with_its_row_and_what_is_expected() {
    let loaded = with_lines(
        r#"
[[map.test]]
name = "an employer"
row = { changeId = 1, xid = "42", changed_on = 2026-11-21, employer = "Acme" }
salsa = { externalSystemId = 42, custom.Employer = "Acme" }

[[map.test]]
name = "nobody"
row.changeId = 2
crm.dead = "anonymous"
[map.test.salsa]
dead = "anonymous"
"#,
    );
    assert_eq!(loaded.config.map.test.0.len(), 2);
    let runs = loaded.run_examples();
    for run in &runs {
        assert_eq!(run.differences, [], "{}", run.example.name);
        assert!(run.finding.is_none());
    }
    assert_eq!(runs[1].example.name, "nobody");
}

#[test]
fn an_example_that_fails_is_told_at_its_line() {
    let loaded = with_lines(
        r#"
[[map.test]]
name = "a phone"
contains = true
row = { changeId = 1, xid = "42", phone = "+13605550100" }
crm.PhoneWork = "+13605550101"
crm.studentinstitutionid = "42"
"#,
    );
    let runs = loaded.run_examples();
    let finding = runs[0].finding.as_ref().unwrap();
    assert_eq!(finding.location().unwrap(), "relay.toml:13:17");
    assert!(
        finding
            .message()
            .contains("\"a phone\" fails: crm.PhoneWork is not as expected")
    );
    let report = rendered(finding);
    assert!(
        report.contains("crm.PhoneWork = \"+13605550101\""),
        "{report}"
    );
    assert_eq!(runs[0].differences.len(), 1);
}

#[test]
fn examples_that_cannot_be_read_are_told_at_their_lines() {
    for (lines, place, says) in [
        ("[map]\ntest = 3", ":9:8", "must be tables"),
        ("[map]\ntest = [3]", ":9:9", "must be a table"),
        ("[map.test]\nname = \"x\"", ":8:1", "must be tables"),
        ("[[map.test]]\nrow = {}\ncrm = {}", ":8:1", "lacks a `name`"),
        (
            "[[map.test]]\nname = \"x\"\ncrm = {}",
            ":8:1",
            "lacks a `row`",
        ),
        (
            "[[map.test]]\nname = \"x\"\nrow = {}",
            ":8:1",
            "lacks what is expected",
        ),
        (
            "[[map.test]]\nname = 3\nrow = {}\ncrm = {}",
            ":9:8",
            "must be a text",
        ),
        (
            "[[map.test]]\nname = \"x\"\nrow = 3\ncrm = {}",
            ":10:7",
            "must be a table",
        ),
        (
            "[[map.test]]\nname = \"x\"\nrow = {}\ncrm = 3",
            ":11:7",
            "must be a table",
        ),
        (
            "[[map.test]]\nname = \"x\"\nrow = {}\ncmr = {}",
            ":11:7",
            "did you mean `crm`?",
        ),
        (
            "[[map.test]]\nname = \"x\"\nrow = {}\ncrm = { PhoneWrok = \"1\" }",
            ":11:21",
            "did you mean `PhoneWork`?",
        ),
        (
            "[[map.test]]\nname = \"x\"\nrow = {}\nsalsa.contacts.WORKPHONE = \"1\"",
            ":11:28",
            "did you mean `contacts.WORK_PHONE`?",
        ),
        (
            "[[map.test]]\nname = \"x\"\nrow = {}\ncrm.dead = \"stale\"",
            ":11:12",
            "must be one of undecodable, anonymous, mapping, validation",
        ),
        (
            "[[map.test]]\nname = \"x\"\nrow = {}\ncrm = { dead = \"mapping\", Name = \"a\" }",
            ":11:16",
            "stands beside fields",
        ),
        (
            "[[map.test]]\nname = \"x\"\nrow = {}\ncontains = 1\ncrm = {}",
            ":11:12",
            "must be true or false",
        ),
        (
            "[[map.test]]\nname = \"x\"\nrow = {}\ncrm = {}\n[[map.test]]\nname = \"x\"\nrow = {}\ncrm = {}",
            ":13:8",
            "the name of another example",
        ),
    ] {
        let shown = problems(lines);
        assert!(shown.contains(says), "{lines}: {shown}");
        assert!(
            shown.contains(&format!("relay.toml{place} ")),
            "{lines}: {shown}"
        );
    }
    let variable = [("ALUMNIQ_RELAY__MAP__TEST", "[]")];
    let errors = with(LEAST, &variable).unwrap_err();
    assert!(
        shown(&errors).contains("write [[map.test]] in the file"),
        "{}",
        shown(&errors)
    );
}

#[test]
fn printed_examples_load_again_and_mean_the_same() {
    let first = with_lines(
        "[[map.test]]\nname = \"a \\\"b\\\"\"\nrow = { changeId = 1, \"odd key\" = true }\ncontains = true\ncrm = {}\n\
         [[map.test]]\nname = \"c\"\nrow = {}\nsalsa = { custom.\"Job Title\" = \"x\" }\n",
    );
    let printed = first.print();
    assert!(printed.contains("[[map.test]]\nname = "), "{printed}");
    let again = loaded(&printed);
    assert_eq!(again.config.map.test, first.config.map.test);
}

#[test]
fn what_does_nothing_is_told_at_its_place() {
    for (lines, expected) in [
        (
            "[alumniq.fields]\nclassYear = [\"class_year\"]",
            "relay.toml:9:13 `alumniq.fields.classYear` is used by no template",
        ),
        (
            "[alumniq.fields]\nEmployer = []",
            "relay.toml:9:12 `alumniq.fields.Employer` is switched off, and a template uses it",
        ),
        (
            "[crm.map]\nPhoneWork = \" {{ phone }} \"",
            "relay.toml:9:13 `crm.map.PhoneWork` is the default, word for word",
        ),
        (
            "[salsa.map]\nfirstName = false",
            "relay.toml:9:13 `salsa.map.firstName` switches off what is not sent anyway",
        ),
    ] {
        let found = lints(lines);
        assert_eq!(found.len(), 1, "{lines}: {found:?}");
        assert!(found[0].starts_with(expected), "{lines}: {found:?}");
    }
}

#[test]
fn what_does_something_is_left_alone() {
    for lines in [
        "",
        "[alumniq.fields]\nclassYear = [\"class_year\"]\n[crm.map]\nIntake = \"{{ classYear }}\"",
        "[alumniq.fields]\nclassYear = [\"class_year\"]\n[crm.map]\nTags = [{ Tag = \"{{ classYear }}\" }]",
        "[alumniq.fields]\nfax = []",
        "[alumniq.fields]\nchangeId = [\"id\"]\nxid = [\"person\"]\nemail = [\"mail\"]",
        "[crm.map]\nPhoneWork = false\nContactNoteContent = \"\"",
        "[crm.map]\nInactive = false",
        "[salsa.map]\ncontacts.WORK_PHONE = \"\"",
    ] {
        assert_eq!(lints(lines), [""; 0], "{lines}");
    }
    // What only a destination uses that is switched off is used.
    let off = "[salsa]\nenabled = false\n[salsa.map]\ncustom.Y = \"{{ classYear }}\"\n\
               [alumniq.fields]\nclassYear = [\"class_year\"]\njobTitle = [\"jt\"]";
    assert_eq!(lints(off), [""; 0]);
}

#[test]
fn a_broken_template_has_its_caret_at_the_broken_part() {
    for (lines, place, says) in [
        (
            "[crm.map]\nMobile = \"{{ mobile | uper }}\"",
            ":9:23",
            "unknown filter: filter uper is unknown (line 1, column 13 of the template)",
        ),
        (
            "[crm.map]\nTags = [{ Tag = \"{{ city }\" }]",
            ":9:26",
            "(line 1, column 9 of the template)",
        ),
        (
            "[salsa.map]\ncustom.X = \"\"\"\na\n{{ ü ü }}\"\"\"",
            ":11:4",
            "(line 2, column 4 of the template)",
        ),
        // Written with escapes: at the whole value.
        (
            "[crm.map]\nMobile = \"{{ mobile \\u007C uper }}\"",
            ":9:10",
            "(line 1, column 13 of the template)",
        ),
    ] {
        let shown = problems(lines);
        assert!(shown.contains(says), "{lines}: {shown}");
        assert!(
            shown.contains(&format!("relay.toml{place} ")),
            "{lines}: {shown}"
        );
    }
}

proptest! {
    /// Neither the shipped mapping nor parts of it have a lint, however many of its entries are switched off.
    #[test]
    fn the_shipped_mapping_has_no_lint(
        crm in subsequence(vec!["PhoneWork", "EmailAddress2", "ContactNoteContent"], 0..=3),
        salsa in subsequence(vec!["contacts.WORK_PHONE", "custom.Employer", "custom.\"Job Title\""], 0..=3),
        matching: bool,
    ) {
        let off = |names: Vec<&str>| names.iter().map(|name| format!("{name} = false\n")).collect::<String>();
        let anonymous = if matching { "match" } else { "dead_letter" };
        let text = LEAST.replace("[alumniq]", &format!("[alumniq]\nanonymous = \"{anonymous}\""));
        let text = format!("{text}[crm.map]\n{}[salsa.map]\n{}", off(crm), off(salsa));
        prop_assert!(loaded(&text).lint().is_empty());
    }
}

#[test]
fn the_examples_of_the_readme_and_of_the_example_file_hold() {
    let readme = include_str!("../../../README.md");
    let block = readme
        .split("```toml\n")
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| block)
        .find(|block| block.contains("[[map.test]]"))
        .unwrap();
    let example: String = crate::config::example::example()
        .lines()
        .skip_while(|line| !line.contains("[[map.test]]"))
        .map_while(|line| Some(format!("{}\n", line.strip_prefix("# ")?)))
        .collect();
    for (lines, count) in [(block, 2), (example.as_str(), 1)] {
        let loaded = with_lines(lines);
        let runs = loaded.run_examples();
        assert_eq!(runs.len(), count, "{lines}");
        for run in &runs {
            assert_eq!(run.differences, [], "{}", run.example.name);
        }
        assert!(loaded.lint().is_empty());
    }
}
