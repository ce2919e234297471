//! Who asks, and what may be shown to them. Pages and API take [`Visitor`]; whatever changes something takes
//! [`Operator`].

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use queue::audit::{Actor, Via};

use super::{
    refusal::{Audience, Refusal, RefusalResponse},
    role::ConsoleRole,
    state::Console,
};
use crate::{operations::wire::NAME_HEADER, visible::is_hidden};

/// A longer name is cut.
pub const NAME_LENGTH: usize = 64;

/// Somebody who may look at least.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Who, for the audit.
    pub actor: Actor,
    /// What they may do.
    pub role: ConsoleRole,
    /// Whether xids, rows and documents may be shown to them.
    pub sees_people: bool,
    /// What each form that they send must carry as `csrf`, and each request of a script as `x-csrf-token`; `None`
    /// where no browser sends it by itself (a bearer token).
    pub csrf: Option<String>,
    /// Whether they have a session that they can end.
    pub logged_in: bool,
}

/// Somebody who may act.
#[derive(Debug, Clone)]
pub struct Operator(pub Visitor);

/// Whom the [guard](super::guard) let in. Outside of it there is nobody.
impl FromRequestParts<Console> for Visitor {
    type Rejection = RefusalResponse;

    async fn from_request_parts(parts: &mut Parts, _: &Console) -> Result<Self, RefusalResponse> {
        let known = parts.extensions.get::<Self>().cloned();
        known.ok_or_else(|| Refusal::Nobody.to(Audience::of(&parts.method, &parts.uri)))
    }
}

impl FromRequestParts<Console> for Operator {
    type Rejection = RefusalResponse;

    async fn from_request_parts(
        parts: &mut Parts,
        console: &Console,
    ) -> Result<Self, RefusalResponse> {
        let visitor = Visitor::from_request_parts(parts, console).await?;
        match visitor.role {
            ConsoleRole::Operator => Ok(Self(visitor)),
            ConsoleRole::Viewer => {
                Err(Refusal::ViewerOnly.to(Audience::of(&parts.method, &parts.uri)))
            }
        }
    }
}

impl Audience {
    /// Which way an action of theirs comes.
    pub(super) fn via(self) -> Via {
        match self {
            Self::Api => Via::Api,
            Self::Reader | Self::Form => Via::Console,
        }
    }
}

/// The name in [`NAME_HEADER`], or none in particular.
pub(super) fn name(headers: &HeaderMap, role: ConsoleRole) -> String {
    let given = headers.get(NAME_HEADER).map(|value| value.as_bytes());
    let given = String::from_utf8_lossy(given.unwrap_or_default());
    clean_name(&given).unwrap_or_else(|| role.nobody_in_particular().to_owned())
}

/// A name fit for one line of the audit; `None` where nothing is left of it.
pub(crate) fn clean_name(given: &str) -> Option<String> {
    let visible: String = given
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !is_hidden(*c))
        .collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    let name: String = words.join(" ").chars().take(NAME_LENGTH).collect();
    let name = name.trim_end();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_visible_line_of_bounded_length() {
        for (given, expected) in [
            ("Ada Lovelace", Some("Ada Lovelace")),
            ("  Ada\t\r\n Lovelace  ", Some("Ada Lovelace")),
            ("Ada\u{0}\u{1b}[31m", Some("Ada[31m")),
            ("Ada\u{202e}ecalevoL", Some("AdaecalevoL")),
            ("José Ñandú 李", Some("José Ñandú 李")),
            ("", None),
            (" \r\n\u{200b}", None),
        ] {
            assert_eq!(clean_name(given).as_deref(), expected, "{given:?}");
        }
        let long = clean_name(&"Ada ".repeat(100)).unwrap();
        assert!(long.chars().count() <= NAME_LENGTH && long.ends_with("Ada"));
    }

    #[test]
    fn who_gives_no_name_is_named_by_the_role() {
        let none = HeaderMap::new();
        assert_eq!(name(&none, ConsoleRole::Operator), "an operator");
        assert_eq!(name(&none, ConsoleRole::Viewer), "a viewer");
        let named = [(NAME_HEADER.parse().unwrap(), "Ada".parse().unwrap())];
        assert_eq!(
            name(&named.into_iter().collect(), ConsoleRole::Viewer),
            "Ada"
        );
    }
}
