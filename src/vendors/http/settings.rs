//! What a client is told besides its address and secret: limits, and who watches its calls.

use std::{fmt, sync::Arc, time::Duration};

use jobs::call_log::VendorCall;
use transport::Roots;

/// How many bytes of an answer are read by default, counted after decompression.
pub const BODY_LIMIT: usize = 8 << 20;

/// The same for AlumnIQ, whose feed has no limit on rows when asked by day or by xid: some three million rows, more
/// than a university has alumni. Nobody holds that in memory, but it is written to disk before it is sorted, and what
/// never ends must not fill that.
pub const FEED_BODY_LIMIT: usize = 1 << 30;

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// Between two pieces of the answer, the first one included.
    pub read: Duration,
    /// From the start to the answer's last byte.
    pub total: Duration,
}

impl Timeouts {
    /// The limits that follow from one configured `timeout`, the total: at most 5 s of it to connect,
    /// all of it for the vendor to begin its answer.
    pub fn within(total: Duration) -> Self {
        Self {
            connect: total.min(Duration::from_secs(5)),
            read: total,
            total,
        }
    }
}

impl Default for Timeouts {
    /// One minute in total.
    fn default() -> Self {
        Self::within(Duration::from_secs(60))
    }
}

/// Is told of every HTTP call, exactly once, when it ends; a call whose caller gave up ends as `lost`.
pub type Observer = Arc<dyn Fn(&VendorCall) + Send + Sync>;

/// The settings of one client.
#[derive(Clone)]
pub struct ClientSettings {
    /// How long a call may take.
    pub timeouts: Timeouts,
    /// The limit of an answer's body in bytes, after decompression; a longer one is a lost answer.
    /// `None` is the client's own default: [`FEED_BODY_LIMIT`] for AlumnIQ, [`BODY_LIMIT`] for the others.
    pub max_body: Option<usize>,
    /// Whom it trusts; `None`: whom this machine does.
    pub roots: Option<Roots>,
    /// Watches the calls.
    pub observer: Observer,
}

impl Default for ClientSettings {
    /// Default limits, watched by nobody.
    fn default() -> Self {
        Self {
            timeouts: Timeouts::default(),
            max_body: None,
            roots: None,
            observer: Arc::new(|_| ()),
        }
    }
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings")
            .field("timeouts", &self.timeouts)
            .field("max_body", &self.max_body)
            .finish_non_exhaustive()
    }
}
