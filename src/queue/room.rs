//! Memory: how much there is, and what gives way when Redis is full.
//!
//! A full Redis refuses what would take something new in ([`enqueue`](Queue::enqueue)) and lets everything else
//! go on, see `scripts.rs`. What is closed leaves a marker and its timeline behind, which weigh more than the
//! row that goes: so a queue that runs empty makes no room by itself, and history has to give way.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Queue, QueueError, scripts::ScriptPurpose, trouble::RedisErrorKind};

/// The share of the limit that is to be free: the next block, and what Redis needs to read it, must find room.
const FREE: f64 = 0.1;

/// Redis' memory as far as it decides whether Redis is full; of a cluster, that of the node which holds the
/// namespace. Both 0 where Redis does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Memory {
    /// Bytes.
    pub used: u64,
    /// `maxmemory`, bytes; 0 = none.
    pub limit: u64,
}

impl Memory {
    /// Whether Redis takes nothing new in.
    pub fn is_full(&self) -> bool {
        self.limit > 0 && self.used > self.limit
    }

    /// Whether enough is free to take something in.
    fn has_room(&self) -> bool {
        self.share() <= 1.0 - FREE
    }

    /// The share of the limit that is in use; 0 where there is none.
    pub fn share(&self) -> f64 {
        match self.limit {
            0 => 0.0,
            limit => self.used as f64 / limit as f64,
        }
    }
}

impl Queue {
    /// If less than a tenth of Redis' limit is free, gives up timelines and rows of closed changes: first of those
    /// that would go soon anyway, then of all. The markers stay by which a late fetch knows them. Says how it is
    /// after that.
    pub async fn make_room(&self) -> Result<Memory, QueueError> {
        let mut memory = Memory::default();
        let mut given_up = 0;
        for expires_within in [self.settings.keep / 2, Duration::MAX] {
            let mut at = "0".to_owned();
            loop {
                let mut call = self.scripts.make_room.prepare_invoke();
                let within = u64::try_from(expires_within.as_millis()).unwrap_or(u64::MAX);
                call.arg(&at).arg(FREE).arg(within);
                let step: (String, u64, u64, u64) = self.run(&mut call).await?;
                given_up += step.1;
                at = step.0;
                (memory.used, memory.limit) = (step.2, step.3);
                if at == "0" {
                    break;
                }
            }
            if memory.has_room() {
                break;
            }
        }
        if given_up > 0 {
            tracing::info!(
                given_up,
                "Redis was short of memory: timelines and rows of changes that are closed were given up"
            );
        }
        match memory {
            memory if memory.is_full() => self.watch.begins(
                RedisErrorKind::Full,
                &format_args!(
                    "{} bytes in use, maxmemory is {}",
                    memory.used, memory.limit
                ),
            ),
            // It says so itself, though nothing may be at hand to take in.
            memory if memory.limit > 0 && memory.has_room() => {
                self.watch.succeeded(ScriptPurpose::TakesIn);
            }
            _ => {}
        }
        Ok(memory)
    }
}
