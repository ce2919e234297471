//! Tells idle loops of this process that there is something to do, wherever in the fleet it came from.
//!
//! Scripts publish on `{ns}:wake` when an empty list gets its first entry. A lost message costs a delay, not
//! a change: every loop also looks by itself now and then.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use jobs::destination::Vendor;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Queue, connection};

/// How often a loop looks although nobody called.
pub const LOOK_AGAIN: Duration = Duration::from_secs(5);

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
        let listen = async {
            loop {
                if let Ok(mut listener) = connection::subscribe(&self.settings.urls, &channel).await
                {
                    let mut messages = listener.on_message();
                    while let Some(message) = messages.next().await {
                        let word: String = message.get_payload().unwrap_or_default();
                        if let Ok(vendor) = word.parse() {
                            bells.of(vendor).notify_one();
                        }
                    }
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
