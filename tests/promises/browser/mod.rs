//! What operators see and do, in a real Chromium in front of a real fleet.

mod bulks;
mod chromium;
mod editing;
mod fleet;
mod forgery;
mod hostile;
mod keyboard;
mod overview;
mod pictures;
mod repairing;
mod roles;
mod runbook;
