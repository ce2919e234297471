//! The durable queue: the only crate that knows the data in Redis. `README.md` beside this file says what the queue
//! promises and shows the data and one transition.
//!
//! One change goes through it like this:
//!
//! ```
//! # use std::{error::Error, time::Duration};
//! # use alumniq_relay_queue as queue;
//! # use jobs::{destination::Destination, order::order_key};
//! # use queue::{
//! #     NO_TLS, Queue, QueueSettings,
//! #     acknowledgement::{AckClaim, AckEnd, AckLimits},
//! #     durability::DurabilityExceptions,
//! #     embedded::EmbeddedRedis,
//! #     executor::Transition,
//! #     intake::NewChange,
//! #     lease::ClaimRequest,
//! #     settlement::Settlement,
//! #     verdict::SettleVerdict,
//! # };
//! # use serde_json::value::RawValue;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let redis = EmbeddedRedis::start(&folder.path().join("redis"), "redis-server").await?;
//! # let (minute, day) = (Duration::from_secs(60), Duration::from_secs(86_400));
//! # let settings = QueueSettings {
//! #     urls: vec![redis.url()],
//! #     tls: NO_TLS,
//! #     namespace: "campus".to_owned(),
//! #     response_timeout: minute,
//! #     keep: day,
//! #     keep_payload: Duration::ZERO,
//! #     keep_audit: day,
//! #     destinations: vec![Destination::Crm],
//! #     patience: day,
//! #     seals: Default::default(),
//! # };
//! # let change = NewChange {
//! #     change_id: "41".to_owned(),
//! #     xid: Some("1001".to_owned()),
//! #     order: order_key(None, "41"),
//! #     row: RawValue::from_string(r#"{"changeId":41,"xid":1001,"employer":"Acme"}"#.to_owned())?,
//! #     letter: None,
//! #     replaces: None,
//! #     listed: None,
//! # };
//! # let request = ClaimRequest {
//! #     most: 1,
//! #     held: 0,
//! #     lease: minute,
//! #     fleet_limit: 8,
//! #     full_batch: 1,
//! #     linger_over: false,
//! # };
//! # let limits = AckLimits { max_batch: 200, max_wait: minute, eager: true, lease: minute };
//! let queue = Queue::connect(settings).await?; // reads only, until it is admitted
//! let queue = queue.admit(DurabilityExceptions::default()).await.unwrap().queue;
//! queue.enqueue(queue.now().await?, &[change]).await?;
//!
//! let claimed = queue.claim(Destination::Crm, "worker-1", &request).await?;
//! let lease = &claimed.leases[0]; // call the CRM with `lease.row`, guarded by `claimed.hold`
//! let (lane, token) = (lease.lane.clone(), lease.token);
//! let transition = Transition::Done { detail: "updated".to_owned() };
//! let ended = Settlement { lane, token, call: token, transition, took: Duration::ZERO, sent: None };
//! let verdicts = queue.settle(Destination::Crm, "worker-1", &[ended]).await?;
//! assert_eq!(verdicts, [SettleVerdict::Settled]);
//!
//! let AckClaim::Batch(list) = queue.claim_acknowledgements(&limits).await? else {
//!     unreachable!("the CRM was the only destination that the change waited for")
//! };
//! let ids: Vec<_> = list.changes.into_iter().map(|change| change.change_id).collect();
//! assert_eq!(ids, ["41"]); // PUT them to AlumnIQ
//! queue.settle_acknowledgements(list.token, &AckEnd::Accepted, &ids).await?;
//! # assert_eq!(queue.status().await?.books.acknowledged, 1);
//! # redis.stop().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//!
//! - [`keys`]: the picture of the data; `scripts/`: every transition, one Lua script each
//! - [`admission`]: what a process and its namespace must agree on before the process may write
//! - [`intake`]: fetched blocks in; [`lease`]: the right to work on a change, `hold`: how long it may be acted on
//! - [`executor`]: outcome -> transition; [`settlement`]: the end of a lease, [`verdict`]: what the queue made of it; [`exchange`]: claim and settle, in one step
//! - [`backend`]: the apalis backend over the leases, its loops in `driver`; [`batch`]: what a worker gets at once
//! - [`acknowledgement`]: batches for the PUT; [`letters`]: dead letters, replay, discard
//! - [`editing`]: rows changed by hand; [`audit`]: who did what; [`bulk`]: what is done with many letters, at a pace;
//!   [`erase`]: one person's data away
//! - [`seal`]: encryption at rest, [`sealing`]: which keys are in use; `record`: a change as it lies in Redis
//! - [`sessions`]: who is logged in at the console; [`stopping`]: the two stages in which a process stops
//! - [`gate`]: pauses; [`calls`]: the limit of calls a minute; [`recent`]: the newest calls; [`leader`]: one producer at a time
//! - [`defects`]: what contradicts in the data, found and repaired
//! - [`stats`]: counts and books; [`timeline`]: one change, [`attempts`]: how it got there; `person`: all changes of one person;
//!   [`watched`]: what a page shows; [`standing`]: where many stand; [`sent`]: the documents; [`notices`]: what the outside was told of it
//! - [`durability`]: is this Redis fit for it; [`rights`]: what our user may do in it; [`room`]: when it is full; [`trouble`]: what its errors mean
//! - [`embedded`]: our own `redis-server` where none is configured; `emptying`: a whole namespace away

pub mod acknowledgement;
pub mod admission;
pub mod attempts;
pub mod audit;
pub mod backend;
pub mod batch;
pub mod bulk;
pub mod calls;
mod connection;
mod conversion;
pub mod defects;
pub mod driver;
pub mod durability;
pub mod editing;
pub mod embedded;
mod emptying;
pub mod erase;
pub mod exchange;
pub mod executor;
pub mod gate;
mod hold;
pub mod intake;
pub mod keys;
mod lane_members;
pub mod leader;
pub mod lease;
pub mod letters;
pub mod notices;
pub mod person;
pub mod recent;
mod reconnecting;
mod record;
pub mod rights;
pub mod room;
mod scripts;
pub mod seal;
pub mod sealing;
mod seen;
pub mod sent;
pub mod sessions;
pub mod settlement;
pub mod standing;
pub mod stats;
pub mod stopping;
mod stored;
pub mod timeline;
mod timestamp;
pub mod trouble;
mod usual;
pub mod verdict;
pub mod wake;
pub mod watched;

use std::{sync::Arc, time::Duration};

use jobs::destination::Destination;
use redis::FromRedisValue;

pub use self::record::Record;
/// The certificates of a connection, as PEM.
pub use redis::{ClientTlsConfig, TlsCertificates};

/// For servers without TLS.
pub const NO_TLS: TlsCertificates = TlsCertificates {
    client_tls: None,
    root_cert: None,
};
use self::{
    admission::Mismatch,
    connection::Connection,
    keys::Keys,
    rights::{MissingRights, Proved},
    scripts::{Invocation, ScriptPurpose, ScriptReply, Scripts},
    seal::{SealError, Seals},
    seen::Seen,
    trouble::{RedisErrorKind, RedisErrorReporter},
    usual::UsualCase,
};

/// What went wrong between us and Redis.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Redis did not answer, or answered an error.
    #[error(fmt = trouble::explain)]
    Redis(redis::RedisError),
    /// Our user may not do in Redis what every process must; nothing was changed.
    #[error("{0}")]
    Rights(MissingRights),
    /// Another process has led since, or Redis was emptied; nothing was changed.
    #[error("another process leads the fetches now, or Redis was emptied")]
    Deposed,
    /// This process does not agree with its namespace; nothing was changed.
    #[error("{0}; restart this process with the configuration of the others")]
    Mismatch(Mismatch),
    /// A handle that only reads was asked to write: a defect of this program. Nothing was changed.
    #[error("this part of the program may only read the queue: this is a defect")]
    ReadOnly,
    /// Redis holds something that this version does not understand.
    #[error("Redis holds {what} that this version cannot read: {why}")]
    Unreadable {
        /// Which entry.
        what: String,
        /// The reader's words; never the entry's content.
        why: String,
    },
    /// Redis holds something that this process's keys do not open.
    #[error("Redis holds {what} that cannot be opened: {why}")]
    Sealed {
        /// Which entry.
        what: String,
        /// Why.
        why: SealError,
    },
}

/// Not by `#[from]`: the message holds the driver's words already, and a source would repeat them.
impl From<redis::RedisError> for QueueError {
    fn from(error: redis::RedisError) -> Self {
        Self::Redis(error)
    }
}

impl QueueError {
    /// What Redis is in, if it is Redis.
    pub fn trouble(&self) -> Option<RedisErrorKind> {
        match self {
            Self::Redis(error) => Some(RedisErrorKind::of(error)),
            Self::Rights(_) => Some(RedisErrorKind::MissingRights),
            Self::Deposed
            | Self::Mismatch(_)
            | Self::ReadOnly
            | Self::Unreadable { .. }
            | Self::Sealed { .. } => None,
        }
    }

    /// Redis takes nothing new in until there is room again.
    pub fn is_full(&self) -> bool {
        self.trouble() == Some(RedisErrorKind::Full)
    }

    fn unreadable(what: impl Into<String>, why: impl ToString) -> Self {
        Self::Unreadable {
            what: what.into(),
            why: why.to_string(),
        }
    }

    fn sealed(what: impl Into<String>, why: SealError) -> Self {
        Self::Sealed {
            what: what.into(),
            why,
        }
    }
}

/// How to reach the queue and how long what is finished stays known.
#[derive(Debug, Clone)]
pub struct QueueSettings {
    /// `redis://`, `rediss://` or `redis+unix://`; several for a cluster.
    pub urls: Vec<String>,
    /// Whom a connection with `rediss://` trusts and what it shows of itself; without authorities, Mozilla's list counts.
    pub tls: TlsCertificates,
    /// One a campus.
    pub namespace: String,
    /// After which a command counts as failed.
    pub response_timeout: Duration,
    /// How long an acknowledged change's marker and timeline stay; at most a quarter longer.
    pub keep: Duration,
    /// How long its row stays.
    pub keep_payload: Duration,
    /// How long it stays known who did what.
    pub keep_audit: Duration,
    /// Which destinations a new change waits for.
    pub destinations: Vec<Destination>,
    /// How long a change that keeps failing is tried beyond its attempts while nothing proves that the
    /// destination works.
    pub patience: Duration,
    /// The keys under which payloads are sealed.
    pub seals: Seals,
}

impl QueueSettings {
    /// The destinations as scripts take them.
    fn mask(&self) -> u8 {
        self.destinations.iter().map(|d| d.bit()).sum()
    }
}

/// A handle on one namespace. Clones share the connection. It only reads until it is [admitted](Queue::admit).
#[derive(Clone)]
pub struct Queue {
    is_admitted: bool,
    connection: Connection,
    scripts: Arc<Scripts>,
    keys: Keys,
    settings: Arc<QueueSettings>,
    watch: Arc<RedisErrorReporter>,
    proved: Arc<Proved>,
    seen: Arc<Seen>,
    usual: Arc<UsualCase>,
}

impl Queue {
    /// Connects for reading, once, and refuses a user that lacks rights; later losses of the connection are mended on the
    /// way.
    pub async fn connect(settings: QueueSettings) -> Result<Self, QueueError> {
        let connection = Connection::open(&settings.urls, &settings.tls, settings.response_timeout)
            .await
            .map_err(|error| rights::refused(error, &settings.namespace))?;
        let queue = Self {
            is_admitted: false,
            connection,
            scripts: Arc::new(Scripts::new()),
            keys: Keys::new(&settings.namespace),
            settings: Arc::new(settings),
            watch: Arc::default(),
            proved: Arc::default(),
            seen: Arc::default(),
            usual: Arc::default(),
        };
        match queue.prove_rights().await {
            Err(error @ QueueError::Rights(_)) => Err(error),
            // A Redis that is loading, say: the first transition tries again.
            Ok(()) | Err(_) => Ok(queue),
        }
    }

    /// What the handle was made with.
    pub fn settings(&self) -> &QueueSettings {
        &self.settings
    }

    /// Asks Redis for a sign of life.
    pub async fn ping(&self) -> Result<(), QueueError> {
        Ok(redis::cmd("PING")
            .query_async(&mut self.connection.clone())
            .await?)
    }

    async fn run<T: FromRedisValue>(
        &self,
        invocation: &mut Invocation<'_>,
    ) -> Result<T, QueueError> {
        if invocation.purpose > ScriptPurpose::Counts && !self.is_admitted {
            return Err(QueueError::ReadOnly);
        }
        self.run_unadmitted(invocation).await
    }

    async fn run_unadmitted<T: FromRedisValue>(
        &self,
        invocation: &mut Invocation<'_>,
    ) -> Result<T, QueueError> {
        self.prove_rights().await.inspect_err(|error| {
            if let QueueError::Redis(error) = error {
                self.watch.failed(error);
            } else {
                self.watch.begins(RedisErrorKind::MissingRights, error);
            }
        })?;
        let mut connection = self.connection.clone();
        match invocation.invoke(&self.keys, &mut connection).await {
            Ok(ScriptReply { value, warnings }) => {
                self.watch.succeeded(invocation.purpose);
                for warning in warnings {
                    self.proved.look_at_warning(&warning);
                    self.watch.warned(warning);
                }
                Ok(value)
            }
            Err(error) => {
                self.proved.look_at(&error);
                self.watch.failed(&error);
                Err(error.into())
            }
        }
    }
}

/// serde's messages may quote the data: only their kind and place are shown.
trait ClassifyForPeople {
    fn classify_for_people(&self) -> String;
}

impl ClassifyForPeople for serde_json::Error {
    fn classify_for_people(&self) -> String {
        format!(
            "{:?} error at line {} column {}",
            self.classify(),
            self.line(),
            self.column()
        )
    }
}
