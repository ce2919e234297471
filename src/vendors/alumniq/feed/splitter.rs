//! Where one row of a JSON array ends and the next begins, also where a row is no JSON.
//!
//! A row whose quotation marks and brackets match ends where they say, whatever else stands in it: `NaN`, a comma too
//! many, an escape that JSON does not know. Where they do not match, the next row begins at the next `,{"KEY":` with
//! the broken row's own first key: within a text of well-formed JSON these marks cannot stand unescaped. Anything less
//! certain is an error: a row that nobody may guess at must not swallow its neighbor.

/// What a byte led to.
pub(super) enum SplitStep {
    /// More is needed.
    On,
    /// A row has ended. Empty: there was nothing where a row should be.
    Row(String),
    /// The array has ended, and with it perhaps a row.
    End(Option<String>),
    /// A row is broken at this character, and nothing proves where it ends.
    NoEnd { at: usize },
}

/// Longer names begin no row.
const LONGEST_KEY: usize = 100;

/// Cuts what stands behind the array's `[` into rows. Bytes below a blank must have become blanks.
#[derive(Default)]
pub(super) struct Splitter {
    row: Vec<u8>,
    /// The brackets that are to be closed, as what closes them.
    open: Vec<u8>,
    within: Within,
    /// What stood last outside of texts: a mark, or a [`WORD`]; 0 at a row's start.
    last: u8,
    /// A comma stands before this place.
    is_due: bool,
}

#[derive(Clone, Copy, Default)]
enum Within {
    #[default]
    Between,
    Row,
    Text,
    Escape,
    /// A row that broke at this byte of it.
    Broken(usize),
}

/// Letters and digits outside of texts.
const WORD: u8 = b'a';

impl Splitter {
    /// How much is held of a row.
    pub fn held(&self) -> usize {
        self.row.len()
    }

    pub fn step(&mut self, byte: u8) -> SplitStep {
        match self.within {
            Within::Text => {
                self.row.push(byte);
                match byte {
                    b'"' => self.within = Within::Row,
                    b'\\' => self.within = Within::Escape,
                    _ => {}
                }
            }
            Within::Escape => {
                self.row.push(byte);
                self.within = Within::Text;
            }
            Within::Between | Within::Row if byte == b' ' => match self.row.is_empty() {
                true => {}
                false => self.row.push(byte),
            },
            Within::Between => match byte {
                b',' => {
                    self.is_due = true;
                    return SplitStep::Row(String::new());
                }
                b']' => return SplitStep::End(self.is_due.then(String::new)),
                _ => {
                    self.within = Within::Row;
                    return self.mark(byte);
                }
            },
            Within::Row => return self.mark(byte),
            Within::Broken(at) => {
                self.row.push(byte);
                if byte == b':' {
                    return self.next_row(at);
                }
            }
        }
        SplitStep::On
    }

    /// A byte of a row, outside of its texts.
    fn mark(&mut self, byte: u8) -> SplitStep {
        let (last, top) = (self.last, self.open.last().copied());
        // A text ends where something ends, and nothing but a comma or an end follows what was closed.
        let is_after_value = matches!(last, b'"' | b'}' | b']');
        let fits = match byte {
            b',' => true,
            b':' => top == Some(b'}') && !matches!(last, b'}' | b']'),
            b'"' => matches!(last, 0 | b'{' | b'[' | b',' | b':'),
            b'{' | b'[' => match last {
                0 | b':' | b'[' => true,
                b',' => top == Some(b']'),
                _ => false,
            },
            b'}' => top == Some(byte),
            b']' => top.is_none() || top == Some(byte),
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'+' | b'-' | b'.' | b'_' | b'$' => {
                !is_after_value
            }
            _ => false,
        };
        if fits && top.is_none() && matches!(byte, b',' | b']') {
            let row = self.cut(self.row.len());
            self.is_due = byte == b',';
            return match byte {
                b',' => SplitStep::Row(row),
                _ => SplitStep::End(Some(row)),
            };
        }
        self.row.push(byte);
        if !fits {
            self.within = Within::Broken(self.row.len());
            return SplitStep::On;
        }
        self.last = byte;
        match byte {
            b'"' => self.within = Within::Text,
            b'{' => self.open.push(b'}'),
            b'[' => self.open.push(b']'),
            b'}' | b']' => drop(self.open.pop()),
            b',' | b':' => {}
            _ => self.last = WORD,
        }
        SplitStep::On
    }

    /// Whether a row begins with what was just read of a broken one, which ends in a colon.
    fn next_row(&mut self, at: usize) -> SplitStep {
        let before_colon = &self.row[..self.row.len() - 1];
        let Some((brace, key)) = object_start(before_colon) else {
            return SplitStep::On;
        };
        let before_brace = self.row[..brace].trim_ascii_end();
        // The broken row's own start: it broke at its first colon, or before.
        if before_brace.is_empty() {
            return SplitStep::On;
        }
        let is_next = first_key(&self.row).is_some_and(|first| first == key);
        match before_brace.split_last() {
            Some((b',', broken)) if is_next => {
                let (ends, begins) = (broken.len(), brace);
                let next = self.row.split_off(begins);
                let broken = self.cut(ends);
                self.row = next;
                self.within = Within::Row;
                self.open = vec![b'}'];
                self.last = b':';
                SplitStep::Row(broken)
            }
            _ => SplitStep::NoEnd { at: self.place(at) },
        }
    }

    /// The body has ended. A broken row has certainly come to its end where the array's follows a text's.
    pub fn last_of_all(mut self) -> SplitStep {
        let Within::Broken(at) = self.within else {
            return SplitStep::On;
        };
        let row = self.row.trim_ascii_end().strip_suffix(b"]");
        let row = row.map(<[u8]>::trim_ascii_end);
        let text = row.and_then(|row| row.strip_suffix(b"}"));
        match (row, text.map(<[u8]>::trim_ascii_end)) {
            (Some(row), Some(text)) if text.ends_with(b"\"") && row.starts_with(b"{") => {
                let ends = row.len();
                SplitStep::End(Some(self.cut(ends)))
            }
            _ => SplitStep::NoEnd { at: self.place(at) },
        }
    }

    /// The row as it is up to this byte; the next may begin.
    fn cut(&mut self, ends: usize) -> String {
        self.row.truncate(ends);
        self.open.clear();
        (self.within, self.last) = (Within::Between, 0);
        let row = std::mem::take(&mut self.row);
        String::from_utf8_lossy(row.trim_ascii_end()).into_owned()
    }

    /// Which character the byte belongs to.
    fn place(&self, at: usize) -> usize {
        String::from_utf8_lossy(&self.row[..at]).chars().count()
    }
}

/// Where `{` stands and the key behind it, in a text that ends in `{"key"`.
fn object_start(text: &[u8]) -> Option<(usize, &[u8])> {
    let text = text.trim_ascii_end().strip_suffix(b"\"")?;
    let least = text.len().saturating_sub(LONGEST_KEY);
    let quote = least + text[least..].iter().rposition(|byte| *byte == b'"')?;
    let before = text[..quote].trim_ascii_end().strip_suffix(b"{")?;
    Some((before.len(), &text[quote + 1..]))
}

/// The first key of a row, where that is a plain name.
fn first_key(row: &[u8]) -> Option<&[u8]> {
    let row = row
        .strip_prefix(b"{")?
        .trim_ascii_start()
        .strip_prefix(b"\"")?;
    let ends = row
        .iter()
        .take(LONGEST_KEY)
        .position(|byte| *byte == b'"')?;
    let (key, behind) = row.split_at(ends);
    let is_name = !key.is_empty() && key.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let is_key = behind[1..].trim_ascii_start().starts_with(b":");
    (is_name && is_key).then_some(key)
}

#[cfg(test)]
mod tests;
