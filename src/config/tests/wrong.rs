use super::*;

/// The problems of `LEAST` with `lines` in `section`.
fn problems(section: &str, lines: &str) -> String {
    let header = format!("[{section}]\n");
    let text = match section {
        "" => format!("{lines}\n{LEAST}"),
        _ if LEAST.contains(&header) => LEAST.replace(&header, &format!("{header}{lines}\n")),
        _ => format!("{LEAST}\n{header}{lines}\n"),
    };
    match with(&text, &[]) {
        Ok(_) => panic!("accepted: {lines}"),
        Err(errors) => shown(&errors),
    }
}

#[test]
fn an_unknown_key_names_the_right_one() {
    for (section, line, says) in [
        ("crm", "concurency = 3", "did you mean `crm.concurrency`?"),
        (
            "crm",
            "timezone = \"UTC\"",
            "`timezone` belongs in [alumniq]",
        ),
        ("crm", "namespace = \"x\"", "at the top of the file"),
        ("", "timezone = \"UTC\"", "`timezone` belongs in [alumniq]"),
        (
            "crm.matching",
            "min_score = 1",
            "did you mean `crm.matching.min_confirmed_score`?",
        ),
        (
            "alumniq",
            "api_key_fiel = \"x\"",
            "did you mean `alumniq.api_key_file`?",
        ),
        (
            "notify",
            "url = \"https://hooks.example\"",
            "did you mean `notify.webhook_url`?",
        ),
        ("almniq", "x = 1", "did you mean `alumniq`?"),
        ("crm.mapp", "x = 1", "did you mean `crm.map`?"),
        ("quux", "x = 1", "config example"),
    ] {
        let shown = problems(section, line);
        assert!(
            shown.contains("is not a key") && shown.contains(says),
            "{line}: {shown}"
        );
    }
}

#[test]
fn without_matching_only_a_crm_number_finds_somebody() {
    for lines in [
        "enabled = false",
        "enabled = false\n[crm.map]\nCrmNumber = false",
        "enabled = false\n[crm.map]\ncrmnumber = \"\"",
    ] {
        let shown = problems("crm.matching", lines);
        assert!(
            shown.contains("crm.matching.enabled` is false") && shown.contains("CrmNumber"),
            "{shown}"
        );
        assert!(shown.contains("relay.toml:"), "no line is shown: {shown}");
    }
    let number = "[alumniq.fields]\ncrmNumber = [\"crmNumber\"]\n\
                  [crm.matching]\nenabled = false\n[crm.map]\nCrmNumber = \"{{ crmNumber }}\"\n";
    with(&format!("{LEAST}\n{number}"), &[]).unwrap();
}

#[test]
fn a_misspelt_required_key_is_not_reported_as_missing_too() {
    let text = LEAST.replace("timezone", "timezoen");
    let errors = with(&text, &[]).unwrap_err();
    assert_eq!(errors.findings().len(), 1, "{}", shown(&errors));
}

#[test]
fn a_wrong_template_is_reported_although_its_section_of_rows_is_wrong_too() {
    let text = LEAST.replace(
        "[crm]\n",
        "[crm]\nmap.PhoneWork = \"{{ phnoe or classYear }}\"\n",
    );
    let text = text.replace(
        "timezone = ",
        "fields.classYear = [\"class\"]\npoll = \"hourly\"\ntimezone = ",
    );
    let errors = with(&text, &[]).unwrap_err();
    let shown = shown(&errors);
    assert_eq!(errors.findings().len(), 2, "{shown}");
    assert!(
        shown.contains("alumniq.poll") && shown.contains("`phnoe`"),
        "{shown}"
    );
}

#[test]
fn a_wrong_value_says_where_and_what_is_right() {
    for (section, line, says) in [
        (
            "crm",
            "concurrency = \"many\"",
            "must be a whole number, not a text",
        ),
        ("crm", "concurrency = 0", "must be from 1 to 10000"),
        ("crm", "concurrency = -1", "must be from 0"),
        ("crm", "timeout = 30", "a number and a unit"),
        ("crm", "timeout = \"30 lightyears\"", "is no duration"),
        ("crm", "timeout = \"1h\"", "must be from 1s to 10m"),
        ("crm", "auth = \"pasword\"", "did you mean \"password\"?"),
        (
            "crm",
            "operation = true",
            "must be a text in quotes, not true or false",
        ),
        ("crm", "matching = 3", "`crm.matching` is a table"),
        (
            "crm.matching",
            "min_confirmed_score = 101",
            "must be from 0 to 100",
        ),
        (
            "crm.matching",
            "min_name_similarity = 1.01",
            "must be from 0 to 1",
        ),
        (
            "crm.matching",
            "min_name_similarity = nan",
            "must be from 0 to 1",
        ),
        ("crm", "map = 3", "must be a table"),
        ("acknowledge", "max_batch = 501", "must be from 1 to 500"),
        (
            "acknowledge",
            "max_batch = 200.5",
            "must be a whole number, not a fraction",
        ),
        ("alumniq", "poll = \"every 5s\"", "every 10s"),
        ("alumniq", "poll = \"hourly\"", "daily 02:00"),
        (
            "alumniq",
            "fields = { employer = 3 }",
            "must be a list of texts",
        ),
        (
            "alumniq",
            "acknowledge = \"onfetch\"",
            "did you mean \"on_fetch\"?",
        ),
        ("", "namespace = \"north campus\"", "letters"),
        ("", "namespace = \"{x}\"", "letters"),
        ("redis", "url = \"http://x\"", "is no Redis address"),
        ("redis", "url = []", "at least one node"),
        (
            "redis",
            "url = [\"redis+unix:///a\", \"redis+unix:///b\"]",
            "no cluster node",
        ),
        ("salsa", "url = \"ftp://x\"", "https://"),
        ("salsa", "url = \"api.salsalabs.org\"", "the whole address"),
        ("salsa", "url = \"https://u:p@x\"", "user or a password"),
        ("salsa", "url = \"https://x?y\"", "before any `?`"),
        ("console", "listen = \"9464\"", "127.0.0.1:9464"),
        (
            "console",
            "listen = \"0.0.0.0:9464\"",
            "console.operator_token",
        ),
        (
            "console",
            "listen = \"[::ffff:0.0.0.0]:9464\"",
            "console.operator_token",
        ),
        (
            "console",
            "allowed_hosts = [\"https://relay.example.edu/\"]",
            "is no host name",
        ),
        ("console", "allowed_hosts = \"*\"", "is no host name"),
        (
            "console",
            "trusted_proxies = [\"10.0.0.0/33\"]",
            "neither an address nor a network",
        ),
        ("console", "secure_cookie = \"perhaps\"", "always"),
        ("console", "session_idle = \"1s\"", "must be from 1m"),
        ("log", "level = \"\"", "is no log filter"),
        ("log", "level = \"a=b=c\"", "is no log filter"),
        ("worker", "lease = \"1s\"", "must be from 2s"),
    ] {
        let shown = problems(section, line);
        assert!(shown.contains(says), "{line}: {shown}");
        assert!(shown.starts_with("relay.toml:"), "{line}: {shown}");
        assert_eq!(shown.lines().count(), 1, "{line}: {shown}");
    }
}

#[test]
fn a_wrong_template_or_field_name_is_reported_at_its_line() {
    for (section, line, says) in [
        ("crm.map", "PhoneWork = \"{{ fone }}\"", "phone"),
        ("crm.map", "PhonWork = \"{{ phone }}\"", "PhoneWork"),
        (
            "crm.map",
            "PhoneWork = \"{{ phone\"",
            "`crm.map.PhoneWork` is wrong",
        ),
        ("crm.map", "PhoneWork = 3.5", "a template in quotes"),
        ("crm.map", "Tags = [{ Tga = \"x\" }]", "Tag"),
        (
            "salsa.map",
            "contacts.WORK_FONE = \"{{ phone }}\"",
            "WORK_PHONE",
        ),
        (
            "salsa.map",
            "custom.\"Job Title\" = \"{{ jobtitel }}\"",
            "jobTitle",
        ),
        (
            "alumniq.fields",
            "employer = [\"email\"]",
            "stands under both",
        ),
        ("alumniq.fields", "employer = [\" \"]", "blank"),
        (
            "alumniq.fields",
            "\"class year\" = [\"class_year\"]",
            "letters",
        ),
        ("alumniq.fields", "changeId = []", "changeId"),
    ] {
        let shown = problems(section, line);
        assert!(shown.contains(says), "{line}: {shown}");
        assert!(shown.starts_with("relay.toml:9:"), "{line}: {shown}");
        assert_eq!(shown.lines().count(), 1, "{line}: {shown}");
    }
}

#[test]
fn a_field_of_the_schools_own_can_be_used_in_templates() {
    let text = format!(
        "{LEAST}[crm.map]\nContactNoteContent = \"{{{{ classYear }}}}\"\n[alumniq.fields]\nclassYear = \"class_year\"\n"
    );
    let config = loaded(&text).config;
    assert!(
        config
            .mappings
            .names
            .canonical()
            .any(|name| name == "classYear")
    );
    assert!(config.mappings.crm.is_some() && config.mappings.salsa.is_some());
}

#[test]
fn a_wrong_time_zone_names_the_nearest_right_one() {
    for (written, meant) in [
        ("America/Los_Angelos", "America/Los_Angeles"),
        ("Los Angeles", "America/Los_Angeles"),
        ("America/NewYork", "America/New_York"),
        ("PSTT", "\"America/New_York\""),
    ] {
        let text = LEAST.replace("America/Los_Angeles", written);
        let shown = shown(&with(&text, &[]).unwrap_err());
        assert!(
            shown.contains("is no IANA time zone") && shown.contains(meant),
            "{shown}"
        );
    }
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_file() {
    let text =
        "[crm]\nconcurrency = 0\nauth = \"x\"\ntimout = 3\n[worker]\nlease = 1\n[salsa]\nurl = 1\n";
    let errors = parse("relay.toml", text, Vec::new()).unwrap_err();
    let places: Vec<_> = errors
        .findings()
        .iter()
        .filter_map(ConfigFinding::location)
        .collect();
    let expected = ["2:15", "3:8", "4:1", "6:9", "8:7"].map(|place| format!("relay.toml:{place}"));
    assert_eq!(places, expected);
    for missing in [
        "alumniq.url",
        "alumniq.timezone",
        "alumniq.api_key",
        "crm.url",
        "salsa.token",
    ] {
        assert!(
            shown(&errors).contains(&format!("`{missing}`")),
            "{missing}"
        );
    }
}

#[test]
fn a_missing_key_says_where_to_set_it_and_by_which_variable() {
    let shown = shown(&with("", &[]).unwrap_err());
    assert!(
        shown.contains("ALUMNIQ_RELAY__ALUMNIQ__TIMEZONE"),
        "{shown}"
    );
    assert!(
        shown.contains("`timezone = \"America/Los_Angeles\"`"),
        "{shown}"
    );
    assert!(shown.contains("`crm.enabled = false`"), "{shown}");
}

#[test]
fn changes_that_have_nowhere_to_go_are_refused() {
    let text = format!("{LEAST}enabled = false\n[salsa]\nenabled = false\n");
    let shown = shown(&with(&text, &[]).unwrap_err());
    assert!(shown.contains("`crm.enabled` are both false"), "{shown}");
}

#[test]
fn broken_toml_shows_its_line_and_nothing_else() {
    let errors = with("[alumniq\nurl = \"x\"\n", &[]).unwrap_err();
    let all = shown(&errors);
    assert!(all.starts_with("relay.toml:1:"), "{all}");
    assert!(!all.contains("required"), "{all}");
}

#[test]
fn an_error_shows_file_line_and_caret() {
    let text = format!("{LEAST}concurency = 3\n");
    let shown = rendered(&with(&text, &[]).unwrap_err());
    for part in [
        "relay.toml:7:1",
        "concurency = 3",
        "unknown key",
        "did you mean `crm.concurrency`?",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn risks_are_warnings() {
    let text = LEAST
        .replace("[crm]", "acknowledge = \"on_fetch\"\n[crm]")
        .replace("https://crm", "http://crm");
    let loaded = loaded(&text);
    let warnings: Vec<_> = loaded
        .warnings
        .iter()
        .map(|warning| format!("{warning} {warning:?}"))
        .collect();
    assert_eq!(warnings.len(), 2);
    assert!(
        warnings[0].contains("never sends them again"),
        "{warnings:?}"
    );
    assert!(warnings[1].contains("unencrypted"), "{warnings:?}");
}

#[test]
fn an_address_on_this_machine_needs_no_encryption() {
    for host in [
        "http://localhost:80",
        "http://127.0.0.1:9470",
        "http://[::1]:9470",
    ] {
        let text = LEAST.replace("https://crm.example.edu", host);
        assert!(loaded(&text).warnings.is_empty(), "{host}");
    }
}

#[test]
fn a_missing_or_unreadable_file_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("binary.toml");
    std::fs::write(&binary, [0xff, 0xfe, 0x00]).unwrap();
    for (path, says) in [
        (folder.path().join("none.toml"), "config example"),
        (binary, "not UTF-8"),
        (folder.path().to_owned(), "cannot be read"),
    ] {
        let shown = shown(&load(Some(&path), environment(SECRETS)).unwrap_err());
        assert!(shown.contains(says), "{shown}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}", value in ".{0,40}") {
        let _ = with(&text, &[("ALUMNIQ_RELAY__CRM__TIMEOUT", &value)]);
        let _ = with(&format!("[crm]\ntimeout = {value}\nurl = {value:?}\n[crm.map]\nx = {value}"), &[]);
    }
}
