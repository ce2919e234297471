//! What the connections to the vendors and to Redis share, whichever library makes them.
//!
//! # Layout
//!
//! - [`Roots`]: the certificate authorities that a client trusts; [`ClientIdentity`]: the certificate that it shows;
//!   [`client_builder`]: where each TLS configuration begins
//! - [`TlsFault`]: what an error of TLS means, and what to do; [`handshake_error`]: which error a server gives
//! - [`Proxy`]: the proxy that the environment names, and what its errors mean
//!
//! A leaf: it depends on no other crate of the workspace, so that the vendors and the queue can both use it.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a test fails by panicking"
    )
)]

mod client;
mod error_chain;
mod fault;
mod pem;
mod probe;
mod proxy;
mod roots;

pub use self::{
    client::client_builder,
    fault::TlsFault,
    pem::{ClientIdentity, PemError},
    probe::handshake_error,
    proxy::{Proxy, ProxyFault, ProxyVariableError},
    roots::{Roots, TrustVariableError},
};
