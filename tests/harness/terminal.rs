//! A pseudo-terminal (of `script`) with a program on it, and what its screen shows.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, ChildStdout},
    task::JoinHandle,
};

use crate::{
    relay::{Relay, program},
    waiting::{until, until_true},
};

pub struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    seen: Arc<Mutex<Screen>>,
    reading: JoinHandle<()>,
}

impl Terminal {
    /// Starts a command of the program on a terminal of that many columns and rows.
    pub fn start(relay: &Relay, columns: u16, rows: u16, arguments: &[&str]) -> Self {
        // Tests that run under `nohup` would have it ignore the hangup.
        let line = format!(
            "stty columns {columns} rows {rows}; exec env --default-signal=HUP {} {}",
            program().display(),
            arguments.join(" ")
        );
        let mut child = relay
            .command_of("script", &["-qefc", &line, "/dev/null"])
            .env("TERM", "xterm-256color")
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let seen = Arc::new(Mutex::new(Screen::default()));
        let reading = tokio::spawn(read(child.stdout.take().unwrap(), Arc::clone(&seen)));
        Self {
            keyboard: child.stdin.take().unwrap(),
            child,
            seen,
            reading,
        }
    }

    pub async fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).await.unwrap();
        self.keyboard.flush().await.unwrap();
    }

    /// Every line of the screen.
    pub fn lines(&self) -> Vec<String> {
        self.seen.lock().unwrap().lines()
    }

    /// All that the program wrote.
    pub fn written(&self) -> String {
        self.seen.lock().unwrap().written.clone()
    }

    pub async fn shows(&self, text: &str) {
        let what = format!("the screen shows {text:?}");
        until_true(&what, async || {
            self.lines().iter().any(|line| line.contains(text))
        })
        .await;
    }

    pub async fn shows_no(&self, text: &str) {
        let what = format!("the screen does not show {text:?} any more");
        until_true(&what, async || {
            !self.lines().iter().any(|line| line.contains(text))
        })
        .await;
    }

    /// Nobody reads any more what the program writes, as after Ctrl-S; or somebody does again.
    pub fn is_read(&self, read: bool) {
        let signal = if read { "-CONT" } else { "-STOP" };
        let script = self.child.id().unwrap().to_string();
        let sent = std::process::Command::new("kill")
            .args([signal, &script])
            .status();
        assert!(sent.unwrap().success());
    }

    /// The program on it: `script`'s only child.
    pub fn pid(&self) -> u32 {
        let script = self.child.id().unwrap();
        let children = std::fs::read_to_string(format!("/proc/{script}/task/{script}/children"));
        children
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Waits until the program has ended and all that it wrote is read; its exit code.
    pub async fn ended(&mut self) -> i32 {
        let child = &mut self.child;
        let status = until("the program leaves the terminal", async || {
            child.try_wait().unwrap()
        })
        .await;
        (&mut self.reading).await.unwrap();
        status.code().unwrap()
    }
}

async fn read(mut output: ChildStdout, seen: Arc<Mutex<Screen>>) {
    let mut bytes = [0; 4096];
    let mut pending = Vec::new();
    while let Ok(count @ 1..) = output.read(&mut bytes).await {
        pending.extend_from_slice(&bytes[..count]);
        // What is whole: no character and no sequence is cut in two.
        let whole = match std::str::from_utf8(&pending) {
            Ok(text) => text.to_owned(),
            Err(error) => String::from_utf8_lossy(&pending[..error.valid_up_to()]).into_owned(),
        };
        let rest = seen.lock().unwrap().take(&whole);
        pending.drain(..whole.len() - rest);
    }
}

/// As much of a terminal as the program uses: the cursor is put somewhere, and text is written from there.
#[derive(Default)]
struct Screen {
    cells: Vec<Vec<char>>,
    row: usize,
    column: usize,
    written: String,
}

impl Screen {
    /// Takes `text`; says how many bytes at its end are the beginning of a sequence.
    fn take(&mut self, text: &str) -> usize {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if c == '\u{1b}' {
                let Some(length) = sequence(rest) else { break };
                self.obey(&rest[..length]);
                rest = &rest[length..];
                continue;
            }
            match c {
                '\r' => self.column = 0,
                '\n' => self.row += 1,
                c if c.is_control() => {}
                c => self.put(c),
            }
            rest = &rest[c.len_utf8()..];
        }
        self.written += &text[..text.len() - rest.len()];
        rest.len()
    }

    fn obey(&mut self, sequence: &str) {
        let Some(parameters) = sequence.strip_prefix("\u{1b}[") else {
            return;
        };
        if let Some(place) = parameters.strip_suffix('H') {
            let mut numbers = place.split(';').map(|number| number.parse().unwrap_or(1));
            self.row = numbers.next().unwrap_or(1) - 1;
            self.column = numbers.next().unwrap_or(1) - 1;
        } else if parameters == "2J" {
            self.cells.clear();
        } else if let ("K" | "J", Some(row)) = (parameters, self.cells.get_mut(self.row)) {
            row.truncate(self.column);
        }
        if parameters == "J" {
            self.cells.truncate(self.row + 1);
        }
    }

    fn put(&mut self, c: char) {
        if self.cells.len() <= self.row {
            self.cells.resize(self.row + 1, Vec::new());
        }
        let row = &mut self.cells[self.row];
        if row.len() <= self.column {
            row.resize(self.column + 1, ' ');
        }
        row[self.column] = c;
        self.column += 1;
    }

    fn lines(&self) -> Vec<String> {
        let lines = self.cells.iter().map(|row| row.iter().collect::<String>());
        lines.map(|line| line.trim_end().to_owned()).collect()
    }
}

/// How long the sequence is that `text` begins with, if all of it is there.
fn sequence(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    match chars.next()?.1 {
        '[' => chars
            .find(|(_, c)| ('@'..='~').contains(c))
            .map(|(at, _)| at + 1),
        c => Some(1 + c.len_utf8()),
    }
}
