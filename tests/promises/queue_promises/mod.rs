//! The queue's promises one by one.

mod acknowledged;
mod budgets;
mod bulks;
mod calls;
mod corrections;
mod crashes;
mod desk;
mod foreign;
mod gates;
mod leading;
mod notices;
mod order;
mod places;
mod waking;
