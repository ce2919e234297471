//! Whether the style sheet's colours can be read, by WCAG 2: 4.5 for text, 3 for the edges of what is pressed.

use std::collections::BTreeMap;

const STYLE: &str = include_str!("../../assets/console.css");

type Theme = BTreeMap<String, [f64; 3]>;

fn theme(block: &str) -> Theme {
    let block = block.split('}').next().unwrap();
    block
        .lines()
        .filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"))
        .map(|(name, value)| {
            let hex = value.trim_end_matches(';');
            let channel = |at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
            (name.to_owned(), [channel(0), channel(2), channel(4)])
        })
        .collect()
}

fn luminance(colour: [f64; 3]) -> f64 {
    let [red, green, blue] = colour.map(|channel| {
        let channel = channel / 255.0;
        match channel <= 0.04045 {
            true => channel / 12.92,
            false => ((channel + 0.055) / 1.055).powf(2.4),
        }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn every_text_can_be_read_in_both_themes() {
    let mut blocks = STYLE.split(":root {").skip(1);
    let (light, dark) = (theme(blocks.next().unwrap()), theme(blocks.next().unwrap()));
    assert_eq!(
        light.keys().collect::<Vec<_>>(),
        dark.keys().collect::<Vec<_>>()
    );
    let mut pairs = Vec::new();
    for back in ["paper", "card", "sunk"] {
        for text in ["ink", "soft", "accent", "ok", "wait", "bad"] {
            pairs.push((text, back, 4.5));
        }
        pairs.push(("edge", back, 3.0));
    }
    pairs.extend([
        ("accent-ink", "accent", 4.5),
        ("ok", "ok-back", 4.5),
        ("wait", "wait-back", 4.5),
        ("bad", "bad-back", 4.5),
        ("run", "run-back", 4.5),
        ("ink", "wait-back", 4.5),
        ("ink", "bad-back", 4.5),
        ("bad", "wait-back", 4.5),
        ("soft", "wait-back", 4.5),
    ]);
    for (name, theme) in [("light", light), ("dark", dark)] {
        for (text, back, least) in &pairs {
            let found = contrast(theme[*text], theme[*back]);
            assert!(
                found >= *least,
                "{name}: {text} on {back} is {found:.2}, not {least}"
            );
        }
    }
}

#[test]
fn contrast_is_that_of_the_standard() {
    let (white, black, grey) = ([255.0; 3], [0.0; 3], [118.0; 3]);
    assert!((contrast(white, black) - 21.0).abs() < 0.01);
    assert!((contrast(grey, white) - 4.54).abs() < 0.01);
}
