//! `show CHANGE_ID`: one change's timeline.

use miette::{IntoDiagnostic, miette};
use queue::timeline::Timeline;
use serde_json::Value;

use super::client::{ClientSession, QueueAccess};
use crate::{
    cli::{GlobalArgs, ShowArgs},
    exit::Exit,
};

/// Prints it.
pub async fn run(global: &GlobalArgs, arguments: ShowArgs) -> miette::Result<Exit> {
    let session = ClientSession::open(global, QueueAccess::Read).await?;
    let timeline = session.timeline(&arguments.change_id).await?;
    session.close().await?;
    let Some(timeline) = timeline else {
        return Err(miette!(
            help = "it was never fetched, or its history has expired (`history.keep`)",
            "nothing is known of change {}",
            arguments.change_id
        ));
    };
    super::print(&if arguments.json {
        format!("{}\n", serde_json::to_string(&timeline).into_diagnostic()?)
    } else {
        text(&timeline)
    })?;
    Ok(Exit::Good)
}

/// Also the end of `dead show`.
pub fn text(timeline: &Timeline) -> String {
    let mut text = format!("change {}: {}\n", timeline.change_id, timeline.state);
    if let Some(xid) = &timeline.xid {
        text += &format!("person {xid}\n");
    }
    for (destination, state) in &timeline.destinations {
        text += &format!("  {destination:<7} {state}\n");
    }
    text.push('\n');
    for event in &timeline.events {
        text += &line(event);
    }
    text
}

fn line(event: &Value) -> String {
    let field = |name: &str| event.get(name).and_then(Value::as_str);
    if let ("older_removed", Some(count)) =
        (field("event").unwrap_or_default(), event["count"].as_u64())
    {
        return format!("{count} older entries were removed\n");
    }
    let mut line = format!(
        "{}  {:<13} {:<8}",
        field("at").unwrap_or_default(),
        field("event").unwrap_or_default(),
        field("destination").unwrap_or_default()
    );
    if let Some(attempt) = event
        .get("attempt")
        .and_then(Value::as_u64)
        .filter(|attempt| *attempt > 0)
    {
        line += &format!(" attempt {attempt}");
    }
    for name in ["class", "detail", "cause", "reason"] {
        if let Some(value) = field(name) {
            line += &format!(" {value}");
        }
    }
    if let Some(after) = event.get("after_ms").and_then(Value::as_u64) {
        line += &format!(" (again in {:.1} s)", after as f64 / 1000.0);
    }
    if let Some(who) = field("worker").or(field("by")) {
        line += &format!(" [{who}]");
    }
    line.trim_end().to_owned() + "\n"
}
