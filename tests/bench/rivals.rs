//! The same work on other queues, for scale (see `rivals/README.md`): there where `install.sh` has put them.

use std::{fmt, path::Path, process::Stdio};

use harness::relay::SECRETS;
use serde::Serialize;
use tokio::process::Command;

use crate::{Outcome, process::Process, setting::Setting, settings::Settings};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rival {
    BullMq,
    Celery,
}

impl fmt::Display for Rival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BullMq => "BullMQ flow",
            Self::Celery => "Celery chord",
        })
    }
}

/// Those that can be run.
pub fn installed(settings: &Settings) -> impl Iterator<Item = Rival> {
    let both = [Rival::BullMq, Rival::Celery].into_iter();
    both.filter(move |rival| {
        let folder = settings.rivals.as_deref();
        folder.is_some_and(|folder| folder.join(rival.marker()).exists())
    })
}

impl Rival {
    /// What is there once it is installed, in the folder.
    fn marker(self) -> &'static Path {
        Path::new(match self {
            Self::BullMq => "bullmq/node_modules",
            Self::Celery => "celery/bin/python",
        })
    }
}

/// They are slow: fewer changes say as much.
pub const CHANGES: usize = 1_000;

pub fn start(rival: Rival, setting: &Setting, day: &str, settings: &Settings) -> Outcome<Process> {
    let folder = settings.rivals.as_deref().ok_or("no folder of rivals")?;
    let mut command = match rival {
        Rival::BullMq => {
            let mut command = Command::new("node");
            command.arg(folder.join("bullmq/pipeline.mjs"));
            command
        }
        Rival::Celery => {
            let mut command = Command::new(folder.join("celery/bin/python"));
            command.arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/bench/rivals/celery/pipeline.py"
            ));
            command
        }
    };
    let vendors = &setting.vendors;
    command
        .env("REDIS_URL", setting.redis.url())
        .env("ALUMNIQ_URL", vendors.url_of("[alumniq]")?)
        .env("CRM_URL", vendors.url_of("[crm]")?)
        .env(
            "SALSA_URL",
            format!("{}/api/integration/ext/v1", vendors.url_of("[salsa]")?),
        )
        .env("CHANGES", CHANGES.to_string())
        .env("DAY", day)
        .envs(SECRETS)
        .stdout(Stdio::null());
    Process::spawn(command)
}
