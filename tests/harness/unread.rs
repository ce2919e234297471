//! Outputs that nobody reads.

use std::{
    io::{PipeReader, Write, pipe},
    process::Stdio,
    thread,
};

/// A pipe that is full and stays so as long as the reader lives.
pub fn stuck() -> (Stdio, PipeReader) {
    let (reader, writer) = pipe().unwrap();
    let mut filling = writer.try_clone().unwrap();
    // It ends when the reader is dropped.
    thread::spawn(move || while filling.write_all(&[b'\n'; 4096]).is_ok() {});
    (writer.into(), reader)
}

/// A pipe whose reader has gone away.
pub fn abandoned() -> Stdio {
    pipe().unwrap().1.into()
}
