//! The order of changes as a string, so that Redis can compare it.

use jiff::Timestamp;

/// A key whose byte order is the order of changes: `changedOn` in epoch milliseconds (15 digits,
/// zeros when the row has none or it is before 1970), `:`, then the changeId. Numeric ids compare as
/// numbers and stand before all others: `n`, the 3-digit count of their digits without leading
/// zeros, those digits. Any other id is `s` and its raw text.
///
/// Ids of more than 999 digits would break the order; decoding admits at most
/// [`crate::change::MAX_CHANGE_ID`] characters.
pub fn order_key(changed_on: Option<Timestamp>, change_id: &str) -> String {
    let millis = changed_on.map_or(0, |instant| instant.as_millisecond().max(0));
    if !change_id.is_empty() && change_id.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = change_id.trim_start_matches('0');
        format!("{millis:015}:n{:03}{digits}", digits.len())
    } else {
        format!("{millis:015}:s{change_id}")
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::*;

    /// What the byte order must equal, said without strings.
    fn expected(a: (i64, &str), b: (i64, &str)) -> Ordering {
        let numeric = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        let by_id = match (numeric(a.1), numeric(b.1)) {
            (true, true) => {
                let width = a.1.len().max(b.1.len());
                format!("{:0>width$}", a.1).cmp(&format!("{:0>width$}", b.1))
            }
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => a.1.as_bytes().cmp(b.1.as_bytes()),
        };
        a.0.cmp(&b.0).then(by_id)
    }

    fn key(millis: i64, id: &str) -> String {
        order_key(Timestamp::from_millisecond(millis).ok(), id)
    }

    fn id() -> impl Strategy<Value = String> {
        prop_oneof![
            "[0-9]{1,4}",
            "0{0,3}[0-9]{1,200}",
            "[a-z0-9-]{1,6}",
            "\\PC{1,8}"
        ]
    }

    /// A few near values and the whole range of years that decoding admits.
    fn millis() -> impl Strategy<Value = i64> {
        prop_oneof![0..3_i64, 0..253_402_207_200_000_i64]
    }

    /// As rows have them: none, before 1970, and in every year that a timestamp can name.
    fn changed_on() -> impl Strategy<Value = Option<Timestamp>> {
        let (first, last) = (Timestamp::MIN, Timestamp::MAX);
        prop_oneof![
            Just(None),
            (-3..3_i64).prop_map(|ms| Timestamp::from_millisecond(ms).ok()),
            (first.as_millisecond()..=last.as_millisecond())
                .prop_map(|ms| Timestamp::from_millisecond(ms).ok()),
        ]
    }

    /// What has no moment that counts goes before all that has one.
    fn counted(changed_on: Option<Timestamp>) -> i64 {
        changed_on.map_or(0, |instant| instant.as_millisecond().max(0))
    }

    proptest! {
        #[test]
        fn rows_without_a_moment_or_from_before_1970_go_first_and_by_their_ids(
            a in changed_on(), b in changed_on(), x in id(), y in id(),
        ) {
            prop_assert_eq!(
                order_key(a, &x).cmp(&order_key(b, &y)),
                expected((counted(a), &x), (counted(b), &y))
            );
        }

        #[test]
        fn changes_in_any_order_are_sorted_into_one(
            rows in prop::collection::vec((changed_on(), id()), 0..20), turn in 0..20_usize,
        ) {
            let by_key = |rows: &[(Option<Timestamp>, String)]| {
                let mut keys: Vec<_> = rows.iter().map(|(at, id)| order_key(*at, id)).collect();
                keys.sort_unstable();
                keys
            };
            let mut turned = rows.clone();
            turned.rotate_left(turn.min(rows.len()));
            prop_assert_eq!(by_key(&rows), by_key(&turned));
            let mut by_value = rows.clone();
            by_value.sort_by(|a, b| expected((counted(a.0), &a.1), (counted(b.0), &b.1)));
            let keys: Vec<_> = by_value.iter().map(|(at, id)| order_key(*at, id)).collect();
            prop_assert_eq!(keys, by_key(&rows));
        }

        #[test]
        fn byte_order_is_the_order_of_changes(a in millis(), b in millis(), x in id(), y in id()) {
            prop_assert_eq!(key(a, &x).cmp(&key(b, &y)), expected((a, &x), (b, &y)));
        }
    }

    #[test]
    fn numeric_ids_compare_as_numbers() {
        assert!(key(5, "9") < key(5, "10"));
        assert_eq!(key(5, "007"), key(5, "7"));
        assert!(key(5, &"9".repeat(99)) < key(5, &format!("1{}", "0".repeat(199))));
    }

    #[test]
    fn the_key_is_fixed_because_redis_keeps_it() {
        assert_eq!(key(1_795_255_200_000, "4711"), "001795255200000:n0044711");
        assert_eq!(order_key(None, "a-1"), "000000000000000:sa-1");
    }
}
