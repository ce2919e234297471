//! `/live`: what has changed on a page, as server-sent events. However many watch, the fleet is read once a second,
//! and not at all while nobody does.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use axum::{
    Extension, Router,
    extract::{Query, State},
    http::{
        StatusCode,
        header::{HeaderName, RETRY_AFTER},
        request::Parts,
    },
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::get,
};
use futures::{Stream, stream};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    pages::{PageContext, Snapshot, Watched, fragments},
    state::Console,
};
use crate::{observe::Heartbeats, operations::client::Local};

/// How often the fleet is read while somebody watches.
const PERIOD: Duration = Duration::from_secs(1);

/// A watcher is told of nothing new at least every so many readings: the browser takes longer silence for a loss.
const SILENT: u32 = 4;

/// After which a stream ends by itself, before its connection is ended; the browser begins a new one.
const LIFETIME: Duration = Duration::from_secs(480);

/// Watchers at a time: probes and readers need connections, too.
const PLACES: usize = 64;

/// Those of one client: several people may share an address.
const PLACES_A_CLIENT: usize = 16;

/// After how many seconds who found no place may ask again.
const ASK_AGAIN: [(HeaderName, &str); 1] = [(RETRY_AFTER, "30")];

/// What watchers share.
#[derive(Clone)]
struct Live {
    feed: Arc<Mutex<Weak<Feed>>>,
    places: Arc<Semaphore>,
    clients: Clients,
}

/// How many watchers each client has. A client without any is not known.
type Clients = Arc<Mutex<HashMap<String, usize>>>;

/// One watcher's place among its client's.
struct ClientPlace {
    clients: Clients,
    client: String,
}

impl ClientPlace {
    /// `None`: the client has its share.
    fn among(clients: &Clients, client: &str) -> Option<Self> {
        let mut known = lock(clients);
        let watchers = known.entry(client.to_owned()).or_default();
        if *watchers >= PLACES_A_CLIENT {
            return None;
        }
        *watchers += 1;
        Some(Self {
            clients: Arc::clone(clients),
            client: client.to_owned(),
        })
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        let mut known = lock(&self.clients);
        if let Some(watchers) = known.get_mut(&self.client) {
            *watchers -= 1;
            if *watchers == 0 {
                known.remove(&self.client);
            }
        }
    }
}

/// Nothing panics while it holds these locks, and the data is whole after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The readings. Dropped with its last watcher.
struct Feed {
    latest: watch::Receiver<Option<Arc<Snapshot>>>,
    _reader: AbortOnDropHandle<()>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            feed: Arc::default(),
            places: Arc::new(Semaphore::new(PLACES)),
            clients: Arc::default(),
        }
    }
}

impl Live {
    fn feed(&self, client: &Local) -> Arc<Feed> {
        let mut known = lock(&self.feed);
        if let Some(feed) = known.upgrade() {
            return feed;
        }
        let (tell, latest) = watch::channel(None);
        let client = client.clone();
        let reader = tokio::spawn(async move {
            let mut period = interval(PERIOD);
            period.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                period.tick().await;
                tell.send_replace(Some(Arc::new(Snapshot::read(&client).await)));
            }
        });
        let feed = Arc::new(Feed {
            latest,
            _reader: AbortOnDropHandle::new(reader),
        });
        *known = Arc::downgrade(&feed);
        feed
    }
}

/// `/live`. Whoever mounts it sees to it that only who may look comes in.
pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/live", get(serve))
        .layer(Extension(Live::default()))
}

/// Which page is watched.
#[derive(Debug, Deserialize)]
struct Wanted {
    page: Watched,
    /// Of the page of a bulk.
    #[serde(default)]
    bulk: String,
}

/// `/live?page=…`.
async fn serve(
    asked: PageContext,
    State(console): State<Console>,
    Extension(live): Extension<Live>,
    Query(wanted): Query<Wanted>,
    request: Parts,
) -> Response {
    let client = console.guard.client(&request);
    let Some(client_place) = ClientPlace::among(&live.clients, client.as_str()) else {
        let why = "too many pages are watched from there already; close some, or reload by hand\n";
        return (StatusCode::TOO_MANY_REQUESTS, ASK_AGAIN, why).into_response();
    };
    let Ok(place) = Arc::clone(&live.places).try_acquire_owned() else {
        let why = "too many pages are watched already; reload by hand\n";
        return (StatusCode::SERVICE_UNAVAILABLE, ASK_AGAIN, why).into_response();
    };
    let feed = live.feed(&asked.client);
    let watcher = Watcher {
        latest: feed.latest.clone(),
        feed,
        asked,
        page: wanted.page,
        bulk: wanted.bulk,
        known: HashMap::new(),
        silent: 0,
        ends: Instant::now() + LIFETIME,
        heartbeats: console.heartbeats,
        _places: (place, client_place),
    };
    Sse::new(events(watcher)).into_response()
}

struct Watcher {
    latest: watch::Receiver<Option<Arc<Snapshot>>>,
    /// Kept so that it goes on.
    feed: Arc<Feed>,
    asked: PageContext,
    page: Watched,
    bulk: String,
    /// Which version of each fragment the browser has.
    known: HashMap<&'static str, String>,
    silent: u32,
    ends: Instant,
    heartbeats: Heartbeats,
    _places: (OwnedSemaphorePermit, ClientPlace),
}

fn events(watcher: Watcher) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(watcher, async |mut watcher| {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    })
}

impl Watcher {
    async fn next(&mut self) -> Option<Event> {
        loop {
            debug_assert!(Arc::strong_count(&self.feed) > 0);
            self.latest.changed().await.ok()?;
            if self.heartbeats.is_leaving() || Instant::now() > self.ends {
                return None;
            }
            let Some(snapshot) = self.latest.borrow_and_update().clone() else {
                continue;
            };
            let mut changed = Vec::new();
            let refreshed = fragments(self.page, &self.asked, &self.bulk, &snapshot);
            for fragment in refreshed.await {
                let version = fragment.version();
                if self.known.get(fragment.id) != Some(&version) {
                    changed.push(json!({
                        "id": fragment.id,
                        "version": version,
                        "html": fragment.inner.0,
                    }));
                    self.known.insert(fragment.id, version);
                }
            }
            self.silent += 1;
            if changed.is_empty() && self.silent < SILENT {
                continue;
            }
            self.silent = 0;
            // JSON has no line's end that is not escaped, so this is one event.
            let data = serde_json::Value::from(changed).to_string();
            return Some(Event::default().event("changed").data(data));
        }
    }
}
