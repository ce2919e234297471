//! `[console]`: the HTTP server of every process.

use std::{net::SocketAddr, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::{
    key::{Shape, default, optional, unnamed_secret},
    network::Network,
    reader::Reader,
    section::section,
    setting::{Setting, Wrong, text, words},
};

/// Whoever guesses has more than enough to do with as many characters.
const LEAST_TOKEN_CHARACTERS: usize = 16;

const MAKE_A_TOKEN: &str = "make one with `head -c 24 /dev/urandom | base64`";

section! {
    /// The HTTP server of every process: `/metrics`, `/healthz`, `/readyz`, `/runbook`; with the role console
    /// also the pages and the JSON API.
    ConsoleConfig at "console" {
        /// Address and port. Anything but loopback needs both tokens.
        listen: SocketAddr = default("127.0.0.1:9464"),
        /// Lets its bearer act: replay, discard, pause. At least 16 characters.
        operator_token: Option<SecretString> = unnamed_secret(),
        /// Lets its bearer read, `/metrics` included. At least 16 characters, and another one.
        viewer_token: Option<SecretString> = unnamed_secret(),
        /// Whether viewers may see who the changes are about: xids, rows and what was sent.
        viewer_sees_people: bool = default("false"),
        /// The names under which people reach the console, e.g. `relay.example.edu`, where these are not its
        /// own: behind a proxy that rewrites `Host`, and without tokens, where else only localhost is answered.
        allowed_hosts: Option<Vec<String>> = optional("relay.example.edu"),
        /// Whether the session's cookie is for TLS only. "auto": where the proxy says
        /// `X-Forwarded-Proto: https`; "always": also where it does not say so; "never": TLS is not used.
        secure_cookie: SecureCookie = default("auto"),
        /// Addresses and networks of proxies before the console, e.g. `["10.0.0.0/8"]`, whose
        /// `X-Forwarded-For` is believed when wrong tokens are counted by address.
        trusted_proxies: Option<Vec<Network>> = optional("10.0.0.0/8"),
        /// After how long without a request a session ends.
        session_idle: Duration = default("1h").within(60.0, 604_800.0),
        /// After how long a session ends in any case.
        session_lifetime: Duration = default("12h").within(60.0, 2_592_000.0),
    }
}

words! {
    /// Whether the session's cookie is for TLS only.
    SecureCookie {
        /// Where the proxy says so.
        Auto = "auto",
        /// In any case.
        Always = "always",
        /// Never.
        Never = "never",
    }
}

impl Setting for SocketAddr {
    const SHAPE: Shape = Shape::Text;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        text(value)?.trim().parse().map_err(|_| {
            Wrong::new("is no address with a port")
                .help(r#"write e.g. "127.0.0.1:9464", "0.0.0.0:9464" or "[::1]:9464""#)
        })
    }
}

impl Setting for Vec<Network> {
    const SHAPE: Shape = Shape::TextOrList;

    fn parse(value: &toml::Value) -> Result<Self, Wrong> {
        let parse = |text: String| {
            text.trim().parse().map_err(|error| {
                Wrong::new(format!("holds an entry that {error}"))
                    .help(r#"write e.g. ["10.0.0.0/8", "192.0.2.7"]"#)
            })
        };
        Vec::<String>::parse(value)?
            .into_iter()
            .map(parse)
            .collect()
    }
}

/// The rules between the keys.
pub(super) fn check(reader: &mut Reader, config: &ConsoleConfig) {
    let tokens = [
        ("console.operator_token", &config.operator_token),
        ("console.viewer_token", &config.viewer_token),
    ];
    for (path, token) in tokens {
        let is_short =
            |token: &SecretString| token.expose_secret().chars().count() < LEAST_TOKEN_CHARACTERS;
        if token.as_ref().is_some_and(is_short) {
            let rule =
                format!("is shorter than {LEAST_TOKEN_CHARACTERS} characters: it could be guessed");
            reader.refuse(path, &rule, MAKE_A_TOKEN);
        }
    }
    if let (Some(operator), Some(viewer)) = (&config.operator_token, &config.viewer_token) {
        let (operator, viewer) = (operator.expose_secret(), viewer.expose_secret());
        if bool::from(operator.as_bytes().ct_eq(viewer.as_bytes())) {
            reader.refuse(
                "console.viewer_token",
                "is the operator's token too: every viewer could act",
                MAKE_A_TOKEN,
            );
        }
    }
    let bare = config.operator_token.is_none() || config.viewer_token.is_none();
    if !config.listen.ip().to_canonical().is_loopback() && bare && reader.needs_secrets {
        reader.refuse(
            "console.listen",
            "can be reached from other machines, but `console.operator_token` and `console.viewer_token` are not both \
             set",
            "set both (ALUMNIQ_RELAY__CONSOLE__OPERATOR_TOKEN or `operator_token_file`, and the same for the viewer's), \
             or listen on 127.0.0.1",
        );
    }
    let hosts = config.allowed_hosts.as_deref().unwrap_or_default();
    if hosts.iter().any(|host| !is_host(host)) {
        reader.refuse(
            "console.allowed_hosts",
            "holds something that is no host name",
            r#"write names without scheme and path, e.g. ["relay.example.edu"]"#,
        );
    }
}

/// A name or an address, with or without a port; no pattern.
fn is_host(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    !text.is_empty() && text.chars().all(fits)
}
