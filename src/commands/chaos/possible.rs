//! Which of the faults that were asked for can happen here.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;

use crate::cli::chaos::Fault;

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
    fn forbids(self, fault: Fault) -> Option<&'static str> {
        let theirs = !self.own_redis;
        match fault {
            Fault::RedisRestart | Fault::RedisKill | Fault::RedisFull if theirs => {
                Some("that Redis is not ours")
            }
            Fault::RedisCut if self.own_redis => Some("our own Redis is killed instead"),
            Fault::RedisCut if !self.redis_door => {
                Some("connections with TLS or to several nodes cannot be cut")
            }
            Fault::Skew if !self.faketime => {
                Some("libfaketime is not installed (Debian: apt-get install faketime)")
            }
            _ => None,
        }
    }

    /// Divides what is wanted.
    pub fn divide(self, wanted: &BTreeSet<Fault>) -> (BTreeSet<Fault>, Vec<LeftOut>) {
        let (mut possible, mut left_out) = (BTreeSet::new(), Vec::new());
        for fault in wanted {
            match self.forbids(*fault) {
                None => {
                    possible.insert(*fault);
                }
                Some(why) => left_out.push(LeftOut {
                    fault: fault.word(),
                    why,
                }),
            }
        }
        (possible, left_out)
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn nothing_is_done_to_a_redis_that_is_not_ours_but_within_our_namespace() {
        let all: BTreeSet<_> = Fault::value_variants().iter().copied().collect();
        let theirs = Here {
            own_redis: false,
            redis_door: true,
            faketime: true,
        };
        let (possible, left_out) = theirs.divide(&all);
        let words: Vec<_> = left_out.iter().map(|left| left.fault.as_str()).collect();
        assert_eq!(words, ["redis-restart", "redis-kill", "redis-full"]);
        assert!(possible.contains(&Fault::RedisEmpty) && possible.contains(&Fault::RedisCut));
    }
}
