//! temp
#![allow(missing_docs)]
use std::time::Duration;
#[derive(Debug, Clone)]
pub struct RetryPolicy { pub initial: Duration, pub ceiling: Duration, pub max_attempts: u32 }
impl RetryPolicy { pub fn delay(&self, attempt: u32, random: f64, at_least: Option<Duration>) -> Duration {
  let c = self.initial.saturating_mul(2u32.saturating_pow(attempt.saturating_sub(1))).min(self.ceiling); c.mul_f64(random).max(at_least.unwrap_or_default()) } }
