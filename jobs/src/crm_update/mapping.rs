//! `[crm.map]`: which template fills which field of the DTO.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    document::{ContactUpsertDto, scalar},
    schema::{CONTACT, DtoField, DtoType, STUDENT_INSTITUTION_ID, find},
};
use crate::{
    change::{Change, FieldNames},
    country::CountryCodes,
    mapping::{MapFormat, MapValue, Template, TemplateError},
    outcome::{DeadClass, Outcome},
    problem::{RuleViolation, sentence},
    trial::{DestinationMapping, Mapped},
};

/// The DTO has no field for employer, title or work address, so they go into one note a change. The
/// changeId lets a person spot the repeat that a lost answer may cause.
const NOTE: &str = "\
{%- set place = [city, state or stateiso, postalCode] | select | join(', ') -%}
{%- set address = [address1, address2, address3, place, country or countryiso] | select | join('\n') -%}
{%- if employer or jobTitle or address -%}
Work profile changed in AlumnIQ
{% if employer %}Employer: {{ employer }}
{% endif %}{% if jobTitle %}Job title: {{ jobTitle }}
{% endif %}{% if address %}Work address:
{{ address }}
{% endif %}AlumnIQ change {{ changeId }}
{%- endif -%}";

const DEFAULTS: [(&str, &str); 4] = [
    (STUDENT_INSTITUTION_ID, "{{ xid }}"),
    ("PhoneWork", "{{ phone }}"),
    ("EmailAddress2", "{{ email }}"),
    ("ContactNoteContent", NOTE),
];

/// The compiled `[crm.map]`: the defaults with the configuration laid over them.
///
/// By default `StudentInstitutionId` is the xid, `PhoneWork` and `EmailAddress2` are the work phone
/// and email, and `ContactNoteContent` is a note with employer, title and work address that ends in
/// the changeId; it is left out when the row has none of the three. The work address goes into the
/// `Correspondence…` fields only when the configuration says so:
///
/// ```toml
/// [crm.map]
/// CorrespondenceStreetAddressLine1 = "{{ address1 }}"
/// CorrespondenceStreetAddressLine2 = "{{ address2 }}"
/// CorrespondenceStreetAddressLine3 = "{{ address3 }}"
/// CorrespondenceTownSuburb = "{{ city }}"
/// CorrespondenceStateCity = "{{ stateiso or state }}"
/// CorrespondencePostcode = "{{ postalCode }}"
/// CorrespondenceCountry = "{{ countryiso or country }}"   # converted to `crm.country_codes`
/// ContactNoteContent = ""                                 # switches the note off
/// Tags = [{ Tag = "AlumnIQ {{ changeId }}", TagDate = "{{ changedOn }}" }]
/// ```
#[derive(Debug)]
pub struct CrmMapping {
    entries: Vec<(&'static DtoField, Entry)>,
    codes: CountryCodes,
}

#[derive(Debug)]
enum Entry {
    Template(Template),
    Constant(Value),
    Items(Vec<Vec<(&'static DtoField, Entry)>>),
}

impl CrmMapping {
    /// Compiles `overrides` (DTO field -> value) over the defaults. Country fields are written as
    /// `codes`.
    ///
    /// # Errors
    /// Every entry that cannot work: unknown fields, wrong templates, constants that break a rule.
    pub fn compile(
        overrides: &BTreeMap<String, MapValue>,
        names: &FieldNames,
        codes: CountryCodes,
    ) -> Result<Self, Vec<TemplateError>> {
        let defaults =
            DEFAULTS.map(|(name, source)| (name.to_owned(), MapValue::Template(source.to_owned())));
        let wanted = defaults
            .iter()
            .map(|(name, value)| (name, value))
            .chain(overrides);
        let mut compiler = Compiler {
            names,
            codes,
            errors: Vec::new(),
        };
        let entries = compiler.entries(CONTACT, "", wanted);
        if compiler.errors.is_empty() {
            Ok(Self { entries, codes })
        } else {
            Err(compiler.errors)
        }
    }

    /// `[crm.map]`. Names are the DTO's fields in any case.
    pub const FORMAT: MapFormat = MapFormat {
        defaults: &DEFAULTS,
        target: |name| {
            let field = find(CONTACT, name).map(|field| field.name.to_owned());
            field.ok_or_else(|| {
                let known = CONTACT.iter().map(|field| field.name);
                TemplateError::unknown(name, "field", name, known)
            })
        },
        has_groups: false,
        is_text: false,
    };

    /// The DTO's fields that it can fill.
    pub fn targets(&self) -> impl Iterator<Item = &'static str> {
        self.entries.iter().map(|(field, _)| field.name)
    }

    /// The document of one change. One that carries nothing but the identity is valid and sent: the
    /// CRM's answer still tells whether the contact exists.
    ///
    /// # Errors
    /// `Dead` with all problems of the row in its cause: `anonymous` without xid (unless allowed and
    /// there is an email address or phone to match by), `mapping` when a template fails,
    /// `validation` when only the vendor's rules are broken.
    pub fn document(
        &self,
        change: &Change,
        anonymous_allowed: bool,
    ) -> Result<ContactUpsertDto, Outcome> {
        let is_anonymous = change.xid.is_none();
        if is_anonymous && !anonymous_allowed {
            return Err(dead(
                DeadClass::Anonymous,
                "the change names no constituent (no xid)".to_owned(),
                "find the person and update the CRM by hand, then discard; or set `alumniq.anonymous = \"match\"` \
                 to let the CRM match on the contact fields, then replay",
            ));
        }
        let mut problems = Vec::new();
        let mut fields = render(&self.entries, change, &mut problems);
        if is_anonymous {
            fields.remove(STUDENT_INSTITUTION_ID);
        }
        let class = if problems.is_empty() {
            DeadClass::Validation
        } else {
            DeadClass::Mapping
        };
        let document = ContactUpsertDto::from_fields(fields, self.codes)
            .map_err(|broken| problems.extend(broken));
        match document {
            Ok(document) if problems.is_empty() => {
                if is_anonymous && !document.can_be_matched() {
                    return Err(dead(
                        DeadClass::Anonymous,
                        "the change names no constituent (no xid) and has no email address or phone that the CRM could match on".to_owned(),
                        "find the person and update the CRM by hand, then discard",
                    ));
                }
                Ok(document)
            }
            _ => Err(dead(
                class,
                sentence(&problems),
                "adjust `[crm.map]` and replay; or correct the profile in AlumnIQ, which sends a new change, and discard this one",
            )),
        }
    }
}

fn named<'m>(entries: &'m [(&'static DtoField, Entry)], fields: &mut BTreeSet<&'m str>) {
    for (_, entry) in entries {
        match entry {
            Entry::Template(template) => fields.extend(template.fields()),
            Entry::Items(items) => items.iter().for_each(|item| named(item, fields)),
            Entry::Constant(_) => {}
        }
    }
}

fn dead(class: DeadClass, cause: String, advice: &str) -> Outcome {
    Outcome::Dead {
        class,
        cause,
        advice: advice.to_owned(),
    }
}

fn render(
    entries: &[(&'static DtoField, Entry)],
    change: &Change,
    problems: &mut Vec<RuleViolation>,
) -> Map<String, Value> {
    let mut fields = Map::new();
    for (field, entry) in entries {
        let value = match entry {
            Entry::Constant(value) => Some(value.clone()),
            Entry::Template(template) => template
                .render(change)
                .map(|text| text.map(Value::String))
                .unwrap_or_else(|problem| {
                    problems.push(problem);
                    None
                }),
            Entry::Items(items) => {
                let items = items.iter().map(|item| render(item, change, problems));
                let items: Vec<Value> = items
                    .filter(|item| !item.is_empty())
                    .map(Value::Object)
                    .collect();
                (!items.is_empty()).then_some(Value::Array(items))
            }
        };
        if let Some(value) = value {
            fields.insert(field.name.to_owned(), value);
        }
    }
    fields
}

struct Compiler<'n> {
    names: &'n FieldNames,
    codes: CountryCodes,
    errors: Vec<TemplateError>,
}

impl DestinationMapping for CrmMapping {
    fn fields(&self) -> BTreeSet<&str> {
        let mut fields = BTreeSet::new();
        named(&self.entries, &mut fields);
        fields
    }

    fn map(&self, change: &Change, anonymous_allowed: bool) -> Result<Mapped, Outcome> {
        let document = self.document(change, anonymous_allowed)?;
        let fields = document.fields();
        Ok(Mapped {
            document: fields
                .map(|(name, value)| (name.to_owned(), value.clone()))
                .collect(),
            added: None,
        })
    }
}

impl Compiler<'_> {
    /// Later entries of `wanted` replace earlier ones of the same field.
    fn entries<'w>(
        &mut self,
        schema: &'static [DtoField],
        path: &str,
        wanted: impl Iterator<Item = (&'w String, &'w MapValue)>,
    ) -> Vec<(&'static DtoField, Entry)> {
        let mut values: BTreeMap<&'static str, &MapValue> = BTreeMap::new();
        for (name, value) in wanted {
            match find(schema, name) {
                Some(field) => {
                    values.insert(field.name, value);
                }
                None => {
                    let known = schema.iter().map(|field| field.name);
                    self.errors.push(TemplateError::unknown(
                        &format!("{path}{name}"),
                        "field",
                        name,
                        known,
                    ));
                }
            }
        }
        let mut entries = Vec::new();
        for field in schema {
            let Some(value) = values
                .get(field.name)
                .filter(|value| !is_off(field.kind, value))
            else {
                continue;
            };
            match self.entry(field.kind, &format!("{path}{}", field.name), value) {
                Ok(entry) => entries.push((field, entry)),
                Err(error) => self.errors.push(error),
            }
        }
        entries
    }

    fn entry(
        &mut self,
        kind: DtoType,
        path: &str,
        value: &MapValue,
    ) -> Result<Entry, TemplateError> {
        match (kind, value) {
            (DtoType::Items { fields, most }, MapValue::List(items)) => {
                if let Some(most) = most.filter(|most| items.len() > *most) {
                    let cause = format!("has {} items, the CRM allows at most {most}", items.len());
                    return Err(TemplateError::new(path, cause, "remove some"));
                }
                let items = items.iter().enumerate();
                Ok(Entry::Items(
                    items
                        .map(|(at, item)| {
                            self.entries(fields, &format!("{path}[{at}]."), item.iter())
                        })
                        .collect(),
                ))
            }
            (DtoType::Items { fields, .. }, _) => {
                let first = fields.first().map_or("", |field| field.name);
                Err(TemplateError::new(
                    path,
                    "is a collection",
                    format!("give it a list, e.g. `{path} = [{{ {first} = \"…\" }}]`"),
                ))
            }
            (_, MapValue::List(_)) => Err(TemplateError::new(
                path,
                "is one value, not a collection",
                "give it a template, e.g. `\"{{ city }}\"`",
            )),
            (_, MapValue::Bool(flag)) => self.constant(kind, path, Value::Bool(*flag)),
            (_, MapValue::Integer(number)) => self.constant(kind, path, Value::from(*number)),
            (_, MapValue::Template(source)) => {
                let template = Template::compile(path, source, self.names)?;
                match template.constant() {
                    Some(text) if !text.is_empty() => self.constant(kind, path, Value::from(text)),
                    _ => Ok(Entry::Template(template)),
                }
            }
        }
    }

    fn constant(&self, kind: DtoType, path: &str, value: Value) -> Result<Entry, TemplateError> {
        scalar(kind, value, self.codes)
            .map(Entry::Constant)
            .map_err(|rule| {
                TemplateError::new(
                    path,
                    format!("the constant {rule}"),
                    "correct it, or use `\"\"` to switch the entry off",
                )
            })
    }
}

/// `""` switches any entry off, `false` any that is not a boolean itself.
fn is_off(kind: DtoType, value: &MapValue) -> bool {
    match value {
        MapValue::Template(source) => source.trim().is_empty(),
        MapValue::Bool(flag) => !flag && !matches!(kind, DtoType::Boolean),
        MapValue::Integer(_) | MapValue::List(_) => false,
    }
}
