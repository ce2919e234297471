//! The queue's promises one by one.

mod acknowledged;
mod budgets;
mod crashes;
mod gates;
mod order;
