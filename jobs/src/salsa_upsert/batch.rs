//! Which documents may share a PUT.

use std::collections::HashMap;

use super::{identity::folded, supporter::Supporter};

/// Parts items into groups so that no group has the same supporterId or the same email (in any case)
/// twice: what Salsa does then is undefined. Items keep their order within a group, and of two that
/// conflict the earlier is in the earlier group.
///
/// A document of a later group was merged with what was read before the earlier group was put, so it
/// would write old values back: search and merge those items again once the earlier group is through.
pub fn independent_batches<T>(
    items: impl IntoIterator<Item = T>,
    document: impl Fn(&T) -> &Supporter,
) -> Vec<Vec<T>> {
    let mut groups: Vec<Vec<T>> = Vec::new();
    let mut first_free: HashMap<(bool, String), usize> = HashMap::new();
    for item in items {
        let supporter = document(&item);
        let id = supporter.id().map(|id| (true, folded(id)));
        let email = supporter.email().map(|email| (false, folded(email)));
        let keys: Vec<_> = id.into_iter().chain(email).collect();
        let group = keys
            .iter()
            .filter_map(|key| first_free.get(key).copied())
            .max()
            .unwrap_or(0);
        for key in keys {
            first_free.insert(key, group + 1);
        }
        match groups.get_mut(group) {
            Some(members) => members.push(item),
            None => groups.push(vec![item]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn document(id: Option<&str>, email: Option<&str>) -> Supporter {
        let contacts: Vec<_> = email
            .map(|email| json!({"type": "EMAIL", "value": email}))
            .into_iter()
            .collect();
        Supporter::read(&json!({"supporterId": id, "contacts": contacts})).unwrap()
    }

    fn positions(documents: &[Supporter]) -> Vec<Vec<usize>> {
        independent_batches(documents.iter().enumerate(), |(_, document)| document)
            .into_iter()
            .map(|group| group.into_iter().map(|(position, _)| position).collect())
            .collect()
    }

    #[test]
    fn the_same_email_in_any_case_never_shares_a_batch() {
        let documents = [
            document(Some("1"), Some("ada@example.org")),
            document(Some("2"), Some("ben@example.org")),
            document(None, Some("ADA@example.org")),
            document(Some("1"), Some("new@example.org")),
            document(None, Some("ada@EXAMPLE.org")),
        ];
        assert_eq!(positions(&documents), [vec![0, 1], vec![2, 3], vec![4]]);
    }

    #[test]
    fn nobody_makes_no_batch() {
        assert!(positions(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn batches_lose_nothing_and_keep_the_order_of_what_conflicts(
            people in prop::collection::vec((prop::option::of("[a-cA-C]"), prop::option::of("[d-fD-F]")), 0..40)
        ) {
            let documents: Vec<_> = people.iter()
                .map(|(id, email)| document(id.as_deref(), email.as_deref()))
                .collect();
            let groups = positions(&documents);
            let mut all: Vec<_> = groups.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..documents.len()).collect::<Vec<_>>());
            let group_of = |position: usize| groups.iter().position(|group| group.contains(&position)).unwrap();
            for later in 0..documents.len() {
                for earlier in 0..later {
                    let same = |get: fn(&Supporter) -> Option<&str>| {
                        let (a, b) = (get(&documents[earlier]), get(&documents[later]));
                        a.is_some() && a.map(folded) == b.map(folded)
                    };
                    if same(Supporter::id) || same(Supporter::email) {
                        prop_assert!(group_of(earlier) < group_of(later));
                    }
                }
            }
            for group in &groups {
                prop_assert!(group.is_sorted());
            }
        }
    }
}
