//! A transition with a fault, up to where the fleet has only to go on.

use std::collections::BTreeSet;

use super::{
    campus::{Campus, Outcome, Progress},
    cases::Case,
    ending::Ending,
    recording::Recording,
};

/// What is wrong while the transition runs.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The user may not run this command.
    Denied(String),
    /// This key is of another type.
    Foreign(String),
}

/// What a fault did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// There was none.
    Undisturbed,
    /// The transition came to its end nevertheless.
    Ended,
    /// It failed and had changed nothing.
    Untouched,
    /// It failed and had changed something.
    Partly,
}

/// A case that goes on.
pub struct Run {
    pub case: &'static Case,
    pub fault: Option<Fault>,
    pub effect: Effect,
    /// What AlumnIQ had been told of before the transition.
    pub told_before: BTreeSet<String>,
    pub progress: Progress,
    pub worker: String,
    /// The state of its namespace.
    pub copy: usize,
    pub overtaken: BTreeSet<String>,
    /// A person saw that it was not done, and asked for it again.
    pub is_asked_again: bool,
    /// How it ended, once it has. Absent in one that failed and changed nothing: it is as before the transition.
    pub ended: Option<Outcome<Ending>>,
}

/// The state before a transition.
pub struct Prepared {
    case: &'static Case,
    copy: usize,
    progress: Progress,
    digest: String,
    runs: usize,
}

impl Prepared {
    pub async fn new(campus: &mut Campus, case: &'static Case) -> Outcome<Self> {
        campus.worker = format!("{}-prepares", case.name.replace(' ', "-"));
        (case.prepare)(campus).await?;
        let copy = campus.stage.keep().await;
        // What a hash holds may come in another order in its copy.
        campus.stage.go_back(copy).await;
        Ok(Self {
            case,
            copy,
            progress: campus.progress.clone(),
            digest: campus.stage.digest().await,
            runs: 0,
        })
    }

    async fn goes_back(&mut self, campus: &mut Campus) {
        self.runs += 1;
        campus.goes_back(self.copy, &self.progress).await;
        campus.worker = format!("{}-{}", self.case.name.replace(' ', "-"), self.runs);
    }

    /// The transition as it is without a fault, and what it does.
    pub async fn undisturbed(&mut self, campus: &mut Campus) -> Outcome<(Run, Recording)> {
        self.goes_back(campus).await;
        let watching = campus.stage.watch().await;
        let ran = (self.case.run)(campus).await;
        let recording = campus.stage.recorded(watching).await;
        ran?;
        campus.fetch().await?;
        campus.require_sound("after the transition").await?;
        let run = self.run(campus, None, Effect::Undisturbed, Ok(())).await;
        Ok((run, recording))
    }

    /// The transition with a fault, and what the fleet does at once. Nothing where the fault is none.
    pub async fn with(&mut self, campus: &mut Campus, fault: &Fault) -> Option<Run> {
        self.goes_back(campus).await;
        let ran = match fault {
            Fault::Denied(command) => {
                campus.stage.refuse(command).await;
                let ran = (self.case.run)(campus).await;
                campus.stage.allow(command).await;
                ran
            }
            Fault::Foreign(key) => {
                if !campus.stage.replace_key(key).await {
                    return None;
                }
                let ran = (self.case.run)(campus).await;
                campus.stage.put_key_back(key).await;
                ran
            }
        };
        let effect = if ran.is_ok() {
            Effect::Ended
        } else if campus.stage.digest().await == self.digest {
            Effect::Untouched
        } else {
            Effect::Partly
        };
        let next = match effect {
            Effect::Untouched => Ok(()),
            _ => self.repaired(campus, effect == Effect::Partly).await,
        };
        Some(self.run(campus, Some(fault.clone()), effect, next).await)
    }

    /// What failed is done again, the leader repairs, and AlumnIQ is asked for what it lists. In turn the repair comes
    /// before and after.
    async fn repaired(&self, campus: &mut Campus, is_done_again: bool) -> Outcome {
        let is_soon = self.runs.is_multiple_of(2);
        if is_done_again && is_soon {
            (self.case.run)(campus).await?;
        }
        campus.repair(true).await?;
        if is_done_again && !is_soon {
            (self.case.run)(campus).await?;
        }
        campus.fetch().await?;
        if campus.repair(false).await?.total() > 0 {
            campus.repair(true).await?;
            campus.require_sound("after the repair").await?;
        }
        Ok(())
    }

    async fn run(
        &self,
        campus: &mut Campus,
        fault: Option<Fault>,
        effect: Effect,
        next: Outcome,
    ) -> Run {
        Run {
            case: self.case,
            fault,
            effect,
            told_before: self.progress.told.keys().cloned().collect(),
            progress: campus.progress.clone(),
            worker: campus.worker.clone(),
            copy: match effect {
                Effect::Untouched => self.copy,
                _ => campus.stage.keep().await,
            },
            overtaken: BTreeSet::new(),
            is_asked_again: false,
            ended: next.err().map(Err),
        }
    }
}
