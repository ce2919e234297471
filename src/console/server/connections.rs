//! The connections: so many at a time, each only for so long. A client that dribbles, or never reads what it asked
//! for, takes nobody's place for good.

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::console::network::Peer;

/// What a client may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at a time; who comes later waits for a place.
    pub connections: usize,
    /// Until a request's head is there, counted also between two requests. Longer than scrapes are apart.
    pub head: Duration,
    /// Until a connection is closed, after the request that is under way.
    pub lifetime: Duration,
    /// How long a request that is under way may then take, as it may after the shutdown signal.
    pub grace: Duration,
}

/// Far above what probes, a few Prometheis and people need.
pub(super) const LIMITS: Limits = Limits {
    connections: 128,
    head: Duration::from_secs(30),
    lifetime: Duration::from_secs(600),
    grace: Duration::from_secs(2),
};

/// The process may have no file left; it is tried again.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// Serves until `shutdown` completes and every connection has ended.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let closing = CancellationToken::new();
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener, &places) => match accepted {
                Some((stream, peer, place)) => {
                    let served = connection(stream, peer, router.clone(), limits, closing.clone());
                    connections.spawn(async move {
                        served.await;
                        drop(place);
                    });
                }
                None => sleep(ACCEPT_AGAIN).await,
            },
        }
    }
    drop(listener);
    closing.cancel();
    while connections.join_next().await.is_some() {}
}

/// The next connection, and its place. `None`: the system gives none now.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    let (stream, peer) = listener.accept().await.ok()?;
    Some((stream, Peer(peer.ip()), place))
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    limits: Limits,
    closing: CancellationToken,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.clone().call(request)
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
