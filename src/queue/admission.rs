//! What a process and its namespace must agree on before the process may write.
//!
//! A small hash of the namespace holds the layout's version, the destinations that a new change waits for, and the key
//! that payloads are sealed under. The first process writes it, each later one is compared with it, and so is each block
//! that a process takes in: others may have changed it since.

use std::fmt;

use super::{
    Queue, QueueError, QueueSettings,
    conversion::CONVERSIONS,
    durability::{DurabilityExceptions, DurabilityFinding, catalogue::Severity},
    scripts::{QueueScript, or_empty},
    trouble::RedisErrorKind,
};

/// What a process and its namespace do not agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// The layout has a version that this program does not know.
    Schema(String),
    /// The layout is an older one, and this process still works on the namespace in it.
    Worked(String),
    /// Destinations, each list separated by blanks.
    Destinations {
        /// What the namespace's changes wait for.
        namespace: String,
        /// What the process is configured for.
        process: String,
    },
    /// Keys that are in use and that the process lacks.
    Keys(Vec<String>),
    /// The namespace cannot give up this destination.
    Waiting {
        /// Which.
        destination: String,
        /// How many changes wait for it.
        changes: String,
    },
}

impl Mismatch {
    /// What `admit.lua` and `enqueue.lua` answer; `None`: there is none.
    pub(super) fn read(answer: Vec<String>, settings: &QueueSettings) -> Option<Self> {
        let mut words = answer.into_iter();
        let what = words.next()?;
        let mut word = || words.next().unwrap_or_default();
        Some(match what.as_str() {
            "schema" => Self::Schema(word()),
            "destinations" => Self::Destinations {
                namespace: word(),
                process: {
                    let names: Vec<_> = settings.destinations.iter().map(|d| d.as_str()).collect();
                    names.join(" ")
                },
            },
            "waiting" => Self::Waiting {
                destination: word(),
                changes: word(),
            },
            _ => {
                let mut keys: Vec<_> = words.collect();
                keys.sort_unstable();
                Self::Keys(keys)
            }
        })
    }

    /// What to do.
    pub fn advice(&self) -> String {
        match self {
            Self::Schema(_) => "drain it with the version of this program that wrote it, then delete its keys; or \
                give this version another `namespace`: AlumnIQ lists everything that was not acknowledged again"
                .to_owned(),
            Self::Worked(_) => {
                "stop every process of the older version, then start this one again".to_owned()
            }
            Self::Destinations { .. } => "set `enabled` of each destination as the other processes have it. To \
                change where changes go, see `alumniq-relay runbook Changing the destinations`"
                .to_owned(),
            Self::Keys(keys) => {
                let (it, it_is) = match keys.as_slice() {
                    [_] => ("it", "it is"),
                    _ => ("them", "they are"),
                };
                format!(
                    "set {it} as encryption.key or add {it} to encryption.old_keys; if {it_is} lost, see \
                     `alumniq-relay runbook When an encryption key is missing`"
                )
            }
            Self::Waiting { destination, .. } => format!(
                "enable {destination} again until `alumniq-relay status` shows that nothing waits for it"
            ),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |names: &str| names.replace(' ', ", ");
        match self {
            Self::Schema(found) => write!(
                f,
                "Redis holds this namespace in a layout that this program does not know (schema {found})"
            ),
            Self::Worked(worker) => write!(
                f,
                "this version keeps the namespace in another layout, and {worker} still works on it in the older one"
            ),
            Self::Destinations { namespace, process } => write!(
                f,
                "changes of this namespace go to {}, and this process is configured for {}",
                listed(namespace),
                listed(process)
            ),
            Self::Keys(keys) => write!(
                f,
                "Redis holds payloads under the key{} {}, which this process does not have",
                if keys.len() == 1 { "" } else { "s" },
                keys.join(", ")
            ),
            Self::Waiting {
                destination,
                changes,
            } => write!(
                f,
                "{changes} changes still wait for {destination}, which this configuration leaves out"
            ),
        }
    }
}

/// Why a process may not write.
#[derive(Debug)]
pub enum AdmissionError {
    /// This Redis could lose changes.
    Unfit(Vec<DurabilityFinding>),
    /// The process does not agree with its namespace.
    Mismatch(Mismatch),
    /// Redis could not be asked.
    Queue(QueueError),
}

impl From<QueueError> for AdmissionError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Mismatch(mismatch) => Self::Mismatch(mismatch),
            error => Self::Queue(error),
        }
    }
}

/// A handle that may write, and what else an operator should know of its Redis.
pub struct Admitted {
    /// The handle.
    pub queue: Queue,
    /// The weaknesses that are no reason to refuse.
    pub findings: Vec<DurabilityFinding>,
}

/// Without the handle, which has nothing to show.
impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted")
            .field("findings", &self.findings)
            .finish_non_exhaustive()
    }
}

impl Queue {
    /// A handle that may write: the only way to one.
    ///
    /// # Errors
    /// This Redis could lose changes, or the process does not agree with its namespace.
    pub async fn admit(self, allowed: DurabilityExceptions) -> Result<Admitted, AdmissionError> {
        self.enter("admit", allowed).await
    }

    /// The same, and the process's destinations become the namespace's.
    ///
    /// # Errors
    /// As [`Queue::admit`]; and changes wait for a destination that would be left out.
    pub async fn adopt_destinations(
        self,
        allowed: DurabilityExceptions,
    ) -> Result<Admitted, AdmissionError> {
        self.enter("adopt", allowed).await
    }

    async fn enter(
        self,
        how: &str,
        allowed: DurabilityExceptions,
    ) -> Result<Admitted, AdmissionError> {
        let findings = self.examine(allowed).await?.findings;
        let (fatal, findings): (Vec<_>, Vec<_>) = findings
            .into_iter()
            .partition(|finding| finding.severity == Severity::Refuses);
        if !fatal.is_empty() {
            return Err(AdmissionError::Unfit(fatal));
        }
        let mut compared = self.compared(&self.scripts.admit, how).await;
        if let Ok(Some(Mismatch::Schema(found))) = &compared {
            compared = match self.convert(found.clone(), CONVERSIONS).await? {
                Some(worker) => Ok(Some(Mismatch::Worked(worker))),
                None => self.compared(&self.scripts.admit, how).await,
            };
        }
        let mismatch = match compared {
            // It takes no writes now and is waited for. What is taken in then is compared again.
            Err(error)
                if how == "admit" && error.trouble().is_some_and(RedisErrorKind::is_of_writes) =>
            {
                self.mismatch().await?
            }
            compared => compared?,
        };
        if let Some(mismatch) = mismatch {
            return Err(AdmissionError::Mismatch(mismatch));
        }
        let queue = Self {
            is_admitted: true,
            ..self
        };
        Ok(Admitted { queue, findings })
    }

    /// Refuses a namespace in a layout that this program can't even read.
    ///
    /// # Errors
    /// [`QueueError::Mismatch`], or Redis does not answer.
    pub async fn expect_layout(&self) -> Result<(), QueueError> {
        match self.mismatch().await? {
            Some(mismatch @ Mismatch::Schema(_)) => Err(QueueError::Mismatch(mismatch)),
            _ => Ok(()),
        }
    }

    /// What this process and its namespace do not agree on now.
    pub async fn mismatch(&self) -> Result<Option<Mismatch>, QueueError> {
        self.compared(&self.scripts.compare, "compare").await
    }

    async fn compared(
        &self,
        script: &QueueScript,
        how: &str,
    ) -> Result<Option<Mismatch>, QueueError> {
        let seals = &self.settings.seals;
        let mut call = script.prepare_invoke();
        call.arg(how)
            .arg(self.settings.mask())
            .arg(or_empty(seals.current()))
            .arg(seals.listed());
        let answer = self.run_unadmitted(&mut call).await?;
        Ok(Mismatch::read(answer, &self.settings))
    }
}
