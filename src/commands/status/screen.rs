//! `status --watch` on a terminal: one calm screen that is drawn anew where something changes.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
};
use tokio::sync::mpsc;

use super::{
    REFRESH,
    view::{self, Seen, View},
};
use crate::telemetry;

/// How often countdowns go on.
const TICK: Duration = Duration::from_secs(1);
/// How long a key may wait for the thread that reads it.
const ATTENTION: Duration = Duration::from_millis(200);

/// Shows what `look` sees until somebody leaves; `who` is asked.
///
/// # Errors
/// The terminal cannot be used for it.
pub async fn watch(
    who: &'static str,
    look: impl AsyncFn() -> Result<Seen, String>,
) -> io::Result<()> {
    let colours = telemetry::colours_on(&io::stdout());
    let mut screen = Screen::enter()?;
    let mut hands = Hands::watched();
    let (tell, mut looks) = mpsc::channel(1);
    let looking = async {
        loop {
            let seen = look().await;
            if tell.send(seen).await.is_err() {
                return;
            }
            tokio::time::sleep(REFRESH).await;
        }
    };
    tokio::pin!(looking);
    let mut view = View::of(who);
    let mut since = Instant::now();
    let mut tick = tokio::time::interval(TICK);
    loop {
        view.age = since.elapsed();
        screen.0.draw(|frame| view::draw(frame, &view, colours))?;
        tokio::select! {
            hand = hands.next() => match hand {
                Some(Hand::Resized) => {}
                Some(Hand::Leaves) | None => return Ok(()),
            },
            Some(seen) = looks.recv() => {
                // Where nobody answers, what was seen before grows older.
                if seen.is_ok() {
                    since = Instant::now();
                }
                view.take(seen);
            }
            () = &mut looking => return Ok(()),
            _ = tick.tick() => {}
        }
    }
}

/// The alternate screen; the terminal is as it was when this ends, however it ends: a panic takes it down, too.
struct Screen(DefaultTerminal);

impl Screen {
    fn enter() -> io::Result<Self> {
        let entered = ratatui::try_init();
        if entered.is_err() {
            // It may have got half way.
            ratatui::restore();
        }
        entered.map(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// What somebody at the keyboard does.
enum Hand {
    Leaves,
    Resized,
}

/// Reads the keyboard in a thread of its own, which ends with this.
struct Hands {
    told: mpsc::UnboundedReceiver<Hand>,
    is_over: Arc<AtomicBool>,
}

impl Hands {
    fn watched() -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let hand = match event::poll(ATTENTION) {
                    Ok(false) => None,
                    Ok(true) => event::read().map_or(Some(Hand::Leaves), |event| meant(&event)),
                    // The terminal is gone.
                    Err(_) => Some(Hand::Leaves),
                };
                if let Some(hand) = hand
                    && tell.send(hand).is_err()
                {
                    return;
                }
            }
        });
        Self { told, is_over }
    }

    async fn next(&mut self) -> Option<Hand> {
        self.told.recv().await
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// In raw mode Ctrl-C is a key.
fn meant(event: &Event) -> Option<Hand> {
    match event {
        Event::Resize(..) => Some(Hand::Resized),
        Event::Key(KeyEvent {
            code,
            modifiers,
            kind: KeyEventKind::Press,
            ..
        }) => {
            let is_control = modifiers.contains(KeyModifiers::CONTROL);
            let leaves = matches!(code, KeyCode::Esc | KeyCode::Char('q' | 'Q'))
                || is_control && matches!(code, KeyCode::Char('c' | 'd'));
            leaves.then_some(Hand::Leaves)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_escape_and_control_c_leave_and_nothing_else_does() {
        let key = |code, modifiers| Event::Key(KeyEvent::new(code, modifiers));
        let none = KeyModifiers::NONE;
        for leaves in [
            key(KeyCode::Char('q'), none),
            key(KeyCode::Char('Q'), KeyModifiers::SHIFT),
            key(KeyCode::Esc, none),
            key(KeyCode::Char('c'), KeyModifiers::CONTROL),
        ] {
            assert!(matches!(meant(&leaves), Some(Hand::Leaves)), "{leaves:?}");
        }
        for stays in [
            key(KeyCode::Char('c'), none),
            key(KeyCode::Enter, none),
            Event::FocusLost,
        ] {
            assert!(meant(&stays).is_none(), "{stays:?}");
        }
        assert!(matches!(meant(&Event::Resize(1, 1)), Some(Hand::Resized)));
    }
}
