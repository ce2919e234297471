//! `man`: the manual, a page a command.

use std::{io, path::Path};

use clap::CommandFactory;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};
use miette::IntoDiagnostic;

use crate::{
    cli::{Cli, ManualArgs},
    config,
    exit::Exit,
};

const FILES: [(&str, &str); 3] = [
    (
        config::DEFAULT_FILE,
        "The configuration, in the working directory unless --config or ALUMNIQ_RELAY_CONFIG names another. \
         `alumniq-relay config example` prints one with every key.",
    ),
    (
        "data/redis",
        "Beside the configuration: the data of the program's own redis-server, where redis.url is not set.",
    ),
    (
        "rows.json",
        "Any name: rows as AlumnIQ sends them, for `alumniq-relay map try`.",
    ),
];

const ENVIRONMENT: [(&str, &str); 10] = [
    ("ALUMNIQ_RELAY_CONFIG", "The configuration file."),
    (
        "ALUMNIQ_RELAY_SERVER, ALUMNIQ_RELAY_TOKEN",
        "The process of the fleet that commands ask instead of Redis (--server), and the token for it.",
    ),
    (
        "ALUMNIQ_RELAY__SECTION__KEY",
        "Sets one key of the configuration over the file's: ALUMNIQ_RELAY__CRM__CONCURRENCY sets crm.concurrency.",
    ),
    ("ALUMNIQ_API_KEY", "The secret alumniq.api_key."),
    (
        "CRM_USERNAME, CRM_PASSWORD",
        "The secrets crm.username and crm.password.",
    ),
    ("SALSA_AUTH_TOKEN", "The secret salsa.token."),
    ("ALUMNIQ_RELAY_KEY", "The secret encryption.key."),
    (
        "RUST_LOG",
        "What is logged, where neither -v nor -q says so.",
    ),
    ("NO_COLOR", "Set to anything: no colours."),
    ("USER, LOGNAME", "Who acts, for timelines and the audit."),
];

/// A page.
#[derive(Debug)]
pub struct ManPage {
    /// `alumniq-relay-dead-list.1`.
    pub file: String,
    /// roff.
    pub text: Vec<u8>,
}

/// Prints the page of the program, or writes every page into a folder.
pub fn run(arguments: &ManualArgs) -> miette::Result<Exit> {
    let pages = pages().into_diagnostic()?;
    match &arguments.dir {
        Some(dir) => write(&pages, dir)?,
        None => {
            let page = pages
                .first()
                .map(|page| String::from_utf8_lossy(&page.text));
            super::print(&page.unwrap_or_default())?;
        }
    }
    Ok(Exit::Good)
}

fn write(pages: &[ManPage], dir: &Path) -> miette::Result<()> {
    let wrong = |error: io::Error| {
        miette::miette!(
            help = "name a folder that can be written to",
            "the pages cannot be written to {}: {error}",
            dir.display()
        )
    };
    std::fs::create_dir_all(dir).map_err(wrong)?;
    for page in pages {
        std::fs::write(dir.join(&page.file), &page.text).map_err(wrong)?;
    }
    super::print(&format!(
        "{} pages in {}: man -l {}\n",
        pages.len(),
        dir.display(),
        dir.join("alumniq-relay.1").display()
    ))
}

/// A page for every command, the program's own first.
///
/// # Errors
/// None in practice: they are written into memory.
pub fn pages() -> io::Result<Vec<ManPage>> {
    // `help COMMAND` is `COMMAND --help`: no page of its own.
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    add(&program, &mut pages)?;
    Ok(pages)
}

fn add(command: &clap::Command, pages: &mut Vec<ManPage>) -> io::Result<()> {
    let man = Man::new(command.clone()).manual("alumniq-relay");
    pages.push(ManPage {
        file: man.get_filename(),
        text: page(&man, command)?,
    });
    for inner in command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
    {
        add(inner, pages)?;
    }
    Ok(())
}

fn page(man: &Man, command: &clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut rest = Roff::new();
    if let Some(notes) = command.get_after_long_help().or(command.get_after_help()) {
        notes_section(&mut rest, &notes.to_string());
    }
    rest.control("SH", ["EXIT STATUS"]);
    for exit in Exit::ALL {
        let explained = exit.explained();
        let text = format!("{}. {}", capitalised(explained.means), explained.cause);
        item(&mut rest, &exit.code().to_string(), &text);
    }
    rest.control("SH", ["FILES"]);
    for (name, text) in FILES {
        item(&mut rest, name, text);
    }
    rest.control("SH", ["ENVIRONMENT"]);
    for (name, text) in ENVIRONMENT {
        item(&mut rest, name, text);
    }
    rest.control("SH", ["SEE ALSO"]);
    rest.text([
        bold("alumniq-relay"),
        roman("(1), "),
        roman(
            "`alumniq-relay runbook` for what an alert, a dead letter or an exit code wants of you",
        ),
    ]);
    rest.to_writer(&mut page)?;
    Ok(page)
}

/// Its lines as they stand: they hold commands to copy.
fn notes_section(roff: &mut Roff, notes: &str) {
    roff.control("SH", ["NOTES"]);
    roff.control("nf", []);
    for line in notes.lines() {
        match line.trim_end() {
            "" => roff.control("sp", []),
            line => roff.text([roman(line)]),
        };
    }
    roff.control("fi", []);
}

fn item(roff: &mut Roff, term: &str, text: &str) {
    roff.control("TP", []);
    roff.text([bold(term)]);
    roff.text([roman(text)]);
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

#[cfg(test)]
mod tests;
