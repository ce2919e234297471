//! What Salsa admits, from `GET metrics`.

use serde_json::Value;

use super::{supporter, wire::Payload};

/// The limits of one token. Every worker that shares the token shares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SalsaLimits {
    /// Calls a minute (`rateLimit`).
    pub rate_per_minute: u32,
    /// Items a call, searches too (`maxBatchSize`).
    pub max_batch: usize,
    /// `currentRateLimit` as Salsa gives it; its meaning is unpublished, so it is only shown.
    pub current_rate: Option<u32>,
}

/// What Salsa publishes: 300 calls a minute, 20 items a call.
impl Default for SalsaLimits {
    fn default() -> Self {
        Self {
            rate_per_minute: 300,
            max_batch: 20,
            current_rate: None,
        }
    }
}

impl SalsaLimits {
    /// Reads the answer of `GET metrics`: numbers or text. What is missing, zero or no number stays at
    /// the published default.
    pub fn read(metrics: &Payload) -> Self {
        let published = Self::default();
        let positive = |name| number(metrics.get(name)).filter(|limit| *limit > 0);
        Self {
            rate_per_minute: positive("rateLimit").unwrap_or(published.rate_per_minute),
            max_batch: positive("maxBatchSize")
                .and_then(|limit| usize::try_from(limit).ok())
                .unwrap_or(published.max_batch),
            current_rate: number(metrics.get("currentRateLimit")),
        }
    }
}

fn number(value: Option<&Value>) -> Option<u32> {
    value.and_then(supporter::text)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(payload: Value) -> SalsaLimits {
        SalsaLimits::read(&Payload(payload.as_object().unwrap().clone()))
    }

    #[test]
    fn limits_are_read_from_numbers_and_from_text() {
        let expected = SalsaLimits {
            rate_per_minute: 120,
            max_batch: 10,
            current_rate: Some(0),
        };
        assert_eq!(
            read(json!({"rateLimit": 120, "maxBatchSize": 10, "currentRateLimit": 0})),
            expected
        );
        assert_eq!(
            read(json!({"rateLimit": "120", "maxBatchSize": " 10 ", "currentRateLimit": "0"})),
            expected
        );
    }

    #[test]
    fn what_is_no_limit_stays_at_the_published_default() {
        for odd in [
            json!({}),
            json!({"rateLimit": null, "maxBatchSize": []}),
            json!({"rateLimit": 0, "maxBatchSize": "0"}),
            json!({"rateLimit": -5, "maxBatchSize": 1.5}),
            json!({"rateLimit": 1e30, "maxBatchSize": "many"}),
        ] {
            assert_eq!(read(odd.clone()), SalsaLimits::default(), "{odd}");
        }
    }
}
