//! Everything the sandbox knows, each part under its own lock. Locks are taken in the order of the
//! fields, so that no two calls can wait for each other.

use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::tz::TimeZone;

use super::{
    alumniq::feed::Feed,
    checker::ledger::Ledger,
    crm::{contacts::Contacts, tokens::Tokens},
    data::{self, Generator},
    dice::FaultDice,
    inbox::Inbox,
    marked::Marked,
    options::{Limits, SandboxOptions},
    salsa::{limiter::Limiter, supporters::Supporters},
    traffic::Traffic,
};

/// The vendors' state, and the log of what was done to it.
#[derive(Debug)]
pub(super) struct World {
    pub(super) options: SandboxOptions,
    pub(super) generator: Mutex<Generator>,
    pub(super) feed: Mutex<Feed>,
    pub(super) tokens: Mutex<Tokens>,
    pub(super) contacts: Mutex<Contacts>,
    pub(super) limiter: Mutex<Limiter>,
    pub(super) supporters: Mutex<Supporters>,
    pub(super) ledger: Mutex<Ledger>,
    pub(super) limits: Mutex<Limits>,
    pub(super) faults: Mutex<FaultDice>,
    pub(super) traffic: Mutex<Traffic>,
    pub(super) inbox: Mutex<Inbox>,
}

/// Locks; a call that panicked under the lock does not take the sandbox down with it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(super) fn new(options: SandboxOptions) -> io::Result<Self> {
        let refuse = |cause: String| io::Error::new(io::ErrorKind::InvalidInput, cause);
        let timezone = TimeZone::get(&options.timezone).map_err(|_| {
            refuse(format!(
                "unknown time zone `{}`: use an IANA name such as America/New_York",
                options.timezone
            ))
        })?;
        let mut generator = Generator::new(&options, timezone).map_err(refuse)?;
        let mut feed = Feed::default();
        let mut ledger = Ledger::default();
        for change in generator.first_changes() {
            ledger.publish(&change);
            feed.publish(change);
        }
        let (mut contacts, mut supporters) = (Contacts::default(), Supporters::new(options.seed));
        for (person, gaps) in generator.people() {
            if !gaps.crm {
                contacts.add_person(person);
            }
            if !gaps.salsa {
                supporters.add_person(person);
            }
        }
        Ok(Self {
            generator: Mutex::new(generator),
            feed: Mutex::new(feed),
            tokens: Mutex::default(),
            contacts: Mutex::new(contacts),
            limiter: Mutex::default(),
            supporters: Mutex::new(supporters),
            ledger: Mutex::new(ledger),
            limits: Mutex::new(options.limits.clone()),
            faults: Mutex::new(FaultDice::new(options.faults.clone(), options.seed)),
            traffic: Mutex::default(),
            inbox: Mutex::default(),
            options,
        })
    }

    /// Adds the missing people to both destinations, corrects the rows that cannot be decoded or
    /// accepted, and lifts the limit of the custom field.
    pub(super) fn repair(&self) {
        let mut generator = lock(&self.generator);
        let corrected = lock(&self.feed).correct();
        lock(&self.ledger).corrected(&corrected);
        for (person, gaps) in generator.people() {
            if gaps.crm {
                lock(&self.contacts).add_person(person);
            }
            if gaps.salsa {
                lock(&self.supporters).add_person(person);
            }
        }
        generator.close_gaps();
        lock(&self.limits).employer_max_length = 0;
    }

    /// Somebody marks changes in AlumnIQ by hand, as processed or as not.
    pub(super) fn mark(&self, marked: &Marked) {
        let mut feed = lock(&self.feed);
        for id in &marked.change_ids {
            match marked.processed {
                true => feed.process_id(id),
                false => feed.unprocess_id(id),
            }
        }
    }

    /// Adds changes to the feed; returns their changeIds.
    pub(super) fn add_changes(&self, wanted: &data::NewChanges) -> Vec<String> {
        let changes = lock(&self.generator).more_changes(wanted);
        let mut feed = lock(&self.feed);
        let mut ledger = lock(&self.ledger);
        let ids = changes.iter().map(|change| change.id.clone()).collect();
        for change in changes {
            ledger.publish(&change);
            feed.publish(change);
        }
        ids
    }
}
