//! Tells idle loops of this process that there is something to do, wherever in the fleet it came from.
//!
//! Scripts publish on `{ns}:wake` when an empty list gets its first entry. A lost message costs a delay, not
//! a change: every loop also looks by itself now and then.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use jobs::destination::Vendor;
use redis::aio::PubSub;
use tokio::{sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{Queue, connection};

/// How often a loop looks although nobody called.
pub const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// After how much silence a listener asks whether its connection still lives.
const SILENCE: Duration = Duration::from_secs(15);

/// One bell a vendor. Clones ring together.
#[derive(Debug, Clone, Default)]
pub struct Bells {
    crm: Arc<Notify>,
    salsa: Arc<Notify>,
    alumniq: Arc<Notify>,
}

impl Bells {
    /// The bell of `vendor`.
    pub fn of(&self, vendor: Vendor) -> &Arc<Notify> {
        match vendor {
            Vendor::Crm => &self.crm,
            Vendor::Salsa => &self.salsa,
            Vendor::Alumniq => &self.alumniq,
        }
    }
}

impl Queue {
    /// Rings this process' bells until `closing`; reconnects for ever.
    pub async fn ring(&self, bells: Bells, closing: CancellationToken) {
        let channel = self.keys.of(&["wake"]);
        let patience = self.settings.response_timeout;
        let listen = async {
            loop {
                // Why it failed is told by the loops, which ask Redis all the time.
                if let Ok(listener) =
                    connection::subscribe(&self.settings.urls, &channel, patience).await
                {
                    listen(listener, &bells, patience).await;
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
                if let Ok(vendor) = word.parse() {
                    bells.of(vendor).notify_one();
                }
            }
            Ok(None) => return,
            Err(_) => match timeout(patience, sink.ping::<redis::Value>()).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => return,
            },
        }
    }
}
