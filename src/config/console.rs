//! `[console]`: the HTTP server of every process.

use std::net::SocketAddr;

use secrecy::SecretString;

use super::{
    key::{Shape, default, section, unnamed_secret},
    setting::{Setting, Wrong, text},
};

section! {
    /// The HTTP server of every process: `/metrics`, `/healthz`, `/readyz`.
    ConsoleConfig at "console" {
        /// Address and port. Anything but loopback needs both tokens.
        listen: SocketAddr = default("127.0.0.1:9464"),
        /// Lets its bearer act: replay, discard, pause.
        operator_token: Option<SecretString> = unnamed_secret(),
        /// Lets its bearer read, `/metrics` included.
        viewer_token: Option<SecretString> = unnamed_secret(),
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
