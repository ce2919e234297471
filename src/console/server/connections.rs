//! The connections: so many at a time, each only for so long. Who comes when all places are taken gets the place of the
//! connection that has done nothing for longest: clients that dribble can't keep a probe out.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{Router, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, Id, JoinSet},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::console::{guard::is_stream, network::Peer};

/// What a client may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct ConnectionLimits {
    /// Connections at a time.
    pub connections: usize,
    /// Until a request's head is there, counted also between two requests.
    pub head: Duration,
    /// Until a connection is closed, after the request that is under way.
    pub lifetime: Duration,
    /// How long a request that is under way may then take, as it may after the shutdown signal.
    pub grace: Duration,
}

/// Far above what probes, a few Prometheis and people need.
pub(super) const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 128,
    head: Duration::from_secs(10),
    lifetime: Duration::from_secs(600),
    grace: Duration::from_secs(2),
};

/// So much later a connection counts as idle whose request is under way.
const WORKING: Duration = Duration::from_secs(60);

/// The process may have no file left; it is tried again.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// Serves until `shutdown` completes and every connection has ended.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    shutdown: impl Future<Output = ()>,
) {
    let closing = CancellationToken::new();
    let mut connections = JoinSet::new();
    let mut places: HashMap<Id, (AbortHandle, Place)> = HashMap::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = connections.join_next_with_id() => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                places.remove(&id);
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if places.len() >= limits.connections {
                        end_the_idlest(&mut places);
                    }
                    let place = Place::default();
                    let served = connection(
                        stream,
                        Peer(peer.ip()),
                        router.clone(),
                        limits,
                        closing.clone(),
                        place.clone(),
                    );
                    let task = connections.spawn(served);
                    places.insert(task.id(), (task, place));
                }
                Err(_) => sleep(ACCEPT_AGAIN).await,
            },
        }
    }
    drop(listener);
    closing.cancel();
    while connections.join_next().await.is_some() {}
}

/// Ends the connection that has done nothing for longest; one whose request is under way only after the others.
fn end_the_idlest(places: &mut HashMap<Id, (AbortHandle, Place)>) {
    let idlest = places
        .iter()
        .filter_map(|(id, (_, place))| Some((place.idle_since()?, *id)))
        .min_by_key(|(since, _)| *since);
    if let Some((_, id)) = idlest
        && let Some((task, _)) = places.remove(&id)
    {
        task.abort();
    }
}

/// What a connection does.
#[derive(Debug, Clone)]
struct Place(Arc<Mutex<Doing>>);

#[derive(Debug, Clone, Copy)]
enum Doing {
    /// Waiting for a request's head, or sending an answer.
    Nothing(Instant),
    /// A request is under way.
    Working(Instant),
    /// A page is watched, of which there are only so many.
    Watching,
}

impl Default for Place {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Doing::Nothing(Instant::now()))))
    }
}

impl Place {
    fn doing(&self) -> MutexGuard<'_, Doing> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None`: it is not to be ended.
    fn idle_since(&self) -> Option<Instant> {
        match *self.doing() {
            Doing::Nothing(since) => Some(since),
            Doing::Working(since) => Some(since + WORKING),
            Doing::Watching => None,
        }
    }
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    limits: ConnectionLimits,
    closing: CancellationToken,
    place: Place,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let answering = router.clone().call(request);
        let place = place.clone();
        *place.doing() = Doing::Working(Instant::now());
        async move {
            let answer = answering.await?;
            *place.doing() = match is_stream(&answer) {
                true => Doing::Watching,
                false => Doing::Nothing(Instant::now()),
            };
            Ok::<_, Infallible>(answer)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    tokio::select! {
        // One that failed is the client's going away, or its nonsense: it has been answered where it can be.
        _ = served.as_mut() => return,
        () = closing.cancelled() => {}
        () = sleep(limits.lifetime) => {}
    }
    served.as_mut().graceful_shutdown();
    let _ = timeout(limits.grace, served).await;
}
