//! What came of it.

use std::fmt::Write;

use queue::stats::{Books, Status};
use serde::Serialize;
use utoipa::ToSchema;

use super::{possible::LeftOut, watch::Observations};
use crate::{Report, Verdict};

/// One thing that was done.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Done {
    /// When the plan had it, in seconds from the start.
    pub at: f64,
    /// In people's words.
    pub what: String,
}

/// How often what was done.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Counts {
    /// Processes killed.
    pub kills: u64,
    /// Processes stopped for longer than their leases.
    pub stops: u64,
    /// Those of them that held leases all the while, and so came back too late.
    pub zombies: u64,
    /// Processes started, the first ones included.
    pub starts: u64,
    /// Redis restarted, killed, filled, emptied or its connections cut.
    pub redis: u64,
    /// Vendors down for longer than all retries take.
    pub outages: u64,
    /// Whatever made calls that were under way lose their results.
    pub interruptions: u64,
}

/// The numbers behind the verdicts.
#[derive(Debug)]
pub struct Evidence<'e> {
    pub report: &'e Report,
    pub seen: &'e Observations,
    pub counts: &'e Counts,
    pub books: Books,
    /// By changeId.
    pub dead: &'e [String],
    /// Changes under way at the destinations at the most.
    pub in_flight: u64,
    /// Whether nothing moved any more before everything was through.
    pub stalled: bool,
}

impl Evidence<'_> {
    /// One sentence a promise: the checker's, with those that it cannot know of.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let mut verdicts = self.report.verdicts(&[], self.dead);
        let repeats = self.repeats();
        for verdict in &mut verdicts {
            if verdict.promise == repeats.promise {
                *verdict = repeats.clone();
            }
        }
        verdicts.extend([self.leases(), self.outages(), self.books()]);
        verdicts
    }

    /// What is applied more than once is explained by what was lost on the way.
    fn repeats(&self) -> Verdict {
        let repeated = self.report.repeated() as u64;
        let lost = self.report.traffic.changes_in_lost_answers;
        let forgotten = self.report.forgotten_applications;
        let (interruptions, in_flight) = (self.counts.interruptions, self.in_flight);
        let bound = lost + interruptions * in_flight + forgotten;
        Verdict {
            promise: "at least once".to_owned(),
            held: repeated <= bound,
            detail: format!(
                "{repeated} applications repeated <= {bound} = {lost} in lost answers + {interruptions} \
                 interruptions x {in_flight} in flight + {forgotten} that an emptied Redis forgot"
            ),
        }
    }

    fn leases(&self) -> Verdict {
        let (refused, zombies) = (self.seen.refused_settles, self.counts.zombies);
        Verdict {
            promise: "a lease that was lost settles nothing".to_owned(),
            held: refused >= zombies,
            detail: format!(
                "{refused} settles refused, {zombies} processes woke up after their leases"
            ),
        }
    }

    fn outages(&self) -> Verdict {
        let dead = self.seen.most_dead.max(self.dead.len() as i64);
        Verdict {
            promise: "an outage is no failure of a change".to_owned(),
            held: dead == 0,
            detail: format!(
                "{dead} dead letters, {} outages, {} pauses",
                self.counts.outages, self.seen.pauses
            ),
        }
    }

    fn books(&self) -> Verdict {
        let Books {
            fetched,
            acknowledged,
            discarded,
            in_flight,
            dead,
            difference,
        } = self.books;
        let Observations {
            looks, unbalanced, ..
        } = self.seen;
        Verdict {
            promise: "the books balance".to_owned(),
            held: difference == 0 && *unbalanced == 0 && (in_flight == 0 || self.stalled),
            detail: format!(
                "{fetched} fetched = {acknowledged} acknowledged + {discarded} discarded + {in_flight} in flight + \
                 {dead} dead; off at {unbalanced} of {looks} looks"
            ),
        }
    }
}

/// The whole run, as `--json` prints it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChaosSummary {
    /// What the schedule was drawn from.
    pub seed: u64,
    /// Changes altogether.
    pub changes: usize,
    /// Whose changes they were.
    pub people: usize,
    /// Processes of the fleet.
    pub workers: usize,
    /// From the first process's start to the last acknowledgement.
    pub seconds: f64,
    /// Changes that AlumnIQ knows to be done.
    pub acknowledged: usize,
    /// Settlements that came after the lease was lost.
    pub refused_settles: u64,
    /// Applications of a change after its first.
    pub repeats: usize,
    /// Vendor answers that never arrived.
    pub answers_lost: u64,
    /// How often each kind of act was done.
    pub counts: Counts,
    /// Faults that can't happen here.
    pub left_out: Vec<LeftOut>,
    /// What was done when.
    pub schedule: Vec<Done>,
    /// One verdict for each promise.
    pub promises: Vec<Verdict>,
    /// Changes that break a promise, by changeId.
    #[serde(skip)]
    pub suspects: Vec<String>,
    /// Timelines of changes that tell of a broken promise.
    pub timelines: Vec<String>,
    /// Where nothing moved any more before everything was through: what the fleet said then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

impl ChaosSummary {
    /// Whether every promise held.
    pub fn held(&self) -> bool {
        self.promises.iter().all(|verdict| verdict.held)
    }

    /// For people, without [`Self::status`].
    pub fn text(&self) -> String {
        let Counts {
            kills,
            stops,
            starts,
            redis,
            outages,
            ..
        } = self.counts;
        let mut text = format!(
            "\n{} changes acknowledged in {:.1} s ({:.0} a second)\n{kills} kills, {stops} stops, {starts} starts \
             of {} processes; Redis disturbed {redis} times; {outages} outages; {} answers lost\n\n",
            self.acknowledged,
            self.seconds,
            self.acknowledged as f64 / self.seconds,
            self.workers,
            self.answers_lost,
        );
        for Verdict {
            promise,
            held,
            detail,
        } in &self.promises
        {
            let mark = if *held { "held  " } else { "BROKEN" };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {mark}  {promise}: {detail}");
        }
        for timeline in &self.timelines {
            let _ = write!(text, "\n{timeline}");
        }
        text
    }
}
