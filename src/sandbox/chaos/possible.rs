//! Which of the faults that were asked for can happen here.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;

use super::fault::ChaosFault;

/// A fault that does not happen, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LeftOut {
    /// The word of `--faults`.
    pub fault: String,
    /// In people's words.
    pub why: &'static str,
}

/// What there is to be disturbed.
#[derive(Debug, Clone, Copy)]
pub struct Here {
    /// Redis is ours.
    pub own_redis: bool,
    /// Connections to somebody's Redis go through a door.
    pub redis_door: bool,
    /// libfaketime is installed.
    pub faketime: bool,
}

impl Here {
    fn forbids(self, fault: ChaosFault) -> Option<&'static str> {
        let theirs = !self.own_redis;
        match fault {
            ChaosFault::RedisRestart | ChaosFault::RedisKill | ChaosFault::RedisFull if theirs => {
                Some("that Redis is not ours")
            }
            ChaosFault::RedisCut if self.own_redis => Some("our own Redis is killed instead"),
            ChaosFault::RedisCut if !self.redis_door => {
                Some("connections with TLS or to several nodes cannot be cut")
            }
            ChaosFault::Skew if !self.faketime => {
                Some("libfaketime is not installed (Debian: apt-get install faketime)")
            }
            _ => None,
        }
    }

    /// Divides what is wanted.
    pub fn divide(self, wanted: &BTreeSet<ChaosFault>) -> (BTreeSet<ChaosFault>, Vec<LeftOut>) {
        let (mut possible, mut left_out) = (BTreeSet::new(), Vec::new());
        for fault in wanted {
            match self.forbids(*fault) {
                None => {
                    possible.insert(*fault);
                }
                Some(why) => left_out.push(LeftOut {
                    fault: fault.word().to_owned(),
                    why,
                }),
            }
        }
        (possible, left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_done_to_a_redis_that_is_not_ours_but_within_our_namespace() {
        let all: BTreeSet<_> = ChaosFault::ALL.into();
        let theirs = Here {
            own_redis: false,
            redis_door: true,
            faketime: true,
        };
        let (possible, left_out) = theirs.divide(&all);
        let words: Vec<_> = left_out.iter().map(|left| left.fault.as_str()).collect();
        assert_eq!(words, ["redis-restart", "redis-kill", "redis-full"]);
        assert!(
            possible.contains(&ChaosFault::RedisEmpty) && possible.contains(&ChaosFault::RedisCut)
        );
    }
}
