//! The templates of `[crm.map]` and `[salsa.map]`, compiled over the field names of `[alumniq.fields]`.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use jobs::{
    change::{FieldNames, FieldNamesError},
    crm_update::CrmMapping,
    destination::Destination,
    mapping::{TemplateError, TemplatePlace},
    salsa_upsert::SalsaMapping,
    trial::{DestinationMapping, DestinationMappings},
};

use super::{
    alumniq::AlumniqConfig,
    crm::CrmConfig,
    finding::ConfigFinding,
    reader::Reader,
    salsa::SalsaConfig,
    setting::Setting,
    source::{ConfigEntry, Origin},
};

/// What the rows' fields are called and what becomes of them.
#[derive(Debug, Clone)]
pub struct Mappings {
    /// Canonical field -> the school's keys.
    pub names: Arc<FieldNames>,
    /// For the CRM, unless it is switched off.
    pub crm: Option<Arc<CrmMapping>>,
    /// For Salsa, unless it is switched off.
    pub salsa: Option<Arc<SalsaMapping>>,
}

impl Mappings {
    /// Every destination's that is switched on.
    pub fn by_destination(&self) -> DestinationMappings {
        let crm = self
            .crm
            .clone()
            .map(|crm| crm as Arc<dyn DestinationMapping>);
        let salsa = self
            .salsa
            .clone()
            .map(|salsa| salsa as Arc<dyn DestinationMapping>);
        [(Destination::Crm, crm), (Destination::Salsa, salsa)]
            .into_iter()
            .filter_map(|(destination, mapping)| Some((destination, mapping?)))
            .collect()
    }

    /// Compiles everything and notes every problem at its line.
    pub(super) fn compile(
        reader: &mut Reader,
        alumniq: Option<&AlumniqConfig>,
        crm: Option<&CrmConfig>,
        salsa: Option<&SalsaConfig>,
    ) -> Option<Self> {
        // Wrong keys elsewhere in [alumniq] do not hide wrong templates.
        let fields = match alumniq {
            Some(alumniq) => alumniq.fields.clone(),
            None => field_lists(reader),
        };
        let names = match FieldNames::with_overrides(&fields) {
            Ok(names) => Arc::new(names),
            Err(error) => {
                reader.problem(misnamed(reader, &error));
                return None;
            }
        };
        let crm = crm.map(|crm| CrmMapping::compile(&crm.map, &names, crm.country_codes));
        let salsa = salsa.map(|salsa| SalsaMapping::compile(&salsa.map, &names));
        let crm = usable(reader, "crm.map", crm);
        let salsa = usable(reader, "salsa.map", salsa);
        Some(Self {
            crm: crm?,
            salsa: salsa?,
            names,
        })
    }
}

/// The entries of `[alumniq.fields]` that are lists; whatever is wrong with others has been noted.
fn field_lists(reader: &Reader) -> BTreeMap<String, Vec<String>> {
    let lists = reader.source.entries.iter().filter_map(|(path, entry)| {
        let name = path.strip_prefix("alumniq.fields.")?;
        Some((name.to_owned(), Vec::parse(&entry.value).ok()?))
    });
    lists.collect()
}

fn usable<T>(
    reader: &mut Reader,
    table: &str,
    compiled: Option<Result<T, Vec<TemplateError>>>,
) -> Option<Option<Arc<T>>> {
    match compiled {
        None => Some(None),
        Some(Ok(mapping)) => Some(Some(Arc::new(mapping))),
        Some(Err(errors)) => {
            for error in errors {
                let finding = unusable(reader, table, error);
                reader.problem(finding);
            }
            None
        }
    }
}

/// At the entry that holds the error: the target itself, or the list that it is an item of.
fn unusable(reader: &Reader, table: &str, error: TemplateError) -> ConfigFinding {
    let target = format!("{table}.{}", error.target);
    let entry = reader
        .source
        .entries
        .iter()
        .filter(|(path, _)| {
            let rest = target.strip_prefix(path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
        .max_by_key(|(path, _)| path.len());
    match entry {
        Some((_, entry)) => {
            let mut finding = reader.finding(&target, entry, &format!("is wrong: {}", error.cause));
            if let (Some(place), Some(template)) = (&mut finding.place, &error.place)
                && let Some(part) = part(place.source.inner(), entry, template)
            {
                place.span = part;
                place.label = "this part".to_owned();
            }
            finding
        }
        None => ConfigFinding::error(format!("`{target}` is wrong: {}", error.cause)),
    }
    .help(error.advice)
}

/// Where the file has this part of a template, unless it writes the template with escapes.
fn part(text: &str, entry: &ConfigEntry, template: &TemplatePlace) -> Option<Range<usize>> {
    let Origin::File { value, .. } = &entry.origin else {
        return None;
    };
    let start = value.start + text.get(value.clone())?.find(&template.source)?;
    Some(start + template.span.start..start + template.span.end)
}

/// At the entry that is to blame; of two that share a key, one that the configuration has.
fn misnamed(reader: &Reader, error: &FieldNamesError) -> ConfigFinding {
    let names: &[&str] = match error {
        FieldNamesError::Shared { first, second, .. } => &[second, first],
        FieldNamesError::Twice(name)
        | FieldNamesError::BlankKey(name)
        | FieldNamesError::BadName(name) => &[name],
        FieldNamesError::NoChangeId => &["changeId"],
    };
    let entry = names
        .iter()
        .find_map(|name| reader.source.entries.get(&format!("alumniq.fields.{name}")));
    match entry {
        Some(entry) => ConfigFinding {
            message: error.to_string(),
            ..reader.finding("alumniq.fields", entry, "")
        },
        None => ConfigFinding::error(error.to_string()),
    }
}
