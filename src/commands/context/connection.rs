//! The queue in the configuration's Redis, and what is said where it can't be used.

use std::{convert::Infallible, path::Path};

use miette::{Diagnostic, IntoDiagnostic, miette};
use queue::{
    ClientTlsConfig, NO_TLS, Queue, QueueError, QueueSettings, TlsCertificates,
    admission::{AdmissionError, Admitted},
    durability::{DurabilityExceptions, DurabilityFinding, catalogue::Severity},
    embedded::EmbeddedRedis,
    seal::Seals,
    trouble::RedisErrorKind,
};
use redis::{ConnectionAddr, IntoConnectionInfo, RedisError};
use tokio_util::task::AbortOnDropHandle;
use transport::ClientIdentity;

use super::{Context, roots};
use crate::commands::{misused, usage};

impl Context {
    /// The queue for a command that can write to it, our own server started where none is configured: the one gate. It
    /// refuses a Redis that could lose changes, and a process that does not agree with its namespace.
    pub async fn open_to_write(&self) -> miette::Result<Redis> {
        let redis = self.open_to_read().await?;
        redis
            .admitted(async |queue| queue.admit(self.allowed()).await)
            .await
            .map_err(|refusal| self.refused(refusal))
    }

    /// The same; this configuration's destinations become the namespace's.
    pub async fn open_to_adopt_destinations(&self) -> miette::Result<Redis> {
        let redis = self.open_to_read().await?;
        redis
            .admitted(async |queue| queue.adopt_destinations(self.allowed()).await)
            .await
            .map_err(|refusal| self.refused(refusal))
    }

    /// The queue for a command that only looks, our own server started where none is configured.
    pub async fn open_to_read(&self) -> miette::Result<Redis> {
        self.open_to_read_in(&self.config.redis.data_dir).await
    }

    /// The same with our own server's data in `data_dir`.
    pub async fn open_to_read_in(&self, data_dir: &Path) -> miette::Result<Redis> {
        let redis = &self.config.redis;
        let tls = self.redis_tls()?;
        let (urls, embedded) = match &redis.url {
            Some(urls) => (
                urls.iter().map(|url| url.expose().to_owned()).collect(),
                None,
            ),
            None => {
                let embedded = EmbeddedRedis::start(data_dir, &redis.server)
                    .await
                    .into_diagnostic()?;
                (vec![embedded.url()], Some(embedded))
            }
        };
        let queue = self
            .queue(urls, tls)
            .await
            .map_err(|error| self.unusable(error))?;
        self.expect_layout(&queue).await?;
        let supervise =
            |embedded: &EmbeddedRedis| AbortOnDropHandle::new(tokio::spawn(embedded.supervise()));
        Ok(Redis {
            queue,
            findings: Vec::new(),
            supervisor: embedded.as_ref().map(supervise),
            embedded,
        })
    }

    /// Whom the connections to Redis trust, and what they show of themselves.
    fn redis_tls(&self) -> miette::Result<TlsCertificates> {
        let redis = &self.config.redis;
        if !redis.speaks_tls() {
            return Ok(NO_TLS);
        }
        Ok(TlsCertificates {
            root_cert: roots(redis.ca_file.as_deref())?.pem(),
            client_tls: self
                .redis_identity()?
                .map(|ClientIdentity { certificate, key }| ClientTlsConfig {
                    client_cert: certificate,
                    client_key: key,
                }),
        })
    }

    fn redis_identity(&self) -> miette::Result<Option<ClientIdentity>> {
        let redis = &self.config.redis;
        match (&redis.cert_file, &redis.key_file) {
            (Some(certificate), Some(key)) => ClientIdentity::read(certificate, key)
                .map(Some)
                .map_err(misused),
            _ => Ok(None),
        }
    }

    async fn queue(&self, urls: Vec<String>, tls: TlsCertificates) -> Result<Queue, QueueError> {
        let connected = self.connect(urls.clone(), tls).await;
        if !self.config.redis.speaks_tls() {
            return connected;
        }
        // In TLS 1.3 a server refuses a client's certificate after the handshake: at the first command.
        let failed = match &connected {
            Ok(queue) => queue.ping().await.err(),
            Err(QueueError::Redis(error)) => Some(error.clone().into()),
            Err(_) => None,
        };
        match failed {
            Some(error) if matches!(error.trouble(), Some(RedisErrorKind::Tls(_))) => Err(error),
            Some(QueueError::Redis(error)) if error.is_connection_dropped() => {
                match self.why_dropped(&urls).await {
                    Some(reason) => Err(reason.into()),
                    None => connected,
                }
            }
            _ => connected,
        }
    }

    /// The error of TLS for which a server dropped the connection, which the driver may have missed.
    async fn why_dropped(&self, urls: &[String]) -> Option<RedisError> {
        let roots = roots(self.config.redis.ca_file.as_deref()).ok()?;
        let identity = self.redis_identity().ok()?;
        for url in urls {
            let info = url.as_str().into_connection_info().ok()?;
            if let ConnectionAddr::TcpTls { host, port, .. } = info.addr()
                && let Some(error) =
                    transport::handshake_error(host, *port, &roots, identity.as_ref()).await
            {
                return Some(error.into());
            }
        }
        None
    }

    /// The keys that payloads are sealed with.
    pub fn seals(&self) -> Seals {
        let keys = self.config.encryption.keys();
        Seals::new(keys.current.as_ref(), &keys.old)
    }

    async fn connect(&self, urls: Vec<String>, tls: TlsCertificates) -> Result<Queue, QueueError> {
        Queue::connect(QueueSettings {
            urls,
            tls,
            namespace: self.config.namespace.as_str().to_owned(),
            response_timeout: self.config.redis.response_timeout,
            keep: self.config.history.keep,
            keep_payload: self.config.history.keep_payload,
            keep_audit: self.config.history.audit,
            destinations: self.destinations(),
            patience: self.config.worker.patience,
            seals: self.seals(),
        })
        .await
    }

    /// The queue, for a command that looks and can do without: our own server is not started for it.
    ///
    /// # Errors
    /// The namespace is in a layout that this program does not know.
    pub async fn running_queue(&self) -> miette::Result<Option<Queue>> {
        let Some(queue) = self.queue_if_running().await else {
            return Ok(None);
        };
        self.expect_layout(&queue).await?;
        Ok(Some(queue))
    }

    async fn queue_if_running(&self) -> Option<Queue> {
        let redis = &self.config.redis;
        let urls = match &redis.url {
            Some(urls) => urls.iter().map(|url| url.expose().to_owned()).collect(),
            None => vec![EmbeddedRedis::running_at(&redis.data_dir)?],
        };
        self.queue(urls, self.redis_tls().ok()?).await.ok()
    }

    /// What else is wrong with this Redis is said by whatever needs it first.
    async fn expect_layout(&self, queue: &Queue) -> miette::Result<()> {
        match queue.expect_layout().await {
            Err(error @ QueueError::Mismatch(_)) => Err(self.refused(error.into())),
            _ => Ok(()),
        }
    }

    /// Redis' addresses without passwords.
    pub fn redis_names(&self) -> String {
        match &self.config.redis.url {
            Some(urls) => urls
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            None => format!(
                "the data directory {}",
                self.config.redis.data_dir.display()
            ),
        }
    }

    /// What is said of a Redis that gave `error`.
    pub fn unusable(&self, error: QueueError) -> Unusable {
        let todo = match (&error, error.trouble()) {
            (QueueError::Rights(missing), _) => missing.advice(),
            (_, Some(RedisErrorKind::Tls(_))) => {
                "run `alumniq-relay check --connect` once that is corrected".to_owned()
            }
            _ => "check that it runs, and `redis.url` with its password; without `redis.url` the program starts its \
                  own server"
                .to_owned(),
        };
        Unusable {
            redis: self.redis_names(),
            hint: self.scheme_hint(&error),
            error,
            todo,
        }
    }

    /// What else it may be: a scheme that does not fit the port gives no error of its own.
    fn scheme_hint(&self, error: &QueueError) -> &'static str {
        let redis = &self.config.redis;
        match error {
            QueueError::Redis(error) if redis.speaks_tls() && error.is_timeout() => {
                "; a Redis without TLS stays silent to rediss://: check scheme and port in `redis.url`"
            }
            QueueError::Redis(error)
                if redis.url.is_some()
                    && !redis.speaks_tls()
                    && error.is_connection_dropped()
                    && !error.is_connection_refusal() =>
            {
                "; a Redis with TLS closes such a connection: then write rediss:// in `redis.url`"
            }
            _ => "",
        }
    }

    fn refused(&self, refusal: AdmissionError) -> miette::Report {
        match refusal {
            AdmissionError::Queue(error) => self.unusable(error).into(),
            AdmissionError::Mismatch(mismatch) => usage(&mismatch, &mismatch.advice()),
            AdmissionError::Unfit(fatal) => {
                let joined = |part: fn(&DurabilityFinding) -> String, between| -> String {
                    fatal.iter().map(part).collect::<Vec<_>>().join(between)
                };
                miette!(
                    help = joined(DurabilityFinding::advice, "\n"),
                    "{} ({})",
                    joined(|finding| finding.what.clone(), "; "),
                    self.redis_names()
                )
            }
        }
    }

    /// Which weaknesses of Redis the configuration allows.
    pub fn allowed(&self) -> DurabilityExceptions {
        DurabilityExceptions {
            no_persistence: self.config.redis.allow_no_persistence,
            eviction: self.config.redis.allow_eviction,
        }
    }
}

/// Redis cannot be used now.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("cannot use {redis}: {error}{hint}")]
pub struct Unusable {
    redis: String,
    error: QueueError,
    hint: &'static str,
    #[help]
    todo: String,
}

impl Unusable {
    /// Whether a service waits for its end: what it is told is wrong does not end by itself.
    pub fn may_pass(&self) -> bool {
        let trouble = self.error.trouble();
        trouble.is_some_and(|trouble| {
            !matches!(
                trouble,
                RedisErrorKind::Refused | RedisErrorKind::MissingRights | RedisErrorKind::Other
            )
        })
    }
}

/// A connection to the queue, and our own server where it is ours: it is started again where it dies.
pub struct Redis {
    /// The queue.
    pub queue: Queue,
    findings: Vec<DurabilityFinding>,
    supervisor: Option<AbortOnDropHandle<Infallible>>,
    embedded: Option<EmbeddedRedis>,
}

impl Redis {
    /// Lets the queue be admitted. Where it is not, this lets go.
    async fn admitted(
        mut self,
        admit: impl AsyncFnOnce(Queue) -> Result<Admitted, AdmissionError>,
    ) -> Result<Self, AdmissionError> {
        match admit(self.queue.clone()).await {
            Ok(Admitted { queue, findings }) => {
                (self.queue, self.findings) = (queue, findings);
                Ok(self)
            }
            Err(refusal) => {
                if let Err(error) = self.close().await {
                    tracing::warn!(%error, "our own redis-server did not stop");
                }
                Err(refusal)
            }
        }
    }

    /// What is to be known of this Redis goes into the log, once.
    pub fn log_weaknesses(&self) {
        for finding in &self.findings {
            let (means, todo) = (finding.definition.means, finding.definition.todo);
            if finding.severity != Severity::Tells {
                tracing::warn!(means, todo, "{}", finding.what);
            }
        }
    }

    /// Lets go: the last user of our own server stops it.
    pub async fn close(self) -> miette::Result<()> {
        drop(self.queue);
        if let Some(supervisor) = self.supervisor {
            supervisor.abort();
            let _ = supervisor.await;
        }
        match self.embedded {
            Some(embedded) => embedded.stop().await.into_diagnostic(),
            None => Ok(()),
        }
    }
}
