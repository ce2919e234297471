//! All changes of one person, a page at a time.

use std::{fmt, str::FromStr};

use jobs::destination::Destination;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Queue, QueueError, keys,
    letters::NoCursor,
    timeline::{LaneView, Timeline},
};

/// Where a page ended: the next one begins behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonCursor {
    section: String,
    score: String,
    name: String,
}

impl fmt::Display for PersonCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.section, self.score, self.name)
    }
}

impl FromStr for PersonCursor {
    type Err = NoCursor;

    fn from_str(cursor: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = cursor.splitn(3, '/').collect();
        let [section @ ("1" | "2" | "3"), score, name] = parts[..] else {
            return Err(NoCursor);
        };
        let _: f64 = score.parse().map_err(|_| NoCursor)?;
        Ok(Self {
            section: section.to_owned(),
            score: score.to_owned(),
            name: name.to_owned(),
        })
    }
}

/// As text, like every cursor.
impl Serialize for PersonCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PersonCursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Some of a person's changes, and how to go on.
#[derive(Debug)]
pub struct PersonPage {
    /// These; fewer than asked for where timelines have expired meanwhile.
    pub changes: Vec<Timeline>,
    /// `None`: that was all.
    pub next: Option<PersonCursor>,
}

/// Section, score, name, id, mask of the destinations that it waits for.
type Entry = (String, String, String, String, u8);

/// Destination, the member that is next, the one that is leased, whether the lane is to be tried again.
type Place = (String, String, String, u8);

impl Queue {
    /// The person's changes that Redis knows: the dead ones, then those that wait for a destination, then those that are
    /// through everywhere, while their timelines are kept; of the last two the newest first.
    pub async fn person(
        &self,
        xid: &str,
        cursor: Option<&PersonCursor>,
        most: usize,
    ) -> Result<PersonPage, QueueError> {
        let mut call = self.scripts.person.prepare_invoke();
        call.arg(keys::lane(Some(xid), "")).arg(most);
        match cursor {
            Some(at) => call.arg(&at.section).arg(&at.score).arg(&at.name),
            None => call.arg("").arg("").arg(""),
        };
        let (entries, has_more, places): (Vec<Entry>, u8, Vec<Place>) = self.run(&mut call).await?;
        let mut view = LaneView::default();
        for (name, next, leased, due) in places {
            let Ok(destination) = name.parse::<Destination>() else {
                continue;
            };
            let id = |member: &str| member.split_once(' ').map(|(_, id)| id.to_owned());
            view.next.extend(id(&next).map(|id| (destination, id)));
            view.running.extend(id(&leased).map(|id| (destination, id)));
            view.due.insert(destination, due == 1);
        }
        let next = entries.last().filter(|_| has_more == 1);
        let next = next.map(|(section, score, name, ..)| PersonCursor {
            section: section.clone(),
            score: score.clone(),
            name: name.clone(),
        });
        let mut changes = Vec::new();
        for (.., id, mask) in entries {
            view.mask = mask;
            if let Some(mut timeline) = self.timeline_in(&id, Some(&view)).await? {
                timeline.xid = Some(xid.to_owned());
                changes.push(timeline);
            }
        }
        Ok(PersonPage { changes, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_nothing_else_is_one() {
        for text in ["1/0/41", "2/3/001:n0024 42", "3/1795312800000/a/b"] {
            assert_eq!(text.parse::<PersonCursor>().unwrap().to_string(), text);
        }
        for text in ["", "4/0/1", "1/x/1", "2/3"] {
            assert!(text.parse::<PersonCursor>().is_err(), "{text}");
        }
    }
}
