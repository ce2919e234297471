//! How a section is declared: a struct whose fields are its keys.

/// Declares one section: the struct, its keys and how it is read. A field's documentation is the
/// key's documentation; `=>` fields are sections within the section.
macro_rules! section {
    (
        $(#[doc = $section_doc:literal])*
        $name:ident at $path:literal {
            $(
                $(#[doc = $doc:literal])*
                $field:ident: $type:ty = $rule:expr,
            )*
            $(=>
                $(#[doc = $inner_doc:literal])*
                $inner:ident: $inner_type:ty,
            )*
        }
    ) => {
        $(#[doc = $section_doc])*
        #[derive(Debug, Clone)]
        pub struct $name {
            $( $(#[doc = $doc])* pub $field: $type, )*
            $( $(#[doc = $inner_doc])* pub $inner: $inner_type, )*
        }

        impl $name {
            /// The section's keys.
            pub const SECTION: $crate::config::key::ConfigSection = $crate::config::key::ConfigSection {
                path: $path,
                doc: &[$($section_doc),*],
                keys: &[$(
                    $crate::config::key::Key {
                        section: $path,
                        name: stringify!($field),
                        doc: &[$($doc),*],
                        shape: <$type as $crate::config::read::Read>::SHAPE,
                        rule: $rule,
                    },
                )*],
            };

            /// Reads every key and notes every problem; `None` when a value is missing.
            pub(super) fn read(reader: &mut $crate::config::reader::Reader) -> Option<Self> {
                let mut keys = Self::SECTION.keys.iter();
                $( let $field = <$type as $crate::config::read::Read>::read(reader, keys.next()?); )*
                $( let $inner = <$inner_type>::read(reader); )*
                Some(Self { $( $field: $field?, )* $( $inner: $inner?, )* })
            }
        }
    };
}
pub(super) use section;
