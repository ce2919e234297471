//! What a log and a trace tell of each change.

mod lines;
mod traces;
