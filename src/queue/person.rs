//! All changes of one person.

use std::collections::HashSet;

use super::{Queue, QueueError, keys, timeline::Timeline};

impl Queue {
    /// Every change of the person that Redis knows, the newest fetch first: in the lane, dead, waiting to be
    /// acknowledged, and of those that are through the newest 100, while their timelines are kept.
    pub async fn person(&self, xid: &str) -> Result<Vec<Timeline>, QueueError> {
        let lane = keys::lane(Some(xid), "");
        let (members, letters, past): (Vec<String>, Vec<String>, Vec<String>) = redis::pipe()
            .zrange(self.keys.of(&["lane", &lane]), 0, -1)
            .smembers(self.keys.of(&["letters-of", &lane]))
            .lrange(self.keys.of(&["past", &lane]), 0, -1)
            .query_async(&mut self.connection.clone())
            .await?;
        let named = members.iter().chain(&letters);
        let named = named.filter_map(|name| Some(name.split_once(' ')?.1));
        let mut seen = HashSet::new();
        let mut changes = Vec::new();
        for id in named.chain(past.iter().map(String::as_str)) {
            if !seen.insert(id) {
                continue;
            }
            if let Some(mut timeline) = self.timeline(id).await? {
                timeline.xid = Some(xid.to_owned());
                changes.push(timeline);
            }
        }
        changes.sort_by(|a, b| b.began().cmp(&a.began()));
        Ok(changes)
    }
}
