//! `runbook [TOPIC]`: the runbook, offline.

use crate::{
    cli::RunbookArgs,
    exit::Exit,
    runbook::{self, RunbookSection},
};

/// Prints what stands under a heading, or every heading.
pub fn run(arguments: RunbookArgs) -> miette::Result<Exit> {
    super::print(&answer(&arguments)?)?;
    Ok(Exit::Good)
}

fn answer(arguments: &RunbookArgs) -> miette::Result<String> {
    // Several words are one heading: nobody thinks of quotes at night.
    let topic = arguments.topic.join(" ");
    if topic.trim().is_empty() {
        return Ok(topics(&runbook::sections()));
    }
    let section = runbook::find(&topic).ok_or_else(|| unknown(&topic))?;
    Ok(format!("{}\n", section.text))
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
fn topics(sections: &[RunbookSection<'_>]) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(topic: &str) -> miette::Result<String> {
        answer(&RunbookArgs {
            topic: topic.split(' ').map(str::to_owned).collect(),
        })
    }

    #[test]
    fn a_wrong_topic_is_wrong_usage_and_is_told_the_nearest() {
        assert!(
            asked("exit code 3")
                .unwrap()
                .starts_with("### Exit code 3\n")
        );
        let wrong = asked("stail").unwrap_err();
        assert!(crate::commands::is_usage(&wrong));
        let told = format!("{wrong:?}");
        assert!(told.contains("did you mean stale?"), "{told}");
        let told = format!("{:?}", asked("xyzzy").unwrap_err());
        assert!(told.contains("lists every topic"), "{told}");
    }

    #[test]
    fn the_list_has_every_topic() {
        let list = asked("").unwrap();
        for section in runbook::sections() {
            assert!(list.contains(&section.title), "{}", section.title);
        }
    }
}
