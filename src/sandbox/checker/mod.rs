//! Tells from the destinations' side whether each promise of the relay held.

mod breach;
pub(crate) mod ledger;
mod report;
mod verdict;

pub use breach::{Breach, Moved};
pub use ledger::{Forgotten, Progress, Times};
pub use report::{Repeat, Report};
pub use verdict::Verdict;
