//! `map try` and `map test`: the mapping alone. Nothing is called and no secret is used.

mod view;

use std::{
    io::{self, Read},
    path::Path,
};

use miette::{IntoDiagnostic, Report};
use serde_json::Value;

pub use self::view::{MapTestReport, MapTryReport};
use crate::{
    cli::{
        GlobalArgs,
        map::{MapCommand, MapTestArgs, MapTryArgs},
    },
    config::{self, Loaded},
    exit::Exit,
    observe::logs,
    visible::without_byte_order_mark,
};

/// Most bytes of rows that are read.
const MAX_INPUT: u64 = 64 * 1024 * 1024;

/// Dispatches.
pub fn run(global: &GlobalArgs, command: MapCommand) -> miette::Result<Exit> {
    let loaded = config::load_without_secrets(global.config.as_deref(), config::environment())?;
    match command {
        MapCommand::Try(arguments) => try_rows(&loaded, &arguments),
        MapCommand::Test(arguments) => test(&loaded, &arguments),
    }
}

fn try_rows(loaded: &Loaded, arguments: &MapTryArgs) -> miette::Result<Exit> {
    let rows = read(&arguments.rows)?;
    let mappings = loaded.config.mappings.by_destination();
    let trial = loaded.config.trial(&mappings);
    let report = MapTryReport::of(rows.iter().map(|row| trial.of(row)));
    super::print(&match arguments.json {
        true => format!("{}\n", serde_json::to_string(&report).into_diagnostic()?),
        false => report.text(),
    })?;
    Ok(match report.dies() {
        true => Exit::NeedsAPerson,
        false => Exit::Good,
    })
}

/// The rows of a file: one, or an array of them.
fn read(path: &Path) -> miette::Result<Vec<Value>> {
    let mut text = String::new();
    let (name, read) = if path == Path::new("-") {
        let read = io::stdin().take(MAX_INPUT + 1).read_to_string(&mut text);
        ("stdin".to_owned(), read)
    } else {
        let read = std::fs::File::open(path)
            .and_then(|file| file.take(MAX_INPUT + 1).read_to_string(&mut text));
        (path.display().to_string(), read)
    };
    let bytes = read.map_err(|error| {
        super::usage(
            format!("{name} cannot be read: {error}"),
            "name a file with a row as AlumnIQ sends it, or - for stdin",
        )
    })?;
    if bytes as u64 > MAX_INPUT {
        return Err(super::usage(
            format!("{name} has more than {MAX_INPUT} bytes"),
            "try fewer rows",
        ));
    }
    match serde_json::from_str(without_byte_order_mark(&text)) {
        Ok(Value::Array(rows)) => Ok(rows),
        Ok(row) => Ok(vec![row]),
        Err(error) => Err(super::usage(
            format!("{name} is no JSON: {error}"),
            "write a row as an object, e.g. {\"changeId\": 1, \"xid\": \"42\"}, or an array of rows",
        )),
    }
}

fn test(loaded: &Loaded, arguments: &MapTestArgs) -> miette::Result<Exit> {
    let lint = loaded.lint();
    let report = MapTestReport::of(&loaded.run_examples(), &lint);
    if arguments.json {
        let json = serde_json::to_string(&report).into_diagnostic()?;
        super::print(&format!("{json}\n"))?;
    } else {
        super::print(&report.text())?;
        for finding in lint {
            logs::tell(format_args!("{:?}", Report::new(finding)));
        }
    }
    Ok(match report.failed {
        0 => Exit::Good,
        _ => Exit::Failed,
    })
}
