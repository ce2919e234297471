//! One GET of the feed whose rows are taken as they come, so that none of its length stands in memory.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::mpsc::{self, Receiver};

use super::{apart::apart, error::FetchError};
use crate::vendors::{AlumniqClient, FeedFilter, Redactor, feed};

/// How many pieces may lie between the network and the parser, so that neither waits for the other at each.
const PIECES: usize = 8;

/// What one GET came to.
pub struct Poured<T> {
    /// `x-api-key-days-remaining`.
    pub key_days: Option<i64>,
    /// How many rows there were, and what was made of them.
    pub rows: Result<(u64, T), FetchError>,
}

/// Makes the GET; `take` puts each row into `into`, on a thread of its own. That the answer was whole is known at the
/// end only.
pub async fn pour<T: Send + 'static>(
    client: &AlumniqClient,
    filter: &FeedFilter,
    marks: bool,
    mut into: T,
    mut take: impl FnMut(&mut T, Box<RawValue>) -> io::Result<()> + Send + 'static,
) -> Poured<T> {
    let (pipe, pieces) = mpsc::channel(PIECES);
    let redactor = client.redactor().clone();
    let taking = apart(move || {
        let rows = feed::read_rows(Pieces::of(pieces), |row| {
            take(&mut into, redacted(row, &redactor)?)
        });
        rows.map(|rows| (rows, into))
    });
    let (answer, taken) = tokio::join!(client.fetch(filter, marks, pipe), taking);
    let rows = feed::good(&answer.reply).map_err(FetchError::Feed);
    Poured {
        key_days: answer.key_days_remaining,
        rows: rows.and_then(|answer| {
            taken.map_err(
                |unread| match feed::instead_of_rows(answer.retry_after, unread) {
                    Ok(error) => FetchError::Feed(error),
                    Err(error) => FetchError::Sorting(error),
                },
            )
        }),
    }
}

/// The row without the key, should AlumnIQ repeat it there.
fn redacted(row: Box<RawValue>, redactor: &Redactor) -> io::Result<Box<RawValue>> {
    let Some(text) = redactor.data(row.get()) else {
        return Ok(row);
    };
    // Where the key was not within a text, what is left of the row is none.
    match RawValue::from_string(text) {
        Ok(row) => Ok(row),
        Err(_) => Ok(to_raw_value("[redacted]")?),
    }
}

/// What comes through the pipe, for somebody who reads on a thread of his own.
struct Pieces {
    from: Receiver<Bytes>,
    piece: Bytes,
}

impl Pieces {
    fn of(from: Receiver<Bytes>) -> Self {
        Self {
            from,
            piece: Bytes::new(),
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.from.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let given = into.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut into[..given]);
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn a_row_that_repeats_the_key_is_a_row_without_it() {
        let key = SecretString::from("3E6B1F0A9C447712");
        let redactor = Redactor::of([&key]);
        for (row, without) in [
            (r#"{"a":"x"}"#, r#"{"a":"x"}"#),
            (r#"{"a":"x3E6B1F0A9C447712"}"#, r#"{"a":"x[redacted]"}"#),
        ] {
            let row = RawValue::from_string(row.to_owned()).unwrap();
            assert_eq!(redacted(row, &redactor).unwrap().get(), without);
        }
        let redactor = Redactor::of([&SecretString::from("471100815471100815")]);
        let row = r#"{"a":471100815471100815}"#.to_owned();
        let row = RawValue::from_string(row).unwrap();
        assert_eq!(redacted(row, &redactor).unwrap().get(), r#""[redacted]""#);
    }

    #[tokio::test]
    async fn pieces_are_read_until_nobody_sends_any_more() {
        let (pipe, pieces) = mpsc::channel(1);
        let reading = apart(move || io::read_to_string(Pieces::of(pieces)));
        let sending = async move {
            for piece in ["ab", "", "c"] {
                pipe.send(Bytes::from(piece)).await.unwrap();
            }
        };
        let (read, ()) = tokio::join!(reading, sending);
        assert_eq!(read.unwrap(), "abc");
    }
}
