//! The text of an answer's bytes: by the charset that its `Content-Type` declares, by a byte order mark, else by UTF-8,
//! as JSON is. Nothing becomes U+FFFD: a replacement character would be written to another vendor.

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, WINDOWS_1252};
use jobs::change::UNDECODABLE;
use reqwest::header::{CONTENT_TYPE, HeaderMap};

/// How an answer's bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Charset {
    /// The declared one; UTF-8 where none is declared, or none that anybody knows.
    pub fn of(headers: &HeaderMap) -> Self {
        let declared = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let parameters = declared
            .into_iter()
            .flat_map(|value| value.split(';').skip(1));
        let label = parameters.filter_map(|parameter| {
            let (name, label) = parameter.split_once('=')?;
            let is_charset = name.trim().eq_ignore_ascii_case("charset");
            is_charset.then(|| label.trim().trim_matches(['"', '\'']))
        });
        let known = |label: &str| Encoding::for_label_no_replacement(label.as_bytes());
        Self(label.into_iter().find_map(known).unwrap_or(UTF_8))
    }

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The whole of `bytes` as text; `None` where a part of them is none.
    pub fn text(self, bytes: Vec<u8>) -> Option<String> {
        let (charset, mark) = Encoding::for_bom(&bytes).unwrap_or((self.0, 0));
        if charset == UTF_8 && mark == 0 {
            return String::from_utf8(bytes).ok();
        }
        charset
            .decode_without_bom_handling_and_without_replacement(&bytes[mark..])
            .map(|text| text.into_owned())
    }

    /// The same for what only people read, such as the words of a refusal: there, bytes that are no text are read as
    /// windows-1252, in which each byte is a character.
    pub fn words(self, bytes: Vec<u8>) -> String {
        let text = self.text(bytes.clone());
        text.unwrap_or_else(|| {
            WINDOWS_1252
                .decode_without_bom_handling(&bytes)
                .0
                .into_owned()
        })
    }

    /// For a body that comes in pieces; `None` for UTF-8, which the reader of the feed takes as it is and marks itself.
    pub fn pieces(self) -> Option<Pieces> {
        (self.0 != UTF_8).then(|| Pieces(self.0.new_decoder()))
    }
}

/// A body in pieces. What is no text becomes [`UNDECODABLE`], so that one row pays for it and not the whole answer.
pub struct Pieces(Decoder);

impl Pieces {
    /// The text of the next piece, without the character that ends in the one after it.
    pub fn text(&mut self, piece: &[u8]) -> String {
        self.decoded(piece, false)
    }

    /// What is left at the end.
    pub fn rest(&mut self) -> String {
        self.decoded(&[], true)
    }

    fn decoded(&mut self, mut piece: &[u8], is_last: bool) -> String {
        let mut text = String::new();
        loop {
            let room = self
                .0
                .max_utf8_buffer_length_without_replacement(piece.len());
            text.reserve(room.unwrap_or(piece.len()));
            let (result, read) = self
                .0
                .decode_to_string_without_replacement(piece, &mut text, is_last);
            piece = &piece[read..];
            match result {
                DecoderResult::InputEmpty => return text,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => text.push(UNDECODABLE),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn declared(content_type: &'static str) -> Charset {
        let value = HeaderValue::from_static(content_type);
        Charset::of(&HeaderMap::from_iter([(CONTENT_TYPE, value)]))
    }

    /// The text where the charset is not UTF-8.
    fn in_pieces(charset: Charset, bytes: &[u8], size: usize) -> Option<String> {
        let mut pieces = charset.pieces()?;
        let mut text: String = bytes.chunks(size).map(|piece| pieces.text(piece)).collect();
        text += &pieces.rest();
        Some(text)
    }

    #[test]
    fn text_is_read_by_the_declared_charset_a_byte_order_mark_or_utf8() {
        for (content_type, bytes, text) in [
            ("application/json", "Nestlé".as_bytes(), "Nestlé"),
            (
                "application/json;charset=ISO-8859-1",
                b"Nestl\xe9",
                "Nestlé",
            ),
            (
                "application/json; Charset=\"latin1\"",
                b"Nestl\xe9",
                "Nestlé",
            ),
            ("text/html; charset=windows-1252", b"\x80\x9d", "€\u{9d}"),
            ("a/b; x=1; charset=Shift_JIS", b"\x83e\x83X\x83g", "テスト"),
            ("a/b; charset=utf-16le", b"[\x00]\x00", "[]"),
            ("a/b; charset=nobodys", "Zoë".as_bytes(), "Zoë"),
            ("a/b; charset=", "Zoë".as_bytes(), "Zoë"),
            ("a/b; charset=ISO-8859-1", b"\xef\xbb\xbfZo\xc3\xab", "Zoë"),
            ("a/b", b"\xff\xfeZ\x00o\x00", "Zo"),
            ("a/b", b"\xef\xbb\xbfZo", "Zo"),
            ("a/b", b"", ""),
        ] {
            let charset = declared(content_type);
            assert_eq!(charset.text(bytes.to_vec()).as_deref(), Some(text));
            for size in 1..5 {
                let read = in_pieces(charset, bytes, size);
                assert_eq!(read.unwrap_or(text.to_owned()), text, "{content_type}");
            }
        }
        assert_eq!(Charset::of(&HeaderMap::new()).name(), "UTF-8");
    }

    #[test]
    fn bytes_that_are_no_text_are_never_replaced() {
        for (content_type, bytes, pieces, words) in [
            ("a/b", &b"Nestl\xe9\""[..], None, "Nestlé\""),
            ("a/b", b"cut \xe2\x82", None, "cut â‚"),
            (
                "a/b; charset=Shift_JIS",
                b"\x83\"",
                Some("\u{fdd0}\""),
                "ƒ\"",
            ),
            ("a/b; charset=us-ascii2", b"\xff", None, "ÿ"),
        ] {
            let charset = declared(content_type);
            assert_eq!(charset.text(bytes.to_vec()), None, "{content_type}");
            assert_eq!(charset.words(bytes.to_vec()), words);
            for size in 1..5 {
                let read = in_pieces(charset, bytes, size);
                assert_eq!(read.as_deref(), pieces, "{content_type}");
            }
        }
    }
}
