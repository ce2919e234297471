//! The books against AlumnIQ's feed.

use axum::{Json, http::StatusCode};
use jiff::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    asking::{ApiBody, ApiQuery, to_its_end},
    error::ApiError,
};
use crate::{
    console::visitor::Operator,
    operations::{
        client::{Local, OperatorClient},
        error::OperatorError,
        moment::CampusDay,
        reconcile::{Days, Reconciled},
        wire::DaysRequest,
    },
};

/// How many days one request compares: AlumnIQ is asked once a day of them, and a request is not answered for ever.
const DAYS: i32 = 100;

/// Each comparison asks AlumnIQ for rows: whoever may look could make it ask without end.
static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);

async fn read(asked: DaysRequest, client: &Local) -> Result<Days, ApiError> {
    let date = |day: Option<CampusDay>| day.map(|day| day.0);
    let days = Days::of(date(asked.on), date(asked.since), date(asked.until))
        .map_err(|muddled| OperatorError::invalid_field(muddled.field, muddled.problem))?;
    if let Days::Since(since, until) = days {
        let campus = client.campus().await?;
        let today = Timestamp::now().to_zoned_datetime(campus.timezone).date();
        let many = (until.unwrap_or(today) - since).get_days();
        if many >= DAYS {
            let problem = "ask for at most 100 days at a time";
            return Err(OperatorError::invalid_field("since", problem).into());
        }
    }
    Ok(days)
}

/// Hold the books against AlumnIQ's feed
///
/// Changes nothing. It takes as long as AlumnIQ takes to list those days, and a second or two; a process makes one
/// comparison at a time.
#[utoipa::path(
    get,
    path = "/reconcile",
    tag = "reconcile",
    params(DaysRequest),
    responses((status = OK, description = "What differs", body = Reconciled))
)]
pub(super) async fn compare(
    client: Local,
    ApiQuery(days): ApiQuery<DaysRequest>,
) -> Result<Json<Reconciled>, ApiError> {
    let days = read(days, &client).await?;
    let _turn = turn()?;
    Ok(Json(client.reconcile(days, false).await?))
}

/// Hold the books against AlumnIQ's feed, and mend what is safe to mend
///
/// What is unknown here is taken in as a fetch does, and AlumnIQ is told again of what it should know.
#[utoipa::path(
    post,
    path = "/reconcile/fix",
    tag = "reconcile",
    request_body = DaysRequest,
    responses((status = OK, description = "What differed, and what was mended", body = Reconciled))
)]
pub(super) async fn fix(
    _: Operator,
    client: Local,
    ApiBody(days): ApiBody<DaysRequest>,
) -> Result<Json<Reconciled>, ApiError> {
    let days = read(days, &client).await?;
    let turn = turn()?;
    let mended = to_its_end(async move {
        let _turn = turn;
        client.reconcile(days, true).await
    });
    Ok(Json(mended.await??))
}

fn turn() -> Result<SemaphorePermit<'static>, ApiError> {
    ONE_AT_A_TIME.try_acquire().map_err(|_| {
        ApiError::new(
            StatusCode::CONFLICT,
            "this process is comparing already",
            "try again when that comparison is over",
        )
    })
}
