//! A strict reader of Prometheus' text exposition, format 0.0.4.

use std::collections::{BTreeMap, BTreeSet};

/// What is in front of every metric's name.
const PREFIX: &str = "alumniq_relay_";

/// One value: the name with its suffix, and every label.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// A whole scrape.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exposition {
    /// counter, gauge or histogram, by the metric's name.
    pub kinds: BTreeMap<String, String>,
    pub samples: Vec<Sample>,
}

impl Exposition {
    /// Panics at a line that is none, a metric without help and type before it or in two places, a series that is there
    /// twice, and a histogram whose buckets do not add up.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        assert!(
            text.is_empty() || text.ends_with('\n'),
            "the last line is cut off"
        );
        let mut exposition = Self::default();
        let mut helped = BTreeSet::new();
        let mut current = String::new();
        let mut series = BTreeSet::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect(line);
                assert!(!help.trim().is_empty(), "{line}");
                assert!(helped.insert(name.to_owned()), "twice: {line}");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect(line);
                assert!(helped.contains(name), "no help: {line}");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                let before = exposition.kinds.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "twice: {line}");
                name.clone_into(&mut current);
            } else {
                let sample = sample(line);
                assert_eq!(exposition.metric_of(&sample.name), current, "{line}");
                let key = (sample.name.clone(), sample.labels.clone());
                assert!(series.insert(key), "twice: {line}");
                exposition.samples.push(sample);
            }
        }
        exposition.assert_buckets_add_up();
        exposition
    }

    /// The metric that a sample belongs to.
    pub fn metric_of<'a>(&self, sample: &'a str) -> &'a str {
        let parts = ["_bucket", "_sum", "_count"];
        let histogram = parts.iter().find_map(|part| {
            let name = sample.strip_suffix(part)?;
            (self.kinds.get(name)? == "histogram").then_some(name)
        });
        histogram.unwrap_or(sample)
    }

    /// The values of a metric, by its name without the prefix.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        let full = format!("{PREFIX}{name}");
        self.samples
            .iter()
            .filter(move |sample| sample.name == full)
    }

    /// The sum over the series that have these labels; `None` where there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let values = self.all(name).filter(|sample| {
            let mut labels = labels.iter();
            labels.all(|(label, value)| sample.labels.get(*label).is_some_and(|v| v == value))
        });
        values
            .map(|sample| sample.value)
            .reduce(|sum, value| sum + value)
    }

    fn assert_buckets_add_up(&self) {
        let mut below: BTreeMap<_, (f64, f64)> = BTreeMap::new();
        for sample in &self.samples {
            let Some(name) = sample.name.strip_suffix("_bucket") else {
                continue;
            };
            let mut labels = sample.labels.clone();
            let bound: f64 = labels
                .remove("le")
                .expect("a bucket has a bound")
                .parse()
                .unwrap();
            let (last, count) = below
                .entry((name.to_owned(), labels))
                .or_insert((f64::NEG_INFINITY, 0.0));
            assert!(bound > *last && sample.value >= *count, "{sample:?}");
            (*last, *count) = (bound, sample.value);
        }
        for ((name, labels), (last, count)) in below {
            assert_eq!(last, f64::INFINITY, "{name} {labels:?}");
            let total = format!("{name}_count");
            let total = self
                .samples
                .iter()
                .find(|sample| sample.name == total && sample.labels == labels);
            assert_eq!(
                total.map(|sample| sample.value),
                Some(count),
                "{name} {labels:?}"
            );
        }
    }
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).expect(line);
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, quoted) = rest.split_once("=\"").expect(line);
            assert!(is_name(label) && !label.contains(':'), "{line}");
            let (value, after) = unquoted(quoted).expect(line);
            assert!(
                labels.insert(label.to_owned(), value).is_none(),
                "twice: {line}"
            );
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').expect(line);
    Sample {
        name: name.to_owned(),
        labels,
        value: value.parse().expect(line),
    }
}

/// The text up to the closing quote, and what comes after it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            }),
            letter => value.push(letter),
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    text.starts_with(letter) && text.chars().all(|c| letter(c) || c.is_ascii_digit())
}
