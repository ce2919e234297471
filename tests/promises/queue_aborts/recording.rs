//! What Redis' MONITOR says of one transition.

use std::collections::BTreeSet;

use super::stage::NAMESPACE;

/// What a connection does besides the transition.
const OF_THE_CONNECTION: [&str; 8] = [
    "evalsha", "script", "ping", "echo", "auth", "hello", "client", "select",
];

#[derive(Debug, Default)]
pub struct Recording {
    /// The commands, in lower case.
    pub commands: BTreeSet<String>,
    /// The namespace's keys that they name.
    pub keys: BTreeSet<String>,
    /// The scripts that were run, by their digests.
    pub scripts: BTreeSet<String>,
    /// The texts of scripts that Redis did not know.
    pub texts: BTreeSet<String>,
}

impl Recording {
    pub fn note(&mut self, words: &[String]) {
        let Some((command, arguments)) = words.split_first() else {
            return;
        };
        let command = command.to_ascii_lowercase();
        match (command.as_str(), arguments) {
            ("evalsha", [digest, ..]) => _ = self.scripts.insert(digest.clone()),
            ("script", [_, text]) => _ = self.texts.insert(text.clone()),
            _ => {}
        }
        if OF_THE_CONNECTION.contains(&command.as_str()) {
            return;
        }
        self.commands.insert(match (command.as_str(), arguments) {
            ("config", [what, ..]) => format!("config|{}", what.to_ascii_lowercase()),
            _ => command,
        });
        let prefix = format!("{{{NAMESPACE}}}:");
        let keys = arguments.iter().filter(|word| word.starts_with(&prefix));
        self.keys.extend(keys.cloned());
    }
}

/// The words of a line `<time> [<database> <client>] "<command>" "<argument>" …`.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let start = line.find("] \"").map_or(line.len(), |at| at + 2);
    let mut letters = line[start..].chars();
    while letters.any(|letter| letter == '"') {
        let mut word = String::new();
        while let Some(letter) = letters.next() {
            match letter {
                '"' => break,
                '\\' => match letters.next() {
                    Some('n') => word.push('\n'),
                    Some('r') => word.push('\r'),
                    Some('t') => word.push('\t'),
                    // Bytes that are no text: no key has any.
                    Some('x') => {
                        letters.next();
                        letters.next();
                        word.push('\u{fffd}');
                    }
                    Some(other) => word.push(other),
                    None => {}
                },
                other => word.push(other),
            }
        }
        words.push(word);
    }
    words
}
