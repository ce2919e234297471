//! Hides the secrets of a config file before any of its lines is shown around a caret.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::nearest::nearest;

/// The text with every byte of a likely secret replaced by `*`, so that spans stay right. Works on
/// broken and misspelt files too: a name that resembles one of `secrets` is enough.
pub(super) fn text(text: &str, table: &DeTable<'_>, secrets: &[&str]) -> String {
    let mut ranges = Vec::new();
    collect(table, secrets, &mut ranges);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        for (at, _) in line.match_indices('=') {
            let before = line.get(..at).unwrap_or_default();
            let name = before.rsplit(['{', ',']).next().unwrap_or_default();
            if is_secret_name(name, secrets) {
                ranges.push(start + at + 1..start + line.len());
            }
        }
        ranges.extend(credentials(line).map(|range| start + range.start..start + range.end));
        start += line.len();
    }
    let hidden = |at: usize| ranges.iter().any(|range| range.contains(&at));
    text.char_indices()
        .flat_map(|(at, c)| {
            let keep = c.is_whitespace() || matches!(c, '"' | '\'') || !hidden(at);
            let (c, times) = if keep { (c, 1) } else { ('*', c.len_utf8()) };
            std::iter::repeat_n(c, times)
        })
        .collect()
}

/// Whether a key of this name may hold a secret.
fn is_secret_name(name: &str, secrets: &[&str]) -> bool {
    let name = name.trim().trim_matches(['"', '\'']).to_lowercase();
    let suspicious = ["key", "token", "pass", "pwd", "secret", "user"];
    let resembles = || nearest(&name, secrets.iter().copied()).is_some();
    !name.ends_with("_file") && (suspicious.iter().any(|word| name.contains(word)) || resembles())
}

fn collect(table: &DeTable<'_>, secrets: &[&str], ranges: &mut Vec<Range<usize>>) {
    for (name, value) in table {
        match value.get_ref() {
            // Under whatever wrong key somebody writes the webhook's address, its path is the secret.
            DeValue::Table(inner) if name.get_ref() == "notify" => {
                ranges.extend(inner.values().map(toml::Spanned::span));
            }
            DeValue::Table(inner) => collect(inner, secrets, ranges),
            _ if is_secret_name(name.get_ref(), secrets) => ranges.push(value.span()),
            _ => {}
        }
    }
}

/// Where a line may hold the credentials of an address, however wrongly it is written: all before its last `@`
/// but the scheme, what stands for a port and is no number, and the query.
fn credentials(line: &str) -> impl Iterator<Item = Range<usize>> {
    let scheme = line.find("://").map(|at| at + "://".len());
    // In a list of several lines the first `=` may be the password's own.
    let is_of_a_key = |c: char| c.is_alphanumeric() || "_-. {,\t\"'".contains(c);
    let value = line.find(|c| !is_of_a_key(c));
    let last = line.rfind('@');
    let user = last.map(|end| {
        let start = scheme.filter(|start| *start <= end).or(value);
        start.filter(|start| *start <= end).unwrap_or_default()..end
    });
    let after = |start: usize| line.get(start..).map(|rest| (start, rest));
    let query = scheme.and_then(after).and_then(|(start, rest)| {
        let question = rest.find('?')?;
        Some(start + question + 1..line.len())
    });
    let port = scheme.and_then(after).and_then(|(start, rest)| {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let authority = rest.get(..end)?;
        let colon = authority.rfind(':')?;
        let port = authority
            .get(colon + 1..)?
            .trim_end_matches(['"', '\'', ',', ']', ' ', '\r', '\n']);
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
        (!is_port).then_some(start + colon + 1..start + end)
    });
    [user, query, port].into_iter().flatten()
}
