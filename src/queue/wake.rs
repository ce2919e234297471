//! Tells idle loops of this process that there is something to do, wherever in the fleet it came from.
//!
//! Scripts publish on `{ns}:wake` when an empty list gets its first entry, so a loop that has looked and found
//! nothing rests until its bell is rung. What it must do at a certain time (a lease that ends, a retry that is due, a
//! pause that is over) its look has told it: whatever comes to be later comes with a call. A call that was missed is
//! made up for: every bell rings when the listener's connection is lost and when there is a new one, and in between
//! loops look often.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::StreamExt;
use jobs::destination::Vendor;
use redis::aio::PubSub;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Queue, connection};

/// How often a loop looks while calls may be missed, or while there is work under way that it could help with.
const OFTEN: Duration = Duration::from_secs(5);

/// How often a loop looks although nothing is to do and calls are heard: for what nobody has thought of.
const SELDOM: Duration = Duration::from_secs(60);

/// How often a loop that waits says that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// After how much silence a listener asks whether its connection still lives.
const SILENCE: Duration = Duration::from_secs(15);

/// One loop's bell. Clones are the same one; one loop waits for it.
#[derive(Debug, Clone, Default)]
pub struct Bell {
    rung: Arc<Notify>,
    hears: Arc<AtomicBool>,
}

impl Bell {
    /// Has the loop look now, or at once when it next waits.
    pub fn ring(&self) {
        self.rung.notify_one();
    }

    /// Completes when it rings, or has since the last wait.
    pub async fn rung(&self) {
        self.rung.notified().await;
    }

    /// Whether calls of the fleet are heard, as far as this process can know.
    pub fn hears(&self) -> bool {
        self.hears.load(Ordering::Relaxed)
    }

    /// How long a loop may rest. `look_again`: when something will change by itself.
    pub fn rest(&self, look_again: Option<Duration>) -> Duration {
        match look_again {
            // Soon: others work. A place of the fleet's limit that they leave free is not called out.
            Some(wait) if wait <= SELDOM => wait.min(OFTEN),
            Some(_) | None if self.hears() => SELDOM,
            Some(_) | None => OFTEN,
        }
    }

    /// Waits until it rings or `at_most` is over. `alive` is called now and then while calls are heard: they come
    /// from Redis, which therefore answers.
    pub async fn wait(&self, at_most: Duration, alive: impl Fn()) {
        let ends = Instant::now() + at_most;
        loop {
            let next = ends.min(Instant::now() + SIGN_OF_LIFE);
            tokio::select! {
                () = self.rung() => return,
                () = sleep_until(next) => {}
            }
            if next == ends {
                return;
            }
            if self.hears() {
                alive();
            }
        }
    }
}

/// The bells of one process. Clones ring together.
#[derive(Debug, Clone, Default)]
pub struct Bells {
    vendors: [Bell; Vendor::ALL.len()],
    producer: Bell,
    limits: Bell,
    bulks: Bell,
    fleet: Bell,
    notices: Bell,
}

impl Bells {
    /// There is something to do for `vendor`.
    pub fn of(&self, vendor: Vendor) -> &Bell {
        // Vendors are numbered in the order of their declaration, from 0.
        &self.vendors[vendor as usize]
    }

    /// Nobody leads any more.
    pub fn producer(&self) -> &Bell {
        &self.producer
    }

    /// A vendor's limits are in doubt.
    pub fn limits(&self) -> &Bell {
        &self.limits
    }

    /// A bulk has no worker.
    pub fn bulks(&self) -> &Bell {
        &self.bulks
    }

    /// Something happens.
    pub fn fleet(&self) -> &Bell {
        &self.fleet
    }

    /// The fleet's state has changed. Rung within the process: whoever looks at the state sees it.
    pub fn notices(&self) -> &Bell {
        &self.notices
    }

    fn all(&self) -> impl Iterator<Item = &Bell> {
        let Self {
            vendors,
            producer,
            limits,
            bulks,
            fleet,
            notices,
        } = self;
        let others = [producer, limits, bulks, fleet, notices];
        vendors.iter().chain(others)
    }

    /// From now on calls are heard, or not; either way everybody looks: one may have been missed until now.
    fn hear(&self, hears: bool) {
        for bell in self.all() {
            bell.hears.store(hears, Ordering::Relaxed);
            bell.ring();
        }
    }

    /// A word of the channel. Those of a newer version mean nothing here.
    fn call(&self, word: &str) {
        let bell = match word {
            "producer" => &self.producer,
            "limits" => &self.limits,
            "bulks" => &self.bulks,
            "fleet" => &self.fleet,
            vendor => match vendor.parse() {
                Ok(vendor) => self.of(vendor),
                Err(_) => return,
            },
        };
        bell.ring();
        self.fleet.ring();
    }
}

impl Queue {
    /// Rings this process' bells until `closing`; reconnects for ever.
    pub async fn ring(&self, bells: Bells, closing: CancellationToken) {
        let channel = self.keys.of(&["wake"]);
        let patience = self.settings.response_timeout;
        let listen = async {
            loop {
                // Why it failed is told by the loops, which ask Redis all the time meanwhile.
                let (urls, tls) = (&self.settings.urls, &self.settings.tls);
                if let Ok(listener) = connection::subscribe(urls, tls, &channel, patience).await {
                    bells.hear(true);
                    listen(listener, &bells, patience).await;
                    bells.hear(false);
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        tokio::select! {
            () = closing.cancelled() => {}
            () = listen => {}
        }
    }
}

/// Rings until the connection ends, or does not answer any more: a dead one would be silent for ever.
async fn listen(listener: PubSub, bells: &Bells, patience: Duration) {
    let (mut sink, mut messages) = listener.split();
    loop {
        match timeout(SILENCE, messages.next()).await {
            Ok(Some(message)) => {
                let word: String = message.get_payload().unwrap_or_default();
                bells.call(&word);
            }
            Ok(None) => return,
            Err(_) => match timeout(patience, sink.ping::<redis::Value>()).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => return,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn hearing() -> Bell {
        let bells = Bells::default();
        bells.hear(true);
        bells.of(Vendor::Crm).clone()
    }

    #[test]
    fn whoever_hears_calls_rests_and_whoever_may_miss_one_looks_often() {
        let deaf = Bell::default();
        for (look_again, rests, deaf_rests) in [
            (None, SELDOM, OFTEN),
            (Some(Duration::from_secs(900)), SELDOM, OFTEN),
            (Some(Duration::from_secs(10)), OFTEN, OFTEN),
            (
                Some(Duration::from_secs(2)),
                Duration::from_secs(2),
                Duration::from_secs(2),
            ),
        ] {
            assert_eq!(hearing().rest(look_again), rests, "{look_again:?}");
            assert_eq!(deaf.rest(look_again), deaf_rests, "{look_again:?}");
        }
    }

    #[test]
    fn a_listener_that_begins_or_ends_rings_every_bell() {
        let bells = Bells::default();
        for hears in [true, false] {
            bells.hear(hears);
            for bell in bells.all() {
                assert_eq!(bell.hears(), hears);
                bell.rung().now_or_never().expect("it rang");
            }
        }
    }

    #[test]
    fn a_word_rings_its_bell_and_whoever_shows_the_fleet() {
        let others = ["producer", "limits", "bulks", "fleet", "else"];
        for word in Vendor::ALL.map(Vendor::as_str).into_iter().chain(others) {
            let bells = Bells::default();
            bells.call(word);
            let rung = bells.all();
            let rung = rung
                .filter(|bell| bell.rung().now_or_never().is_some())
                .count();
            let expected = match word {
                "else" => 0,
                "fleet" => 1,
                _ => 2,
            };
            assert_eq!(rung, expected, "{word}");
        }
    }
}
