use std::ffi::OsString;

use super::*;

mod defaults;
mod hostile;
mod mapping;
mod overrides;
mod secrets;
mod wrong;

/// The least that a configuration must hold.
const LEAST: &str = r#"
[alumniq]
url = "https://school.alumniq.com/api/v1/index.cfm"
timezone = "America/Los_Angeles"
[crm]
url = "https://crm.example.edu/crms/api"
"#;

const SECRETS: &[(&str, &str)] = &[
    ("ALUMNIQ_API_KEY", "key-of-alumniq"),
    ("CRM_USERNAME", "user-of-crm"),
    ("CRM_PASSWORD", "password-of-crm"),
    ("SALSA_AUTH_TOKEN", "token-of-salsa"),
];

fn environment(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)))
        .collect()
}

/// Loads `text` with every secret and `variables`.
fn with(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
    parse(
        "relay.toml",
        text,
        environment(&[SECRETS, variables].concat()),
    )
}

fn loaded(text: &str) -> Loaded {
    with(text, &[]).unwrap_or_else(|errors| panic!("{}", shown(&errors)))
}

/// Every finding as one line a piece: place, message, help.
fn shown(errors: &ConfigErrors) -> String {
    errors
        .findings()
        .iter()
        .map(|finding| {
            format!(
                "{} {} ({})\n",
                finding.location().unwrap_or_default(),
                finding.message(),
                finding.remedy().unwrap_or_default()
            )
        })
        .collect()
}

/// As people see it on a terminal without colours.
fn rendered(diagnostic: &dyn miette::Diagnostic) -> String {
    let mut out = String::new();
    miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .render_report(&mut out, diagnostic)
        .unwrap();
    out
}
