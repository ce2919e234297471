//! How the last hour went: a small picture, and the same in words.

use maud::{Markup, html};
use queue::stats::EventRate;

use super::text::count;

/// The picture's height; its last unit is the width of the line.
const HEIGHT: f64 = 20.0;

/// What happened a minute now, and in each minute of the last hour. `what`: in words that begin a sentence.
pub fn spark(rate: Option<&EventRate>, what: &str) -> Markup {
    let Some(rate) = rate else {
        return Markup::default();
    };
    let minutes = &rate.minutes;
    let most = minutes.iter().copied().max().unwrap_or_default();
    let sum: u64 = minutes.iter().sum();
    let words = match sum {
        0 => format!("{what} in the last hour: none"),
        _ => format!(
            "{what} in the last hour: {}, at most {} in a minute",
            count(sum),
            count(most)
        ),
    };
    let top = line(minutes, most);
    let right = minutes.len().saturating_sub(1);
    html! {
        div.pace {
            svg.spark viewBox=(format!("0 0 {} {HEIGHT}", right.max(1))) preserveAspectRatio="none" role="img" aria-label=(words) {
                title { (words) }
                path.area d={ (top) " L" (right) " " (HEIGHT) " L0 " (HEIGHT) " Z" } {}
                path.top d=(top) {}
            }
            span.note { (per_minute(rate.per_minute)) " a minute" }
        }
    }
}

fn line(minutes: &[u64], most: u64) -> String {
    let height = |number: u64| {
        let share = number as f64 / most.max(1) as f64;
        HEIGHT - 1.0 - share * (HEIGHT - 2.0)
    };
    let points = minutes.iter().enumerate();
    let points = points.map(|(x, number)| format!("{x} {:.1}", height(*number)));
    format!("M{}", points.collect::<Vec<_>>().join(" L"))
}

/// `0.4`, `12`.
fn per_minute(rate: f64) -> String {
    match rate < 9.95 && rate > 0.0 {
        true => format!("{rate:.1}"),
        false => count(rate.round() as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_told_in_words_too_and_needs_no_style_of_its_own() {
        let mut minutes = vec![0; 60];
        minutes[10] = 1200;
        minutes[59] = 34;
        let rate = EventRate {
            per_minute: 0.42,
            minutes,
        };
        let html = spark(Some(&rate), "Fetched").into_string();
        let words = "aria-label=\"Fetched in the last hour: 1\u{202f}234, at most 1\u{202f}200 in a minute\"";
        assert!(html.contains(words), "{html}");
        assert!(
            html.contains("0.4 a minute") && !html.contains("style"),
            "{html}"
        );
        assert!(html.contains("L10 1.0 L11 19.0"), "{html}");
        let none = EventRate {
            per_minute: 0.0,
            minutes: vec![0; 60],
        };
        let html = spark(Some(&none), "Fetched").into_string();
        assert!(
            html.contains("none\"") && html.contains("0 a minute"),
            "{html}"
        );
        assert!(spark(None, "Fetched").into_string().is_empty());
    }
}
