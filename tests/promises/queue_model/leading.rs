//! The model of the lead, and of what its holders write down.

use std::collections::BTreeMap;

use queue::leader::Lead;

use super::compare::{Checked, require, same};

#[derive(Debug, Default)]
pub struct Leading {
    /// Every lead ever given and who got it, oldest first.
    pub given: Vec<(Lead, String)>,
    /// Who has the newest now, if anybody.
    pub leader: Option<String>,
    /// The newest sweep that was written down.
    pub swept: Option<u64>,
}

impl Leading {
    /// `got` is what Redis gave.
    pub fn lead(&mut self, who: &str, got: Option<Lead>) -> Checked {
        if self.leader.as_deref().is_some_and(|leader| leader != who) {
            return same("lead", got, None);
        }
        self.leader = Some(who.to_owned());
        match self.given.last() {
            Some((lead, newest)) if newest == who => same("lead", got, Some(*lead)),
            _ => {
                let new = got.filter(|got| self.given.iter().all(|(lead, _)| lead != got));
                require(new.is_some(), || format!("{who} got {got:?} as a new lead"))?;
                self.given.extend(new.map(|lead| (lead, who.to_owned())));
                Ok(())
            }
        }
    }

    pub fn is_deposed(&self, lead: Option<Lead>) -> bool {
        let newest = self.given.last().map(|(lead, _)| *lead);
        lead.is_some() && lead != newest
    }

    /// As it lies in Redis.
    pub fn record(&self) -> BTreeMap<&str, String> {
        let lead = self.given.last().map(|(lead, who)| format!("{lead} {who}"));
        let swept = self.swept.map(|at| at.to_string());
        let fields = [("lead", lead), ("last_sweep", swept)].into_iter();
        fields
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}
