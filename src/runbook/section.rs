//! The parts of a Markdown text, by their headings.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::TEXT;

/// One heading and what stands below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunbookSection<'a> {
    /// 1 is the whole text's title.
    pub level: u8,
    /// The heading, without marks.
    pub title: String,
    /// Its name in addresses, made as GitHub makes it.
    pub slug: String,
    /// The Markdown from the heading to the next one of its own or a higher level.
    pub text: &'a str,
}

/// Every section of the runbook, in its order.
pub fn sections() -> Vec<RunbookSection<'static>> {
    split(TEXT)
}

/// What is understood of Markdown.
pub(super) const OPTIONS: Options = Options::ENABLE_TABLES;

/// Every section of `text`.
pub(super) fn split(text: &str) -> Vec<RunbookSection<'_>> {
    let mut headings: Vec<(u8, usize, String)> = Vec::new();
    let mut inside = false;
    for (event, range) in Parser::new_ext(text, OPTIONS).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                headings.push((depth(level), range.start, String::new()));
                inside = true;
            }
            Event::End(TagEnd::Heading(_)) => inside = false,
            Event::Text(part) | Event::Code(part) if inside => {
                if let Some((_, _, title)) = headings.last_mut() {
                    title.push_str(&part);
                }
            }
            _ => {}
        }
    }
    let ends = headings.iter().enumerate().map(|(at, (level, _, _))| {
        headings[at + 1..]
            .iter()
            .find(|(next, _, _)| next <= level)
            .map_or(text.len(), |(_, start, _)| *start)
    });
    let ends: Vec<usize> = ends.collect();
    headings
        .into_iter()
        .zip(ends)
        .map(|((level, start, title), end)| RunbookSection {
            level,
            slug: slug(&title),
            title,
            text: text[start..end].trim_end(),
        })
        .collect()
}

const fn depth(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

/// As GitHub names a heading: lower case, hyphens for spaces, no punctuation.
pub(super) fn slug(title: &str) -> String {
    title
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            _ => c.is_alphanumeric().then_some(c),
        })
        .collect()
}

/// What people call a section beside its title: an alert without the prefix that all share, an exit code by its
/// number.
const PREFIXES: [&str; 3] = ["", "alumniqrelay", "exit-code-"];

/// The section that `topic` names, whatever its case.
pub fn find(topic: &str) -> Option<RunbookSection<'static>> {
    let topic = slug(topic);
    let sections = sections();
    PREFIXES.into_iter().find_map(|prefix| {
        let name = format!("{prefix}{topic}");
        sections
            .iter()
            .find(|section| section.slug == name)
            .cloned()
    })
}

/// How alike a name must be to have been meant.
const LIKENESS: f64 = 0.6;

/// The titles that `topic` may have meant, the nearest first, three at most: those that contain it, or are spelt
/// much like it.
pub fn nearest(topic: &str) -> Vec<String> {
    let topic = slug(topic);
    let topic = without_prefix(&topic);
    let likeness = |section: &RunbookSection<'_>| {
        let name = without_prefix(&section.slug);
        match topic.len() > 2 && name.contains(topic) {
            true => 1.0,
            false => strsim::normalized_damerau_levenshtein(topic, name),
        }
    };
    let mut scored: Vec<_> = sections()
        .into_iter()
        .map(|section| (likeness(&section), section.title))
        .filter(|(score, _)| *score >= LIKENESS)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(3).map(|(_, title)| title).collect()
}

fn without_prefix(slug: &str) -> &str {
    PREFIXES
        .into_iter()
        .filter_map(|prefix| slug.strip_prefix(prefix))
        .min_by_key(|rest| rest.len())
        .unwrap_or(slug)
}
