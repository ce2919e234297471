//! Text of others, where people look at it: nothing in it is hidden, and nothing steers what stands around it.

/// Control characters, and those that nobody sees but that turn, split or join what stands around them.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffd}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text with a mark in the place of each of them, so that it is not taken for the same text without. Its lines stay.
pub fn marked(text: &str) -> String {
    let mark = |c: char| match c {
        '\n' | '\t' => c,
        c if is_hidden(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(mark).collect()
}

/// The text of a file without the byte order mark that some editors put in front, and nobody sees.
pub fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_hidden_gets_a_mark_and_what_people_write_stays() {
        for (text, shown) in [
            ("1001\u{200b}", "1001\u{fffd}"),
            ("\u{202e}gnp.exe\u{202c}", "\u{fffd}gnp.exe\u{fffd}"),
            ("a\u{2066}b\u{2069}\u{61c}", "a\u{fffd}b\u{fffd}\u{fffd}"),
            ("\u{1b}[2J\u{85}", "\u{fffd}[2J\u{fffd}"),
            ("{\n\t\"a\": 1\n}", "{\n\t\"a\": 1\n}"),
            ("José Ñandú 李 שלום ❤️", "José Ñandú 李 שלום ❤️"),
        ] {
            assert_eq!(marked(text), shown, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left_and_no_character_is_lost(text in "\\PC{0,20}|[\u{200b}-\u{206f}\u{0}-\u{9f}]{0,20}") {
            let shown = marked(&text);
            prop_assert_eq!(shown.chars().count(), text.chars().count());
            let hidden = |c: char| is_hidden(c) && !['\n', '\t', '\u{fffd}'].contains(&c);
            prop_assert!(!shown.chars().any(hidden), "{shown:?}");
        }
    }
}
