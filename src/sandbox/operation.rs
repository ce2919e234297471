//! The vendors and what can be asked of them: which path and method means what.

use hyper::Method;
use jobs::destination::Vendor;

/// What a call asks for; the last of each vendor is what it does not offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Operation {
    Fetch,
    Acknowledge,
    UnknownToAlumniq,
    Token,
    Update,
    Upsert,
    UnknownToCrm,
    Metrics,
    Search,
    Put,
    Delete,
    UnknownToSalsa,
}

const ALUMNIQ_BASE: &str = "/api/v1/index.cfm";
const CRM_BASE: &str = "/crms/api";
const SALSA_BASE: &str = "/api/integration/ext/v1";

impl Operation {
    /// `None` where the path belongs to no vendor. Salsa's documents print its path with a double
    /// slash; only the single slash works.
    pub(super) fn of(method: &Method, path: &str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix(SALSA_BASE) {
            return Some(match (method.as_str(), rest) {
                ("GET", "/metrics") => Self::Metrics,
                ("POST", "/supporters/search") => Self::Search,
                ("PUT", "/supporters") => Self::Put,
                ("DELETE", "/supporters") => Self::Delete,
                _ => Self::UnknownToSalsa,
            });
        }
        if let Some(rest) = path.strip_prefix(ALUMNIQ_BASE) {
            return Some(match (method.as_str(), rest) {
                ("GET", "/sync/address-change/work") => Self::Fetch,
                ("PUT", "/sync/address-change/work") => Self::Acknowledge,
                _ => Self::UnknownToAlumniq,
            });
        }
        let folded = path.to_ascii_lowercase(); // ASP.NET routes ignore case
        let rest = folded.strip_prefix(CRM_BASE)?;
        Some(match (method.as_str(), rest) {
            ("POST", "/token") => Self::Token,
            ("POST", "/processes/updatecontact") => Self::Update,
            ("POST", "/processes/upsertcontact") => Self::Upsert,
            _ => Self::UnknownToCrm,
        })
    }

    pub(super) const fn vendor(self) -> Vendor {
        match self {
            Self::Fetch | Self::Acknowledge | Self::UnknownToAlumniq => Vendor::Alumniq,
            Self::Token | Self::Update | Self::Upsert | Self::UnknownToCrm => Vendor::Crm,
            Self::Metrics | Self::Search | Self::Put | Self::Delete | Self::UnknownToSalsa => {
                Vendor::Salsa
            }
        }
    }

    /// The name under which the report counts it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Acknowledge => "acknowledge",
            Self::Token => "token",
            Self::Update => "update",
            Self::Upsert => "upsert",
            Self::Metrics => "metrics",
            Self::Search => "search",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::UnknownToAlumniq | Self::UnknownToCrm | Self::UnknownToSalsa => "unknown",
        }
    }

    /// Whether it can change anything at a vendor, going by the operation alone.
    pub(super) const fn writes(self) -> bool {
        matches!(
            self,
            Self::Acknowledge | Self::Update | Self::Upsert | Self::Put | Self::Delete
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_mean_what_the_vendors_documents_say() {
        for (method, path, expected) in [
            (
                "GET",
                "/api/v1/index.cfm/sync/address-change/work",
                Some(Operation::Fetch),
            ),
            (
                "PUT",
                "/api/v1/index.cfm/sync/address-change/work",
                Some(Operation::Acknowledge),
            ),
            (
                "GET",
                "/api/v1/index.cfm/sync/other",
                Some(Operation::UnknownToAlumniq),
            ),
            (
                "POST",
                "/crms/api/Processes/UpdateContact",
                Some(Operation::Update),
            ),
            (
                "GET",
                "/crms/api/processes/updatecontact",
                Some(Operation::UnknownToCrm),
            ),
            (
                "POST",
                "/api/integration/ext/v1/supporters/search",
                Some(Operation::Search),
            ),
            ("POST", "/api//integration/ext/v1/supporters/search", None),
            ("GET", "/", None),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(Operation::of(&method, path), expected, "{method} {path}");
        }
    }
}
