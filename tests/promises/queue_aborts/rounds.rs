//! All runs go on together: Redis' clock is moved for all of them at once.

use super::{
    campus::Campus,
    ending::Ending,
    fault::{Effect, Run},
};

/// Longer than any lease.
const A_LEASE: i64 = 2 * 3600;

/// So often leases may end until everything must be through: a change that waits behind another one waits longer.
const ROUNDS: usize = 6;

/// The hours that have passed, as runs go on.
#[derive(Default)]
pub struct Clock {
    seconds: i64,
}

impl Clock {
    /// Until every run has ended.
    pub async fn carry_through(&mut self, campus: &mut Campus, runs: &mut [Run]) {
        let is_open = |run: &Run| run.ended.is_none() && run.effect != Effect::Untouched;
        for _ in 0..ROUNDS {
            if !runs.iter().any(is_open) {
                return;
            }
            self.seconds += A_LEASE;
            campus.stage.redis.set_clock(self.seconds).await;
            for run in runs.iter_mut().filter(|run| is_open(run)) {
                campus.goes_back(run.copy, &run.progress).await;
                campus.worker.clone_from(&run.worker);
                let ended = campus.work_round(&mut run.overtaken).await;
                run.progress = campus.progress.clone();
                campus.stage.keep_as(run.copy).await;
                run.ended = ended.transpose();
            }
        }
        for run in runs.iter_mut().filter(|run| is_open(run)) {
            campus.goes_back(run.copy, &run.progress).await;
            let books = campus.books().await;
            run.ended = Some(Err(format!("changes are stuck: {books}").into()));
        }
    }

    /// A person who sees that something was not done asks for it again. That is so in the runs that are named.
    pub async fn ask_again(&mut self, campus: &mut Campus, runs: &mut [Run], unmet: &[usize]) {
        for &at in unmet {
            let run = &mut runs[at];
            run.is_asked_again = true;
            campus.goes_back(run.copy, &run.progress).await;
            campus.worker.clone_from(&run.worker);
            let ran = (run.case.run)(campus).await;
            run.progress = campus.progress.clone();
            campus.stage.keep_as(run.copy).await;
            run.ended = ran.err().map(Err::<Ending, _>);
        }
        self.carry_through(campus, runs).await;
    }
}
