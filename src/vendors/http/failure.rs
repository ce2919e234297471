//! An error of the HTTP client as a reply: whether the vendor may have had the call, and what to do.

use std::error::Error as _;

use jobs::reply::Reply;
use transport::{Proxy, ProxyFault, TlsFault};

use super::Http;
use crate::config::url::authority;

impl Http {
    /// What is known of the vendor after this error.
    pub(super) fn failure(&self, error: reqwest::Error) -> Reply {
        let host = authority(&self.base);
        let error = error.without_url();
        let words = innermost(&error);
        if error.is_builder() {
            return Reply::unreachable(format!(
                "the request to {host} could not be written: {words}"
            ));
        }
        let fault = TlsFault::of(&error);
        if error.is_connect() || fault.is_some_and(TlsFault::precedes_request) {
            return self.no_connection(&error, fault);
        }
        let cause = if error.is_timeout() {
            format!("no whole answer from {host} in time: {words}")
        } else if self.base.scheme() == "http" && is_no_http(&error) {
            format!(
                "{host} does not answer in HTTP ({words}): where it expects TLS, `{}` must begin with https://",
                self.url_key
            )
        } else {
            format!("the answer of {host} was lost: {words}")
        };
        Reply::Lost { cause }
    }

    fn no_connection(&self, error: &reqwest::Error, fault: Option<TlsFault>) -> Reply {
        let host = authority(&self.base);
        let is_tunnel = self.base.scheme() == "https";
        let proxy = self.proxy.as_ref();
        let of = |proxy: &Proxy| proxy.fault(error, &host, is_tunnel);
        if let Some(fault) = proxy.filter(|_| error.is_connect()).and_then(of) {
            return of_proxy(fault);
        }
        let by = proxy.map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"));
        let Some(fault) = fault else {
            return Reply::Unreachable {
                cause: format!("no connection to {host}{by}: {}", innermost(error)),
                advice: proxy.map(|_| {
                    format!(
                        "check that the proxy may connect to {host}, and `{}`",
                        self.url_key
                    )
                }),
            };
        };
        // Those that have an address of this name have the key for their authority too.
        let section = self.url_key.strip_suffix(".url");
        let ca_file = section.map(|section| format!("{section}.ca_file"));
        let mut advice = fault.advice(self.url_key, ca_file.as_deref(), None);
        if fault == TlsFault::UnknownIssuer && proxy.is_some() {
            advice.push_str("; a proxy that inspects TLS signs with an authority of its own");
        }
        Reply::Unreachable {
            cause: format!(
                "no connection to {host}{by}: {} ({})",
                fault.meaning(),
                chain(error).pop().unwrap_or_default()
            ),
            advice: Some(advice),
        }
    }
}

/// The two innermost messages of an error's chain: the outer ones say only that a request failed.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut words = chain(error);
    words.split_off(words.len().saturating_sub(2)).join(": ")
}

/// The messages of an error and its causes, from the outermost.
fn chain(error: &reqwest::Error) -> Vec<String> {
    let mut words = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        let message = error.to_string();
        if words.last() != Some(&message) {
            words.push(message);
        }
        source = error.source();
    }
    words
}

pub(super) fn of_proxy(ProxyFault { cause, advice }: ProxyFault) -> Reply {
    Reply::Unreachable {
        cause,
        advice: Some(advice),
    }
}

/// Whether the other side answered with something else than HTTP.
fn is_no_http(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return error.is_parse() && !error.is_parse_too_large();
        }
        source = error.source();
    }
    false
}
