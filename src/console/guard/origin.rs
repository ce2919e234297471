//! Is the request meant for us, and where does it come from.
//!
//! An open console trusts who can reach it, and a browser on the same machine can: so a page from elsewhere must
//! neither write through it nor read. It cannot read across origins, unless its own name is made to point here (DNS
//! rebinding); then `Host` is that name, and no browser lets a page choose it.

use axum::http::{
    HeaderMap,
    header::{HOST, ORIGIN},
    request::Parts,
};

use super::is_write;
use crate::console::{refusal::Refusal, rules::Guard};

/// Refuses what is meant for another host, and what a page from elsewhere sends; a link from there may be followed.
pub fn check(guard: &Guard, request: &Parts) -> Result<(), Refusal> {
    host(guard, request)?;
    let headers = &request.headers;
    let site = text(headers, "sec-fetch-site").unwrap_or("none");
    let is_ours = matches!(site, "same-origin" | "none");
    if is_write(&request.method) {
        return match text(headers, ORIGIN.as_str()) {
            _ if !is_ours => Err(Refusal::Foreign),
            // So our own forms say: their pages send no referrer, and then no origin either.
            None | Some("null") => Ok(()),
            Some(origin) if is_own(guard, headers, origin) => Ok(()),
            Some(_) => Err(Refusal::Foreign),
        };
    }
    let follows_a_link = text(headers, "sec-fetch-mode") == Some("navigate")
        && text(headers, "sec-fetch-dest") == Some("document");
    if is_ours || follows_a_link {
        Ok(())
    } else {
        Err(Refusal::Foreign)
    }
}

/// An open console answers to its own names alone; with tokens, to any, unless names are configured.
pub fn host(guard: &Guard, request: &Parts) -> Result<(), Refusal> {
    let allowed = &guard.rules.allowed_hosts;
    let is_open = guard.rules.tokens.is_open();
    if !is_open && allowed.is_empty() {
        return Ok(());
    }
    let mut said = request.headers.get_all(HOST).iter();
    let header = said.next().map(|host| host.to_str().unwrap_or(""));
    let target = request.uri.authority().map(|authority| authority.as_str());
    let knows = |host: &str| is_loopback(host) || is_among(allowed, host);
    // Who says none is no browser.
    let fits = said.next().is_none() && header.into_iter().chain(target).all(knows);
    if fits { Ok(()) } else { Err(Refusal::Host) }
}

/// Whether an `Origin` is the place where we are reached, or one of our names.
fn is_own(guard: &Guard, headers: &HeaderMap, origin: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else {
        return false;
    };
    let scheme_fits = match guard.is_tls(headers) {
        true => scheme == "https",
        false => matches!(scheme, "http" | "https"),
    };
    let is_reached = text(headers, HOST.as_str()).is_some_and(|own| own.eq_ignore_ascii_case(host));
    scheme_fits && (is_reached || is_among(&guard.rules.allowed_hosts, host))
}

/// An entry with a port means this port, one without means any.
fn is_among(allowed: &[String], host: &str) -> bool {
    let bare = without_port(host);
    let mut allowed = allowed.iter();
    allowed.any(|name| name.eq_ignore_ascii_case(host) || name.eq_ignore_ascii_case(bare))
}

fn is_loopback(host: &str) -> bool {
    let name = without_port(host)
        .trim_end_matches('.')
        .to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let is_address = address
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.to_canonical().is_loopback());
    is_address || name == "localhost" || name.ends_with(".localhost")
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            let is_bare_ipv6 = name.contains(':') && !name.ends_with(']');
            if is_bare_ipv6 { host } else { name }
        }
        _ => host,
    }
}

/// A header's text; one that is no text is as good as foreign.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::console::{ConsoleTokens, Rules};

    fn with(rules: Rules, method: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let mut request = Request::builder().method(method).uri("/dead-letters");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(&Guard::new(rules), &parts)
    }

    fn open(method: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        with(Rules::open(), method, headers)
    }

    #[test]
    fn an_open_console_answers_to_loopback_names_alone() {
        for host in [
            "127.0.0.1:9464",
            "localhost",
            "LOCALHOST:9464",
            "localhost.:1",
            "[::1]:9464",
            "::1",
            "127.9.9.9",
            "relay.localhost:9464",
            "[::ffff:127.0.0.1]:9464",
        ] {
            assert_eq!(open("GET", &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "0.0.0.0:9464",
            "10.0.0.1",
            "evil.example:9464",
            "localhost@evil.example",
            "127.0.0.1:9464:evil",
            "[::1].evil.example",
            "\u{e9}",
        ] {
            assert_eq!(open("GET", &[("host", host)]), Err(Refusal::Host), "{host}");
        }
        let twice = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(open("GET", &twice), Err(Refusal::Host));
    }

    #[test]
    fn other_names_are_answered_where_they_are_configured_or_a_token_is_needed() {
        let named = Rules {
            allowed_hosts: vec![
                "Relay.example.edu".to_owned(),
                "two.example.edu:8443".to_owned(),
            ],
            ..Rules::open()
        };
        for (host, expected) in [
            ("relay.example.edu", Ok(())),
            ("relay.example.edu:9464", Ok(())),
            ("two.example.edu:8443", Ok(())),
            ("localhost:9464", Ok(())),
            ("two.example.edu", Err(Refusal::Host)),
            ("x.relay.example.edu", Err(Refusal::Host)),
        ] {
            assert_eq!(
                with(named.clone(), "GET", &[("host", host)]),
                expected,
                "{host}"
            );
        }
        let tokens = ConsoleTokens {
            operator: Some("t".into()),
            viewer: None,
        };
        let guarded = Rules {
            tokens,
            ..Rules::open()
        };
        assert_eq!(
            with(guarded.clone(), "GET", &[("host", "any.example")]),
            Ok(())
        );
        let both = Rules {
            allowed_hosts: named.allowed_hosts,
            ..guarded
        };
        assert_eq!(
            with(both, "GET", &[("host", "any.example")]),
            Err(Refusal::Host)
        );
    }

    #[test]
    fn only_our_own_pages_write() {
        let host = ("host", "localhost:9464");
        for (headers, expected) in [
            (vec![], Ok(())),
            (vec![("origin", "http://localhost:9464")], Ok(())),
            (
                vec![("origin", "null"), ("sec-fetch-site", "same-origin")],
                Ok(()),
            ),
            (vec![("sec-fetch-site", "none")], Ok(())),
            (
                vec![("origin", "http://localhost:9465")],
                Err(Refusal::Foreign),
            ),
            (
                vec![("origin", "http://evil.example")],
                Err(Refusal::Foreign),
            ),
            (
                vec![("origin", "http://localhost:9464.evil.example")],
                Err(Refusal::Foreign),
            ),
            (
                vec![("origin", "file://localhost:9464")],
                Err(Refusal::Foreign),
            ),
            (
                vec![("origin", "null"), ("sec-fetch-site", "cross-site")],
                Err(Refusal::Foreign),
            ),
            (
                vec![
                    ("origin", "http://localhost:9464"),
                    ("sec-fetch-site", "same-site"),
                ],
                Err(Refusal::Foreign),
            ),
            (
                vec![
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "document"),
                ],
                Err(Refusal::Foreign),
            ),
        ] {
            let headers = [vec![host], headers].concat();
            for method in ["POST", "PUT", "DELETE", "PATCH"] {
                assert_eq!(open(method, &headers), expected, "{headers:?}");
            }
        }
        let over_tls = [
            host,
            ("x-forwarded-proto", "https"),
            ("origin", "http://localhost:9464"),
        ];
        assert_eq!(open("POST", &over_tls), Err(Refusal::Foreign));
    }

    #[test]
    fn a_page_from_elsewhere_may_link_to_us_and_embed_nothing() {
        let link = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert_eq!(open("GET", &link), Ok(()));
        for (mode, dest) in [
            ("no-cors", "image"),
            ("cors", "empty"),
            ("navigate", "iframe"),
            ("no-cors", "script"),
        ] {
            for site in ["cross-site", "same-site", "\u{e9}"] {
                let embedded = [
                    ("sec-fetch-site", site),
                    ("sec-fetch-mode", mode),
                    ("sec-fetch-dest", dest),
                ];
                assert_eq!(
                    open("GET", &embedded),
                    Err(Refusal::Foreign),
                    "{embedded:?}"
                );
            }
        }
    }
}
