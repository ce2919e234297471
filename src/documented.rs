//! Tables in the documents that are made from code, and held against it by tests.

/// A document and the code disagree.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A marker is missing.
    #[error("the text has no `<!-- {0}:begin -->` … `<!-- {0}:end -->` section")]
    NoSection(&'static str),
    /// The table is not the one that the code gives.
    #[error("the table is out of date; put this between its markers:\n{expected}")]
    OutOfDate {
        /// The right table.
        expected: String,
    },
}

/// Whether the section `name` of `document` is `expected`.
///
/// # Errors
/// The markers are missing, or the section differs; the error then holds the right one.
pub fn check(document: &str, name: &'static str, expected: String) -> Result<(), TableError> {
    let section = document
        .split_once(&format!("<!-- {name}:begin -->"))
        .and_then(|(_, rest)| rest.split_once(&format!("<!-- {name}:end -->")));
    match section {
        None => Err(TableError::NoSection(name)),
        Some((found, _)) if found.trim() == expected.trim() => Ok(()),
        Some(_) => Err(TableError::OutOfDate { expected }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_that_differs_is_told_with_the_right_one_and_a_missing_one_by_its_name() {
        let document = "# Title\n<!-- things:begin -->\n| a |\n<!-- things:end -->\nmore";
        assert!(check(document, "things", "| a |\n".to_owned()).is_ok());
        let outdated = check(document, "things", "| b |\n".to_owned()).unwrap_err();
        assert!(outdated.to_string().contains("| b |"), "{outdated}");
        let missing = check(document, "others", String::new()).unwrap_err();
        assert!(missing.to_string().contains("others:begin"), "{missing}");
    }

    const DEPLOY: &str = include_str!("../deploy/README.md");

    #[test]
    fn the_deployment_guide_shows_what_is_found_in_a_redis() {
        check(DEPLOY, "redis", queue::durability::table::table()).unwrap();
    }

    #[test]
    fn the_deployment_guide_shows_the_rights_that_a_redis_user_needs() {
        let shown = format!("```text\n{}\n```", queue::rights::rule("campus"));
        check(DEPLOY, "redis-rights", shown).unwrap();
    }
}
