//! What the screen of `status --watch` shows, in the order in which an operator asks: is all well, what is held
//! up and for how long, what needs a person and why, who works, do the books balance.

use std::{cmp::Reverse, time::Duration};

use jiff::Timestamp;
use jobs::{destination::Vendor, outcome::DeadClass};
use ratatui::{
    Frame,
    layout::Rect,
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::Paragraph,
};

use super::verdict;
use crate::{
    commands::{desk::Desk, one_line},
    console::pages::verdict::Level,
    operations::wanted::Wanted,
    queue::{
        letters::Order,
        stats::{DestinationStatus, Pause, Status},
        trouble::Trouble,
    },
};

/// From here on columns have their whole names.
const WIDE: u16 = 64;
/// Dead letters are shown of so many classes: more do not fit on any screen beside the rest.
const MOST_CLASSES: usize = 12;

/// What was seen at one look.
#[derive(Debug)]
pub struct Seen {
    /// Everything that can be counted.
    pub status: Status,
    /// Of each class of dead letters the first one's cause, the most frequent class first.
    pub letters: Vec<LetterLine>,
    /// When.
    pub at: Timestamp,
}

/// The dead letters of one class at one vendor.
#[derive(Debug)]
pub struct LetterLine {
    /// Where they died.
    pub vendor: Vendor,
    /// Their class.
    pub class: DeadClass,
    /// How many.
    pub count: u64,
    /// Why the oldest of them died.
    pub cause: String,
}

/// What is shown.
#[derive(Debug, Default)]
pub struct View {
    /// The last good look.
    pub seen: Option<Seen>,
    /// Why the last look failed, if it did.
    pub away: Option<String>,
    /// Who is asked.
    pub who: &'static str,
    /// How long ago the last good look was: countdowns go on between two.
    pub age: Duration,
}

impl View {
    /// Nothing seen yet.
    pub fn of(who: &'static str) -> Self {
        Self {
            who,
            ..Self::default()
        }
    }

    /// What came of a look.
    pub fn take(&mut self, seen: Result<Seen, String>) {
        match seen {
            Ok(seen) => (self.seen, self.away) = (Some(seen), None),
            Err(away) => self.away = Some(away),
        }
    }
}

/// What is to be seen now.
///
/// # Errors
/// Redis or the server does not answer.
pub async fn look(desk: &Desk) -> miette::Result<Seen> {
    let status = desk.status().await?;
    let letters = first_letters(desk, &status).await?;
    Ok(Seen {
        status,
        letters,
        at: Timestamp::now(),
    })
}

/// The oldest dead letter of each class.
async fn first_letters(desk: &Desk, status: &Status) -> miette::Result<Vec<LetterLine>> {
    let vendors = status.dead_letters.iter();
    let mut counts: Vec<(Vendor, DeadClass, u64)> = vendors
        .flat_map(|(vendor, classes)| {
            let classes = classes.iter().filter(|(_, count)| **count > 0);
            classes.map(|(class, count)| (*vendor, *class, *count))
        })
        .collect();
    counts.sort_by_key(|(.., count)| Reverse(*count));
    let mut lines = Vec::new();
    for (vendor, class, count) in counts.into_iter().take(MOST_CLASSES) {
        let wanted = Wanted {
            destination: Some(vendor),
            class: Some(class),
            ..Wanted::default()
        };
        let first = desk
            .letters(Order::OldestFirst, &wanted, None, 1)
            .await?
            .items
            .into_iter()
            .next();
        lines.push(LetterLine {
            vendor,
            class,
            count,
            cause: first.map(|letter| letter.cause).unwrap_or_default(),
        });
    }
    Ok(lines)
}

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, view: &View, colours: bool) {
    let area = frame.area();
    let page = Page {
        width: area.width,
        colours,
    };
    let (top, middle, bottom) = page.parts(view);
    let bottom_height = fit(bottom.len());
    let room = area.height.saturating_sub(bottom_height);
    let mut lines = top;
    lines.extend(page.fitted(middle, usize::from(room).saturating_sub(lines.len())));
    let upper = Rect {
        height: room,
        ..area
    };
    let lower = Rect {
        y: area.y + room,
        height: area.height - room,
        ..area
    };
    frame.render_widget(Paragraph::new(lines), upper);
    frame.render_widget(Paragraph::new(bottom), lower);
}

fn fit(lines: usize) -> u16 {
    u16::try_from(lines).unwrap_or(u16::MAX)
}

type Lines = Vec<Line<'static>>;

struct Page {
    width: u16,
    colours: bool,
}

impl Page {
    /// What is always shown, what gives way where the screen is low, and what stands at its foot.
    fn parts(&self, view: &View) -> (Lines, Vec<Lines>, Lines) {
        let keys = "q, Esc or Ctrl-C leaves";
        let Some(seen) = &view.seen else {
            let top = match &view.away {
                Some(away) => self.away(view.who, away),
                None => vec![self.plain("Looking …")],
            };
            return (top, Vec::new(), vec![self.dim(keys)]);
        };
        let status = &seen.status;
        let mut top = Vec::new();
        if let Some(away) = &view.away {
            top.extend(self.away(view.who, away));
            top.push(self.dim(&format!("What was seen at {}:", clock(seen.at))));
        }
        top.push(self.verdict(status));
        if status.memory.is_full() {
            top.push(self.coloured(&Trouble::Full.to_string(), Color::Red));
        }
        top.push(Line::default());
        top.extend(self.destinations(status));
        top.extend(self.pauses(status, view.age));
        let middle = vec![self.letters(&seen.letters), self.workers(status)];
        let books = self.books(status);
        let foot = format!("{}   {keys}", clock(seen.at));
        (top, middle, vec![books, self.dim(&foot)])
    }

    fn away(&self, who: &str, away: &str) -> Lines {
        let text = format!("{who} does not answer; this tries again all the time.");
        let mut line = self.coloured(&text, Color::Red);
        line.style = line.style.add_modifier(Modifier::BOLD);
        vec![line, self.dim(&one_line(away))]
    }

    fn verdict(&self, status: &Status) -> Line<'static> {
        let (level, verdict) = verdict(status);
        let colour = match level {
            Level::Good => Color::Green,
            Level::Waits => Color::Yellow,
            Level::Bad => Color::Red,
        };
        let mut line = self.coloured(&one_line(&verdict), colour);
        line.style = line.style.add_modifier(Modifier::BOLD);
        line
    }

    fn destinations(&self, status: &Status) -> Lines {
        let (names, width) = match self.is_wide() {
            true => (["waiting", "ready", "running", "retry", "dead"], 10),
            false => (["wait", "ready", "run", "retry", "dead"], 6),
        };
        let row = |first: &str, cells: [String; 5]| {
            let cells: String = cells.iter().map(|cell| format!("{cell:>width$}")).collect();
            format!("{first:<8}{cells}")
        };
        let mut lines = vec![self.dim(&row("", names.map(str::to_owned)))];
        for (destination, counts) in &status.destinations {
            let text = row(destination.as_str(), numbers(counts));
            lines.push(match counts.dead {
                0 => self.plain(&text),
                _ => self.coloured(&text, Color::Red),
            });
        }
        lines.push(self.plain(&format!(
            "to acknowledge {}, the oldest {} ago",
            status.to_acknowledge + status.acknowledging,
            duration(status.oldest_unacknowledged_seconds)
        )));
        if let Some(error) = &status.producer.error {
            lines.push(self.coloured(&format!("fetch: {}", one_line(error)), Color::Yellow));
        }
        lines
    }

    fn pauses(&self, status: &Status, age: Duration) -> Lines {
        if status.pauses.is_empty() {
            return Vec::new();
        }
        let mut lines = vec![Line::default()];
        for (vendor, pause) in &status.pauses {
            let left = countdown(pause, age);
            let text = format!("{vendor} is paused {left}: {}", one_line(&pause.cause));
            lines.push(self.coloured(&text, Color::Yellow));
        }
        lines
    }

    fn letters(&self, letters: &[LetterLine]) -> Lines {
        if letters.is_empty() {
            return Vec::new();
        }
        let mut lines = vec![
            Line::default(),
            self.dim("dead letters, and why the first of them died"),
        ];
        for letter in letters {
            let head = format!("{:>6} {} {}", letter.count, letter.vendor, letter.class);
            let text = format!("{head}: {}", one_line(&letter.cause));
            lines.push(self.plain(&text));
        }
        lines
    }

    fn workers(&self, status: &Status) -> Lines {
        let head = match status.workers.len() {
            0 => "no process runs".to_owned(),
            1 => "1 process".to_owned(),
            several => format!("{several} processes"),
        };
        let mut lines = vec![Line::default(), self.dim(&head)];
        for (worker, info) in &status.workers {
            let roles = info["roles"].as_array().into_iter().flatten();
            let roles: Vec<&str> = roles.filter_map(|role| role.as_str()).collect();
            let leads = match status.producer.leader.as_ref() == Some(worker) {
                true => ", leads",
                false => "",
            };
            lines.push(self.plain(&format!(
                "{}  {}{leads}",
                one_line(worker),
                one_line(&roles.join(", "))
            )));
        }
        lines
    }

    fn books(&self, status: &Status) -> Line<'static> {
        let books = status.books;
        match (books.difference, self.is_wide()) {
            (0, _) if books.are_negative() => self.coloured("A COUNT IS NEGATIVE", Color::Red),
            (0, true) => self.plain(&format!(
                "{} fetched = {} acknowledged + {} discarded + {} in flight + {} dead",
                books.fetched, books.acknowledged, books.discarded, books.in_flight, books.dead
            )),
            (0, false) => self.plain(&format!(
                "{} of {} through, the books balance",
                books.acknowledged + books.discarded,
                books.fetched
            )),
            (difference, _) => {
                self.coloured(&format!("THE BOOKS ARE OFF BY {difference}"), Color::Red)
            }
        }
    }

    /// The parts in `room` lines: the last ones give way first, and say how much is left out.
    fn fitted(&self, parts: Vec<Lines>, mut room: usize) -> Lines {
        let mut fitted = Vec::new();
        let mut parts: Vec<Lines> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        // The last part keeps two lines, its blank one and its heading, where the first ones leave none.
        let kept = if parts.len() > 1 { 2 } else { 0 };
        let last = parts.len().saturating_sub(1);
        for (at, part) in parts.iter_mut().enumerate() {
            let most = room.saturating_sub(if at < last { kept } else { 0 });
            let whole = part.len();
            if whole > most {
                part.truncate(most.saturating_sub(1));
                if part.len() > 1 {
                    let left = whole - part.len();
                    part.push(self.dim(&format!("… and {left} more")));
                } else {
                    part.truncate(most);
                }
            }
            room -= part.len().min(room);
            fitted.append(part);
        }
        fitted
    }

    fn is_wide(&self) -> bool {
        self.width >= WIDE
    }

    fn plain(&self, text: &str) -> Line<'static> {
        self.styled(text, Style::new())
    }

    fn dim(&self, text: &str) -> Line<'static> {
        self.styled(text, Style::new().add_modifier(Modifier::DIM))
    }

    fn coloured(&self, text: &str, colour: Color) -> Line<'static> {
        let style = match self.colours {
            true => Style::new().fg(colour),
            false => Style::new(),
        };
        self.styled(text, style)
    }

    /// Cut to the screen's width, and the cut shows.
    fn styled(&self, text: &str, style: Style) -> Line<'static> {
        let width = usize::from(self.width);
        let mut line = Line::from(text.to_owned());
        if line.width() > width {
            let mut kept = String::new();
            for c in text.chars() {
                if Span::raw(format!("{kept}{c}…")).width() > width {
                    break;
                }
                kept.push(c);
            }
            line = Line::from(kept + "…");
        }
        line.style(style)
    }
}

fn numbers(counts: &DestinationStatus) -> [String; 5] {
    let DestinationStatus {
        waiting,
        ready,
        running,
        retry,
        dead,
        ..
    } = counts;
    [waiting, ready, running, retry, dead].map(ToString::to_string)
}

fn countdown(pause: &Pause, age: Duration) -> String {
    match pause.seconds_left.map(|left| left - age.as_secs_f64()) {
        None => "by an operator".to_owned(),
        Some(left) if left > 0.0 => format!("for {}", duration(left)),
        Some(_) => "and trying again".to_owned(),
    }
}

/// Two units at most: `3 d 4 h`, `12 min 5 s`, `7 s`.
fn duration(seconds: f64) -> String {
    // Whole and not negative; what does not fit is far beyond any age here.
    let seconds = seconds.max(0.0).round() as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// The time of the day where the operator is.
fn clock(at: Timestamp) -> String {
    let local = at.to_zoned(jiff::tz::TimeZone::system());
    local.strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests;
