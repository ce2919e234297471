//! `[salsa.map]`: a row's values -> what they change of a supporter.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    census,
    merge::merge,
    patch::{SupporterKey, SupporterPatch, email_problem},
    supporter::Fields,
};
use crate::{
    change::{Change, FieldNames},
    mapping::{MapFormat, MapValue, Template, TemplateError},
    outcome::{DeadClass, Outcome},
    problem::{self, RuleViolation},
    trial::{Death, DestinationMapping, Mapped},
};

/// The mapping without any `[salsa.map]`.
const DEFAULTS: [(&str, &str); 4] = [
    (census::EXTERNAL_ID, "{{ xid }}"),
    ("contacts.WORK_PHONE", "{{ phone }}"),
    ("custom.Employer", "{{ employer }}"),
    ("custom.Job Title", "{{ jobTitle }}"),
];

/// The compiled mapping.
///
/// Targets are the census fields (`firstName`), `address.X` (`address.addressLine1`), `contacts.TYPE`
/// (`contacts.CELL_PHONE`) and `custom.NAME` (`custom.Job Title`; the field must exist in Salsa). The
/// default: `externalSystemId` = xid, `contacts.WORK_PHONE` = phone, `custom.Employer` = employer,
/// `custom.Job Title` = jobTitle; the address is off until an `address.X` is mapped.
///
/// `externalSystemId` is also what supporters are found by, so it can be reshaped (`A-{{ xid }}`) and not
/// switched off. `contacts.EMAIL` can be mapped and is dangerous: the email is what Salsa finds existing
/// supporters by, so that a work email there can move a supporter's identity or merge two people.
#[derive(Debug)]
pub struct SalsaMapping {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    target: Target,
    template: Template,
    /// What a blank row renders to: a constant, a `default`, or nothing.
    idle: Option<String>,
}

/// Where a rendered value goes.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Census(&'static str),
    Address(&'static str),
    Contact(&'static str),
    Custom(String),
}

impl SalsaMapping {
    /// Compiles the default mapping with `overrides` (target -> template) laid over it. `""` or `false`
    /// switches a default off; whole numbers and `true` are constants.
    ///
    /// # Errors
    /// All that is wrong at once: targets that Salsa does not have, with the nearest right one, and
    /// templates that cannot work.
    pub fn compile(
        overrides: &BTreeMap<String, MapValue>,
        names: &FieldNames,
    ) -> Result<Self, Vec<TemplateError>> {
        let mut sources: BTreeMap<&str, MapValue> = DEFAULTS
            .into_iter()
            .map(|(target, source)| (target, MapValue::Template(source.to_owned())))
            .collect();
        for (target, value) in overrides {
            sources.insert(target, value.clone());
        }
        let mut entries = Vec::new();
        let mut errors = Vec::new();
        for (name, value) in sources {
            match Self::entry(name, value, names) {
                Ok(entry) => entries.extend(entry),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(Self { entries })
        } else {
            Err(errors)
        }
    }

    fn entry(
        name: &str,
        value: MapValue,
        names: &FieldNames,
    ) -> Result<Option<Entry>, TemplateError> {
        let target = Target::parse(name)?;
        let source = match value {
            MapValue::Template(source) => source,
            MapValue::Bool(false) => String::new(),
            MapValue::Bool(true) => true.to_string(),
            MapValue::Integer(number) => number.to_string(),
            MapValue::List(_) => {
                return Err(TemplateError::new(
                    name,
                    "a supporter's field takes one value, not a list",
                    "write a template, e.g. `{{ employer }}`",
                ));
            }
        };
        if !source.trim().is_empty() {
            let template = Template::compile(name, &source, names)?;
            let idle = template.render(&blank_row()).ok().flatten();
            return Ok(Some(Entry {
                target,
                template,
                idle,
            }));
        }
        if target == Target::Census(census::EXTERNAL_ID) {
            return Err(TemplateError::new(
                name,
                "supporters are found by it, so it cannot be switched off",
                "remove the entry (the default is `{{ xid }}`) or write a template of the xid",
            ));
        }
        Ok(None)
    }

    /// `[salsa.map]`.
    pub const FORMAT: MapFormat = MapFormat {
        defaults: &DEFAULTS,
        target: |name| Target::parse(name).map(|_| name.to_owned()),
        has_groups: true,
        is_text: true,
    };

    /// The fields that it can fill, under their names in `[salsa.map]`.
    pub fn targets(&self) -> impl Iterator<Item = String> {
        self.entries.iter().map(|entry| entry.target.name())
    }

    /// What `change` wants of a supporter, every value held against Salsa's rules. A template that
    /// renders to nothing leaves its field as it is in Salsa. The address counts as touched only when a
    /// part of it is not what a blank row would give, so that a constant country alone changes nobody's.
    ///
    /// # Errors
    /// [`Outcome::Dead`]: `anonymous` for a row without xid unless `anonymous_allowed` and it has a work
    /// email to find the supporter by; `mapping` when a template fails; `validation` when a value breaks a
    /// rule. The cause names all problems.
    pub fn patch(
        &self,
        change: &Change,
        anonymous_allowed: bool,
    ) -> Result<SupporterPatch, Outcome> {
        let row_email = change.fields.get("email").cloned();
        let key = match (&change.xid, &row_email) {
            (Some(xid), _) => SupporterKey::ExternalId(xid.clone()),
            (None, Some(email)) if anonymous_allowed => SupporterKey::Email(email.clone()),
            (None, _) => return Err(anonymous(anonymous_allowed)),
        };
        let mut patch = SupporterPatch {
            key,
            census: Fields::new(),
            address: Fields::new(),
            contacts: Fields::new(),
            custom: Vec::new(),
            row_email,
        };
        let unmapped = self.fill(&mut patch, change);
        let invalid = match &patch.key {
            SupporterKey::Email(email) => email_problem(email),
            SupporterKey::ExternalId(_) => None,
        };
        let class = match unmapped.is_empty() {
            true => DeadClass::Validation,
            false => DeadClass::Mapping,
        };
        let problems: Vec<_> = unmapped
            .into_iter()
            .chain(invalid)
            .chain(patch.problems())
            .collect();
        if problems.is_empty() {
            return Ok(patch);
        }
        Err(Outcome::Dead {
            class,
            cause: problem::sentence(&problems),
            advice: "Correct the row in AlumnIQ or the templates in [salsa.map]; then replay"
                .into(),
        })
    }

    /// Renders every entry into `patch` and sets its key from the rendered externalSystemId. Gives the
    /// problems of the templates.
    fn fill(&self, patch: &mut SupporterPatch, change: &Change) -> Vec<RuleViolation> {
        let mut problems = Vec::new();
        let mut address_touched = false;
        for Entry {
            target,
            template,
            idle,
        } in &self.entries
        {
            let is_key = *target == Target::Census(census::EXTERNAL_ID);
            if is_key && change.xid.is_none() {
                continue;
            }
            match (template.render(change), target) {
                (Err(problem), _) => problems.push(problem),
                (Ok(Some(value)), Target::Census(name)) => {
                    if is_key {
                        patch.key = SupporterKey::ExternalId(value.clone());
                    }
                    patch.census.insert(name, value);
                }
                (Ok(Some(value)), Target::Address(name)) => {
                    address_touched |= idle.as_ref() != Some(&value);
                    patch.address.insert(name, value);
                }
                (Ok(Some(value)), Target::Contact(kind)) => {
                    patch.contacts.insert(kind, value);
                }
                (Ok(Some(value)), Target::Custom(name)) => {
                    patch.custom.push((name.clone(), value));
                }
                (Ok(None), _) if is_key => problems.push(RuleViolation::new(
                    census::EXTERNAL_ID,
                    "renders to nothing, and supporters are found by it",
                )),
                (Ok(None), _) => {}
            }
        }
        if !address_touched {
            patch.address.clear();
        }
        problems
    }
}

impl DestinationMapping for SalsaMapping {
    fn fields(&self) -> BTreeSet<&str> {
        let templates = self.entries.iter().map(|entry| &entry.template);
        templates.flat_map(Template::fields).collect()
    }

    fn map(&self, change: &Change, anonymous_allowed: bool) -> Result<Mapped, Outcome> {
        let patch = self.patch(change, anonymous_allowed)?;
        let added = merge(None, &patch, true).map(|supporter| supporter.document());
        Ok(Mapped {
            document: patch
                .values()
                .map(|(name, value)| (name, Value::from(value)))
                .collect(),
            added: Some(added.map_err(Death::of)),
        })
    }
}

impl Target {
    fn parse(name: &str) -> Result<Self, TemplateError> {
        if let Some(custom) = name.strip_prefix("custom.") {
            return Self::custom(name, custom);
        }
        mapped_targets()
            .find(|(known, _)| known == name)
            .map(|(_, target)| target)
            .ok_or_else(|| {
                let known: Vec<_> = mapped_targets()
                    .map(|(known, _)| known)
                    .chain(["custom.NAME".to_owned()])
                    .collect();
                TemplateError::unknown(
                    name,
                    "supporter field",
                    name,
                    known.iter().map(String::as_str),
                )
            })
    }

    fn name(&self) -> String {
        match self {
            Self::Census(name) => (*name).to_owned(),
            Self::Address(name) => format!("address.{name}"),
            Self::Contact(kind) => format!("contacts.{kind}"),
            Self::Custom(name) => format!("custom.{name}"),
        }
    }

    fn custom(target: &str, name: &str) -> Result<Self, TemplateError> {
        let chars = name.chars().count();
        if name.trim() != name || !(1..=census::CUSTOM_NAME_CHARS).contains(&chars) {
            return Err(TemplateError::new(
                target,
                format!(
                    "a custom field's name has 1 to {} characters and no blank at either end",
                    census::CUSTOM_NAME_CHARS
                ),
                "write the name as Salsa shows it, e.g. `custom.Job Title`",
            ));
        }
        Ok(Self::Custom(name.to_owned()))
    }
}

fn blank_row() -> Change {
    Change {
        change_id: String::new(),
        xid: None,
        order: String::new(),
        fields: BTreeMap::new(),
        unmapped: Vec::new(),
    }
}

/// Every target but the custom fields, under its name in `[salsa.map]`.
fn mapped_targets() -> impl Iterator<Item = (String, Target)> {
    let of = |table: &'static [census::CensusField]| table.iter().filter(|field| field.is_mapped());
    let census = of(&census::CENSUS).map(|field| Target::Census(field.name));
    let address = of(&census::ADDRESS).map(|field| Target::Address(field.name));
    let contacts = of(&census::CONTACTS).map(|field| Target::Contact(field.name));
    let targets = census.chain(address).chain(contacts);
    targets.map(|target| (target.name(), target))
}

fn anonymous(allowed: bool) -> Outcome {
    let (cause, advice) = match allowed {
        false => (
            "the row has no xid",
            "Link the bio to a constituent in AlumnIQ, or allow matching with alumniq.anonymous = \"match\"; then replay",
        ),
        true => (
            "the row has neither xid nor work email to find a supporter by",
            "Link the bio to a constituent in AlumnIQ; or discard it",
        ),
    };
    Outcome::Dead {
        class: DeadClass::Anonymous,
        cause: cause.into(),
        advice: advice.into(),
    }
}
