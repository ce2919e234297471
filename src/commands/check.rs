//! `check`: is the configuration right, and with `--connect`, is everything that it names? Writes nothing
//! anywhere.
//!
//! Each part finds its own: `alumniq` and `rows`, each destination, `redis`, `notify`. `finding` is how it is shown,
//! `summary` what the configuration does.

use std::io;

use futures::future::join_all;
use jobs::destination::Vendor;
use reqwest::Url;

use super::{context::Context, destinations};
use crate::{
    cli::{CheckArgs, GlobalArgs},
    config::{self, Config},
    exit::Exit,
    observe::logs,
    vendors::proxy_of,
};

mod alumniq;
pub mod finding;
mod mapping;
mod notify;
mod redis;
mod rows;
mod summary;

use self::finding::CheckFinding;

/// Prints what was found. A configuration that cannot be used has ended the command with exit code 2.
pub async fn run(global: &GlobalArgs, arguments: CheckArgs) -> miette::Result<Exit> {
    let loaded = config::load(global.config.as_deref(), config::environment())?;
    let context = Context::of_loaded(global, &loaded)?;
    let colours = logs::colours_on(&io::stdout());
    let mut findings = vec![CheckFinding::ok("config", "the configuration can be used")];
    findings.extend(loaded.warnings.iter().map(warning));
    let mapping = mapping::findings(&loaded);
    findings.extend(mapping.iter().map(|(finding, _)| finding.clone()));
    let examples_hold = !findings.iter().any(CheckFinding::is_failure);
    super::print(&finding::show(&findings, colours))?;
    mapping::point_at(mapping);
    super::print(&format!(
        "\n{}\n",
        summary::of(&context.config, jiff::Timestamp::now())
    ))?;
    if !arguments.connect {
        super::print(
            "Nothing was called; `alumniq-relay check --connect` tests the vendors and Redis, and writes nothing.\n",
        )?;
        return Ok(match examples_hold {
            true => Exit::Good,
            false => Exit::Failed,
        });
    }
    let registered = destinations::ALL.iter();
    let (alumniq, at_destinations, redis) = tokio::join!(
        alumniq::probe(&context),
        join_all(registered.map(|registered| (registered.probe)(&context))),
        redis::probe(&context),
    );
    // AlumnIQ's rows say something of the destinations too: that stands behind what they said themselves.
    let notify = notify::configured(&context);
    let proxies = proxies(&context.config);
    let at_destinations = at_destinations.concat();
    let mut findings = [at_destinations, redis, alumniq, notify, proxies].concat();
    findings.sort_by_key(CheckFinding::about);
    super::print(&finding::show(&findings, colours))?;
    super::print(&format!("\n{}", finding::verdict(&findings)))?;
    Ok(
        if findings.iter().any(CheckFinding::is_failure) || !examples_hold {
            Exit::Failed
        } else {
            Exit::Good
        },
    )
}

/// Which vendors are called through a proxy. A malformed variable has ended the command already.
fn proxies(config: &Config) -> Vec<CheckFinding> {
    let destinations = destinations::ALL.iter().filter_map(|registered| {
        let url = (registered.url)(config)?;
        Some((registered.destination.as_str(), url))
    });
    [(Vendor::Alumniq.as_str(), config.alumniq.url.as_str())]
        .into_iter()
        .chain(destinations)
        .filter_map(|(about, url)| {
            let url = Url::parse(url).ok()?;
            let proxy = proxy_of(&url).ok()??;
            Some(CheckFinding::ok(
                about,
                format!("it is called through the proxy {proxy}"),
            ))
        })
        .collect()
}

fn warning(warning: &config::ConfigFinding) -> CheckFinding {
    CheckFinding::warn("config", mapping::place(warning), mapping::remedy(warning))
}
