//! What a browser noticed while it showed pages: messages on its console, and requests.

use serde_json::Value;

/// What is wrong with a page although it may look right.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Complaint {
    /// A warning or an error on the console: a script that failed, an answer that is none, a violated policy.
    Console(String),
    /// A request to somebody else.
    Foreign(String),
}

/// Of the browser's own log.
pub fn of_console(log: &Value) -> Vec<Complaint> {
    let entries = log.as_array().unwrap().iter();
    let bad = entries.filter(|entry| entry["level"] != "INFO" && entry["level"] != "DEBUG");
    bad.map(|entry| Complaint::Console(entry["message"].as_str().unwrap().to_owned()))
        .collect()
}

/// Of the log of everything that the pages of `origin` did.
pub fn of_requests(log: &Value, origin: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for entry in log.as_array().unwrap() {
        let entry: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
        let event = &entry["message"];
        let url = match event["method"].as_str().unwrap() {
            "Network.requestWillBeSent" => &event["params"]["request"]["url"],
            "Network.webSocketCreated" => &event["params"]["url"],
            _ => continue,
        };
        let url = url.as_str().unwrap();
        let page = event["params"]["documentURL"].as_str().unwrap_or(origin);
        // What is in the address itself is asked of nobody: the browser draws its own symbols so.
        let is_ours = url.starts_with(origin) || url.starts_with("data:");
        if page.starts_with(origin) && !is_ours {
            complaints.push(Complaint::Foreign(url.to_owned()));
        }
    }
    complaints
}
