//! The text of a body, in pieces, as the parser of JSON needs it.

use std::{
    io::{self, Read},
    str,
};

use jobs::change::UNDECODABLE;

/// How much of the body is looked at at a time.
const PIECE: usize = 16 * 1024;

/// What is no UTF-8 becomes [`UNDECODABLE`]; control characters become blanks,
/// for CFML may leave them in texts as they are (people paste vertical tabs out of a word processor), which JSON
/// forbids, and between values a blank does what a line break does. Byte order marks and blanks at the start go.
pub(super) struct Tidy<R> {
    body: R,
    /// What was read last; its first `held` bytes are a character of which the rest is still to come.
    raw: Box<[u8]>,
    held: usize,
    /// What the parser has not yet had is what lies behind `at`.
    text: Vec<u8>,
    at: usize,
    has_begun: bool,
    has_ended: bool,
    /// How many bytes there were.
    pub bytes: u64,
}

impl<R: Read> Tidy<R> {
    pub fn new(body: R) -> Self {
        Self {
            body,
            raw: vec![0; PIECE].into(),
            held: 0,
            text: Vec::with_capacity(PIECE),
            at: 0,
            has_begun: false,
            has_ended: false,
            bytes: 0,
        }
    }

    /// The first byte that the parser will see; `None`: there is nothing but blanks.
    pub fn first(&mut self) -> io::Result<Option<u8>> {
        self.fill()?;
        Ok(self.text.get(self.at).copied())
    }

    /// What is there of the text, and was not taken; empty at its end.
    pub fn piece(&mut self) -> io::Result<&[u8]> {
        self.fill()?;
        Ok(&self.text[self.at..])
    }

    /// So many bytes of what [`Tidy::piece`] gave are done with.
    pub fn take(&mut self, bytes: usize) {
        self.at = self.text.len().min(self.at + bytes);
    }

    /// The next bytes, as many or all that are left; they are taken.
    pub fn begins_with(&mut self, bytes: usize) -> io::Result<String> {
        let mut begun = Vec::new();
        while begun.len() < bytes {
            let Some(byte) = self.piece()?.first().copied() else {
                break;
            };
            begun.push(byte);
            self.take(1);
        }
        Ok(String::from_utf8_lossy(&begun).into_owned())
    }

    /// Whether nothing but blanks is left; they are taken.
    pub fn is_over(&mut self) -> io::Result<bool> {
        loop {
            self.fill()?;
            let rest = str::from_utf8(&self.text[self.at..]).unwrap_or("?");
            if !rest.chars().all(char::is_whitespace) {
                return Ok(false);
            }
            if rest.is_empty() {
                return Ok(true);
            }
            self.at = self.text.len();
        }
    }

    /// There is text to give, or there will be none.
    fn fill(&mut self) -> io::Result<()> {
        while self.at == self.text.len() && !self.has_ended {
            let read = loop {
                match self.body.read(&mut self.raw[self.held..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read?,
                }
            };
            self.bytes += read as u64;
            self.has_ended = read == 0;
            self.text.clear();
            self.at = 0;
            self.decode(self.held + read);
        }
        Ok(())
    }

    fn decode(&mut self, end: usize) {
        let (mut from, mut text) = (0, std::mem::take(&mut self.text));
        self.held = 0;
        while from < end {
            let (good, broken) = match str::from_utf8(&self.raw[from..end]) {
                Ok(good) => (good.len(), Some(0)),
                Err(error) => (error.valid_up_to(), error.error_len()),
            };
            self.keep(&self.raw[from..from + good], &mut text);
            from += good;
            match broken {
                Some(0) => break,
                Some(broken) => from += broken,
                None if self.has_ended => from = end,
                None => {
                    self.raw.copy_within(from..end, 0);
                    self.held = end - from;
                    break;
                }
            }
            text.extend_from_slice(UNDECODABLE.encode_utf8(&mut [0; 4]).as_bytes());
        }
        if !self.has_begun {
            let begun = str::from_utf8(&text).unwrap_or_default();
            let begun = begun.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
            self.at = text.len() - begun.len();
            self.has_begun = !begun.is_empty();
        }
        self.text = text;
    }

    fn keep(&self, good: &[u8], text: &mut Vec<u8>) {
        text.extend(good.iter().map(|byte| (*byte).max(b' ')));
    }
}
