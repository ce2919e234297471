//! Enough of PromQL to know which metrics an expression selects, by which labels, and what is done with them.

use std::collections::{BTreeMap, BTreeSet};

/// A metric in an expression.
#[derive(Debug, PartialEq)]
pub struct Selector {
    pub metric: String,
    /// By label: operator and text.
    pub matchers: BTreeMap<String, (String, String)>,
    /// The innermost aggregation around it, and the labels that it keeps.
    pub aggregated: Option<(String, BTreeSet<String>)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

const AGGREGATIONS: [&str; 7] = ["sum", "max", "min", "avg", "count", "count_values", "topk"];

/// Every selector of one of the relay's metrics.
pub fn selectors(expression: &str) -> Vec<Selector> {
    let tokens = tokens(expression);
    let mut found = Vec::new();
    // What each open parenthesis belongs to, where that is an aggregation.
    let mut open: Vec<Option<(String, BTreeSet<String>)>> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let here = &tokens[at];
        at += 1;
        match here {
            Token::Sign('(') => open.push(None),
            Token::Sign(')') => assert!(open.pop().is_some(), "one ) too many: {expression}"),
            Token::Word(word) if AGGREGATIONS.contains(&word.as_str()) => {
                let mut kept = BTreeSet::new();
                if tokens[at] == Token::Word("by".to_owned()) {
                    kept = labels(&tokens, &mut at);
                }
                assert_eq!(tokens[at], Token::Sign('('), "{word} in {expression}");
                at += 1;
                open.push(Some((word.clone(), kept)));
            }
            Token::Word(word) if matches!(word.as_str(), "on" | "ignoring") => {
                at -= 1;
                labels(&tokens, &mut at);
            }
            Token::Word(word) if word.starts_with("alumniq_relay_") => found.push(Selector {
                metric: word.clone(),
                matchers: matchers(&tokens, &mut at),
                aggregated: open.iter().rev().flatten().next().cloned(),
            }),
            _ => {}
        }
    }
    assert!(open.is_empty(), "a ( is not closed: {expression}");
    found
}

/// The labels in parentheses after the word at `at`; ends behind them.
fn labels(tokens: &[Token], at: &mut usize) -> BTreeSet<String> {
    *at += 1;
    assert_eq!(tokens[*at], Token::Sign('('));
    let inside = tokens[*at + 1..]
        .iter()
        .take_while(|token| **token != Token::Sign(')'));
    let labels: Vec<&Token> = inside.collect();
    *at += labels.len() + 2;
    let words = labels.into_iter().filter_map(|token| match token {
        Token::Word(word) => Some(word.clone()),
        _ => None,
    });
    words.collect()
}

/// The matchers in braces at `at`, where there are any; ends behind them.
fn matchers(tokens: &[Token], at: &mut usize) -> BTreeMap<String, (String, String)> {
    let mut matchers = BTreeMap::new();
    if tokens.get(*at) != Some(&Token::Sign('{')) {
        return matchers;
    }
    *at += 1;
    while tokens[*at] != Token::Sign('}') {
        if tokens[*at] == Token::Sign(',') {
            *at += 1;
            continue;
        }
        let Token::Word(label) = &tokens[*at] else {
            panic!("{:?} is no label", tokens[*at]);
        };
        *at += 1;
        let mut operator = String::new();
        while let Token::Sign(sign) = tokens[*at] {
            operator.push(sign);
            *at += 1;
        }
        let Token::Text(text) = &tokens[*at] else {
            panic!("{label} is compared with {:?}", tokens[*at]);
        };
        *at += 1;
        let before = matchers.insert(label.clone(), (operator, text.clone()));
        assert_eq!(before, None, "{label} is there twice");
    }
    *at += 1;
    matchers
}

fn tokens(expression: &str) -> Vec<Token> {
    let part_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '$' | '.');
    let mut tokens = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let (text, after) = rest[1..].split_once('"').expect("a text ends");
            tokens.push(Token::Text(text.to_owned()));
            rest = after;
        } else if part_of_word(first) {
            let end = rest.find(|c| !part_of_word(c)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Sign(first));
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    tokens
}

#[test]
fn a_selector_is_found_with_its_labels_and_its_innermost_aggregation() {
    let found = selectors(
        r#"60 * sum by (a, b) (rate(alumniq_relay_x_total{b=~"$b", c!="d"}[5m])) / on (a) alumniq_relay_y"#,
    );
    let text = |text: &str| text.to_owned();
    assert_eq!(
        found,
        [
            Selector {
                metric: text("alumniq_relay_x_total"),
                matchers: BTreeMap::from([
                    (text("b"), (text("=~"), text("$b"))),
                    (text("c"), (text("!="), text("d"))),
                ]),
                aggregated: Some((text("sum"), BTreeSet::from([text("a"), text("b")]))),
            },
            Selector {
                metric: text("alumniq_relay_y"),
                matchers: BTreeMap::new(),
                aggregated: None,
            },
        ]
    );
}
