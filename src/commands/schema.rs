//! `schema [NAME]`: the JSON Schema of what each command prints with `--json`.

use queue::{letters::LetterPage, stats::Status, timeline::Timeline};
use serde_json::{Map, Value, json};
use utoipa::{
    ToSchema,
    openapi::{RefOr, schema::Schema as Described},
};

use super::{
    contact, map, supporter, sync,
    told::{LettersShown, PayloadsResealed},
};
use crate::{
    cli::SchemaArgs,
    exit::Exit,
    operations::{
        erase::PersonErased,
        preview::Previewed,
        reconcile::Reconciled,
        wire::{LetterGroups, LettersHandled},
    },
};

/// The dialect; OpenAPI 3.1, from whose types these are made, speaks it.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What a command prints.
struct Output {
    /// The command's words, joined by `-`.
    name: &'static str,
    schema: fn(&str) -> Value,
}

const fn output<T: ToSchema>(name: &'static str) -> Output {
    Output {
        name,
        schema: schema::<T>,
    }
}

/// One for each command with `--json`: a test holds them against the command line.
const OUTPUTS: &[Output] = &[
    output::<Status>("status"),
    output::<Timeline>("show"),
    output::<LetterPage>("dead-list"),
    output::<LetterGroups>("dead-groups"),
    output::<LettersShown>("dead-show"),
    output::<LettersHandled>("dead-replay"),
    output::<LettersHandled>("dead-discard"),
    output::<PersonErased>("erase"),
    output::<PayloadsResealed>("encryption-rotate"),
    output::<sync::SyncSummary>("sync"),
    output::<Previewed>("preview"),
    output::<Reconciled>("reconcile"),
    output::<map::MapTryReport>("map-try"),
    output::<map::MapTestReport>("map-test"),
    output::<supporter::SupporterSearchReport>("supporter-search"),
    output::<supporter::DeleteReport>("supporter-delete"),
    output::<contact::ContactUpdateReport>("contact-update"),
    output::<sandbox::chaos::ChaosSummary>("chaos"),
];

/// Prints one, or the names.
pub fn run(arguments: &SchemaArgs) -> miette::Result<Exit> {
    // `dead list` is typed as readily as `dead-list`.
    let name = arguments.name.join("-");
    if name.is_empty() {
        let names = OUTPUTS.iter().map(|output| {
            let command = output.name.replacen('-', " ", 1);
            format!("{:<18} alumniq-relay {command} --json\n", output.name)
        });
        super::print(&names.collect::<String>())?;
        return Ok(Exit::Good);
    }
    let output = OUTPUTS.iter().find(|output| output.name == name);
    let output = output.ok_or_else(|| {
        super::usage(
            format!("there is no schema {name:?}"),
            "`alumniq-relay schema` lists every one",
        )
    })?;
    super::print(&format!("{:#}\n", (output.schema)(output.name)))?;
    Ok(Exit::Good)
}

fn schema<T: ToSchema>(name: &str) -> Value {
    let mut inner: Vec<(String, RefOr<Described>)> = Vec::new();
    T::schemas(&mut inner);
    let definitions: Map<String, Value> = inner
        .into_iter()
        .map(|(name, described)| (name, plain(json!(described))))
        .collect();
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), Value::from(DIALECT));
    schema.insert("title".to_owned(), Value::from(name));
    if let Value::Object(own) = plain(json!(T::schema())) {
        schema.extend(own);
    }
    if !definitions.is_empty() {
        schema.insert("$defs".to_owned(), Value::Object(definitions));
    }
    Value::Object(schema)
}

/// With its references within the schema itself, and without what only OpenAPI knows.
fn plain(described: Value) -> Value {
    match described {
        Value::Object(entries) => entries
            .into_iter()
            .map(|(name, value)| match value.as_str() {
                Some(place) if name == "$ref" => {
                    let place = place.replace("#/components/schemas/", "#/$defs/");
                    (name, Value::from(place))
                }
                _ => (name, plain(value)),
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn with_json(command: &clap::Command, name: &str, found: &mut BTreeSet<String>) {
        let mut arguments = command.get_arguments();
        if arguments.any(|argument| argument.get_long() == Some("json")) {
            found.insert(name.to_owned());
        }
        for inner in command.get_subcommands() {
            let name = format!("{name}-{}", inner.get_name());
            with_json(inner, name.trim_start_matches('-'), found);
        }
    }

    #[test]
    fn every_command_with_json_has_a_schema() {
        let mut wanted = BTreeSet::new();
        with_json(&Cli::command(), "", &mut wanted);
        let known = OUTPUTS.iter().map(|output| output.name.to_owned());
        assert_eq!(known.collect::<BTreeSet<_>>(), wanted);
    }

    #[test]
    fn every_schema_is_one_and_explains_each_of_its_own_fields() {
        for output in OUTPUTS {
            let schema = (output.schema)(output.name);
            let meta = jsonschema::meta::validate(&schema);
            assert!(meta.is_ok(), "{}: {schema:#}", output.name);
            // A reference that leads nowhere is found here.
            jsonschema::validator_for(&schema).unwrap();
            assert!(schema["properties"].is_object(), "{schema:#}");
            assert!(!schema.to_string().contains("#/components"), "{schema:#}");
        }
    }
}
