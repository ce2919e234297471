//! What the three clients share: one HTTP exchange under all its limits, turned into a [`Reply`].

mod base_url;
mod charset;
#[cfg(test)]
mod http2;
mod redact;
mod retry_after;
mod settings;
mod tls;

use std::{
    error::Error as _,
    fmt,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use jiff::Timestamp;
use jobs::{
    call_log::{RequestId, VendorCall},
    reply::{Answer, Reply},
};
use reqwest::{
    Client, Method, RequestBuilder, Response, Url,
    header::{ACCEPT, HeaderMap, HeaderValue},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc::Sender;
use transport::{Proxy, ProxyFault, ProxyVariableError, Roots, TlsFault};

use self::charset::Charset;
use crate::config::url::{authority, is_loopback};

pub use self::{
    base_url::ClientError,
    redact::Redactor,
    settings::{BODY_LIMIT, ClientSettings, FEED_BODY_LIMIT, Observer, Timeouts},
};

/// Under the idle limit of common load balancers (60 s), so that it is we who close a kept-alive
/// connection: a vendor that closes one just as a request goes out makes a lost answer.
const IDLE: Duration = Duration::from_secs(50);

/// A call ends this long before its deadline, so that the timers' coarseness cannot carry it past.
const MARGIN: Duration = Duration::from_millis(20);

/// Our name of a call, and the usual names of a vendor's own.
const REQUEST_ID: &str = "x-request-id";
const VENDOR_REQUEST_IDS: [&str; 3] = [REQUEST_ID, "x-correlation-id", "request-id"];

/// A vendor's request id that is longer is none.
const LONGEST_REQUEST_ID: usize = 100;

/// One vendor's address, connections and limits.
pub struct Http {
    vendor: &'static str,
    url_key: &'static str,
    base: Url,
    proxy: Option<Proxy>,
    client: Client,
    settings: ClientSettings,
    max_body: usize,
    redactor: Redactor,
}

/// A reply, and the headers where there was an answer.
pub struct Received {
    /// The reply, without secrets.
    pub reply: Reply,
    /// The answer's headers.
    pub headers: HeaderMap,
}

impl Http {
    /// A client for the address `url`, which stands in the configuration under `url_key`. `secrets` are
    /// taken out of everything that comes back.
    pub fn new(
        vendor: &'static str,
        url_key: &'static str,
        url: &str,
        secrets: &[&SecretString],
        settings: ClientSettings,
    ) -> Result<Self, ClientError> {
        let base = base_url::parse(url_key, url)?;
        Self::at(vendor, url_key, base, secrets, settings)
    }

    /// The same for an address that is complete as it is, its query included.
    pub fn at(
        vendor: &'static str,
        url_key: &'static str,
        base: Url,
        secrets: &[&SecretString],
        settings: ClientSettings,
    ) -> Result<Self, ClientError> {
        let setup = |cause: String| ClientError::Setup {
            key: url_key,
            cause,
        };
        let proxy =
            proxy_of(&base).map_err(|error| setup(format!("{error}; {}", error.advice())))?;
        let roots = match &settings.roots {
            Some(roots) => roots.clone(),
            None if base.scheme() == "http" && proxy.is_none() => Roots::built_in(),
            None => Roots::of_machine()
                .map_err(|error| setup(format!("{error}; {}", error.advice())))?,
        };
        let tls = tls::client_config(&roots).map_err(|error| setup(error.to_string()))?;
        let mut builder = Client::builder()
            .user_agent(concat!("alumniq-relay/", env!("CARGO_PKG_VERSION")))
            .default_headers(HeaderMap::from_iter([(
                ACCEPT,
                HeaderValue::from_static("application/json"),
            )]))
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            // Left alone, the library repeats calls that an HTTP/2 server refused: every call must be one that we
            // decided on, and recorded.
            .retry(reqwest::retry::never())
            // An HTTP/2 connection outlives a call that timed out on it. One that has gone silent is closed, so that the
            // next call opens another.
            .http2_keep_alive_interval(settings.timeouts.read / 3)
            .http2_keep_alive_timeout(settings.timeouts.read / 3)
            .tcp_nodelay(true)
            .pool_idle_timeout(IDLE)
            .connect_timeout(settings.timeouts.connect)
            .read_timeout(settings.timeouts.read);
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let client = builder
            .build()
            .map_err(|error| setup(innermost(&error.without_url())))?;
        Ok(Self {
            vendor,
            url_key,
            base,
            proxy,
            client,
            max_body: settings.max_body.unwrap_or(BODY_LIMIT),
            settings,
            redactor: Redactor::of(secrets.iter().copied()),
        })
    }

    /// The same with the API's own path `root` behind the address, unless it already ends with it.
    pub fn under(mut self, root: &str) -> Self {
        self.base = base_url::under(self.base, root);
        self
    }

    /// A request to `path` (no leading slash) behind the base address; empty is the base address itself.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = match path {
            "" => self.base.clone(),
            path => base_url::join(&self.base, path),
        };
        self.client.request(method, url)
    }

    /// Whether data and credentials would cross a network in the clear.
    pub fn is_plaintext_remote(&self) -> bool {
        self.base.scheme() == "http" && !is_loopback(&self.base)
    }

    /// Makes one call. It is not begun past `deadline` and given up before it.
    pub async fn call(
        &self,
        operation: &'static str,
        request: RequestBuilder,
        deadline: Option<Instant>,
    ) -> Received {
        self.observed(operation, request, deadline, None).await
    }

    /// The same, but the body of a 200 goes into `pipe`, as it comes, and not into the reply: whoever reads it there
    /// knows from the reply whether it was whole, and takes the secrets out ([`Self::redactor`]). It is UTF-8, with
    /// [`jobs::change::UNDECODABLE`] for bytes that are no text, where another charset is declared, else as it was sent.
    /// The call ends early where nobody reads any more.
    pub async fn pour(
        &self,
        operation: &'static str,
        request: RequestBuilder,
        deadline: Option<Instant>,
        pipe: Sender<Bytes>,
    ) -> Received {
        self.observed(operation, request, deadline, Some(pipe))
            .await
    }

    /// Knows the client's secrets.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    async fn observed(
        &self,
        operation: &'static str,
        request: RequestBuilder,
        deadline: Option<Instant>,
        pipe: Option<Sender<Bytes>>,
    ) -> Received {
        let Some(timeout) = self.time_left(deadline) else {
            return Received::nothing(lease_ended());
        };
        let observation = Observation::begin(self, operation);
        let request = request
            .timeout(timeout)
            .header(REQUEST_ID, observation.request_id.to_string());
        let received = match self.exchange(request, pipe).await {
            Ok(received) => received,
            Err(reply) => Received::nothing(reply),
        };
        observation.end(&received);
        Received {
            reply: self.redactor.reply(received.reply),
            ..received
        }
    }

    fn time_left(&self, deadline: Option<Instant>) -> Option<Duration> {
        let total = self.settings.timeouts.total;
        let Some(deadline) = deadline else {
            return Some(total);
        };
        let left = deadline
            .checked_duration_since(Instant::now())?
            .checked_sub(MARGIN)?;
        (!left.is_zero()).then_some(left.min(total))
    }

    async fn exchange(
        &self,
        request: RequestBuilder,
        pipe: Option<Sender<Bytes>>,
    ) -> Result<Received, Reply> {
        let response = request.send().await.map_err(|error| self.failure(error))?;
        let status = response.status().as_u16();
        if let (407, Some(proxy)) = (status, &self.proxy) {
            return Err(of_proxy(proxy.wants_credentials()));
        }
        let headers = response.headers().clone();
        let charset = Charset::of(&headers);
        let body = match pipe.filter(|_| status == 200) {
            Some(pipe) => self.pour_body(response, charset, &pipe).await?,
            None => self.body(response, charset).await?,
        };
        let reply = Reply::Answer(Answer {
            status,
            retry_after: retry_after::delay(&headers, Timestamp::now()),
            body,
        });
        Ok(Received { reply, headers })
    }

    /// What a good answer says may be written to another vendor: it is text, or it is lost.
    async fn body(&self, mut response: Response, charset: Charset) -> Result<String, Reply> {
        let is_good = response.status().is_success();
        let mut body = Vec::new();
        while let Some(piece) = self.piece(&mut response, body.len()).await? {
            body.extend_from_slice(&piece);
        }
        if !is_good {
            return Ok(charset.words(body));
        }
        charset.text(body).ok_or_else(|| Reply::Lost {
            cause: format!(
                "the answer of {} holds bytes that are no text in {}",
                authority(&self.base),
                charset.name()
            ),
        })
    }

    async fn pour_body(
        &self,
        mut response: Response,
        charset: Charset,
        pipe: &Sender<Bytes>,
    ) -> Result<String, Reply> {
        let (mut pieces, mut poured) = (charset.pieces(), 0);
        while let Some(piece) = self.piece(&mut response, poured).await? {
            poured += piece.len();
            let piece = match &mut pieces {
                Some(pieces) => pieces.text(&piece).into(),
                None => piece,
            };
            if pipe.send(piece).await.is_err() {
                return Ok(String::new());
            }
        }
        if let Some(mut pieces) = pieces {
            // Where nobody reads any more, nobody misses it.
            let _ = pipe.send(pieces.rest().into()).await;
        }
        Ok(String::new())
    }

    /// The next piece of the body, behind those `so_far`: in pieces, a small gzip of endless zeros stops at the limit.
    async fn piece(&self, response: &mut Response, so_far: usize) -> Result<Option<Bytes>, Reply> {
        let piece = response.chunk().await;
        let piece = piece.map_err(|error| self.failure(error))?;
        let length = so_far + piece.as_ref().map_or(0, Bytes::len);
        if length > self.max_body {
            let cause = format!(
                "the answer of {} is longer than the limit of {} bytes",
                authority(&self.base),
                self.max_body
            );
            return Err(Reply::Lost { cause });
        }
        Ok(piece)
    }

    fn failure(&self, error: reqwest::Error) -> Reply {
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

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("vendor", &self.vendor)
            .field("base", &self.base.as_str())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Received {
    fn nothing(reply: Reply) -> Self {
        Self {
            reply,
            headers: HeaderMap::new(),
        }
    }
}

/// The reply to a call that came too late to be made.
pub fn lease_ended() -> Reply {
    Reply::unreachable("the lease ended before the call was made")
}

/// The secret as a header's value that `Debug` does not show; `prefix` as in `Bearer `.
pub fn secret_header(
    key: &'static str,
    prefix: &str,
    secret: &SecretString,
) -> Result<HeaderValue, ClientError> {
    present(key, secret)?;
    let text = format!("{prefix}{}", secret.expose_secret());
    let mut value = HeaderValue::from_str(&text).map_err(|_| ClientError::Secret {
        key,
        problem: "holds a control character, which no header can carry: is there a line break at its end?",
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Refuses an empty secret.
pub fn present(key: &'static str, secret: &SecretString) -> Result<(), ClientError> {
    if secret.expose_secret().trim().is_empty() {
        let problem = "is empty: set it";
        return Err(ClientError::Secret { key, problem });
    }
    Ok(())
}

/// The two innermost messages of an error's chain: the outer ones say only that a request failed.
fn innermost(error: &reqwest::Error) -> String {
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

/// The proxy for an address, if any. A name of this machine itself is called directly.
pub fn proxy_of(base: &Url) -> Result<Option<Proxy>, ProxyVariableError> {
    match is_loopback(base) {
        true => Ok(None),
        false => Proxy::of(base.as_str()),
    }
}

fn of_proxy(ProxyFault { cause, advice }: ProxyFault) -> Reply {
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

/// Tells the observer of a call once, also where the caller gives up on it.
struct Observation<'a> {
    http: &'a Http,
    operation: &'static str,
    request_id: RequestId,
    begun: (SystemTime, Instant),
    status: Option<String>,
    vendor_request_id: Option<String>,
}

impl<'a> Observation<'a> {
    fn begin(http: &'a Http, operation: &'static str) -> Self {
        Self {
            http,
            operation,
            request_id: RequestId::new(rand::random()),
            begun: (SystemTime::now(), Instant::now()),
            status: None,
            vendor_request_id: None,
        }
    }

    fn end(mut self, received: &Received) {
        self.vendor_request_id = vendor_request_id(&received.headers, self.request_id)
            .map(|id| self.http.redactor.word(id));
        self.status = Some(match &received.reply {
            Reply::Answer(answer) => answer.status.to_string(),
            Reply::Unreachable { .. } => "unreachable".to_owned(),
            Reply::Lost { .. } => "lost".to_owned(),
        });
    }
}

impl Drop for Observation<'_> {
    fn drop(&mut self) {
        (self.http.settings.observer)(&VendorCall {
            vendor: self.http.vendor,
            operation: self.operation,
            status: self.status.take().unwrap_or_else(|| "lost".to_owned()),
            request_id: self.request_id,
            vendor_request_id: self.vendor_request_id.take(),
            begun: self.begun.0,
            duration: self.begun.1.elapsed(),
        });
    }
}

/// What the vendor calls this call. Only what can be nothing but a name: an id of letters, digits and `-._:`, and
/// not ours come back.
fn vendor_request_id(headers: &HeaderMap, ours: RequestId) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    VENDOR_REQUEST_IDS.iter().find_map(|name| {
        let id = headers.get(*name)?.to_str().ok()?;
        let is_name = (1..=LONGEST_REQUEST_ID).contains(&id.len()) && id.bytes().all(plain);
        (is_name && id != ours.to_string()).then(|| id.to_owned())
    })
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
