//! The runbook as a page that fetches nothing from elsewhere and runs no script.

use std::{fmt::Write as _, sync::LazyLock};

use pulldown_cmark::{CowStr, Event, Parser, Tag, TagEnd, html};

use super::{
    TEXT,
    section::{self, OPTIONS, RunbookSection},
};

/// The style sheet that the page names as `runbook.css`.
pub const STYLE: &str = include_str!("runbook.css");

/// The page. It is made once.
pub fn page() -> &'static str {
    static PAGE: LazyLock<String> = LazyLock::new(|| document(TEXT));
    &PAGE
}

/// `text` as a whole HTML document.
pub(super) fn document(text: &str) -> String {
    let sections = section::split(text);
    let title = sections.first().map_or("", |section| &section.title);
    let mut body = String::new();
    html::push_html(&mut body, events(text, &sections));
    format!(
        "<!doctype html>\n\
         <html lang=\"en\">\n\
         <head>\n\
         <meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"runbook.css\">\n\
         </head>\n\
         <body>\n\
         <nav aria-label=\"Contents\">\n{contents}</nav>\n\
         <main>\n{body}</main>\n\
         <footer>alumniq-relay {version}</footer>\n\
         </body>\n\
         </html>\n",
        title = escaped(title),
        contents = contents(&sections),
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// The text's events, each heading with its name. Raw HTML is left out, and so are links to files: this page stands
/// alone.
fn events<'a>(
    text: &'a str,
    sections: &'a [RunbookSection<'a>],
) -> impl Iterator<Item = Event<'a>> {
    let mut slugs = sections.iter().map(|section| section.slug.as_str());
    let mut leads_nowhere = false;
    Parser::new_ext(text, OPTIONS).filter_map(move |event| match event {
        Event::Start(Tag::Heading {
            level,
            classes,
            attrs,
            ..
        }) => Some(Event::Start(Tag::Heading {
            level,
            id: slugs.next().map(CowStr::from),
            classes,
            attrs,
        })),
        Event::Start(Tag::Link { ref dest_url, .. }) => {
            leads_nowhere = !dest_url.starts_with('#');
            (!leads_nowhere).then_some(event)
        }
        Event::End(TagEnd::Link) if leads_nowhere => None,
        Event::Html(_) | Event::InlineHtml(_) => None,
        event => Some(event),
    })
}

/// Chapters that fold, with their sections below them; on a wide screen the style sheet keeps them open.
fn contents(sections: &[RunbookSection<'_>]) -> String {
    let mut out = String::new();
    let mut rest = sections
        .iter()
        .filter(|section| section.level == 2 || section.level == 3)
        .peekable();
    while let Some(chapter) = rest.next() {
        let link = link(chapter);
        let mut parts = Vec::new();
        while let Some(part) = rest.next_if(|section| section.level > 2) {
            parts.push(part);
        }
        // Writing to a String cannot fail.
        if parts.is_empty() {
            let _ = writeln!(out, "<p>{link}</p>");
            continue;
        }
        let _ = writeln!(out, "<details><summary>{link}</summary><ul>");
        for part in parts {
            let _ = writeln!(out, "<li>{}</li>", self::link(part));
        }
        out.push_str("</ul></details>\n");
    }
    out
}

fn link(section: &RunbookSection<'_>) -> String {
    format!(
        "<a href=\"#{}\">{}</a>",
        escaped(&section.slug),
        escaped(&section.title)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
