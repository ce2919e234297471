//! One thing that a check found, and how it is shown: a line with a mark that needs no colour.

use crate::commands::one_line;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Ok,
    Warn,
    Fail,
}

impl Mark {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok  ",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }

    /// The escape sequence of its colour: green, yellow, bold red.
    const fn colour(self) -> &'static str {
        match self {
            Self::Ok => "\x1b[32m",
            Self::Warn => "\x1b[33m",
            Self::Fail => "\x1b[1;31m",
        }
    }
}

/// One thing that was found. Whatever is not good has a remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFinding {
    mark: Mark,
    about: &'static str,
    what: String,
    remedy: String,
}

impl CheckFinding {
    /// Good.
    pub fn ok(about: &'static str, what: impl Into<String>) -> Self {
        Self {
            mark: Mark::Ok,
            about,
            what: what.into(),
            remedy: String::new(),
        }
    }

    /// Works, and a person should know.
    pub fn warn(about: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            mark: Mark::Warn,
            about,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// Does not work.
    pub fn fail(about: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            mark: Mark::Fail,
            ..Self::warn(about, what, remedy)
        }
    }

    /// What it is about.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// Whether the command must exit with 1.
    pub fn is_failure(&self) -> bool {
        self.mark == Mark::Fail
    }
}

/// A line each.
pub fn show(findings: &[CheckFinding], colours: bool) -> String {
    findings
        .iter()
        .map(|finding| line(finding, colours))
        .collect()
}

fn line(finding: &CheckFinding, colours: bool) -> String {
    let CheckFinding {
        mark,
        about,
        what,
        remedy,
    } = finding;
    let (on, off) = match colours {
        true => (mark.colour(), "\x1b[0m"),
        false => ("", ""),
    };
    let word = mark.word();
    let what = one_line(what);
    let remedy = match one_line(remedy) {
        remedy if remedy.is_empty() => remedy,
        remedy => format!(" -> {remedy}"),
    };
    format!("{on}{word}{off}  {about:<7}  {what}{remedy}\n")
}

/// The sentence that ends a check.
pub fn verdict(findings: &[CheckFinding]) -> String {
    let count = |mark| {
        findings
            .iter()
            .filter(|finding| finding.mark == mark)
            .count()
    };
    match (count(Mark::Fail), count(Mark::Warn)) {
        (0, 0) => "Everything works; nothing was written anywhere.\n".to_owned(),
        (0, warned) => {
            format!("Everything works, {warned} to look at; nothing was written anywhere.\n")
        }
        (failed, warned) => {
            format!("{failed} failed, {warned} to look at; nothing was written anywhere.\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_with_a_mark_and_a_remedy() {
        let findings = [
            CheckFinding::ok("redis", "7.0.15"),
            CheckFinding::warn("salsa", "slow\nvery", "wait"),
            CheckFinding::fail("crm", "\u{1b}[2Jno token", "set crm.password"),
        ];
        assert_eq!(
            show(&findings, false),
            "ok    redis    7.0.15\nwarn  salsa    slow very -> wait\nFAIL  crm      [2Jno token -> set crm.password\n"
        );
        let coloured = show(&findings, true);
        assert!(coloured.contains("\x1b[1;31mFAIL\x1b[0m  crm"));
        assert_eq!(coloured.lines().count(), 3);
    }

    #[test]
    fn only_failures_fail_a_check() {
        let ok = CheckFinding::ok("crm", "");
        let warn = CheckFinding::warn("crm", "", "");
        let fail = CheckFinding::fail("crm", "", "");
        assert!(!ok.is_failure() && !warn.is_failure() && fail.is_failure());
        assert!(verdict(std::slice::from_ref(&ok)).starts_with("Everything works;"));
        assert!(verdict(&[ok, warn.clone()]).starts_with("Everything works, 1"));
        assert!(verdict(&[warn, fail]).starts_with("1 failed, 1"));
    }
}
