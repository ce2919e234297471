//! What a configuration does, in a few lines.

use jiff::Timestamp;
use jobs::salsa_upsert::SalsaLimits;

use crate::config::{AcknowledgeMode, AnonymousRows, Config, CrmOperation, Schedule};

/// Indents the lines after a heading's first.
const INDENT: usize = 14;

/// The lines, each ended.
pub fn of(config: &Config, now: Timestamp) -> String {
    let line = |name: &str, text: String| format!("{name:<INDENT$}{text}\n");
    let mut text = line("fetches from", config.alumniq.url.to_string());
    text += &line("", schedule(config, now));
    if config.alumniq.anonymous == AnonymousRows::Match {
        text += &line(
            "",
            "rows without xid are matched by their contact data".to_owned(),
        );
    }
    let crm = config.crm.iter().zip(&config.mappings.crm);
    for (crm, mapping) in crm {
        let operation = match crm.operation {
            CrmOperation::Update => "updates contacts that exist",
            CrmOperation::Upsert => "updates contacts, and adds those that are missing",
        };
        text += &line("CRM", format!("{} ({operation})", crm.url));
        text += &line(
            "",
            format!("fills {}", sorted(mapping.targets().map(str::to_owned))),
        );
        text += &line(
            "",
            limits(crm.concurrency, crm.rate_per_minute, "no limit of calls"),
        );
    }
    let salsa = config.salsa.iter().zip(&config.mappings.salsa);
    for (salsa, mapping) in salsa {
        let operation = match salsa.create_missing {
            false => "updates supporters that exist",
            true => "updates supporters, and adds those that are missing",
        };
        text += &line("Salsa", format!("{} ({operation})", salsa.url));
        text += &line("", format!("fills {}", sorted(mapping.targets())));
        let published = format!(
            "as many calls a minute as Salsa says, else {}",
            SalsaLimits::default().rate_per_minute
        );
        text += &line(
            "",
            limits(salsa.concurrency, salsa.rate_per_minute, &published),
        );
    }
    text += &line(
        "tells AlumnIQ",
        match config.alumniq.acknowledge {
            AcknowledgeMode::AfterSuccess => format!(
                "once every destination has accepted a change, up to {} changes a call",
                config.acknowledge.max_batch
            ),
            AcknowledgeMode::OnFetch => {
                "while it fetches: a crash right after can lose changes".to_owned()
            }
        },
    );
    text += &line(
        "queue",
        match &config.redis.url {
            Some(urls) => {
                let urls: Vec<String> = urls.iter().map(ToString::to_string).collect();
                format!(
                    "Redis at {}, namespace {}",
                    urls.join(", "),
                    config.namespace.as_str()
                )
            }
            None => format!(
                "its own redis-server in {}",
                config.redis.data_dir.display()
            ),
        },
    );
    text += &line("serves", format!("http://{}", config.console.listen));
    text += &line("notifies", notifies(config));
    text
}

fn notifies(config: &Config) -> String {
    let notify = &config.notify;
    let Some((url, secret)) = notify.receiver() else {
        return "nobody (notify.webhook_url is not set)".to_owned();
    };
    let signed = match secret {
        Some(_) => "signed",
        None => "not signed",
    };
    format!(
        "{} ({}, {signed}) of what lasts {}",
        url.authority(),
        notify.format.as_str(),
        humantime::format_duration(notify.after)
    )
}

fn schedule(config: &Config, now: Timestamp) -> String {
    let alumniq = &config.alumniq;
    let zone = alumniq.timezone.iana_name().unwrap_or("UTC");
    let next = match alumniq.poll {
        Schedule::Every(_) => String::new(),
        Schedule::Daily(_) => alumniq
            .poll
            .next_after(now, &alumniq.timezone)
            .map(|due| due.to_zoned_datetime(alumniq.timezone.clone()))
            .map(|due| format!(", next at {}", due.strftime("%Y-%m-%d %H:%M %Z")))
            .unwrap_or_default(),
    };
    format!(
        "{} ({zone}), {} days back{next}",
        alumniq.poll, alumniq.lookback_days
    )
}

fn limits(concurrency: u32, rate: Option<u32>, unlimited: &str) -> String {
    let rate = rate.map_or_else(
        || unlimited.to_owned(),
        |rate| format!("{rate} calls a minute"),
    );
    format!("{concurrency} calls at once over the fleet, {rate}")
}

fn sorted(targets: impl Iterator<Item = String>) -> String {
    let mut targets: Vec<String> = targets.collect();
    targets.sort();
    targets.join(", ")
}

#[cfg(test)]
mod tests {
    use crate::{commands::check::rows::tests::config, config::Config};

    use super::*;

    fn summary(config: &Config) -> String {
        of(config, "2026-11-21T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn the_summary_names_schedule_zone_destinations_and_targets() {
        let text = summary(&config(""));
        for part in [
            "daily 02:00 (America/New_York), 7 days back, next at 2026-11-22 02:00 EST",
            "(updates contacts that exist)",
            "fills ContactNoteContent, EmailAddress2, PhoneWork, StudentInstitutionId",
            "fills contacts.WORK_PHONE, custom.Employer, custom.Job Title, externalSystemId",
            "its own redis-server",
            "once every destination has accepted",
            "nobody (notify.webhook_url is not set)",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn a_destination_that_is_off_is_not_in_it() {
        let text = summary(&config("[salsa]\nenabled = false"));
        assert!(text.contains("CRM") && !text.contains("Salsa"), "{text}");
    }
}
