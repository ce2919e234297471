//! `sandbox`: the simulated vendors alone.

use std::io;

use sandbox::{Faults, Sandbox, SandboxOptions};
use tokio_util::sync::CancellationToken;

use super::signals;
use crate::{
    cli::{GlobalArgs, pipeline},
    config,
    exit::Exit,
    observe::logs,
};

/// Until a signal.
pub async fn run(global: &GlobalArgs, arguments: pipeline::SandboxArgs) -> miette::Result<Exit> {
    let format = global.log_format.unwrap_or(config::LogFormat::Pretty);
    logs::init(format, global.log_flag(), None).map_err(super::misused)?;
    let sandbox = Sandbox::start(SandboxOptions {
        listen: arguments.listen,
        seed: arguments.seed,
        changes: arguments.changes,
        people: arguments
            .people
            .unwrap_or(arguments.changes.div_ceil(3))
            .min(arguments.changes),
        days: arguments.days,
        timezone: arguments.timezone.iana_name().unwrap_or("UTC").to_owned(),
        anonymous: arguments.dirt.anonymous,
        missing_in_crm: arguments.dirt.missing_in_crm,
        missing_in_salsa: arguments.dirt.missing_in_salsa,
        invalid_fields: arguments.dirt.invalid_fields,
        invalid_phones: arguments.dirt.invalid_phones,
        undecodable: arguments.dirt.undecodable,
        faults: if arguments.faults {
            Faults::demo()
        } else {
            Faults::default()
        },
        ..SandboxOptions::default()
    })
    .await
    .map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => super::misused(error),
        _ => miette::miette!(
            help = "name a free port of this machine with --listen",
            "{error}"
        ),
    })?;
    super::print(&sandbox.relay_toml())?;
    logs::tell(format_args!(
        "The simulated vendors listen on {}. The configuration above talks to them. Ctrl-C ends them.",
        sandbox.addr()
    ));
    let closing = CancellationToken::new();
    signals::drain_on_signal(&closing)?;
    closing.cancelled().await;
    sandbox.stop().await;
    Ok(Exit::Good)
}
