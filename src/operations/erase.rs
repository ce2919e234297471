//! One person's data away.

use std::time::Duration;

use queue::{
    QueueError,
    audit::Actor,
    erase::{Erased, Files},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Operations, reason::Reason};

/// How long Redis may take to rewrite its files before that is left to it.
const REWRITE: Duration = Duration::from_secs(120);

/// What an erasure left where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Erasure {
    /// What became of the person's data in Redis.
    #[serde(flatten)]
    pub erased: Erased,
    /// Whether AlumnIQ is told of the changes that were still open.
    pub told: bool,
    /// Whether Redis' files still hold what was removed.
    pub files: Files,
}

/// What an erasure did, and what it cannot do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonErased {
    /// What was removed.
    pub erasure: Erasure,
    /// What holds the person's data still, whatever is done here.
    pub not_erased: Vec<String>,
}

impl From<Erasure> for PersonErased {
    fn from(erasure: Erasure) -> Self {
        Self {
            erasure,
            not_erased: NOT_ERASED.map(str::to_owned).to_vec(),
        }
    }
}

/// What holds the person's data still, whatever is done here.
pub const NOT_ERASED: [&str; 4] = [
    "AlumnIQ, the CRM and Salsa: erase the person there; what AlumnIQ lists anew is carried over anew",
    "changes without an xid: nothing says whose they are, see `alumniq-relay dead list --class anonymous` and `--class undecodable`",
    "logs, traces and metrics: they name changeIds, never people",
    "backups and copies of Redis' files",
];

impl Operations {
    /// Removes what Redis holds of a person, and has Redis rewrite its files. AlumnIQ is told of what
    /// was still open unless `keep_unacknowledged`.
    pub(super) async fn erase(
        &self,
        xid: &str,
        reason: Option<&Reason>,
        keep_unacknowledged: bool,
        by: &Actor,
    ) -> Result<Erasure, QueueError> {
        let reason = reason.map_or("", Reason::as_str);
        let erased = self
            .queue()
            .erase(xid, reason, keep_unacknowledged, by)
            .await?;
        let files = self.queue().rewrite_files(REWRITE).await;
        Ok(Erasure {
            erased,
            told: !keep_unacknowledged,
            files,
        })
    }
}
