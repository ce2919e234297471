//! The names of a change's trace and of its root, the same in every process that works on the change.

use sha1_smol::Sha1;

/// A trace's name and its root's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceIds {
    pub trace: [u8; 16],
    pub root: [u8; 8],
}

impl TraceIds {
    /// Of a change of `namespace` that was fetched first at `fetched_at` (ms). Retries, replays and corrections of
    /// the row leave that as it is; a change that AlumnIQ lists although it was told of it is fetched anew, and so
    /// begins another trace.
    pub fn of(namespace: &str, change_id: &str, fetched_at: u64) -> Self {
        // Only the last part may hold a line break.
        let named = Sha1::from(format!("{namespace}\n{fetched_at}\n{change_id}")).digest();
        let digest = named.bytes();
        let mut identity = Self {
            trace: [0; 16],
            root: [0; 8],
        };
        identity.trace.copy_from_slice(&digest[..16]);
        // The two need not be independent of each other.
        identity.root.copy_from_slice(&digest[12..]);
        identity
    }

    /// Whether the trace is one of the share that is told: by its name alone, so that every process decides alike.
    /// As OpenTelemetry's own sampler decides by the last 56 bits.
    pub fn is_sampled(&self, ratio: f64) -> bool {
        let mut tail = [0; 8];
        tail[1..].copy_from_slice(&self.trace[9..]);
        #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
        let place = u64::from_be_bytes(tail) as f64 / (1_u64 << 56) as f64;
        place < ratio
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_named_for_namespace_change_and_fetch() {
        let identity = TraceIds::of("campus", "41", 1_790_000_000_000);
        assert_eq!(identity, TraceIds::of("campus", "41", 1_790_000_000_000));
        for other in [
            TraceIds::of("campus-2", "41", 1_790_000_000_000),
            TraceIds::of("campus", "42", 1_790_000_000_000),
            TraceIds::of("campus", "41", 1_790_000_000_001),
        ] {
            assert_ne!((identity.trace, identity.root), (other.trace, other.root));
        }
    }

    #[test]
    fn the_share_of_traces_that_is_told_is_the_ratio() {
        let told = |ratio: f64| {
            (0..10_000)
                .filter(|id| TraceIds::of("campus", &id.to_string(), 1).is_sampled(ratio))
                .count()
        };
        assert_eq!((told(0.0), told(1.0)), (0, 10_000));
        let quarter = told(0.25);
        assert!((2_200..2_800).contains(&quarter), "{quarter}");
    }
}
