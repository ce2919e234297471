//! The model's books: counted afresh each time.

use jobs::destination::Destination;

use super::{
    change::{Ack, Change},
    model::Model,
};

impl Model {
    fn count(&self, which: impl Fn(&Change) -> bool) -> i64 {
        self.changes.values().filter(|c| which(c)).count() as i64
    }

    pub fn acknowledged(&self) -> i64 {
        self.former.0 + self.count(|c| c.ack == Ack::Acknowledged)
    }

    pub fn discarded(&self) -> i64 {
        self.former.1 + self.count(|c| matches!(c.ack, Ack::Discarded { .. }))
    }

    pub fn dead(&self) -> i64 {
        self.count(|c| !c.dead().is_empty())
    }

    pub fn in_flight(&self) -> i64 {
        self.count(|c| !c.is_closed() && c.dead().is_empty())
    }

    pub fn pending(&self, d: Destination) -> i64 {
        self.count(|c| c.waits(d))
    }
}
