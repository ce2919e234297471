//! `runbook [TOPIC]`: the runbook, offline.

use crate::{
    cli::Runbook,
    exit::Exit,
    runbook::{self, Section},
};

/// Prints what stands under a heading, or every heading.
pub fn run(arguments: Runbook) -> miette::Result<Exit> {
    // Several words are one heading: nobody thinks of quotes at night.
    let topic = arguments.topic.join(" ");
    if topic.trim().is_empty() {
        super::print(&topics(&runbook::sections()))?;
        return Ok(Exit::Good);
    }
    let section = runbook::find(&topic).ok_or_else(|| unknown(&topic))?;
    super::print(&format!("{}\n", section.text))?;
    Ok(Exit::Good)
}

fn unknown(topic: &str) -> miette::Report {
    let help = match runbook::nearest(topic).as_slice() {
        [] => "`alumniq-relay runbook` lists every topic".to_owned(),
        names => format!(
            "did you mean {}? `alumniq-relay runbook` lists every topic",
            names.join(" or ")
        ),
    };
    super::usage(format!("the runbook has no topic {topic:?}"), &help)
}

/// Chapters, and their sections below them.
fn topics(sections: &[Section<'_>]) -> String {
    sections
        .iter()
        .map(|section| match section.level {
            1 => format!(
                "{}: print one with `alumniq-relay runbook TOPIC`\n",
                section.title
            ),
            2 => format!("\n{}\n", section.title),
            _ => format!("  {}\n", section.title),
        })
        .collect()
}
