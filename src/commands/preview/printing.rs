//! What a preview prints.

use comfy_table::{ContentArrangement, Table, presets};
use jobs::{
    compare::{FieldChange, SentField, Would},
    destination::Vendor,
};
use miette::IntoDiagnostic;

use crate::{
    commands::one_line,
    operations::preview::{PersonPreview, PreviewBlock, Previewed, Previewing},
};

/// How the JSON of [`Previewed`] begins.
const PEOPLE: &str = "{\"people\":[";

/// What is printed.
pub struct Output {
    json: bool,
    /// How many people were printed.
    people: usize,
}

impl Output {
    /// Nothing printed yet.
    pub fn new(json: bool) -> Self {
        Self { json, people: 0 }
    }

    /// The next people.
    pub fn block(&mut self, block: &PreviewBlock) -> miette::Result<String> {
        let mut text = String::new();
        for (at, person) in block.people.iter().enumerate() {
            let continues = at == 0 && block.continues;
            match (self.json, continues) {
                (false, false) => text += &format!("{}\n{}\n\n", headline(person), table(person)),
                (false, true) => {
                    text += &format!("{}, continued\n{}\n\n", headline(person), table(person));
                }
                // The person's last two brackets are closed by the next person, or by the end.
                (true, false) => {
                    let json = serde_json::to_string(person).into_diagnostic()?;
                    text += if self.people == 0 { PEOPLE } else { "]}," };
                    text += &json[..json.len() - "]}".len()];
                }
                (true, true) => {
                    let json = serde_json::to_string(&person.changes).into_diagnostic()?;
                    text.push(',');
                    text += &json[1..json.len() - 1];
                }
            }
            self.people += usize::from(!continues);
        }
        Ok(text)
    }

    /// What follows the last of them.
    pub fn end(&self, totals: &Previewed) -> miette::Result<String> {
        if !self.json {
            return Ok(summary(totals, self.people));
        }
        let json = serde_json::to_string(totals).into_diagnostic()?;
        Ok(match self.people {
            0 => format!("{json}\n"),
            _ => format!("]}}{}\n", &json[PEOPLE.len()..]),
        })
    }
}

/// What follows the people.
fn summary(totals: &Previewed, people: usize) -> String {
    let Previewed {
        previewed: count,
        would_die,
        unmapped,
        ..
    } = totals;
    let whose = whose(*count, people);
    let mut text = match (count, would_die) {
        (0, _) => "AlumnIQ lists nothing.".to_owned(),
        (1, 0) => format!("{whose}; it can be mapped."),
        (_, 0) => format!("{whose}; all can be mapped."),
        (_, 1) => format!("{whose}; 1 would become a dead letter."),
        _ => format!("{whose}; {would_die} would become dead letters."),
    };
    if totals.more {
        text += " AlumnIQ lists more: raise --limit.";
    }
    text += "\n";
    for unread in totals.unread.iter().filter(|_| *count > 0) {
        text += &format!(
            "{} can't be read: everything that it would be sent is shown.\n",
            Vendor::from(*unread).subject()
        );
    }
    if !totals.queue_asked && *count > 0 {
        text += "Redis does not run: changes that the queue knows already are not marked.\n";
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

fn headline(person: &PersonPreview) -> String {
    match &person.xid {
        Some(xid) => format!("person {}", one_line(xid)),
        None => "nobody (no xid)".to_owned(),
    }
}

fn table(person: &PersonPreview) -> Table {
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

fn sent(sent: &SentField) -> [String; 4] {
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

    use jobs::{destination::Destination, outcome::DeadClass};

    use super::*;

    fn would_send(new: &str) -> BTreeMap<Vendor, Would> {
        let fields = vec![SentField {
            field: "ContactNoteContent".to_owned(),
            new: new.to_owned(),
        }];
        BTreeMap::from([(Vendor::Crm, Would::Send { fields })])
    }

    fn person(xid: Option<&str>, changes: Vec<Previewing>) -> PersonPreview {
        let xid = xid.map(str::to_owned);
        PersonPreview { xid, changes }
    }

    fn change(
        change_id: &str,
        queue: Option<&'static str>,
        destinations: BTreeMap<Vendor, Would>,
    ) -> Previewing {
        Previewing {
            change_id: change_id.to_owned(),
            changed_on: None,
            queue,
            destinations,
        }
    }

    fn people() -> Vec<PersonPreview> {
        let mut destinations = would_send("Employer: A\u{1b}[2Jcme\nJob: x");
        destinations.insert(
            Vendor::Salsa,
            Would::Update {
                fields: vec![FieldChange {
                    field: "custom.Employer".to_owned(),
                    old: Some("Old".to_owned()),
                    new: "\u{7}New".to_owned(),
                }],
                unchanged: 3,
            },
        );
        let dead = BTreeMap::from([(
            Vendor::Alumniq,
            Would::Die {
                class: DeadClass::Undecodable,
                cause: "no changeId".to_owned(),
                advice: "name the key".to_owned(),
            },
        )]);
        let first = change("41", Some("in flight"), destinations);
        vec![
            person(Some("7\u{1b}c"), vec![first]),
            person(None, vec![change("42", None, dead)]),
        ]
    }

    fn totals() -> Previewed {
        Previewed {
            fetched: 3,
            previewed: 2,
            more: true,
            would_die: 1,
            queue_asked: false,
            crm_unread: true,
            unread: vec![Destination::Crm],
            people: Vec::new(),
            unmapped: BTreeMap::from([("Spo\u{1b}use".to_owned(), 2)]),
        }
    }

    fn printed(json: bool, blocks: Vec<PreviewBlock>, totals: &Previewed) -> String {
        let mut output = Output::new(json);
        let blocks = blocks.iter().map(|block| output.block(block).unwrap());
        let blocks: String = blocks.collect();
        blocks + &output.end(totals).unwrap()
    }

    fn block(people: Vec<PersonPreview>, continues: bool) -> PreviewBlock {
        PreviewBlock { people, continues }
    }

    #[test]
    fn every_value_is_shown_and_none_commands_the_terminal() {
        let text = printed(false, vec![block(people(), false)], &totals());
        let words: Vec<&str> = text.split_whitespace().collect();
        let words = words.join(" ");
        for part in [
            "41 (in flight)",
            "ContactNoteContent ? -> Employer: A [2Jcme Job: x",
            "custom.Employer Old -> New",
            "(3 more stay)",
            "DEAD undecodable no changeId -> name the key",
            "2 changes of 2 people; 1 would become a dead letter. AlumnIQ lists more",
            "The CRM can't be read",
            "Redis does not run",
            "`Spo use` (2 rows have it)",
            "Nothing was written anywhere.",
        ] {
            assert!(words.contains(part), "{part}\n{text}");
        }
        assert_eq!(text.matches("The CRM can't be read").count(), 1);
        let controls = text.chars().filter(|c| c.is_control() && *c != '\n');
        assert_eq!(controls.count(), 0, "{text:?}");
    }

    #[test]
    fn json_is_the_same_in_one_block_and_in_several() {
        let changes = |ids: [&str; 2]| -> Vec<Previewing> {
            ids.map(|id| change(id, None, would_send(id))).into()
        };
        let whole = Previewed {
            people: vec![
                person(Some("1"), changes(["41", "42"])),
                person(Some("2"), changes(["43", "44"])),
            ],
            ..totals()
        };
        let whole = serde_json::to_value(whole).unwrap();
        let [first, second] = [["41", "42"], ["43", "44"]].map(changes);
        let in_one = vec![block(
            vec![person(Some("1"), first), person(Some("2"), second)],
            false,
        )];
        let one = |xid, id: &str| person(Some(xid), vec![change(id, None, would_send(id))]);
        let in_several = vec![
            block(vec![one("1", "41")], false),
            block(vec![one("1", "42"), one("2", "43")], true),
            block(vec![one("2", "44")], true),
        ];
        for blocks in [in_one, in_several] {
            let text = printed(true, blocks, &totals());
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(json, whole);
        }
        let none = printed(true, Vec::new(), &totals());
        let none: serde_json::Value = serde_json::from_str(&none).unwrap();
        assert_eq!(none["people"], serde_json::json!([]));
    }
}
