use std::{path::Path, time::Duration};

use jobs::country::CountryCodes;

use super::*;
use crate::config::{example::example, key::Presence};

#[test]
fn the_defaults_are_those_of_the_design() {
    let config = loaded(LEAST).config;
    assert_eq!(config.namespace.as_str(), "alumniq");
    assert!(config.redis.url.is_none());
    assert_eq!(config.redis.data_dir, Path::new("./data/redis"));
    assert_eq!(config.redis.server, "redis-server");
    assert!(!config.redis.allow_no_persistence && !config.redis.allow_eviction);
    assert_eq!(config.redis.response_timeout, Duration::from_secs(5));
    assert_eq!(config.alumniq.poll.to_string(), "daily 02:00");
    assert_eq!(config.alumniq.lookback_days, 7);
    assert_eq!(config.alumniq.acknowledge, AcknowledgeMode::AfterSuccess);
    assert_eq!(config.alumniq.anonymous, AnonymousRows::DeadLetter);
    assert_eq!(config.alumniq.timeout, Duration::from_secs(60));
    let crm = config.crm.unwrap();
    assert_eq!(crm.auth, CrmAuthKind::Password);
    assert_eq!(crm.operation, CrmOperation::Update);
    assert_eq!(crm.country_codes, CountryCodes::Alpha3);
    assert!(crm.matching.enabled);
    assert_eq!(crm.matching.min_confirmed_score, 82);
    assert_eq!(crm.matching.min_name_similarity, 0.4);
    let limits = crm.limits();
    assert_eq!((limits.concurrency, limits.rate_per_minute), (32, None));
    assert_eq!((limits.timeout.as_secs(), limits.max_attempts), (30, 10));
    let salsa = config.salsa.unwrap();
    assert_eq!(salsa.url.as_str(), "https://api.salsalabs.org");
    assert!(!salsa.create_missing);
    let limits = salsa.limits();
    assert_eq!((limits.concurrency, limits.rate_per_minute), (4, None));
    assert_eq!((limits.timeout.as_secs(), limits.max_attempts), (60, 10));
    assert_eq!(config.acknowledge.max_batch, 200);
    assert_eq!(config.acknowledge.max_wait, Duration::from_secs(5));
    assert_eq!(config.history.keep, Duration::from_secs(14 * 86_400));
    assert_eq!(config.history.keep_payload, Duration::ZERO);
    assert_eq!(config.console.listen.to_string(), "127.0.0.1:9464");
    assert!(config.notify.webhook_url.is_none() && config.notify.console_url.is_none());
    assert_eq!(config.notify.format, NotifyFormat::Json);
    assert_eq!(config.notify.after, Duration::from_secs(60));
    assert_eq!(config.log.format, LogFormat::Pretty);
    assert_eq!(config.log.level.as_str(), "info");
    assert_eq!(config.worker.lease, Duration::from_secs(10));
    assert_eq!(config.worker.drain, Duration::from_secs(25));
}

#[test]
fn the_least_configuration_has_no_warning() {
    assert!(loaded(LEAST).warnings.is_empty());
}

/// What applies, without where it came from.
fn values(loaded: &Loaded) -> Vec<(String, String)> {
    loaded
        .effective
        .iter()
        .map(|value| {
            (
                format!("{}.{}", value.section, value.name),
                value.value.to_string(),
            )
        })
        .collect()
}

#[test]
fn the_example_loads_without_a_word_and_equals_the_defaults() {
    let from_example = loaded(&example());
    assert!(from_example.warnings.is_empty());
    assert_eq!(values(&from_example), values(&loaded(LEAST)));
}

#[test]
fn the_example_with_every_line_switched_on_loads_too() {
    // A line of prose is `# text` and a line of configuration `# key = value`.
    let switched_on: String = example()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_setting(rest) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .filter(|line| !line.contains("_file = "))
        .collect();
    let loaded = loaded(&switched_on);
    assert_eq!(loaded.config.alumniq.fields["classYear"], ["class_year"]);
    assert_eq!(loaded.config.crm.unwrap().rate_per_minute, Some(600));
    assert!(loaded.config.redis.url.is_some());
}

fn is_setting(line: &str) -> bool {
    line.starts_with("[[") || line.contains(" = ") && line.parse::<toml::Table>().is_ok()
}

#[test]
fn every_key_is_documented_and_stands_in_the_example() {
    let example = example();
    for key in SECTIONS.iter().flat_map(|section| section.keys) {
        assert!(!key.doc.is_empty(), "{}", key.path());
        let line = match key.rule.presence {
            Presence::Required { .. } => format!("\n{} = ", key.name),
            Presence::Secret { .. } => format!("\n# {} = ", key.file_name()),
            Presence::Table { .. } => format!("\n[{}]\n", key.path()),
            Presence::Tables { .. } => format!("\n# [[{}]]\n", key.path()),
            _ => format!("\n# {} = ", key.name),
        };
        assert!(example.contains(&line), "{}", key.path());
    }
}

#[test]
fn the_printed_configuration_loads_again_and_means_the_same() {
    let text = format!(
        "{LEAST}concurrency = 7\n[crm.map]\nPhoneWork = '''say \"{{{{ phone }}}}\"\nthere'''\n\
         ContactNoteContent = false\n[salsa.map]\ncustom.\"Job Title\" = \"{{{{ employer }}}}\"\n"
    );
    let first = loaded(&text);
    let printed = first.print();
    assert!(
        printed.contains("concurrency = 7 # relay.toml:7:1"),
        "{printed}"
    );
    assert!(
        printed.contains("api_key = \"<redacted>\" # ALUMNIQ_API_KEY"),
        "{printed}"
    );
    let again = loaded(&printed);
    assert_eq!(values(&again), values(&first));
}
