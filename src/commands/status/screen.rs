//! `status --watch` on a terminal: the table, drawn again in place. It needs neither raw mode nor the alternate screen
//! and leaves the cursor alone, so the terminal is in order however this process ends.

use std::time::Duration;

use console::{Term, measure_text_width, truncate_str};
use jiff::{Timestamp, tz::TimeZone};
use miette::IntoDiagnostic;
use tokio::signal::unix::{SignalKind, signal};

use super::REFRESH;
use crate::commands::{one_line, output::printed};

const HOME: &str = "\u{1b}[H";
const CLEAR_TO_END_OF_LINE: &str = "\u{1b}[K";
const CLEAR_TO_END_OF_SCREEN: &str = "\u{1b}[J";

/// How long a window that is being resized is left alone: it tells of every column.
const RESIZING: Duration = Duration::from_millis(100);

/// Shows what `look` returns until the process is interrupted or the terminal has gone away. `source` names what is
/// asked.
///
/// # Errors
/// The terminal can't be written to, or its size can't be watched.
pub async fn watch(
    source: &str,
    look: impl AsyncFn() -> miette::Result<String>,
) -> miette::Result<()> {
    let mut resized = signal(SignalKind::window_change()).into_diagnostic()?;
    let terminal = Term::stdout();
    let mut watched = Watched::default();
    // What is on the screen moves up out of the way, to where the terminal keeps it.
    let mut above = "\n".repeat(terminal.size().0.into());
    loop {
        watched.take(look().await, Timestamp::now());
        let (height, width) = terminal.size();
        let frame = frame(&watched.text(source), height.into(), width.into());
        if !printed(&(std::mem::take(&mut above) + frame.as_str()))? {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(REFRESH) => {}
            _ = resized.recv() => tokio::time::sleep(RESIZING).await,
        }
    }
}

/// What is known.
#[derive(Default)]
struct Watched {
    /// The last good status, and when that was.
    status: Option<(String, Timestamp)>,
    /// Why there has been none since.
    failure: Option<String>,
}

impl Watched {
    fn take(&mut self, looked: miette::Result<String>, now: Timestamp) {
        match looked {
            Ok(text) => (self.status, self.failure) = (Some((text, now)), None),
            Err(report) => self.failure = Some(report.to_string()),
        }
    }

    /// The last line says when this was true, and how to leave.
    fn text(&self, source: &str) -> String {
        let mut text = String::new();
        if let Some(failure) = &self.failure {
            text += &format!("{source} does not answer; trying again.\n");
            text += &format!("{}\n\n", one_line(failure));
        }
        if let Some((status, at)) = &self.status {
            let at = at
                .to_zoned_datetime(TimeZone::system())
                .strftime("%H:%M:%S");
            text += &format!("{status}\nas of {at}; ");
        }
        text + "Ctrl-C ends\n"
    }
}

/// What draws `text` over the frame before: as much of it as the window has room for, and of its last line all.
///
/// It is written in one piece and clears only what it does not write over, so nothing flickers. The window's last line
/// is left to the cursor: there the shell goes on.
fn frame(text: &str, height: usize, width: usize) -> String {
    let room = height.saturating_sub(1);
    let mut lines: Vec<&str> = text.lines().collect();
    let more = format!(
        "… and {} more lines",
        (lines.len() + 1).saturating_sub(room)
    );
    if lines.len() > room {
        let last = lines.pop().into_iter();
        lines.truncate(room.saturating_sub(2));
        lines.extend([more.as_str()].into_iter().chain(last));
        lines.truncate(room);
    }
    let mut frame = HOME.to_owned();
    for line in lines {
        let line = truncate_str(line, width, "…");
        frame += &line;
        // Behind a full line the cursor still stands on its last character.
        if measure_text_width(&line) < width {
            frame += CLEAR_TO_END_OF_LINE;
        }
        frame += "\r\n";
    }
    frame + CLEAR_TO_END_OF_SCREEN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(frame: &str) -> Vec<String> {
        let frame = frame.strip_prefix(HOME).unwrap();
        let frame = frame.strip_suffix(CLEAR_TO_END_OF_SCREEN).unwrap();
        let lines = frame.split_terminator("\r\n");
        lines
            .map(|line| line.replace(CLEAR_TO_END_OF_LINE, ""))
            .collect()
    }

    #[test]
    fn a_frame_that_fits_is_whole() {
        assert_eq!(lines(&frame("a\n\nb\n", 4, 10)), ["a", "", "b"]);
    }

    #[test]
    fn a_low_window_leaves_lines_out_says_how_many_and_keeps_the_last() {
        let text = "1\n2\n3\n4\n5\nlast\n";
        let shown = lines(&frame(text, 6, 20));
        assert_eq!(shown, ["1", "2", "3", "… and 2 more lines", "last"]);
        let shown = lines(&frame(text, 3, 20));
        assert_eq!(shown, ["… and 5 more lines", "last"]);
        for height in 0..10 {
            assert!(lines(&frame(text, height, 20)).len() < height.max(1));
        }
    }

    #[test]
    fn a_narrow_window_shows_where_a_line_was_cut_and_clears_nothing_of_a_full_one() {
        let frame = frame("12345\n123456\n1234\n日本語\n", 9, 5);
        assert_eq!(lines(&frame), ["12345", "1234…", "1234", "日本…"]);
        assert_eq!(frame.matches(CLEAR_TO_END_OF_LINE).count(), 1, "{frame:?}");
    }

    #[test]
    fn a_source_that_is_silent_is_named_above_the_last_status_until_it_answers() {
        let (mut watched, now) = (Watched::default(), Timestamp::now());
        watched.take(Err(miette::miette!("connection\n\u{1b}refused")), now);
        let text = watched.text("Redis");
        assert!(text.starts_with("Redis does not answer; trying again.\nconnection refused\n"));
        watched.take(Ok("all is well\n".to_owned()), now);
        let well = watched.text("Redis");
        assert!(well.starts_with("all is well\n\nas of "), "{well}");
        watched.take(Err(miette::miette!("refused")), now);
        let text = watched.text("Redis");
        assert!(
            text.starts_with("Redis does not answer") && text.ends_with(&well),
            "{text}"
        );
        watched.take(Ok("all is well\n".to_owned()), now);
        assert_eq!(watched.text("Redis"), well);
    }
}
