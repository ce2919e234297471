//! Replay, reread, discard and erase.

use harness::namespace::tester;
use jobs::{destination::Vendor, outcome::DeadClass};
use proptest::sample::Index;
use queue::{Record, audit::AuditAction, editing::Edited};
use serde_json::{json, value::to_raw_value};

use super::{Run, pick_some};
use crate::queue_model::{
    compare::{Checked, same},
    model::destination,
    step::{Row, stored},
};

impl Run {
    pub(super) fn letters(&self) -> Vec<(Vendor, String)> {
        let changes = self.model.changes.iter();
        let letters =
            changes.flat_map(|(id, c)| c.dead().into_keys().map(move |v| (v, id.clone())));
        letters.collect()
    }

    pub(super) async fn replay(&mut self, picks: &[Index], forced: bool) -> Checked {
        let letters = pick_some(picks, self.letters());
        let (handled, to_decode) = self
            .queue
            .replay(&letters, forced, &tester())
            .await
            .unwrap();
        let mut expected = (0, Vec::new());
        let mut replayed = Vec::new();
        for (vendor, id) in &letters {
            if self.model.replay(*vendor, id, forced) {
                expected.0 += 1;
                replayed.push((*vendor, id.clone()));
                if let Some(d) = destination(*vendor).filter(|_| forced) {
                    self.witness.forced(d, id);
                }
            } else {
                expected.1.push(id.clone());
            }
        }
        let action = match forced {
            true => AuditAction::ReplayedOverNewer,
            false => AuditAction::Replayed,
        };
        self.model.audited(action, &replayed);
        same("replayed", (handled.handled, to_decode), expected)
    }

    pub(super) async fn edit(&mut self, pick: &Index, late: bool) -> Checked {
        let letters = self.letters();
        if letters.is_empty() {
            return Ok(());
        }
        let (vendor, id) = pick.get(&letters);
        let row = self.queue.row(id).await.unwrap();
        let known = &self.model.changes[id].record;
        same(format!("{id}: has a row"), row.is_some(), !known.is_empty())?;
        let Some((_, mut record)) = row else {
            return Ok(());
        };
        self.clock += 1;
        let edited = Record {
            xid: record.xid.clone(),
            row: to_raw_value(&json!({ "changeId": id, "edited": self.clock })).unwrap(),
        };
        if late {
            record.row = to_raw_value(&json!({ "changeId": id, "edited": "by nobody" })).unwrap();
        }
        let fields = ["phone".to_owned()];
        let by = tester();
        let done = self.queue.edit(*vendor, id, &record, &edited, &fields, &by);
        let expected = match late {
            true => Edited::Changed,
            false => match self.model.edit(*vendor, id, stored(&edited)) {
                Some(true) => Edited::Replayed,
                Some(false) => Edited::Undecoded,
                None => Edited::Gone,
            },
        };
        same("edited", done.await.unwrap(), expected)?;
        let edits = self.queue.edits(id).await.unwrap();
        same("edits", edits.len(), self.model.changes[id].edits)
    }

    pub(super) async fn reread(
        &mut self,
        pick: &Index,
        undecodable: bool,
        id: &Option<String>,
    ) -> Checked {
        let rows = self.model.changes.iter();
        let rows = rows.filter(|(_, c)| c.refused == Some(DeadClass::Undecodable));
        let rows: Vec<String> = rows.map(|(id, _)| id.clone()).collect();
        let Some(former) = (!rows.is_empty()).then(|| pick.get(&rows).clone()) else {
            return Ok(());
        };
        let row = Row {
            id: id.clone().unwrap_or_else(|| former.clone()),
            xid: (!undecodable).then(|| "person 1".to_owned()),
            changed_on: 2,
            undecodable,
            has_id: true,
            replaces: Some(former),
            content: None,
        };
        self.enqueue(false, None, &[row]).await
    }

    pub(super) async fn discard(&mut self, letters: Vec<(Vendor, String)>, tell: bool) -> Checked {
        let handled = self
            .queue
            .discard(&letters, !tell, "not wanted", &tester())
            .await
            .unwrap();
        let mut discarded = Vec::new();
        for (vendor, id) in &letters {
            if self.model.discard(*vendor, id, tell) {
                discarded.push((*vendor, id.clone()));
            }
            self.witness.discarded(*vendor, id);
        }
        self.model.audited(AuditAction::Discarded, &discarded);
        same("discarded", handled.handled, discarded.len() as u64)
    }

    pub(super) async fn erase(&mut self, xid: &str, tell: bool, breaks_off: bool) -> Checked {
        let mut named = self.model.of_person(xid);
        for id in &named {
            if !self.model.changes[id].is_closed() {
                self.witness.discarded(Vendor::Alumniq, id);
            }
        }
        named.sort_unstable();
        let (erased, gone) = if breaks_off {
            self.witness.freed(xid);
            let (erased, _) = self.queue.erase_person_changes(xid, !tell).await.unwrap();
            (erased, self.model.erase_changes(xid, tell))
        } else {
            let erased = self.queue.erase(xid, "asked for", !tell, &tester()).await;
            let gone = self.model.erase(xid, tell);
            self.witness.erased(xid);
            self.model.audit.push((AuditAction::Erased, None, named));
            (erased.unwrap(), gone)
        };
        same(
            "erased: (discarded, applied, closed, arrived)",
            (
                erased.discarded,
                erased.applied,
                erased.closed,
                erased.arrived,
            ),
            (gone.discarded, gone.applied, gone.closed, 0),
        )
    }
}
