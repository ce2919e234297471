//! What a field of a section may be.

use std::collections::BTreeMap;

use super::{
    key::{Key, Shape},
    reader::Reader,
    setting::Setting,
};

/// A field of a section: a [`Setting`], an optional one, a secret or a free table.
pub(super) trait Read: Sized {
    /// How a variable's text is read.
    const SHAPE: Shape;

    /// The value, or `None` after noting the problem.
    fn read(reader: &mut Reader, key: &'static Key) -> Option<Self>;
}

impl<T: Setting> Read for T {
    const SHAPE: Shape = T::SHAPE;

    fn read(reader: &mut Reader, key: &'static Key) -> Option<Self> {
        match reader.setting(key) {
            Ok(Some(value)) => Some(value),
            Ok(None) => {
                reader.missing(key);
                None
            }
            Err(()) => None,
        }
    }
}

impl<T: Setting> Read for Option<T> {
    const SHAPE: Shape = T::SHAPE;

    fn read(reader: &mut Reader, key: &'static Key) -> Option<Self> {
        reader.setting(key).ok()
    }
}

impl<T: Setting> Read for BTreeMap<String, T> {
    const SHAPE: Shape = Shape::Table;

    fn read(reader: &mut Reader, key: &'static Key) -> Option<Self> {
        reader.table(key)
    }
}
