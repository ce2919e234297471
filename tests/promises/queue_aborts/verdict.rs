//! Whether a run ended as the undisturbed one did.

use std::collections::{BTreeMap, BTreeSet};

use queue::stats::Books;

use super::{ending::Ending, fault::Run};

/// Whether the change ended as it would have. What was overtaken is given up; without the fault it was applied.
fn is_met(id: &str, ending: &Ending, expected: &Ending, overtaken: &BTreeSet<String>) -> bool {
    let (is, was) = (&ending.fates[id], &expected.fates[id]);
    let is_closed = |fate: &str| ["acknowledged", "discarded"].contains(&fate);
    is == was || (overtaken.contains(id) && is_closed(is) && is_closed(was))
}

/// Whether some change ended otherwise.
pub fn is_unmet(run: &Run, undisturbed: &Run) -> bool {
    let overtaken = &run.overtaken | &undisturbed.overtaken;
    let (Some(Ok(ending)), Some(Ok(expected))) = (&run.ended, &undisturbed.ended) else {
        return false;
    };
    let mut ids = expected.fates.keys();
    ids.any(|id| !is_met(id, ending, expected, &overtaken))
}

/// By how much more was counted as fetched, and as closed.
fn too_many(is: &Books, was: &Books) -> (i64, i64) {
    let closed = |books: &Books| books.acknowledged + books.discarded;
    (is.fetched - was.fetched, closed(is) - closed(was))
}

/// Whether changes were counted once too often, both as fetched and as closed. Closed changes expire: a repair can't recount
/// them.
pub fn is_miscounted(run: &Run, undisturbed: &Run) -> bool {
    match (&run.ended, &undisturbed.ended) {
        (Some(Ok(ending)), Some(Ok(expected))) => too_many(&ending.books, &expected.books).0 > 0,
        _ => false,
    }
}

/// What went wrong.
pub fn judge(run: &Run, undisturbed: &Run) -> Vec<String> {
    let (ending, expected) = match (&run.ended, &undisturbed.ended) {
        (Some(Ok(ending)), Some(Ok(expected))) => (ending, expected),
        (Some(Err(why)), _) => return vec![why.to_string()],
        _ => return Vec::new(),
    };
    let overtaken = &run.overtaken | &undisturbed.overtaken;
    let mut wrong = Vec::new();
    for (id, was) in &expected.fates {
        let is = &ending.fates[id];
        if !is_met(id, ending, expected, &overtaken) {
            wrong.push(format!("{id} is {is} and not {was}"));
        }
    }
    let (fetched, closed) = too_many(&ending.books, &expected.books);
    if ending.books.dead != expected.books.dead || fetched != closed || fetched < 0 {
        wrong.push(format!("{} and not {}", ending.books, expected.books));
    }
    for id in expected.fates.keys() {
        let times = |told: &BTreeMap<String, u32>| told.get(id).copied().unwrap_or(0);
        let (is, was) = (times(&run.progress.told), times(&undisturbed.progress.told));
        // The end of the list may not have been recorded, or a person asked for the same again: then AlumnIQ is told again.
        let again = u32::from(run.told_before.contains(id) || run.is_asked_again);
        if is < was || is > was + again {
            wrong.push(format!("AlumnIQ was told of {id} {is} times and not {was}"));
        }
    }
    // What else was discarded leaves traces of its own.
    let is_as_expected = run.overtaken.is_subset(&undisturbed.overtaken);
    for (key, kind) in ending.keys.iter().filter(|_| is_as_expected) {
        if expected.keys.get(key) != Some(kind) {
            wrong.push(format!("{key} ({kind}) is left over"));
        }
    }
    wrong
}
