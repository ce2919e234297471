use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
};

use super::*;
use crate::exit::Exit;

fn text(page: &ManPage) -> String {
    String::from_utf8(page.text.clone()).unwrap()
}

/// Every command that can be typed, as its page's file is called.
fn commands(command: &clap::Command, name: &str, found: &mut BTreeSet<String>) {
    found.insert(format!("{name}.1"));
    for inner in command.get_subcommands() {
        commands(inner, &format!("{name}-{}", inner.get_name()), found);
    }
}

#[test]
fn every_command_has_a_page() {
    let mut wanted = BTreeSet::new();
    commands(&Cli::command(), "alumniq-relay", &mut wanted);
    let files: BTreeSet<String> = pages().unwrap().into_iter().map(|page| page.file).collect();
    assert_eq!(files, wanted);
    assert!(files.contains("alumniq-relay-dead-list.1"));
}

#[test]
fn every_page_names_exit_codes_files_and_environment() {
    for page in pages().unwrap() {
        let text = text(&page);
        let mut sections = text.lines().filter_map(|line| line.strip_prefix(".SH "));
        for wanted in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "\"EXIT STATUS\"",
            "FILES",
            "ENVIRONMENT",
        ] {
            assert!(
                sections.any(|section| section == wanted),
                "{}: {wanted}",
                page.file
            );
        }
        for exit in Exit::ALL {
            let term = format!(".TP\n\\fB{}\\fR\n", exit.code());
            assert!(text.contains(&term), "{}: {term}", page.file);
        }
    }
}

#[test]
fn every_variable_of_an_option_and_of_a_secret_is_named() {
    let named: String = ENVIRONMENT
        .iter()
        .map(|(name, _)| format!("{name} "))
        .collect();
    let command = Cli::command();
    let variables = command
        .get_arguments()
        .filter_map(|option| option.get_env());
    for variable in variables {
        assert!(named.contains(variable.to_str().unwrap()), "{variable:?}");
    }
    for key in config::SECTIONS.iter().flat_map(|section| section.keys) {
        if let config::key::Presence::Secret(Some(variable)) = key.rule.presence {
            assert!(named.contains(variable), "{variable}");
        }
    }
}

#[test]
fn a_pages_examples_keep_their_lines() {
    let pages = pages().unwrap();
    let list = pages
        .iter()
        .find(|page| page.file == "alumniq-relay-dead-list.1");
    let text = text(list.unwrap());
    let notes = text
        .split(".nf\n")
        .nth(1)
        .unwrap()
        .split(".fi")
        .next()
        .unwrap();
    assert!(
        notes
            .lines()
            .any(|line| line.trim() == "alumniq\\-relay dead list"),
        "{notes}"
    );
}

/// Every page as a terminal of 80 columns would have it, where groff is there; its structure where it is not.
#[test]
fn no_page_has_an_error_of_roff() {
    for page in pages().unwrap() {
        let text = text(&page);
        match groff(&text) {
            Some((complaints, shown)) => {
                assert_eq!(complaints, "", "{}", page.file);
                assert!(shown.contains("EXIT STATUS"), "{}: {shown}", page.file);
            }
            None => {
                let known = [
                    "TH", "SH", "SS", "TP", "PP", "IP", "RS", "RE", "nf", "fi", "sp", "ie", "el",
                    "br",
                ];
                for line in text.lines().filter_map(|line| line.strip_prefix('.')) {
                    let request = line.split([' ', '\\']).next().unwrap();
                    assert!(known.contains(&request), "{}: .{line}", page.file);
                }
            }
        }
    }
}

/// What groff complains of, and what it shows.
fn groff(text: &str) -> Option<(String, String)> {
    let mut groff = Command::new("groff")
        .args(["-Kutf8", "-man", "-Tutf8", "-P-cbou", "-ww", "-rLL=80n"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdin = groff.stdin.take().unwrap();
    let input = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = groff.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let said = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Some((said(output.stderr), said(output.stdout)))
}
