//! The faults of a chaos run.

/// What can be done to the fleet, its Redis and the vendors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChaosFault {
    /// SIGKILL for a process, which is started again.
    Kill,
    /// SIGSTOP for a process, for longer than its leases.
    Stop,
    /// Redis ends in good order and is started again.
    RedisRestart,
    /// SIGKILL for Redis, which is started again.
    RedisKill,
    /// Redis has no memory left, for some seconds.
    RedisFull,
    /// Redis is emptied.
    RedisEmpty,
    /// Every connection to an operator's Redis is cut.
    RedisCut,
    /// Each vendor refuses connections, for longer than all retries take.
    VendorStop,
    /// Each vendor answers 500 to everything, for longer than all retries take.
    VendorErrors,
    /// Single calls fail.
    Calls,
    /// The CRM's tokens expire after seconds, or are revoked.
    Tokens,
    /// The clocks of two processes are a second off.
    Skew,
}

impl ChaosFault {
    /// Each of them, in the order of the help.
    pub const ALL: [Self; 12] = [
        Self::Kill,
        Self::Stop,
        Self::RedisRestart,
        Self::RedisKill,
        Self::RedisFull,
        Self::RedisEmpty,
        Self::RedisCut,
        Self::VendorStop,
        Self::VendorErrors,
        Self::Calls,
        Self::Tokens,
        Self::Skew,
    ];

    /// The word of `--faults`.
    pub fn word(self) -> &'static str {
        self.described().0
    }

    /// One line of help.
    pub fn help(self) -> &'static str {
        self.described().1
    }

    fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::Kill => ("kill", "A process is killed (SIGKILL) and started again"),
            Self::Stop => (
                "stop",
                "A process is stopped (SIGSTOP) for longer than its leases, then goes on",
            ),
            Self::RedisRestart => ("redis-restart", "Redis is told to end and started again"),
            Self::RedisKill => ("redis-kill", "Redis is killed (SIGKILL) and started again"),
            Self::RedisFull => ("redis-full", "Redis has no memory left, for some seconds"),
            Self::RedisEmpty => (
                "redis-empty",
                "Redis is emptied (FLUSHALL; on your Redis: the namespace)",
            ),
            Self::RedisCut => ("redis-cut", "Every connection to your Redis is cut"),
            Self::VendorStop => (
                "vendor-stop",
                "Each vendor refuses connections, for longer than all retries take",
            ),
            Self::VendorErrors => (
                "vendor-errors",
                "Each vendor answers 500 to everything, for longer than all retries take",
            ),
            Self::Calls => (
                "calls",
                "Single calls fail: 500, resets, hangs, lost and half answers, throttling, HTML in a 200",
            ),
            Self::Tokens => (
                "tokens",
                "The CRM's tokens expire after seconds, or are revoked",
            ),
            Self::Skew => ("skew", "The clocks of two processes are a second off"),
        }
    }
}
