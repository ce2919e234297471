//! What came of all faults, by transition.

use std::fmt;

use super::{
    fault::{Effect, Run},
    verdict::is_miscounted,
};

#[derive(Debug, Default)]
struct Counts {
    faults: u32,
    ended: u32,
    untouched: u32,
    repaired: u32,
    overtaken: u32,
    miscounted: u32,
}

impl Counts {
    fn add(&mut self, run: &Run, undisturbed: &Run) {
        self.faults += 1;
        match run.effect {
            Effect::Undisturbed => {}
            Effect::Ended => self.ended += 1,
            Effect::Untouched => self.untouched += 1,
            Effect::Partly => self.repaired += 1,
        }
        self.overtaken += u32::from(run.overtaken.len() > undisturbed.overtaken.len());
        self.miscounted += u32::from(is_miscounted(run, undisturbed));
    }
}

/// Ended: came to its end nevertheless. Untouched: failed and had changed nothing. Repaired: had changed something.
/// Overtaken: those in which a change that was applied before was queued again, and then came too late.
/// Miscounted: those in which the books name more changes than there were.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<(&'static str, Counts)>,
    all: Counts,
}

impl Table {
    pub fn note(&mut self, run: &Run, undisturbed: &Run) {
        let name = run.case.name;
        if self.rows.last().is_none_or(|(last, _)| *last != name) {
            self.rows.push((name, Counts::default()));
        }
        if let Some((_, counts)) = self.rows.last_mut() {
            counts.add(run, undisturbed);
        }
        self.all.add(run, undisturbed);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<58} {:>6} {:>6} {:>9} {:>8} {:>9} {:>10}",
            "transition", "faults", "ended", "untouched", "repaired", "overtaken", "miscounted"
        )?;
        let rows = self.rows.iter().map(|(name, counts)| (*name, counts));
        for (name, counts) in rows.chain([("all", &self.all)]) {
            let Counts {
                faults,
                ended,
                untouched,
                repaired,
                overtaken,
                miscounted,
            } = counts;
            writeln!(
                f,
                "{name:<58} {faults:>6} {ended:>6} {untouched:>9} {repaired:>8} {overtaken:>9} {miscounted:>10}"
            )?;
        }
        Ok(())
    }
}
