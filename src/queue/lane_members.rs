//! A lane as it lies in Redis, read without a script.

use super::{Queue, QueueError};

/// What stands in the field of a lane that is a sorted set, see `lib/lanes.lua`.
const LONG: &str = "*";

/// The character of the empty set of destinations.
const NOBODY: u8 = b'0';

/// How often a lane is read that turns from one form into the other meanwhile.
const LOOKS: u32 = 3;

/// How many members of a long lane one step reads.
const A_STEP: usize = 1_000;

impl Queue {
    /// The members of a lane (`<order> <changeId>`), each with the destinations that still wait for it, as a mask. Of a
    /// long lane in no order, and a member may come twice.
    pub(super) async fn lane_members(&self, lane: &str) -> Result<Vec<(String, u8)>, QueueError> {
        let mut connection = self.connection.clone();
        // A lane whose set is gone stays empty: the repair pass finds it.
        for _ in 0..LOOKS {
            let text: Option<String> = redis::cmd("HGET")
                .arg(self.keys.of(&["lanes"]))
                .arg(lane)
                .query_async(&mut connection)
                .await?;
            let Some(text) = text else {
                return Ok(Vec::new());
            };
            if text != LONG {
                return Ok(read(&text));
            }
            let members = self.long_lane(lane).await?;
            // It may have become short in between.
            if !members.is_empty() {
                return Ok(members);
            }
        }
        Ok(Vec::new())
    }

    async fn long_lane(&self, lane: &str) -> Result<Vec<(String, u8)>, QueueError> {
        let mut members = Vec::new();
        let mut cursor = "0".to_owned();
        loop {
            let (next, found): (String, Vec<(String, u8)>) = redis::cmd("ZSCAN")
                .arg(self.keys.of(&["lane", lane]))
                .arg(&cursor)
                .arg("COUNT")
                .arg(A_STEP)
                .query_async(&mut self.connection.clone())
                .await?;
            members.extend(found);
            if next == "0" {
                return Ok(members);
            }
            cursor = next;
        }
    }
}

/// A short lane's lines.
fn read(text: &str) -> Vec<(String, u8)> {
    text.split('\n')
        .filter_map(|line| {
            let (mask, member) = line.split_at_checked(1)?;
            Some((member.to_owned(), mask.as_bytes()[0].saturating_sub(NOBODY)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_lane_is_a_line_a_change() {
        let lane = read("2001:n0002 41\n3002:n0002 42");
        let expected = [
            ("001:n0002 41".to_owned(), 2),
            ("002:n0002 42".to_owned(), 3),
        ];
        assert_eq!(lane, expected);
        assert!(read("").is_empty());
    }
}
