//! Which changes a fetch brought, for somebody who waits for them.

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher,
};

/// Between two ids: none has it in it, see [`jobs::acknowledge::change_id_list`].
const SEPARATOR: char = ',';

/// Ids in the order in which they came, each once; an iterator takes them out. A million take some 30 MiB, a third of
/// what as many texts would. Two ids have the same number once in 2^64 pairs: then one of them is not waited for.
#[derive(Debug, Clone, Default)]
pub struct ChangeIds {
    texts: String,
    taken: usize,
    left: usize,
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl ChangeIds {
    /// One more, unless it was there before.
    pub fn add(&mut self, change_id: &str) {
        if self.seen.insert(self.hasher.hash_one(change_id)) {
            self.texts.push_str(change_id);
            self.texts.push(SEPARATOR);
            self.left += 1;
        }
    }
}

impl Iterator for ChangeIds {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let (id, _) = self.texts[self.taken..].split_once(SEPARATOR)?;
        self.taken += id.len() + SEPARATOR.len_utf8();
        self.left -= 1;
        Some(id.to_owned())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for ChangeIds {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_is_there_once_in_the_order_in_which_it_came() {
        let mut ids = ChangeIds::default();
        for id in ["9", "10", "9", "row-1f", "10", "é"] {
            ids.add(id);
        }
        assert_eq!(ids.len(), 4);
        assert_eq!(ids.next().as_deref(), Some("9"));
        ids.add("11");
        assert_eq!(ids.len(), 4);
        assert_eq!(ids.collect::<Vec<_>>(), ["10", "row-1f", "é", "11"]);
    }
}
