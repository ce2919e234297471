//! What a configuration does, in a few lines.

use jiff::Timestamp;

use crate::{
    commands::destinations::{self, Registration},
    config::{AcknowledgeMode, AnonymousRows, Config, DestinationLimits, Schedule},
};

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
    for Registration {
        destination,
        url,
        summary,
        ..
    } in &destinations::ALL
    {
        let (Some(url), Some(summary), Some(admitted)) =
            (url(config), summary(config), config.limits(*destination))
        else {
            continue;
        };
        let mut targets = summary.targets;
        targets.sort();
        let named = destination.label();
        text += &line(named, format!("{url} ({})", summary.operation));
        text += &line("", format!("fills {}", targets.join(", ")));
        text += &line("", limits(&admitted, &summary.unlimited));
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

fn limits(limits: &DestinationLimits, unlimited: &str) -> String {
    let rate = limits.rate_per_minute.map_or_else(
        || unlimited.to_owned(),
        |rate| format!("{rate} calls a minute"),
    );
    format!(
        "{} calls at once over the fleet, {rate}",
        limits.concurrency
    )
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
