use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;

/// A folder with `relay.toml` of this text and mode.
fn folder(text: &str, mode: u32) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    (folder, file)
}

fn without_alumniq_key() -> Vec<(OsString, OsString)> {
    environment(&SECRETS[1..])
}

fn in_alumniq(line: &str) -> String {
    LEAST.replace("[alumniq]", &format!("[alumniq]\n{line}"))
}

#[test]
fn a_secret_comes_from_a_file_beside_the_configuration_without_its_byte_order_mark() {
    let (folder, file) = folder(&in_alumniq("api_key_file = \"key\""), 0o644);
    fs::write(folder.path().join("key"), "\u{feff}from-file\r\n").unwrap();
    let loaded = load(Some(&file), without_alumniq_key()).unwrap();
    assert_eq!(loaded.config.alumniq.api_key.expose_secret(), "from-file");
    assert!(loaded.warnings.is_empty());
}

#[test]
fn a_configuration_may_begin_with_a_byte_order_mark() {
    let (_folder, file) = folder(&format!("\u{feff}{LEAST}"), 0o644);
    assert!(load(Some(&file), environment(SECRETS)).is_ok());
}

#[test]
fn a_variable_wins_over_the_file_and_its_own_over_the_general_one() {
    let key = |variables: &[(&str, &str)]| {
        let text = in_alumniq("api_key = \"inline\"");
        let loaded = parse(
            "relay.toml",
            &text,
            [without_alumniq_key(), environment(variables)].concat(),
        );
        loaded
            .unwrap()
            .config
            .alumniq
            .api_key
            .expose_secret()
            .to_owned()
    };
    let general = ("ALUMNIQ_RELAY__ALUMNIQ__API_KEY", "general");
    assert_eq!(key(&[]), "inline");
    assert_eq!(key(&[general]), "general");
    assert_eq!(key(&[general, ("ALUMNIQ_API_KEY", "own")]), "own");
    assert_eq!(key(&[("ALUMNIQ_API_KEY", "")]), "inline");
}

#[test]
fn a_secret_in_the_config_file_is_a_warning_and_worse_if_others_can_read_it() {
    for (mode, says) in [
        (0o600, "stands in plain text in the config file"),
        (0o644, "every user of this machine can read"),
    ] {
        let (_folder, file) = folder(&in_alumniq("api_key = \"inline-secret\""), mode);
        let loaded = load(Some(&file), without_alumniq_key()).unwrap();
        assert_eq!(loaded.warnings.len(), 1);
        let shown = rendered(&loaded.warnings[0]);
        assert!(
            shown.contains(says) && shown.contains("api_key_file"),
            "{shown}"
        );
        assert!(!shown.contains("inline-secret"), "{shown}");
    }
}

#[test]
fn a_missing_secret_names_its_variable_and_its_file_key() {
    let shown = shown(&parse("relay.toml", LEAST, Vec::new()).unwrap_err());
    for (variable, file) in [
        ("ALUMNIQ_API_KEY", "api_key_file"),
        ("CRM_USERNAME", "username_file"),
        ("CRM_PASSWORD", "password_file"),
        ("SALSA_AUTH_TOKEN", "token_file"),
    ] {
        assert!(
            shown.contains(variable) && shown.contains(file),
            "{variable}: {shown}"
        );
    }
}

#[test]
fn the_crm_needs_only_the_secrets_of_its_kind_of_authentication() {
    let secrets = |auth: &str, variables: &[(&str, &str)]| {
        let text = format!("{LEAST}auth = \"{auth}\"\n[salsa]\nenabled = false\n");
        let variables = [&SECRETS[..1], variables].concat();
        parse("relay.toml", &text, environment(&variables)).map(|loaded| loaded.config.crm.unwrap())
    };
    let token = ("CRM_PASSWORD", "t");
    assert!(matches!(
        secrets("none", &[]).unwrap().options().unwrap().auth,
        CrmAuth::None
    ));
    assert!(matches!(
        secrets("bearer", &[token]).unwrap().options().unwrap().auth,
        CrmAuth::Bearer(_)
    ));
    assert!(shown(&secrets("bearer", &[]).unwrap_err()).contains("CRM_PASSWORD"));
    assert!(shown(&secrets("password", &[token]).unwrap_err()).contains("CRM_USERNAME"));
}

#[test]
fn a_destination_that_is_off_needs_no_secret_and_no_address() {
    let text = LEAST.split("[crm]").next().unwrap();
    let text = format!("{text}[crm]\nenabled = false\n");
    let variables = [SECRETS[0], SECRETS[3]];
    let loaded = parse("relay.toml", &text, environment(&variables)).unwrap();
    assert!(loaded.config.crm.is_none() && loaded.config.salsa.is_some());
}

#[test]
fn unusable_secrets_are_refused_without_quoting_them() {
    let (folder, file) = folder(&in_alumniq("api_key_file = \"key\""), 0o600);
    let key = folder.path().join("key");
    let refused = |says: &str| {
        let errors = load(Some(&file), without_alumniq_key()).unwrap_err();
        let shown = rendered(&errors);
        assert!(shown.contains(says), "{shown}");
        assert!(!shown.contains("sesame"), "{shown}");
    };
    refused("No such file");
    fs::write(&key, "\n").unwrap();
    refused("is empty");
    fs::write(&key, "open\nsesame\n").unwrap();
    refused("a line break");
    fs::write(&key, " sesame").unwrap();
    refused("a blank");
    fs::write(&key, [0xff, 0xfe]).unwrap();
    refused("UTF-8");
    fs::write(&key, "sesame".repeat(20_000)).unwrap();
    refused("too large");
    fs::remove_file(&key).unwrap();
    fs::create_dir(&key).unwrap();
    refused("directory");
}

#[test]
fn a_secret_that_is_set_twice_in_one_place_is_refused() {
    let text = in_alumniq("api_key = \"inline-secret\"\napi_key_file = \"key\"");
    let errors = parse("relay.toml", &text, without_alumniq_key()).unwrap_err();
    let shown = rendered(&errors);
    assert!(
        shown.contains("both set") && !shown.contains("inline-secret"),
        "{shown}"
    );
    let variables = [
        ("ALUMNIQ_RELAY__ALUMNIQ__API_KEY", "inline-secret"),
        ("ALUMNIQ_RELAY__ALUMNIQ__API_KEY_FILE", "key"),
    ];
    let errors = parse(
        "e",
        LEAST,
        [without_alumniq_key(), environment(&variables)].concat(),
    );
    let shown = rendered(&errors.unwrap_err());
    assert!(
        shown.contains("ALUMNIQ_RELAY__ALUMNIQ__API_KEY_FILE"),
        "{shown}"
    );
    assert!(!shown.contains("inline-secret"), "{shown}");
}

#[test]
fn no_output_holds_a_secret() {
    let text = format!(
        "{}\n[redis]\nurl = \"redis://me:hunter2@host:6379/1\"\n",
        in_alumniq("api_key = \"inline-secret\"")
    );
    let loaded = with(&text, &[]).unwrap();
    let all = format!("{:?} {}", loaded, loaded.print());
    let secrets = [
        "inline-secret",
        "hunter2",
        "key-of-alumniq",
        "password-of-crm",
        "token-of-salsa",
    ];
    for secret in secrets {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
    let node = &loaded.config.redis.url.unwrap()[0];
    assert_eq!(node.expose(), "redis://me:hunter2@host:6379/1");
    assert_eq!(node.to_string(), "redis://host:6379/1");
}

#[test]
fn the_lines_around_a_caret_hide_secrets_even_in_a_broken_or_misspelt_file() {
    for text in [
        in_alumniq("api_key = \"hunter2\"\nurll = 3"),
        in_alumniq("api_kye = \"hunter2\""),
        in_alumniq("apikey = 'hunter2'\npoll = 3"),
        in_alumniq("api_key = \"hunter2\npoll = "),
        "alumniq = { url = 3, api_key = \"hunter2\" }".to_owned(),
        "alumniq = { url = 3, api_key = \"hunter2\" ".to_owned(),
        in_alumniq("api_key = \"\"\"\nhunter2\"\"\"\npoll = 3"),
        "[redis]\nurl = \"redis://u:hunter2@host\"\ndata_dri = 3".to_owned(),
        "[redis]\nurl = \"redis://u:hunter2\"".to_owned(),
        "[crm]\nusername = 3\npassword = \"hunter2\"\nurl = 5".to_owned(),
        "[notify]\nurl = \"https://hooks.slack.com/hunter2\"".to_owned(),
        "[notify]\nwebhok_url = \"https://hooks.slack.com/hunter2\"\nafter = ".to_owned(),
    ] {
        let shown = rendered(&parse("relay.toml", &text, environment(SECRETS)).unwrap_err());
        assert!(!shown.contains("hunter2"), "{text}\n{shown}");
    }
}

const KEY: &str = "KioqKioqKioqKioqKioqKioqKioqKioqKioqKioqKio=";

#[test]
fn payloads_are_sealed_under_the_key_and_opened_with_the_old_ones_too() {
    let keys = |variables: &[(&str, &str)]| {
        let loaded = with(LEAST, variables).unwrap();
        let all = format!("{loaded:?} {}", loaded.print());
        assert!(!all.contains("Kioq") && !all.contains("0707"), "{all}");
        let keys = loaded.config.encryption.keys();
        (keys.current, keys.old)
    };
    assert_eq!(keys(&[]), (None, vec![]));
    let key = ("ALUMNIQ_RELAY_KEY", KEY);
    assert_eq!(keys(&[key]), (Some([42; 32]), vec![]));
    let old = format!("{}, {KEY}", "07".repeat(32));
    let old = ("ALUMNIQ_RELAY__ENCRYPTION__OLD_KEYS", old.as_str());
    assert_eq!(keys(&[old]), (None, vec![[7; 32], [42; 32]]));
    assert_eq!(keys(&[key, old]), (Some([42; 32]), vec![[7; 32], [42; 32]]));
}

#[test]
fn what_is_no_key_is_told_without_being_shown() {
    let short = "c2hvcnQgc2VjcmV0";
    let shown = |variable: &str, value: &str| {
        let shown = shown(&with(LEAST, &[(variable, value)]).unwrap_err());
        assert!(
            !shown.contains("c2hvcn") && !shown.contains("hunter2"),
            "{shown}"
        );
        shown.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (value, rule) in [
        (short, "`encryption.key` has 12 bytes, but a key has 32"),
        (
            "hunter2!",
            "`encryption.key` is neither base64 nor hexadecimal",
        ),
    ] {
        let shown = shown("ALUMNIQ_RELAY_KEY", value);
        assert!(
            shown.contains(rule) && shown.contains("alumniq-relay encryption key"),
            "{shown}"
        );
    }
    let shown = shown(
        "ALUMNIQ_RELAY__ENCRYPTION__OLD_KEYS",
        &format!("{KEY},{short}"),
    );
    assert!(
        shown.contains(
            "`encryption.old_keys` holds a key, the 2. of them, that has 12 bytes, but a key has 32"
        ),
        "{shown}"
    );
}

#[test]
fn a_key_comes_from_a_file_as_every_secret_does() {
    let text = format!("{LEAST}[encryption]\nkey_file = \"key\"\n");
    let (folder, file) = folder(&text, 0o644);
    fs::write(folder.path().join("key"), format!("{KEY}\n")).unwrap();
    let loaded = load(Some(&file), environment(SECRETS)).unwrap();
    assert!(loaded.config.encryption.keys().current.is_some());
    assert!(loaded.warnings.is_empty());
}

const WEBHOOK: (&str, &str) = (
    "ALUMNIQ_RELAY__NOTIFY__WEBHOOK_URL",
    "https://hooks.slack.com/services/T0/B0/hunter2",
);

const SIGNING: (&str, &str) = (
    "ALUMNIQ_RELAY__NOTIFY__SECRET",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
);

#[test]
fn a_webhooks_address_is_a_secret_and_json_must_be_signed() {
    let refused = |text: &str, variables: &[(&str, &str)]| {
        let errors = with(&format!("{LEAST}[notify]\n{text}"), variables).unwrap_err();
        let shown = rendered(&errors);
        assert!(!shown.contains("hunter2"), "{shown}");
        shown
            .split_whitespace()
            .filter(|word| *word != "│")
            .collect::<Vec<_>>()
            .join(" ")
    };
    let shown = refused("", &[WEBHOOK]);
    assert!(
        shown.contains("the secret `notify.secret` is required"),
        "{shown}"
    );
    let shown = refused("", &[WEBHOOK, (SIGNING.0, "hunter2")]);
    assert!(
        shown.contains("`notify.secret` is no signing secret"),
        "{shown}"
    );
    for wrong in [
        "hooks.slack.com/hunter2",
        "ftp://h/hunter2",
        "https://u:hunter2@h/x",
    ] {
        let shown = refused("", &[(WEBHOOK.0, wrong), SIGNING]);
        assert!(shown.contains("`notify.webhook_url`"), "{shown}");
        refused(&format!("webhook_url = \"{wrong}\""), &[SIGNING]);
    }

    for (text, variables) in [
        ("", &[WEBHOOK, SIGNING][..]),
        ("format = \"slack\"", &[WEBHOOK]),
    ] {
        let loaded = with(&format!("{LEAST}[notify]\n{text}"), variables).unwrap();
        assert!(loaded.warnings.is_empty());
        assert!(loaded.config.notify.receiver().is_some());
        let all = format!("{loaded:?} {}", loaded.print());
        for secret in ["hunter2", "T0/B0", SIGNING.1] {
            assert!(!all.contains(secret), "{secret}: {all}");
        }
    }
    assert!(loaded(LEAST).config.notify.receiver().is_none());
}

#[test]
fn a_webhook_in_the_clear_is_warned_of_but_for_this_machine() {
    for (url, warnings) in [
        ("http://chat.example/hunter2", 1),
        ("http://127.0.0.1:1/x", 0),
    ] {
        let loaded = with(LEAST, &[(WEBHOOK.0, url), SIGNING]).unwrap();
        assert_eq!(loaded.warnings.len(), warnings);
        let shown: String = loaded.warnings.iter().map(|w| rendered(w)).collect();
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
