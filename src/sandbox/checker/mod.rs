//! Tells from the destinations' side whether each promise of the relay held.

pub(crate) mod ledger;
mod report;
mod verdict;

pub use ledger::{Forgotten, Progress, Times};
pub use report::{Breach, Moved, Repeat, Report};
pub use verdict::Verdict;
