//! A vendor's configured address. Errors never quote it: people paste passwords into addresses.

use reqwest::Url;

/// Why a client could not be made. Names the key to mend, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The text is no absolute URL with a host.
    #[error("`{key}` is not a URL ({reason}): write it like `{EXAMPLE}`")]
    Url {
        /// The configuration key.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither `https` nor `http`.
    #[error("`{key}` has the scheme `{scheme}`: only https:// (or http://) is spoken here")]
    Scheme {
        /// The configuration key.
        key: &'static str,
        /// The scheme that stands there.
        scheme: String,
    },
    /// `user:password@` in the URL.
    #[error(
        "`{key}` holds a user name or password: take them out, credentials have keys of their own"
    )]
    Credentials {
        /// The configuration key.
        key: &'static str,
    },
    /// `?…` or `#…` in the URL.
    #[error("`{key}` has a part after `?` or `#`: give the base address only")]
    NotABase {
        /// The configuration key.
        key: &'static str,
    },
    /// A secret that is empty or cannot travel in a header.
    #[error("`{key}` {problem}")]
    Secret {
        /// The configuration key.
        key: &'static str,
        /// What is wrong with it, without quoting it.
        problem: &'static str,
    },
    /// TLS or the HTTP client cannot be set up on this machine.
    #[error("cannot set up the HTTP client for `{key}`: {cause}")]
    Setup {
        /// The configuration key of the client's address.
        key: &'static str,
        /// The library's words.
        cause: String,
    },
}

const EXAMPLE: &str = "https://school.example.edu/path";

/// Reads a base address; its path is brought into the form without empty segments or a closing slash.
pub fn parse(key: &'static str, text: &str) -> Result<Url, ClientError> {
    let mut url = Url::parse(text.trim()).map_err(|error| ClientError::Url {
        key,
        reason: error.to_string(),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        let scheme = url.scheme().to_owned();
        return Err(ClientError::Scheme { key, scheme });
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ClientError::Credentials { key });
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(ClientError::NotABase { key });
    }
    let segments: Vec<_> = url.path().split('/').filter(|s| !s.is_empty()).collect();
    let path = format!("/{}", segments.join("/"));
    url.set_path(&path);
    Ok(url)
}

/// `base` with `path` (no leading slash) behind its own.
pub fn join(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

/// `base` ending with `root`: people paste an address with or without the API's own path.
pub fn under(base: Url, root: &str) -> Url {
    if base.path().ends_with(&format!("/{root}")) {
        base
    } else {
        join(&base, root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_joins_well_however_its_slashes_stand() {
        for (base, whole) in [
            ("https://h.example", "https://h.example/a/b"),
            ("https://h.example/", "https://h.example/a/b"),
            ("https://h.example/x", "https://h.example/x/a/b"),
            ("https://h.example/x//y/", "https://h.example/x/y/a/b"),
            (
                " https://h.example:8443/x.cfm/ ",
                "https://h.example:8443/x.cfm/a/b",
            ),
        ] {
            let base = parse("k", base).unwrap();
            assert_eq!(join(&base, "a/b").as_str(), whole);
            assert_eq!(under(base.clone(), "a/b").as_str(), whole);
            assert_eq!(under(join(&base, "a/b"), "a/b").as_str(), whole);
        }
    }

    #[test]
    fn a_wrong_address_is_told_by_its_key_and_never_quoted() {
        for (text, says) in [
            ("", "`crm.url` is not a URL"),
            ("school.example/hunter2", "`crm.url` is not a URL"),
            ("https://", "`crm.url` is not a URL"),
            ("ftp://h.example/hunter2", "`crm.url` has the scheme `ftp`"),
            (
                "https://me:hunter2@h.example",
                "`crm.url` holds a user name or password",
            ),
            (
                "https://h.example/?apikey=hunter2",
                "`crm.url` has a part after `?`",
            ),
            (
                "https://h.example/#hunter2",
                "`crm.url` has a part after `?`",
            ),
        ] {
            let error = parse("crm.url", text).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.starts_with(says), "{text}: {shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
