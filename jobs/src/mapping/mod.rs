//! Templates of the configuration: row + template -> one value of a vendor's document. Compiled once
//! with every name checked; rendering is bounded and its problems never quote the row.

mod filters;
mod slices;

use std::{
    collections::BTreeMap,
    io,
    ops::Range,
    panic::{self, AssertUnwindSafe},
    sync::LazyLock,
};

use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};
use serde::{Deserialize, Serialize};

use self::filters::Complaint;
use crate::{
    change::{Change, FieldNames},
    problem::RuleViolation,
};

/// Most bytes that a template may render to.
pub const MAX_OUTPUT: usize = 64 * 1024;
/// Most steps of one rendering, so that a loop cannot hold up the line.
const FUEL: u64 = 100_000;
/// The name of the only template of an environment.
const ONLY: &str = "value";

/// A value of a destination's map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MapValue {
    /// A template; `""` switches a default entry off.
    Template(String),
    /// A constant of a boolean field; `false` on any other field switches a default entry off.
    Bool(bool),
    /// A constant.
    Integer(i64),
    /// The items of a collection, field -> value.
    List(Vec<BTreeMap<String, MapValue>>),
}

/// How a destination's map is written, also where the destination is switched off.
#[derive(Debug)]
pub struct MapFormat {
    /// What is sent without any entry: target and template.
    pub defaults: &'static [(&'static str, &'static str)],
    /// The target that a name means; an error where it means none, which names the nearest.
    pub target: fn(&str) -> Result<String, TemplateError>,
    /// Whether targets may be written as tables within tables.
    pub has_groups: bool,
    /// Whether every value is sent as a text.
    pub is_text: bool,
}

/// An entry of the mapping that cannot work, found before any row is seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{target}: {cause}; {advice}")]
pub struct TemplateError {
    /// The vendor's field, as a key below the destination's map.
    pub target: String,
    /// What is wrong.
    pub cause: String,
    /// What a person can do about it.
    pub advice: String,
    /// Where in a template, as far as the template engine says.
    pub place: Option<TemplatePlace>,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplatePlace {
    /// The whole template.
    pub source: String,
    /// The part, in bytes of `source`.
    pub span: Range<usize>,
}

impl TemplateError {
    /// An error of the entry `target`.
    pub fn new(
        target: impl Into<String>,
        cause: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            target: target.into(),
            cause: cause.into(),
            advice: advice.into(),
            place: None,
        }
    }

    /// For a `name` that is none of `known`: suggests the nearest and lists them all.
    pub fn unknown<'k>(
        target: &str,
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let all = known.join(", ");
        let advice = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? There are: {all}"),
            None => format!("use one of: {all}"),
        };
        Self::new(target, format!("there is no {what} `{name}`"), advice)
    }
}

/// A compiled minijinja template over the canonical fields of a change.
///
/// A field that the row lacks renders as nothing. Besides minijinja's own filters (`default`, `trim`,
/// `upper`, …) there are `country("alpha2"|"alpha3"|"name")` and `digits` (drops all but digits). `replace` and
/// `join` give at most [`MAX_OUTPUT`] bytes; `batch`, `slice`, `indent` and `format`, which take a size without
/// a limit, are not there.
#[derive(Debug)]
pub struct Template {
    target: String,
    /// Boxed because it makes up most of the size and mappings keep templates in enums.
    environment: Box<Environment<'static>>,
    fields: Vec<String>,
    /// What every row renders to, when no field is named.
    constant: Option<String>,
}

impl Template {
    /// Compiles `source` for the vendor's field `target`.
    ///
    /// # Errors
    /// When the syntax is wrong, or it names a field, filter, test or function that does not exist.
    pub fn compile(target: &str, source: &str, names: &FieldNames) -> Result<Self, TemplateError> {
        let mut environment = BASE.clone();
        environment
            .add_template_owned(ONLY, source.to_owned())
            .map_err(|error| broken(target, source, &error))?;
        let mut fields: Vec<String> = environment
            .template_from_str(&slices::as_subscripts(source))
            .or_else(|_| environment.get_template(ONLY))
            .map_err(|error| broken(target, source, &error))?
            .undeclared_variables(false)
            .into_iter()
            .collect();
        fields.sort_unstable();
        for field in &fields {
            let is_field = names.canonical().any(|name| name == field);
            if !is_field && environment.globals().all(|(global, _)| global != field) {
                return Err(TemplateError::unknown(
                    target,
                    "field",
                    field,
                    names.canonical(),
                ));
            }
        }
        fields.retain(|field| names.canonical().any(|name| name == field));
        let mut template = Self {
            target: target.to_owned(),
            environment: Box::new(environment),
            fields,
            constant: None,
        };
        template.rehearse(source)?;
        Ok(template)
    }

    /// Renders the row's value, trimmed; `None` when nothing is left.
    ///
    /// # Errors
    /// When a filter refuses the row's value, the result has more than [`MAX_OUTPUT`] bytes, or the
    /// template takes too many steps.
    pub fn render(&self, change: &Change) -> Result<Option<String>, RuleViolation> {
        if let Some(constant) = self.constant() {
            return Ok(Some(constant.to_owned()).filter(|text| !text.is_empty()));
        }
        let context = self.fields.iter().filter_map(|field| {
            change
                .fields
                .get(field)
                .map(|text| (field.as_str(), text.as_str()))
        });
        let text = self
            .run(context)
            .map_err(|error| RuleViolation::new(&self.target, rule(&error)))?;
        Ok(Some(text.trim())
            .filter(|text| !text.is_empty())
            .map(str::to_owned))
    }

    /// The fields that it names.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(String::as_str)
    }

    /// What every row renders to (`""` for nothing), when the template names no field.
    pub fn constant(&self) -> Option<&str> {
        self.constant.as_deref()
    }

    fn run<'c>(&self, context: impl Iterator<Item = (&'c str, &'c str)>) -> Result<String, Error> {
        let context: BTreeMap<String, Value> = context
            .map(|(name, text)| (name.to_owned(), Value::from(text)))
            .collect();
        let mut output = Bounded(Vec::new());
        let rendered = panic::catch_unwind(AssertUnwindSafe(|| {
            self.environment
                .get_template(ONLY)?
                .render_captured_to(Value::from(context), &mut output)
                .map(|_| ())
        }));
        // minijinja has panicked on some expressions (before 3.1: an empty text backwards, `''[::-1]`).
        rendered
            .unwrap_or_else(|_| Err(Complaint::Value("makes the template engine fail").into()))?;
        Ok(String::from_utf8_lossy(&output.0).into_owned())
    }

    /// minijinja looks filters and functions up when it meets them, so a blank row and a full one are
    /// tried before any real row is seen. Without fields the blank row is every row.
    fn rehearse(&mut self, source: &str) -> Result<(), TemplateError> {
        let blank = self.run(std::iter::empty());
        if self.fields.is_empty() {
            let text = blank.map_err(|error| broken(&self.target, source, &error))?;
            self.constant = Some(text.trim().to_owned());
            return Ok(());
        }
        let full = self.run(self.fields.iter().map(|field| (field.as_str(), "x")));
        for error in [blank, full].into_iter().filter_map(Result::err) {
            if is_template_at_fault(&error) {
                return Err(broken(&self.target, source, &error));
            }
        }
        Ok(())
    }
}

static BASE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(false); // would keep the row in errors
    environment.remove_global("debug"); // would print the whole row
    // Carries values out of a loop: a text that doubles at each turn has eaten all memory long before the fuel.
    environment.remove_global("namespace");
    filters::register(&mut environment);
    environment
});

/// Collects output up to [`MAX_OUTPUT`].
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn complaint(error: &Error) -> Option<&Complaint> {
    std::error::Error::source(error)?.downcast_ref()
}

/// Whether no row could ever make the template work.
fn is_template_at_fault(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnknownFilter
            | ErrorKind::UnknownTest
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownMethod
            | ErrorKind::TooManyArguments
            | ErrorKind::MissingArgument
            | ErrorKind::OutOfFuel
            | ErrorKind::WriteFailure
    ) || matches!(complaint(error), Some(Complaint::Misuse(_)))
}

/// minijinja's words are shown here because they quote the template, which is the operator's own.
fn broken(target: &str, source: &str, error: &Error) -> TemplateError {
    // Of a character that it doesn't expect, minijinja gives the first byte.
    let span = error.range().and_then(|span| {
        let end = (span.end..=source.len()).find(|end| source.is_char_boundary(*end))?;
        source.get(span.start..end).map(|_| span.start..end)
    });
    let at = match (error.line(), &span) {
        (None, _) => String::new(),
        (Some(line), None) => format!(" (line {line} of the template)"),
        (Some(line), Some(span)) => {
            let before = source[..span.start].chars().rev();
            let column = before.take_while(|c| *c != '\n').count() + 1;
            format!(" (line {line}, column {column} of the template)")
        }
    };
    let is_ours = complaint(error).is_some()
        || matches!(error.kind(), ErrorKind::WriteFailure | ErrorKind::OutOfFuel);
    let detail = match error.detail() {
        Some(detail) if !is_ours => format!("{}: {detail}", error.kind()),
        _ => rule(error),
    };
    let mut broken = TemplateError::new(
        target,
        format!("the template is wrong: {detail}{at}"),
        "templates are minijinja, e.g. `{{ employer }}` or `{{ countryiso | country(\"alpha3\") }}`",
    );
    broken.place = span.map(|span| TemplatePlace {
        source: source.to_owned(),
        span,
    });
    broken
}

/// minijinja's words are not shown here because they may quote the row.
fn rule(error: &Error) -> String {
    match (complaint(error), error.kind()) {
        (Some(complaint), _) => complaint.to_string(),
        (None, ErrorKind::WriteFailure) => format!("renders to more than {MAX_OUTPUT} bytes"),
        (None, ErrorKind::OutOfFuel) => "takes too many steps to render".to_owned(),
        (None, kind) => format!("cannot be rendered ({kind})"),
    }
}

/// The candidate that `word` is most likely meant to be, if any is near.
pub fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let fold = |text: &str| text.to_lowercase().replace(['_', '-', ' '], "");
    let word = fold(word);
    candidates
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word, &fold(candidate)),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= word.len().max(candidate.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests;
