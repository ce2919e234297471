//! The socket: one task a connection, and the faults that only a socket can have.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    header::CONTENT_LENGTH,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use jobs::destination::Vendor;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::sleep,
};

use super::{
    admin, alumniq, crm,
    dice::CallPlan,
    faults::Fault,
    http::{SandboxRequest, SandboxResponse},
    operation::Operation,
    salsa,
    traffic::CallEnd,
    webhook,
    world::{World, lock},
};

/// Bodies above this are refused with 413, in bytes.
const BODY_LIMIT: usize = 32 << 20;
const GATEWAY_PAGE: &str = "<html><head><title>504 Gateway Time-out</title></head><body><center>\
    <h1>504 Gateway Time-out</h1></center></body></html>";

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The call gets no answer: the connection ends.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox ends this connection")]
struct Hangup;

/// Accepts until it is dropped, which ends every connection.
pub(super) async fn accept(listener: TcpListener, world: Arc<World>) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(connection(stream, Arc::clone(&world)));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, world: Arc<World>) {
    let reset = Arc::new(AtomicBool::new(false));
    // Best effort: a socket that cannot do it is slower, not wrong.
    let _ = stream.set_nodelay(true);
    let service =
        service_fn(|request| Box::pin(serve(Arc::clone(&world), request, Arc::clone(&reset))));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A failed connection is the caller's going away or a fault of ours; both just end here.
    let _ = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let stream = connection.into_parts().io.into_inner();
    if reset.load(Ordering::Relaxed) {
        let _ = stream.set_zero_linger();
    }
}

async fn serve(
    world: Arc<World>,
    request: Request<Incoming>,
    reset: Arc<AtomicBool>,
) -> Result<Response<Body>, Hangup> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return Ok(whole(SandboxResponse::empty(413)));
        }
        Err(_) => return Err(Hangup),
    };
    let call = SandboxRequest {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
    };
    match Operation::of(&call.method, &call.path) {
        Some(operation) => vendor_call(&world, operation, &call, &reset).await,
        None if webhook::is_meant(&call) => Ok(whole(webhook::answer(&world, &call).await)),
        None => Ok(whole(admin::answer(&world, &call))),
    }
}

async fn vendor_call(
    world: &World,
    operation: Operation,
    call: &SandboxRequest,
    reset: &AtomicBool,
) -> Result<Response<Body>, Hangup> {
    lock(&world.traffic).arrived(operation, call.header("x-request-id"));
    let plan = lock(&world.faults).plan(operation);
    if !plan.latency.is_zero() {
        sleep(plan.latency / 2).await;
    }
    let ended = |ended| lock(&world.traffic).ended(operation, ended);
    if matches!(plan.fault, Fault::Hang | Fault::Reset | Fault::Close) {
        ended(CallEnd::Unanswered(plan.fault));
        if plan.fault == Fault::Hang {
            sleep(plan.hang).await;
        }
        reset.store(plan.fault == Fault::Reset, Ordering::Relaxed);
        return Err(Hangup);
    }
    let answer = match injected(world, operation, plan) {
        Some(answer) => answer,
        None => handle(world, operation, call, plan.fault),
    };
    let cut = matches!(plan.fault, Fault::Lost | Fault::Truncate);
    if cut {
        lock(&world.traffic).changes_in_lost_answers += carried(operation, call);
    }
    ended(match cut {
        true => CallEnd::Unanswered(plan.fault),
        false => CallEnd::Answered(answer.status),
    });
    if !plan.latency.is_zero() {
        sleep(plan.latency / 2).await;
    }
    match plan.fault {
        Fault::Truncate if answer.body.len() > 1 => Ok(truncated(answer)),
        Fault::Lost | Fault::Truncate => Err(Hangup),
        _ => Ok(whole(answer)),
    }
}

/// How many changes the call carries to a destination.
fn carried(operation: Operation, call: &SandboxRequest) -> u64 {
    match operation {
        Operation::Update | Operation::Upsert => 1,
        Operation::Put => call
            .json_object()
            .and_then(|body| Some(body.get("payload")?.get("supporters")?.as_array()?.len() as u64))
            .unwrap_or_default(),
        _ => 0,
    }
}

/// The answer that a fault gives in the vendor's stead.
fn injected(world: &World, operation: Operation, plan: CallPlan) -> Option<SandboxResponse> {
    let salsa = operation.vendor() == Vendor::Salsa;
    let answer = match plan.fault {
        Fault::ServerError => match operation.vendor() {
            Vendor::Alumniq => SandboxResponse::empty(500),
            Vendor::Crm => SandboxResponse::json_text(500, crm::SERVER_ERROR),
            Vendor::Salsa => SandboxResponse::text(500, "Internal Server Error"),
        },
        Fault::Unavailable => SandboxResponse::empty(503).with_retry_after(plan.retry_after),
        Fault::Throttle if salsa => {
            SandboxResponse::text(429, salsa::RATE_EXCEEDED).with_retry_after(plan.retry_after)
        }
        Fault::Throttle => SandboxResponse::empty(429).with_retry_after(plan.retry_after),
        Fault::ThrottleText => SandboxResponse::text(200, salsa::RATE_EXCEEDED_IN_OK),
        Fault::HtmlPage => SandboxResponse::html(504, GATEWAY_PAGE),
        Fault::HtmlInOk => SandboxResponse::html(200, GATEWAY_PAGE),
        Fault::Instead => {
            let faults = &lock(&world.faults).faults;
            SandboxResponse::instead(&faults.vendor(operation.vendor()).instead)
        }
        _ => return None,
    };
    Some(answer)
}

fn handle(
    world: &World,
    operation: Operation,
    call: &SandboxRequest,
    fault: Fault,
) -> SandboxResponse {
    match operation.vendor() {
        Vendor::Alumniq => alumniq::answer(world, operation, call),
        Vendor::Crm => crm::answer(world, operation, call, fault == Fault::RevokeToken),
        Vendor::Salsa => salsa::answer(world, operation, call),
    }
}

fn response(answer: &SandboxResponse) -> hyper::http::response::Builder {
    answer.headers.iter().fold(
        Response::builder().status(answer.status),
        |builder, (name, value)| builder.header(*name, value),
    )
}

fn whole(answer: SandboxResponse) -> Response<Body> {
    let builder = response(&answer);
    let body = http_body_util::Full::new(answer.body).map_err(|never| match never {});
    let body = body.boxed_unsync();
    builder
        .body(body)
        .unwrap_or_else(|_| Response::new(Body::default()))
}

/// Promises the whole body, sends half of it and ends the connection.
fn truncated(mut answer: SandboxResponse) -> Response<Body> {
    let builder = response(&answer).header(CONTENT_LENGTH, answer.body.len());
    let half = answer.body.split_to(answer.body.len() / 2);
    let frames = [
        Ok(Frame::data(half)),
        Err(io::Error::other("the sandbox cuts this answer")),
    ];
    let body = StreamBody::new(futures::stream::iter(frames)).boxed_unsync();
    builder
        .body(body)
        .unwrap_or_else(|_| Response::new(Body::default()))
}
