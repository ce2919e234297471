//! The queue's promises one by one.

mod acknowledged;
mod budgets;
mod bulks;
mod calls;
mod clock;
mod corrections;
mod crashes;
mod desk;
mod foreign;
mod gates;
mod leading;
mod notices;
mod order;
mod places;
mod repairing;
mod rolled_back;
mod usual;
mod waking;
