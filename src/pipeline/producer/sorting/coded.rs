//! A change as bytes: its texts, each with its length in front.

use std::io::{self, Read};

use jobs::outcome::DeadClass;
use queue::intake::{Listed, NewChange, NewLetter};
use serde_json::value::RawValue;

/// Behind `to`. `replaces` is left out: no row of the feed replaces another.
pub(super) fn write(change: &NewChange, to: &mut Vec<u8>) {
    let texts = [&change.order, &change.change_id].map(String::as_str);
    texts.into_iter().for_each(|text| put(text, to));
    put_or_none(change.xid.as_deref(), to);
    put(change.row.get(), to);
    put_or_none(change.letter.as_ref().map(|l| l.class.as_str()), to);
    if let Some(letter) = &change.letter {
        put(&letter.cause, to);
        put(&letter.advice, to);
        to.push(letter.has_id.into());
    }
    to.push(change.listed.is_some().into());
    if let Some(Listed { content, row }) = &change.listed {
        to.extend_from_slice(content);
        to.extend_from_slice(&row.to_le_bytes());
    }
}

/// The next one.
pub(super) fn read(from: &mut impl Read) -> io::Result<NewChange> {
    let (order, change_id, xid) = (get(from)?, get(from)?, get_or_none(from)?);
    let row = RawValue::from_string(get(from)?)?;
    let letter = match get_or_none(from)? {
        None => None,
        Some(class) => {
            let class: DeadClass = class.parse().map_err(io::Error::other)?;
            let (cause, advice) = (get(from)?, get(from)?);
            Some(NewLetter::new(class, cause, advice, byte(from)? != 0))
        }
    };
    let listed = match byte(from)? {
        0 => None,
        _ => Some(Listed {
            content: bytes(from)?,
            row: u64::from_le_bytes(bytes(from)?),
        }),
    };
    Ok(NewChange {
        change_id,
        xid,
        order,
        row,
        letter,
        replaces: None,
        listed,
    })
}

fn put(text: &str, to: &mut Vec<u8>) {
    to.extend_from_slice(&(text.len() as u64).to_le_bytes());
    to.extend_from_slice(text.as_bytes());
}

fn put_or_none(text: Option<&str>, to: &mut Vec<u8>) {
    to.push(text.is_some().into());
    if let Some(text) = text {
        put(text, to);
    }
}

fn get(from: &mut impl Read) -> io::Result<String> {
    let length = usize::try_from(u64::from_le_bytes(bytes(from)?)).map_err(io::Error::other)?;
    let mut text = vec![0; length];
    from.read_exact(&mut text)?;
    String::from_utf8(text).map_err(io::Error::other)
}

fn get_or_none(from: &mut impl Read) -> io::Result<Option<String>> {
    match byte(from)? {
        0 => Ok(None),
        _ => get(from).map(Some),
    }
}

fn byte(from: &mut impl Read) -> io::Result<u8> {
    let [byte] = bytes(from)?;
    Ok(byte)
}

fn bytes<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}
