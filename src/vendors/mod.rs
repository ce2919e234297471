//! The three vendors over HTTP and nothing else: a client sends one documented request and hands back
//! a [`jobs::reply::Reply`]. What a reply means for a change is decided by the tables in the `jobs`
//! crate.
//!
//! # Layout
//!
//! - [`AlumniqClient`]: the change feed, which [`feed`] reads while it arrives, and the acknowledgement of changeIds
//! - [`CrmClient`]: update or upsert of one contact, with the password grant's token
//! - [`SalsaClient`]: metrics, and the search, upsert and deletion of supporters
//! - [`Webhook`]: no vendor, but likewise: tells the operators, over HTTP
//! - [`ClientSettings`]: timeouts, body limit and the observer of calls, the same for all three
//!
//! # What holds for every call
//!
//! - **Deadline.** A call takes the end of the lease it works under. Past it nothing is sent; a call
//!   that has begun is given up before it.
//! - **Secrets.** No key, password or token stands in a `Reply`, an error, a log line or `Debug`, not
//!   even where the vendor's error page repeats the request.
//! - **Name.** Each call has a request id of its own, sent as `X-Request-Id` and told to the observer.
//! - **Transport.** TLS by rustls (trusting the configured `ca_file` alone, else the machine's certificate store, else
//!   Mozilla's list, which is built in), HTTP/1.1 or HTTP/2, gzip, kept-alive connections, no redirects: a 3xx is an answer.
//!   `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` are obeyed except towards a loopback host.

mod alumniq;
mod crm;
mod http;
mod salsa;
#[cfg(test)]
mod testing;
mod webhook;

pub use alumniq::{AlumniqClient, FeedFilter, FeedReply, feed};
pub use crm::{CrmCheck, CrmClient};
pub use http::{
    BODY_LIMIT, ClientError, ClientSettings, FEED_BODY_LIMIT, Observer, Redactor, Timeouts,
    proxy_of,
};
pub use salsa::SalsaClient;
pub use webhook::Webhook;

/// The exchange itself, for what is no vendor: the traces' collector.
pub(crate) use http::{Http, secret_header};

pub use jobs::call_log::VendorCall;
