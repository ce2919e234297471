use std::{collections::BTreeSet, path::Path};

use clap::{Parser as _, error::ErrorKind};
use jobs::catalogue::{DeadClass, Explanation, PauseReason};
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use super::{
    page::document,
    section::{OPTIONS, slug, split},
    *,
};
use crate::{cli::Cli, config, documented, exit::Exit};

const README: &str = include_str!("../../README.md");

/// How it is deployed and watched.
const OPERATING: &str = include_str!("../../deploy/README.md");

fn section(title: &str) -> RunbookSection<'static> {
    sections()
        .into_iter()
        .find(|section| section.title == title)
        .unwrap_or_else(|| panic!("the runbook has no section `{title}`"))
}

/// The titles below a chapter.
fn titles(chapter: &str) -> Vec<String> {
    let parts = split(section(chapter).text);
    parts.into_iter().skip(1).map(|part| part.title).collect()
}

/// The first line of a section's text.
fn first_line(section: &RunbookSection<'static>) -> &'static str {
    let text = section.text.lines().skip(1);
    text.map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default()
}

/// A sentence made of a meaning that may be a part of one.
fn sentence(means: &str) -> String {
    let (first, rest) = means.split_at(1);
    let end = if means.ends_with('.') { "" } else { "." };
    format!("{}{rest}{end}", first.to_uppercase())
}

/// What the alert rules define.
fn alerts() -> BTreeSet<String> {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/rules/alerts.yml");
    let rules = std::fs::read_to_string(rules).unwrap();
    let names = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert:"))
        .map(|name| name.trim().to_owned());
    names.collect()
}

/// The texts of code: blocks in the shell's language, and spans.
fn code(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut blocks, mut spans, mut shell) = (Vec::new(), Vec::new(), false);
    for event in Parser::new_ext(text, OPTIONS) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                shell = &*language == "sh";
            }
            Event::End(TagEnd::CodeBlock) => shell = false,
            Event::Text(lines) if shell => blocks.push(lines.to_string()),
            Event::Code(span) => spans.push(span.to_string()),
            _ => {}
        }
    }
    (blocks, spans)
}

/// A line's words; what stands between double quotes is one.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    parts
        .flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

#[test]
fn each_class_pause_and_exit_code_has_a_section_that_begins_with_its_meaning_and_there_are_no_others()
 {
    let classes = DeadClass::ALL.map(|class| (class.as_str().to_owned(), class.explained()));
    let pauses = PauseReason::ALL.map(|reason| (reason.as_str().to_owned(), reason.explained()));
    let exits = Exit::ALL.map(|exit| (format!("Exit code {}", exit.code()), exit.explained()));
    for (chapter, entries) in [
        ("Dead letters", classes.to_vec()),
        ("Pauses", pauses.to_vec()),
        ("Exit codes", exits.to_vec()),
    ] {
        let names: Vec<String> = entries.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(titles(chapter), names, "{chapter}");
        for (name, explained) in entries {
            assert_eq!(
                first_line(&section(&name)),
                sentence(explained.means),
                "{name}"
            );
        }
    }
}

#[test]
fn each_alert_has_a_section_and_there_are_no_others() {
    let sections: BTreeSet<String> = titles("Alerts").into_iter().collect();
    let alerts = alerts();
    assert!(alerts.len() > 10, "the rules cannot be read: {alerts:?}");
    assert_eq!(sections, alerts);
}

#[test]
fn whatever_needs_a_person_says_why_what_to_do_and_whom_to_call() {
    for chapter in ["Alerts", "Dead letters", "Pauses", "Exit codes"] {
        for title in titles(chapter) {
            let text = section(&title).text;
            let parts: &[&str] = match title.as_str() {
                "Exit code 0" => &[],
                "Exit code 130" | "Exit code 143" => &["**Causes.**", "**Fix.**", "**Call** "],
                _ => &["**Causes.**", "**Which.**", "**Fix.**", "**Call** "],
            };
            for part in parts {
                assert!(text.contains(part), "{title} lacks {part}");
            }
        }
    }
}

#[test]
fn every_command_that_is_shown_can_be_typed() {
    let (blocks, spans) = code(TEXT);
    let shown: Vec<String> = blocks
        .iter()
        .flat_map(|block| block.lines())
        .chain(spans.iter().map(String::as_str))
        .map(str::trim)
        .filter(|line| line.starts_with("alumniq-relay "))
        .map(str::to_owned)
        .collect();
    assert!(shown.len() > 60, "{shown:?}");
    for line in shown {
        if let Err(error) = Cli::try_parse_from(words(&line)) {
            assert_eq!(error.kind(), ErrorKind::DisplayVersion, "{line}\n{error}");
        }
    }
}

#[test]
fn a_shell_block_holds_commands_that_are_known_here() {
    let (blocks, _) = code(TEXT);
    for line in blocks.iter().flat_map(|block| block.lines()) {
        let program = line.split_whitespace().next().unwrap_or_default();
        assert!(
            [
                "alumniq-relay",
                "curl",
                "systemctl",
                "journalctl",
                "redis-check-aof"
            ]
            .contains(&program),
            "{line}"
        );
    }
}

#[test]
fn every_key_and_metric_that_is_named_exists() {
    let keys: BTreeSet<String> = config::SECTIONS
        .iter()
        .flat_map(|section| section.keys)
        .flat_map(|key| [key.path(), format!("{}_file", key.path())])
        .chain(
            config::SECTIONS
                .iter()
                .map(|section| section.path.to_owned()),
        )
        .collect();
    let (_, spans) = code(TEXT);
    let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
    let mut seen = 0;
    for span in spans {
        let named = span.split(['=', ' ']).next().unwrap_or_default();
        if let Some((first, second)) = named.split_once('.')
            && !named.starts_with('-')
            && first.chars().all(is_word)
            && second.chars().all(is_word)
            && second != "toml"
        {
            seen += 1;
            assert!(keys.contains(named), "`{span}` is no key");
        }
        if span.starts_with("alumniq_relay_") {
            assert!(
                README.contains(&format!("| `{span}` |")),
                "`{span}` is no metric"
            );
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn every_link_leads_somewhere_and_no_two_sections_share_a_name() {
    let sections = sections();
    let names: BTreeSet<&str> = sections
        .iter()
        .map(|section| section.slug.as_str())
        .collect();
    assert_eq!(names.len(), sections.len());
    let operating: BTreeSet<String> = split(OPERATING).into_iter().map(|part| part.slug).collect();
    let mut seen = 0;
    for event in Parser::new_ext(TEXT, OPTIONS) {
        if let Event::Start(Tag::Link { dest_url, .. }) = event {
            seen += 1;
            let found = match dest_url.split_once('#') {
                Some(("", name)) => names.contains(name),
                Some(("README.md", name)) => operating.contains(name),
                _ => false,
            };
            assert!(found, "{dest_url}");
        }
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn the_page_has_every_section_and_asks_nobody_for_anything() {
    let page = page();
    for section in sections() {
        assert!(
            page.contains(&format!("id=\"{}\"", section.slug)),
            "{}",
            section.title
        );
        if section.level > 1 {
            assert!(
                page.contains(&format!("<a href=\"#{}\">", section.slug)),
                "{}",
                section.title
            );
        }
    }
    for reference in page.split("href=\"").skip(1) {
        assert!(
            reference.starts_with('#') || reference.starts_with("runbook.css\""),
            "{reference:.60}"
        );
    }
    for fetched in [
        " src=", "<script", "<img", "<iframe", " style=", "<style", " on", "@import",
    ] {
        let in_tag = page.split('<').filter_map(|tag| tag.split_once('>'));
        let tags: Vec<String> = in_tag.map(|(tag, _)| format!("<{tag}>")).collect();
        assert!(tags.iter().all(|tag| !tag.contains(fetched)), "{fetched}");
    }
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
}

#[test]
fn what_looks_like_html_in_a_text_is_not_html_in_the_page() {
    let page = document(
        "# A <b>\"title\"\n\n<script>alert(1)</script>\n\n[away](http://elsewhere/) `<i>`\n\n## x & y\n",
    );
    assert!(!page.contains("<script"), "{page}");
    assert!(!page.contains("http:"), "{page}");
    assert!(page.contains("away"), "{page}");
    assert!(page.contains("<code>&lt;i&gt;</code>"), "{page}");
    assert!(page.contains("<a href=\"#x--y\">x &amp; y</a>"), "{page}");
}

#[test]
fn a_heading_is_named_as_github_names_it() {
    for (title, name) in [
        ("AlumniqRelayChangesStuck", "alumniqrelaychangesstuck"),
        ("ack_rejected", "ack_rejected"),
        ("Exit code 3", "exit-code-3"),
        ("Chaos, and: more!", "chaos-and-more"),
        ("a - b", "a---b"),
    ] {
        assert_eq!(slug(title), name);
    }
}

#[test]
fn a_code_block_with_a_hash_is_no_heading_and_a_section_ends_where_the_next_of_its_kind_begins() {
    let parts = split("# T\n\n## A\n\n```sh\n# no heading\n```\n\n### a\n\nx\n\n## B\n");
    let titles: Vec<&str> = parts.iter().map(|part| part.title.as_str()).collect();
    assert_eq!(titles, ["T", "A", "a", "B"]);
    assert!(parts[1].text.contains("### a") && !parts[1].text.contains("## B"));
    assert_eq!(parts[2].text, "### a\n\nx");
}

#[test]
fn a_topic_is_found_by_its_name_whatever_its_case_and_without_the_prefix_of_all_alerts() {
    for (topic, title) in [
        ("AlumniqRelayChangesStuck", "AlumniqRelayChangesStuck"),
        ("changesstuck", "AlumniqRelayChangesStuck"),
        ("STALE", "stale"),
        ("throttled", "throttled"),
        ("3", "Exit code 3"),
        ("exit code 130", "Exit code 130"),
        ("rolling-restart", "Rolling restart"),
        ("Dead letters", "Dead letters"),
    ] {
        let found = find(topic).map(|section| section.title);
        assert_eq!(found.as_deref(), Some(title), "{topic}");
    }
    assert_eq!(find("4"), None);
    assert_eq!(find(""), None);
}

#[test]
fn a_topic_that_is_nearly_right_is_told_the_right_one() {
    for (topic, first) in [
        ("AlumniqRelayChangeStuck", "AlumniqRelayChangesStuck"),
        ("stail", "stale"),
        ("unmached", "unmatched"),
        ("booksof", "AlumniqRelayBooksOff"),
        ("restart", "Rolling restart"),
    ] {
        assert_eq!(
            nearest(topic).first().map(String::as_str),
            Some(first),
            "{topic}"
        );
    }
    assert!(nearest("xyzzy").is_empty());
    assert!(nearest("").is_empty());
}

fn table(head: &str, rows: impl IntoIterator<Item = (String, Explanation)>) -> String {
    let mut table = format!("| {head} | means | usual cause | what to do |\n|---|---|---|---|\n");
    for (name, explained) in rows {
        let Explanation { means, cause, fix } = explained;
        table += &format!("| `{name}` | {means} | {cause} | {fix} |\n");
    }
    table
}

#[test]
fn the_readme_has_the_table_of_classes_and_of_exit_codes() {
    let classes = DeadClass::ALL.map(|class| (class.as_str().to_owned(), class.explained()));
    let exits = Exit::ALL.map(|exit| (exit.code().to_string(), exit.explained()));
    for (name, expected) in [
        ("classes", table("class", classes)),
        ("exits", table("code", exits)),
    ] {
        if let Err(error) = documented::check(README, name, expected) {
            panic!("README.md: {error}");
        }
    }
}
