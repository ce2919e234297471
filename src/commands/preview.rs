//! `preview`: what the changes that AlumnIQ lists would do. Prints personal data: that is what it is for.

use std::sync::Arc;

use comfy_table::{ContentArrangement, Table, presets};
use jobs::{
    compare::{Sent, Would},
    destination::Vendor,
    salsa_upsert::FieldChange,
};
use miette::{IntoDiagnostic, miette};

use super::{assemble, context::Context, one_line};
use crate::{
    cli::{Global, pipeline::Preview as Arguments},
    config::AnonymousRows,
    exit::Exit,
    operations::{
        preview::{Person, Preview, PreviewError, Previewed, PreviewedSalsa, Previewing},
        supporters::told,
    },
};

/// Looks and prints.
pub async fn run(global: &Global, arguments: Arguments) -> miette::Result<Exit> {
    let context = Context::load(global)?;
    let filter = super::asked_for(arguments.only);
    let preview = preview(&context).await?;
    let previewed = preview.look(filter, arguments.limit as usize).await;
    let previewed = previewed.map_err(failed)?;
    super::print(&if arguments.json {
        format!("{}\n", serde_json::to_string(&previewed).into_diagnostic()?)
    } else {
        text(&previewed)
    })?;
    Ok(match previewed.would_die {
        0 => Exit::Good,
        _ => Exit::NeedsAPerson,
    })
}

async fn preview(context: &Context) -> miette::Result<Preview> {
    let config = &context.config;
    let queue = context.running_queue().await;
    let salsa = match (&config.salsa, &config.mappings.salsa) {
        (Some(salsa), Some(mapping)) => Some(PreviewedSalsa {
            mapping: Arc::clone(mapping),
            create_missing: salsa.create_missing,
            calls: assemble::salsa_calls(context, salsa, queue.as_ref())?,
        }),
        _ => None,
    };
    Ok(Preview {
        client: Arc::new(context.alumniq()?),
        names: Arc::clone(&config.mappings.names),
        timezone: config.alumniq.timezone.clone(),
        lookback_days: config.alumniq.lookback_days,
        anonymous_allowed: config.alumniq.anonymous == AnonymousRows::Match,
        crm: config.mappings.crm.clone(),
        salsa,
        queue,
    })
}

fn failed(error: PreviewError) -> miette::Report {
    match error {
        PreviewError::Fetch(error) => miette!(
            help = "nothing was written anywhere: mend that, then run the command again",
            "{error}"
        ),
        PreviewError::Salsa(outcome) => {
            let (what, help) = told(outcome);
            miette!(help = help, "{what}")
        }
    }
}

fn text(previewed: &Previewed) -> String {
    let Previewed {
        previewed: count,
        would_die,
        people,
        unmapped,
        ..
    } = previewed;
    let mut text = String::new();
    for person in people {
        text += &format!("{}\n{}\n\n", headline(person), table(person));
    }
    text += &match (count, would_die) {
        (0, _) => "AlumnIQ lists nothing.".to_owned(),
        (_, 0) => match count {
            1 => format!("{}; it can be mapped.", whose(*count, people.len())),
            _ => format!("{}; all can be mapped.", whose(*count, people.len())),
        },
        (_, 1) => format!(
            "{}; 1 would become a dead letter.",
            whose(*count, people.len())
        ),
        _ => format!(
            "{}; {would_die} would become dead letters.",
            whose(*count, people.len())
        ),
    };
    if previewed.more {
        text += " AlumnIQ lists more: raise --limit.";
    }
    text += "\n";
    if previewed.crm_unread && *count > 0 {
        text += "The CRM cannot be asked what it has: all that it would be sent is shown.\n";
    }
    if !previewed.queue_asked && *count > 0 {
        text += "No Redis runs: what is known already is not told apart.\n";
    }
    for (key, rows) in unmapped {
        text += &format!(
            "Nothing maps the row key `{}` ({rows} rows have it).\n",
            one_line(key)
        );
    }
    text + "Nothing was written anywhere.\n"
}

/// `1 change of 1 person`.
fn whose(changes: usize, people: usize) -> String {
    let changed = if changes == 1 { "change" } else { "changes" };
    let person = if people == 1 { "person" } else { "people" };
    format!("{changes} {changed} of {people} {person}")
}

fn headline(person: &Person) -> String {
    match &person.xid {
        Some(xid) => format!("person {}", one_line(xid)),
        None => "nobody (no xid)".to_owned(),
    }
}

fn table(person: &Person) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["change", "where", "field", "now", "->", "then"]);
    for change in &person.changes {
        let mut name = name(change);
        for (vendor, would) in &change.destinations {
            for cells in rows(*vendor, would) {
                let [field, now, arrow, then] = cells.map(|cell| one_line(&cell));
                table.add_row([
                    std::mem::take(&mut name),
                    vendor.to_string(),
                    field,
                    now,
                    arrow,
                    then,
                ]);
            }
        }
    }
    table
}

fn name(change: &Previewing) -> String {
    let known = change
        .queue
        .filter(|known| *known != "new")
        .map(|known| format!(" ({known})"));
    one_line(&format!(
        "{}{}",
        change.change_id,
        known.unwrap_or_default()
    ))
}

/// Field, now, arrow, then.
fn rows(vendor: Vendor, would: &Would) -> Vec<[String; 4]> {
    let said =
        |what: &str, words: String| vec![[what.to_owned(), String::new(), String::new(), words]];
    match would {
        Would::Send { fields } => fields.iter().map(sent).collect(),
        Would::Update { fields, unchanged } => {
            let mut rows: Vec<_> = fields.iter().map(changed).collect();
            if rows.is_empty() {
                rows = said("nothing changes", String::new());
            }
            if *unchanged > 0 {
                rows.extend(said(&format!("({unchanged} more stay)"), String::new()));
            }
            rows
        }
        Would::Add { fields } => {
            let mut rows = said("somebody new", String::new());
            rows.extend(fields.iter().map(changed));
            rows
        }
        Would::Die {
            class,
            cause,
            advice,
        } => said(&format!("DEAD {class}"), format!("{cause} -> {advice}")),
        Would::Nothing { because } => said("nothing", (*because).to_owned()),
        Would::Unknown { cause } => said(&format!("{vendor} does not say"), cause.clone()),
    }
}

fn sent(sent: &Sent) -> [String; 4] {
    [
        sent.field.clone(),
        "?".to_owned(),
        "->".to_owned(),
        sent.new.clone(),
    ]
}

fn changed(change: &FieldChange) -> [String; 4] {
    [
        change.field.clone(),
        change.old.clone().unwrap_or_else(|| "-".to_owned()),
        "->".to_owned(),
        change.new.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jobs::outcome::DeadClass;

    use super::*;

    fn previewed() -> Previewed {
        let destinations = BTreeMap::from([
            (
                Vendor::Crm,
                Would::Send {
                    fields: vec![Sent {
                        field: "ContactNoteContent".to_owned(),
                        new: "Employer: A\u{1b}[2Jcme\nJob: x".to_owned(),
                    }],
                },
            ),
            (
                Vendor::Salsa,
                Would::Update {
                    fields: vec![FieldChange {
                        field: "custom.Employer".to_owned(),
                        old: Some("Old".to_owned()),
                        new: "\u{7}New".to_owned(),
                    }],
                    unchanged: 3,
                },
            ),
        ]);
        let dead = BTreeMap::from([(
            Vendor::Alumniq,
            Would::Die {
                class: DeadClass::Undecodable,
                cause: "no changeId".to_owned(),
                advice: "name the key".to_owned(),
            },
        )]);
        let change = |change_id: &str, queue, destinations| Previewing {
            change_id: change_id.to_owned(),
            changed_on: None,
            queue,
            destinations,
        };
        Previewed {
            fetched: 3,
            previewed: 2,
            more: true,
            would_die: 1,
            queue_asked: false,
            crm_unread: true,
            people: vec![
                Person {
                    xid: Some("7\u{1b}c".to_owned()),
                    changes: vec![change("41", Some("in flight"), destinations)],
                },
                Person {
                    xid: None,
                    changes: vec![change("42", None, dead)],
                },
            ],
            unmapped: BTreeMap::from([("Spo\u{1b}use".to_owned(), 2)]),
        }
    }

    #[test]
    fn every_value_is_shown_and_none_commands_the_terminal() {
        let text = text(&previewed());
        let words: Vec<&str> = text.split_whitespace().collect();
        let words = words.join(" ");
        for part in [
            "41 (in flight)",
            "ContactNoteContent ? -> Employer: A [2Jcme Job: x",
            "custom.Employer Old -> New",
            "(3 more stay)",
            "DEAD undecodable no changeId -> name the key",
            "2 changes of 2 people; 1 would become a dead letter. AlumnIQ lists more",
            "The CRM cannot be asked",
            "No Redis runs",
            "`Spo use` (2 rows have it)",
            "Nothing was written anywhere.",
        ] {
            assert!(words.contains(part), "{part}\n{text}");
        }
        assert_eq!(text.matches("The CRM cannot be asked").count(), 1);
        let controls = text.chars().filter(|c| c.is_control() && *c != '\n');
        assert_eq!(controls.count(), 0, "{text:?}");
    }
}
