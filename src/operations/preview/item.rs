//! One change in a preview.

use std::collections::BTreeMap;

use jobs::{
    change::Change,
    compare::Would,
    destination::{Destination, Vendor},
    outcome::DeadClass,
};
use queue::{
    intake::NewChange,
    lease::{STALE_ADVICE, STALE_CAUSE},
    standing::Standing,
};

use super::Previewing;

/// A change on its way through the preview.
pub struct Item {
    /// See [`super::PersonChange`].
    pub(super) person: String,
    pub(super) change: NewChange,
    /// Or cause and advice of its dead letter.
    pub(super) decoded: Result<Change, (String, String)>,
    /// What the queue knows; `None`: it was not asked.
    pub(super) standing: Option<Standing>,
    pub(super) destinations: BTreeMap<Vendor, Would>,
}

impl Item {
    /// What the queue knows already: the destination has the change, or will not get it.
    pub(super) fn settled(&self, destination: Destination) -> Option<Would> {
        let nothing = |because| Some(Would::Nothing { because });
        match self.standing? {
            Standing::ToAcknowledge => nothing("applied already"),
            Standing::Closed { told: true, .. } => {
                nothing("closed already: AlumnIQ is told of it again")
            }
            Standing::Closed { told: false, .. } => {
                nothing("discarded on purpose, without telling AlumnIQ")
            }
            Standing::Open {
                dead, at_alumniq, ..
            } if dead.contain(destination) || at_alumniq == Some(DeadClass::Undecodable) => {
                nothing("a dead letter already: see `alumniq-relay dead show`")
            }
            Standing::Open { waits_for, .. } if !waits_for.contain(destination) => {
                nothing("applied already")
            }
            Standing::Open { overtaken, .. } | Standing::Unknown { overtaken } => {
                overtaken.contain(destination).then(|| Would::Die {
                    class: DeadClass::Stale,
                    cause: STALE_CAUSE.to_owned(),
                    advice: STALE_ADVICE.to_owned(),
                })
            }
        }
    }

    fn known(&self) -> Option<&'static str> {
        Some(match self.standing? {
            Standing::Unknown { .. } => "new",
            Standing::Open {
                dead, at_alumniq, ..
            } if at_alumniq.is_some() || !dead.is_empty() => "dead",
            Standing::Open { .. } => "in flight",
            Standing::ToAcknowledge => "to acknowledge",
            Standing::Closed {
                discarded: true, ..
            } => "discarded",
            Standing::Closed { .. } => "acknowledged",
        })
    }
}

impl From<Item> for Previewing {
    fn from(item: Item) -> Self {
        Self {
            queue: item.known(),
            changed_on: item
                .decoded
                .ok()
                .and_then(|mut change| change.fields.remove("changedOn")),
            change_id: item.change.change_id,
            destinations: item.destinations,
        }
    }
}
