//! stderr, shared by log lines and a progress bar: the bar steps aside for each line.

use std::{
    io::{self, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

use indicatif::ProgressBar;

/// The bar on the terminal, while there is one.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

fn bar() -> MutexGuard<'static, Option<ProgressBar>> {
    BAR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on lines spare `bar`; `None`: there is none any more.
pub fn spare(shown: Option<ProgressBar>) {
    *bar() = shown;
}

/// Writes to `W` while the bar is away.
pub(super) struct Beside<W>(pub W);

impl<W: Write> Write for Beside<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A copy, so that nothing of ours is locked while the terminal is slow.
        let bar = bar().clone();
        match bar {
            Some(bar) => bar.suspend(|| self.0.write(line)),
            None => self.0.write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use indicatif::{ProgressDrawTarget, ProgressStyle, TermLike};

    use super::*;

    /// A terminal that writes down what it is told.
    #[derive(Debug, Clone, Default)]
    struct Told(Arc<Mutex<Vec<String>>>);

    impl Told {
        fn note(&self, what: impl Into<String>) -> io::Result<()> {
            self.0.lock().unwrap().push(what.into());
            Ok(())
        }
    }

    impl TermLike for Told {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.note(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.note(text)
        }
        fn clear_line(&self) -> io::Result<()> {
            self.note("clear")
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.note(String::from_utf8_lossy(bytes))?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_bar_is_taken_away_before_a_line_and_drawn_again_after_it() {
        let told = Told::default();
        let target = ProgressDrawTarget::term_like(Box::new(told.clone()));
        let bar = ProgressBar::with_draw_target(Some(10), target);
        bar.set_style(ProgressStyle::with_template("the bar").unwrap());
        bar.tick();
        spare(Some(bar));
        Beside(told.clone()).write_all(b"a line\n").unwrap();
        spare(None);
        let all = told.0.lock().unwrap().clone();
        let seen: Vec<&str> = all
            .iter()
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
            .collect();
        let line = seen.iter().position(|text| *text == "a line").unwrap();
        assert_eq!(seen[line - 1], "clear", "{seen:?}");
        assert!(seen[..line].contains(&"the bar"), "{seen:?}");
        assert!(seen[line..].contains(&"the bar"), "{seen:?}");
    }
}
