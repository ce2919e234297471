//! What is wrong with a configuration, with file, line, caret and remedy.

use std::{fmt, ops::Range, sync::Arc};

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};

/// One problem or one warning.
#[derive(Debug, Clone)]
pub struct ConfigFinding {
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) place: Option<SourceLocation>,
}

/// Where in the config file.
#[derive(Debug, Clone)]
pub(super) struct SourceLocation {
    /// The file, its secrets already masked.
    pub(super) source: Arc<NamedSource<String>>,
    /// In bytes.
    pub(super) span: Range<usize>,
    /// A word or two under the caret.
    pub(super) label: String,
}

impl ConfigFinding {
    /// A problem that stands nowhere in the file.
    pub(super) fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            help: None,
            place: None,
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What is wrong, without where.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn remedy(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// `relay.toml:12:5`, where the finding stands in a file.
    pub fn location(&self) -> Option<String> {
        let place = self.place.as_ref()?;
        let text = place.source.inner();
        let before = text.get(..place.span.start)?;
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Some(format!("{}:{line}:{column}", place.source.name()))
    }
}

impl fmt::Display for ConfigFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigFinding {}

impl Diagnostic for ConfigFinding {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| &*place.source as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(
            Some(place.label.clone()),
            place.span.clone(),
        ))))
    }
}

/// How many findings a person is shown at once: what is wrong with the first explains the rest.
pub const SHOWN: usize = 25;

/// Every problem of a configuration at once. As a `miette` diagnostic it shows each with its line.
#[derive(Debug)]
pub struct ConfigErrors {
    pub(super) name: String,
    pub(super) findings: Vec<ConfigFinding>,
}

impl ConfigErrors {
    /// The problems, in the order of the file where they have one.
    pub fn findings(&self) -> &[ConfigFinding] {
        &self.findings
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.findings.len() {
            1 => write!(f, "the configuration ({}) has a problem", self.name),
            n => {
                write!(f, "the configuration ({}) has {n} problems", self.name)?;
                match n > SHOWN {
                    true => write!(f, "; the first {SHOWN} are"),
                    false => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for ConfigErrors {}

impl Diagnostic for ConfigErrors {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(
            self.findings
                .iter()
                .take(SHOWN)
                .map(|finding| finding as &dyn Diagnostic),
        ))
    }
}
