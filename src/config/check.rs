//! Rules between keys, and what is allowed but should be known.

use jobs::mapping::MapValue;

use super::{
    alumniq::{AcknowledgeMode, AlumniqConfig},
    connection,
    crm::{CrmAuthKind, CrmConfig},
    reader::Reader,
    redis::RedisConfig,
    salsa::SalsaConfig,
    secret,
    telemetry::TelemetryConfig,
    url::BaseUrl,
};

pub(super) fn redis(reader: &mut Reader, config: &mut RedisConfig) {
    config.data_dir = connection::resolved(reader, &config.data_dir);
    connection::redis(reader, config);
}

pub(super) fn alumniq(reader: &mut Reader, config: &mut AlumniqConfig) {
    connection::vendor(reader, "alumniq", &config.url, &mut config.ca_file);
    if config.acknowledge == AcknowledgeMode::OnFetch {
        reader.caution(
            "alumniq.acknowledge",
            "is \"on_fetch\": changes can be lost",
            "AlumnIQ marks changes as processed while it sends them and never sends them again: a crash between its \
             answer and our record of it loses them, and dead letters are never offered again. \"after_success\" has \
             no such gap",
        );
    }
}

pub(super) fn crm(reader: &mut Reader, config: &mut CrmConfig) {
    connection::vendor(reader, "crm", &config.url, &mut config.ca_file);
    finds_somebody(reader, config);
    let needed: &[(&str, bool)] = match config.auth {
        CrmAuthKind::Password => &[
            ("username", config.username.is_none()),
            ("password", config.password.is_none()),
        ],
        CrmAuthKind::Bearer => &[("password", config.password.is_none())],
        CrmAuthKind::None => &[],
    };
    let rule = format!(
        "is required while `crm.auth` is \"{}\"",
        config.auth.as_str()
    );
    for key in CrmConfig::SECTION.keys {
        if needed.contains(&(key.name, true)) {
            secret::missing(reader, key, &rule);
        }
    }
}

/// The CRM's page: without matching and "if CrmNumber is not provided, NO update will be performed"; an upsert would add
/// a contact with each change.
fn finds_somebody(reader: &mut Reader, config: &CrmConfig) {
    let is_mapped = config.map.iter().any(|(field, value)| {
        field.eq_ignore_ascii_case("CrmNumber")
            && match value {
                MapValue::Bool(is_on) => *is_on,
                MapValue::Template(template) => !template.trim().is_empty(),
                _ => true,
            }
    });
    if config.matching.enabled || is_mapped {
        return;
    }
    reader.refuse(
        "crm.matching.enabled",
        "is false, and nothing in [crm.map] is CrmNumber: the CRM could not find anybody to update",
        "set it to true, or give [crm.map] a `CrmNumber` that the rows hold, e.g. `CrmNumber = \"{{ crmNumber }}\"` \
         with its key in [alumniq.fields]",
    );
}

pub(super) fn salsa(reader: &mut Reader, config: &mut SalsaConfig) {
    connection::vendor(reader, "salsa", &config.url, &mut config.ca_file);
}

pub(super) fn destinations(reader: &mut Reader, crm_enabled: bool, salsa_enabled: bool) {
    if !crm_enabled && !salsa_enabled {
        reader.refuse(
            "salsa.enabled",
            "and `crm.enabled` are both false: changes have nowhere to go",
            "switch at least one destination on",
        );
    }
}

pub(super) fn telemetry(reader: &mut Reader, config: &TelemetryConfig) {
    let in_the_clear = config
        .otlp_url
        .as_ref()
        .is_some_and(BaseUrl::is_unencrypted);
    if in_the_clear && config.otlp_headers.is_some() {
        reader.caution(
            "telemetry.otlp_url",
            "sends the secret `telemetry.otlp_headers` over the network unencrypted",
            "use https://",
        );
    }
}
