//! Walks an error's causes, also where the libraries hide them.

use std::{error::Error, io, sync::Arc};

/// The error and all its causes, the outermost first.
///
/// [`Error::source`] alone misses some: an `io::Error` gives its inner error's source instead of the inner error, and
/// the Redis driver gives a shared pointer.
pub fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| inner(*error))
}

fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        return Some(&**shared);
    }
    if let Some(io) = error.downcast_ref::<io::Error>()
        && let Some(inner) = io.get_ref()
    {
        return Some(inner);
    }
    error.source()
}
