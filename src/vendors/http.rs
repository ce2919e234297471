//! What the three clients share: one HTTP exchange under all its limits, turned into a [`Reply`].

mod base_url;
mod charset;
mod failure;
#[cfg(test)]
mod http2;
mod observation;
mod redact;
mod retry_after;
mod settings;
mod tls;

use std::{
    fmt,
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;
use jobs::reply::{Answer, Reply};
use reqwest::{
    Client, Method, RequestBuilder, Response, Url,
    header::{ACCEPT, HeaderMap, HeaderValue},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc::Sender;
use transport::{Proxy, ProxyVariableError, Roots};

use self::{
    charset::Charset,
    failure::{innermost, of_proxy},
    observation::{Observation, REQUEST_ID},
};
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

/// The proxy for an address, if any. A name of this machine itself is called directly.
pub fn proxy_of(base: &Url) -> Result<Option<Proxy>, ProxyVariableError> {
    match is_loopback(base) {
        true => Ok(None),
        false => Proxy::of(base.as_str()),
    }
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
