//! The proxy that the environment names for an address, and whose fault an error is that came through it.
//!
//! [`Matcher`] is what reqwest itself asks, so that both always agree.

use std::{env, error::Error, fmt};

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use super::error_chain::causes;

/// For each scheme the variables in the order in which they count; of a pair, the first that is set.
const HTTPS: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const HTTP: [&str; 2] = ["HTTP_PROXY", "http_proxy"];
const ALL: [&str; 2] = ["ALL_PROXY", "all_proxy"];

/// A proxy. Without its credentials, so that it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    authority: String,
    source: String,
}

/// A variable holds no address of a proxy that can be used. The value is not quoted: it may hold a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {variable} {problem}")]
pub struct ProxyVariableError {
    variable: &'static str,
    problem: &'static str,
}

impl ProxyVariableError {
    /// What to do about it.
    pub fn advice(&self) -> String {
        format!(
            "write it like http://HOST:PORT or http://USER:PASSWORD@HOST:PORT (in a password write @, :, / and % as %40, \
             %3A, %2F and %25), or unset {}",
            self.variable
        )
    }
}

impl Proxy {
    /// The proxy that this process's environment names for `url`, if any.
    ///
    /// # Errors
    /// A variable for proxies is malformed. The HTTP client would ignore it and connect directly.
    pub fn of(url: &str) -> Result<Option<Self>, ProxyVariableError> {
        let value =
            |name: &str| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self::check_variables(value)?;
        let Ok(uri) = url.parse::<Uri>() else {
            return Ok(None);
        };
        let Some(found) = Matcher::from_system().intercept(&uri) else {
            return Ok(None);
        };
        let own = match uri.scheme_str() {
            Some("https") => HTTPS,
            _ => HTTP,
        };
        let is_set = |pair: [&'static str; 2]| {
            let name = pair.into_iter().find(|name| env::var_os(name).is_some())?;
            value(name).filter(|value| !value.is_empty()).map(|_| name)
        };
        let source = is_set(own).or_else(|| is_set(ALL));
        Ok(found.uri().authority().map(|authority| Self {
            authority: authority.to_string(),
            source: source.unwrap_or("this machine's proxy settings").to_owned(),
        }))
    }

    /// Looks at these values of the variables for proxies.
    ///
    /// # Errors
    /// One of them is malformed.
    pub fn check_variables(
        value: impl Fn(&str) -> Option<String>,
    ) -> Result<(), ProxyVariableError> {
        for pair in [HTTPS, HTTP, ALL] {
            let set = pair
                .into_iter()
                .find_map(|name| value(name).map(|value| (name, value)));
            let Some((variable, value)) = set.filter(|(_, value)| !value.is_empty()) else {
                continue;
            };
            if let Some(problem) = problem(&value) {
                return Err(ProxyVariableError { variable, problem });
            }
        }
        Ok(())
    }

    /// Whose fault an error is that came about on the way to `host`; `None`: not the proxy's.
    ///
    /// `is_tunnel`: whether `host` is spoken to in TLS, through the proxy and not by it.
    pub fn fault(
        &self,
        error: &(dyn Error + 'static),
        host: &str,
        is_tunnel: bool,
    ) -> Option<ProxyFault> {
        let innermost = || {
            causes(error)
                .last()
                .map(ToString::to_string)
                .unwrap_or_default()
        };
        if !is_tunnel {
            return Some(self.is_down(&innermost()));
        }
        // The error's type is not public.
        let words = causes(error)
            .map(ToString::to_string)
            .find_map(|words| Some(words.strip_prefix("tunnel error: ")?.to_owned()))?;
        Some(match words.as_str() {
            "proxy authorization required" => self.wants_credentials(),
            "unsuccessful" => ProxyFault {
                cause: format!("the proxy {self} does not connect to {host}"),
                advice: format!(
                    "have the proxy allow {host}, or exempt it from the proxy with NO_PROXY; see the proxy's log"
                ),
            },
            "unexpected end of file" => self.is_down("it closed the connection"),
            _ => self.is_down(&innermost()),
        })
    }

    /// It answered 407 or refused a tunnel for want of credentials.
    pub fn wants_credentials(&self) -> ProxyFault {
        ProxyFault {
            cause: format!("the proxy {self} refuses the credentials, or wants some (407)"),
            advice: format!(
                "put user and password into {}: http://USER:PASSWORD@{}",
                self.source, self.authority
            ),
        }
    }

    fn is_down(&self, words: &str) -> ProxyFault {
        ProxyFault {
            cause: format!("no connection to the proxy {self}: {words}"),
            advice: format!("check that the proxy runs, and {}", self.source),
        }
    }
}

/// `host:port` and where that is set.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.authority, self.source)
    }
}

/// What a proxy did wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyFault {
    /// What happened.
    pub cause: String,
    /// What to do about it.
    pub advice: String,
}

/// What the HTTP client would make of a value: nothing is a malformed one.
fn problem(value: &str) -> Option<&'static str> {
    let target = Uri::from_static("http://host.example/");
    let Some(found) = Matcher::builder().all(value).build().intercept(&target) else {
        return Some("is no address of a proxy");
    };
    // The client takes a port that is no number for none.
    let authority = found.uri().authority()?;
    if authority.host().is_empty()
        || (authority.port().is_none() && authority.as_str() != authority.host())
    {
        return Some("is no address of a proxy");
    }
    match found.uri().scheme_str() {
        Some("http" | "https") => None,
        _ => Some("names a proxy of a kind that is not supported: only http:// and https:// are"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)]) -> Result<(), String> {
        let value = |name: &str| {
            let (_, value) = variables.iter().find(|(variable, _)| *variable == name)?;
            Some((*value).to_owned())
        };
        Proxy::check_variables(value).map_err(|error| format!("{error}; {}", error.advice()))
    }

    #[test]
    fn a_malformed_variable_is_refused_by_name_and_never_quoted() {
        for (name, value, says) in [
            ("HTTPS_PROXY", "http://me:hunter2@", "is no address"),
            (
                "https_proxy",
                "http://me:hunter2@proxy:port",
                "is no address",
            ),
            (
                "HTTP_PROXY",
                "http://me:hunter 2@proxy:3128",
                "is no address",
            ),
            ("ALL_PROXY", "ftp://me:hunter2@proxy", "is no address"),
            (
                "all_proxy",
                "socks5://me:hunter2@proxy:1080",
                "not supported",
            ),
            ("http_proxy", "/hunter2", "is no address"),
        ] {
            let said = check(&[(name, value)]).unwrap_err();
            assert!(said.contains(&format!("variable {name} ")), "{said}");
            assert!(said.contains(says), "{value}: {said}");
            assert!(!said.contains("hunter"), "{said}");
        }
    }

    #[test]
    fn what_the_client_understands_is_no_problem() {
        for value in [
            "",
            "proxy:3128",
            "proxy",
            "http://proxy:3128",
            "http://me:p%40ss@proxy:3128/",
            "https://proxy",
        ] {
            assert_eq!(check(&[("HTTPS_PROXY", value)]), Ok(()), "{value}");
        }
        // The one that is not looked at.
        let both = [("HTTPS_PROXY", "proxy:1"), ("https_proxy", "::")];
        assert_eq!(check(&both), Ok(()));
    }
}
