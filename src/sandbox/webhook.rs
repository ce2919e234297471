//! A receiver of notifications: takes them, keeps the newest, and fails on demand.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    http::{SandboxRequest, SandboxResponse},
    world::{World, lock},
};

pub(super) const PATH: &str = "/_sandbox/webhook";

pub(super) fn is_meant(call: &SandboxRequest) -> bool {
    call.method == "POST" && call.path == PATH
}

pub(super) async fn answer(world: &World, call: &SandboxRequest) -> SandboxResponse {
    let mood = lock(&world.inbox).take(call);
    sleep(Duration::try_from_secs_f64(mood.seconds).unwrap_or_default()).await;
    SandboxResponse::empty(mood.status).with_retry_after(mood.retry_after)
}
