use jobs::mapping::MapValue;

use super::*;

/// The value of a key after `variables` override `LEAST`.
fn applies(variables: &[(&str, &str)], section: &str, name: &str) -> String {
    let loaded = with(LEAST, variables).unwrap_or_else(|errors| panic!("{}", shown(&errors)));
    loaded
        .effective
        .iter()
        .find(|value| value.section == section && value.name == name)
        .map(|value| value.value.to_string())
        .unwrap()
}

#[test]
fn every_kind_of_key_is_overridden_by_its_variable() {
    for (variable, text, section, name, value) in [
        (
            "ALUMNIQ_RELAY__NAMESPACE",
            "north",
            "",
            "namespace",
            "\"north\"",
        ),
        (
            "ALUMNIQ_RELAY__CRM__CONCURRENCY",
            "5",
            "crm",
            "concurrency",
            "5",
        ),
        (
            "ALUMNIQ_RELAY__SALSA__CREATE_MISSING",
            "true",
            "salsa",
            "create_missing",
            "true",
        ),
        (
            "ALUMNIQ_RELAY__CRM__MATCHING__MIN_NAME_SIMILARITY",
            "1",
            "crm.matching",
            "min_name_similarity",
            "1",
        ),
        (
            "ALUMNIQ_RELAY__ALUMNIQ__POLL",
            "every 15m",
            "alumniq",
            "poll",
            "\"every 15m\"",
        ),
        (
            "ALUMNIQ_RELAY__ACKNOWLEDGE__MAX_WAIT",
            "1s",
            "acknowledge",
            "max_wait",
            "\"1s\"",
        ),
        (
            "ALUMNIQ_RELAY__REDIS__URL",
            "redis://one/2",
            "redis",
            "url",
            "\"redis://one:6379/2\"",
        ),
        (
            "ALUMNIQ_RELAY__REDIS__URL",
            r#"["redis://one", "redis://two"]"#,
            "redis",
            "url",
            r#"["redis://one:6379/0", "redis://two:6379/0"]"#,
        ),
        (
            "ALUMNIQ_RELAY__CRM__MAP__PhoneWork",
            "{{ mobile }}",
            "crm",
            "PhoneWork",
            "\"{{ mobile }}\"",
        ),
        (
            "ALUMNIQ_RELAY__CRM__MAP__PhoneWork",
            "false",
            "crm",
            "PhoneWork",
            "false",
        ),
        (
            "ALUMNIQ_RELAY__ALUMNIQ__FIELDS__employer",
            r#"["firm"]"#,
            "alumniq",
            "employer",
            r#"["firm"]"#,
        ),
    ] {
        assert_eq!(
            applies(&[(variable, text)], section, name),
            value,
            "{variable}={text}"
        );
    }
}

#[test]
fn an_empty_variable_leaves_the_key_alone() {
    let variables = [("ALUMNIQ_RELAY__CRM__CONCURRENCY", "")];
    assert_eq!(applies(&variables, "crm", "concurrency"), "32");
}

#[test]
fn a_variable_wins_over_the_file_whatever_the_case_of_a_free_key() {
    let text = format!("{LEAST}[crm.map]\nPhoneWork = \"{{{{ phone }}}}\"\n");
    let loaded = with(&text, &[("ALUMNIQ_RELAY__CRM__MAP__PHONEWORK", "")]).unwrap();
    let map = loaded.config.crm.unwrap().map;
    assert_eq!(map.len(), 1);
    assert_eq!(map["PhoneWork"], MapValue::Template(String::new()));
}

#[test]
fn the_environment_alone_can_configure_everything() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [
        (
            "ALUMNIQ_RELAY__ALUMNIQ__URL",
            "https://school.alumniq.com/api/v1/index.cfm",
        ),
        ("ALUMNIQ_RELAY__ALUMNIQ__TIMEZONE", "America/New_York"),
        ("ALUMNIQ_RELAY__CRM__ENABLED", "false"),
    ];
    let loaded = with("", &variables).unwrap();
    assert!(loaded.config.crm.is_none());
    // A file that is named must be there all the same.
    let missing = folder.path().join("relay.toml");
    let errors = load(Some(&missing), environment(&[SECRETS, &variables].concat())).unwrap_err();
    assert!(
        shown(&errors).contains("there is no file"),
        "{}",
        shown(&errors)
    );
}

#[test]
fn a_wrong_variable_is_named_in_the_error() {
    for (variable, text, says) in [
        (
            "ALUMNIQ_RELAY__CRM__CONCURRENCY",
            "many",
            "must be a whole number",
        ),
        (
            "ALUMNIQ_RELAY__CRM__CONCURENCY",
            "3",
            "ALUMNIQ_RELAY__CRM__CONCURRENCY",
        ),
        (
            "ALUMNIQ_RELAY__TIMEZONE",
            "UTC",
            "ALUMNIQ_RELAY__ALUMNIQ__TIMEZONE",
        ),
        (
            "ALUMNIQ_RELAY__CRM__MAP",
            "x",
            "ALUMNIQ_RELAY__CRM__MAP__KEY",
        ),
        ("ALUMNIQ_RELAY__CRM", "x", "ALUMNIQ_RELAY__CRM__KEY"),
        ("ALUMNIQ_RELAY__QUUX", "x", "config example"),
    ] {
        let shown = shown(&with(LEAST, &[(variable, text)]).unwrap_err());
        assert!(shown.contains(says) && shown.contains(variable), "{shown}");
    }
}

#[test]
fn a_relative_data_directory_starts_at_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    std::fs::write(&file, LEAST).unwrap();
    let loaded = load(Some(&file), environment(SECRETS)).unwrap();
    assert_eq!(
        loaded.config.redis.data_dir,
        folder.path().join("./data/redis")
    );
}
