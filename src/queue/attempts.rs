//! Where closed changes were applied and in how many attempts, read from their timelines.

use jobs::destination::{Destination, Vendor};
use serde::Deserialize;

use super::{Queue, QueueError, timeline::DoneEvent};

/// How one change got to its destinations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeAttempts {
    /// The destinations that applied it, in the order in which they did.
    pub destinations: Vec<Destination>,
    /// Attempts at all destinations together, whatever came of them.
    pub attempts: u32,
}

impl Queue {
    /// How each of these changes got where it is, in this order. Where AlumnIQ listed a change again after it was
    /// closed, only what happened since then counts.
    pub async fn change_attempts(
        &self,
        change_ids: &[String],
    ) -> Result<Vec<ChangeAttempts>, QueueError> {
        let stored = self.stored(change_ids, false).await?;
        Ok(stored
            .iter()
            .map(|change| ChangeAttempts::of(&change.events))
            .collect())
    }
}

/// What of a timeline event tells an attempt.
#[derive(Deserialize)]
struct Event {
    event: String,
    destination: Option<Vendor>,
}

impl ChangeAttempts {
    fn of(events: &[String]) -> Self {
        let mut current = Self::default();
        let mut is_closed = false;
        for stored in events {
            let json = stored.split_once(' ').map_or("", |(_, json)| json);
            let read = match DoneEvent::read(json) {
                Some(done) => Ok(Event {
                    event: "done".to_owned(),
                    destination: done.destination.parse().ok(),
                }),
                None => serde_json::from_str(json),
            };
            // What cannot be read is shown by the timeline; here it is no attempt.
            let Ok(Event { event, destination }) = read else {
                continue;
            };
            if std::mem::take(&mut is_closed) {
                current = Self::default();
            }
            let Some(vendor) = destination else {
                is_closed = matches!(event.as_str(), "acknowledged" | "discarded");
                continue;
            };
            if let (Some(destination), "done" | "retry" | "dead") =
                (vendor.destination(), event.as_str())
            {
                current.attempts += 1;
                if event == "done" {
                    current.destinations.push(destination);
                }
            }
        }
        current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(events: &[&str]) -> (Vec<Destination>, u32) {
        let events: Vec<String> = events.iter().map(|event| format!("17 {event}")).collect();
        let ChangeAttempts {
            destinations,
            attempts,
        } = ChangeAttempts::of(&events);
        (destinations, attempts)
    }

    const CRM: &str = "done crm 1 w updated 42";
    const RETRY: &str = r#"{"event":"retry","destination":"salsa","cause":"503","attempt":1}"#;
    const SALSA: &str = "done salsa 1 w ";
    const CLOSED: &str = r#"{"event":"acknowledged"}"#;

    #[test]
    fn every_attempt_at_every_destination_counts() {
        let all = attempts(&[CRM, RETRY, SALSA, CLOSED]);
        assert_eq!(all, (vec![Destination::Crm, Destination::Salsa], 3));
        let dead = r#"{"event":"dead","destination":"crm","class":"unmatched"}"#;
        let discarded = r#"{"event":"discarded","destination":"crm","reason":"r","by":"b"}"#;
        let closed = r#"{"event":"discarded"}"#;
        let given_up = attempts(&[dead, SALSA, discarded, closed]);
        assert_eq!(given_up, (vec![Destination::Salsa], 2));
        let untold = r#"{"event":"discarded","destination":"alumniq","reason":"r","by":"b"}"#;
        let given_up = attempts(&[CRM, SALSA, untold, closed]);
        assert_eq!(given_up, (vec![Destination::Crm, Destination::Salsa], 2));
    }

    #[test]
    fn what_happened_before_a_change_was_listed_again_does_not_count() {
        let again = attempts(&[CRM, SALSA, CLOSED, r#"{"event":"still_listed"}"#, CLOSED]);
        assert_eq!(again, (vec![], 0));
    }

    #[test]
    fn no_attempt_is_made_up_of_what_cannot_be_read() {
        let dead = r#"{"event":"dead","destination":"alumniq","class":"ack_rejected"}"#;
        assert_eq!(attempts(&["no JSON", dead, CLOSED]), (vec![], 0));
    }
}
