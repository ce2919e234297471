//! What operators do.

use harness::namespace::LONG;
use jobs::destination::Vendor::{self, Alumniq, Crm, Salsa};
use jobs::outcome::PauseReason;
use queue::{
    audit::{AuditAction, Handling, Note},
    bulk::{BulkAction, BulkClaim, BulkNews, BulkOrder},
    letters::LetterFilter,
    notices::{NoticeClaim, NoticeEnd},
    sessions::{LoginMethod, Session},
};
use std::time::Duration;

use super::{Case, case, plain, step};
use crate::queue_aborts::campus::{Campus, Outcome, operator};

const HOUR: Duration = Duration::from_secs(3600);

fn named(vendor: Vendor, id: &str) -> (Vendor, String) {
    (vendor, id.to_owned())
}

/// The dead letters of one person.
fn order() -> BulkOrder {
    BulkOrder {
        action: BulkAction::Discard,
        filter: LetterFilter {
            vendor: Some(Crm),
            xid: Some("cy".to_owned()),
            ..LetterFilter::default()
        },
        rate: None,
        reason: "no".to_owned(),
        apply_stale: false,
        keep_unacknowledged: false,
        by: operator(),
    }
}

async fn bulk_is_out(c: &mut Campus) -> Outcome {
    c.stage.queue.start_bulk(&order(), 2, "").await?;
    let claimed = c.stage.queue.claim_bulk(None, "bulk-worker", LONG).await?;
    let BulkClaim::Lease(lease) = claimed else {
        return Err("no bulk action to work on".into());
    };
    c.progress.bulk = Some(*lease);
    Ok(())
}

async fn notice_is_out(c: &mut Campus) -> Outcome {
    let claimed = c.stage.queue.claim_notice(Duration::ZERO, LONG).await?;
    let NoticeClaim::Tell(notice) = claimed else {
        return Err("nothing to notify".into());
    };
    c.progress.notice = Some(notice.lease().clone());
    Ok(())
}

fn session() -> Session {
    Session {
        name: "tester".to_owned(),
        operator: true,
        token: "digest".to_owned(),
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = letters();
    cases.extend(bulks());
    cases.extend(gates());
    cases.extend(console());
    cases
}

fn letters() -> Vec<Case> {
    vec![
        case(
            "replay",
            step!(c => for id in ["6", "7", "8"] { c.is_fixed(id); }),
            step!(c => {
                let letters = [named(Crm, "6"), named(Salsa, "7"), named(Alumniq, "8")];
                c.stage.queue.replay(&letters, true, &operator()).await?
            }),
        ),
        plain(
            "discard",
            step!(c => {
                let letters = [named(Crm, "6"), named(Salsa, "7"), named(Alumniq, "8")];
                c.stage.queue.discard(&letters, false, "no", &operator()).await?
            }),
        ),
        plain(
            "discard: AlumnIQ is not told",
            step!(c => {
                let letters = [named(Crm, "19"), named(Salsa, "7")];
                c.stage.queue.discard(&letters, true, "no", &operator()).await?
            }),
        ),
        case(
            "edit",
            step!(c => c.is_fixed("6")),
            step!(c => {
                let queue = &c.stage.queue;
                let (_, row) = queue.row("6").await?.ok_or("no row")?;
                let mut edited = row.clone();
                let text = row.row.get().replace("\"xid\"", "\"title\":\"edited\",\"xid\"");
                edited.row = serde_json::value::RawValue::from_string(text)?;
                let fields = ["jobTitle".to_owned()];
                queue.edit(Crm, "6", &row, &edited, &fields, &operator()).await?
            }),
        ),
        plain(
            "erase: a person with open changes",
            step!(c => _ = c.stage.queue.erase("ada", "asked for it", false, &operator()).await?),
        ),
        plain(
            "erase: a person with dead letters",
            step!(c => _ = c.stage.queue.erase("cy", "asked for it", false, &operator()).await?),
        ),
    ]
}

fn bulks() -> Vec<Case> {
    vec![
        plain(
            "bulk: start",
            step!(c => _ = c.stage.queue.start_bulk(&order(), 2, "").await?),
        ),
        case(
            "bulk: claim",
            step!(c => _ = c.stage.queue.start_bulk(&order(), 2, "").await?),
            step!(c => _ = c.stage.queue.claim_bulk(None, "bulk-worker", LONG).await?),
        ),
        case(
            "bulk: a step",
            step!(c => bulk_is_out(c).await?),
            step!(c => {
                let by = operator();
                let step = c.progress.bulk.as_ref().unwrap().step();
                let handling = Handling { by: &by, bulk: Some(&step), entry: None };
                let letters = [named(Crm, "6")];
                let done = c.stage.queue.discard(&letters, false, "no", handling).await?;
                if done.handled + done.gone == 0 {
                    // The bulk action is over: a person discards what died since.
                    c.stage.queue.discard(&letters, false, "no", &by).await?;
                }
            }),
        ),
        case(
            "bulk: keep",
            step!(c => bulk_is_out(c).await?),
            step!(c => {
                let bulk = c.progress.bulk.as_ref().unwrap();
                c.stage.queue.keep_bulk(bulk, Duration::ZERO, &BulkNews::default()).await?
            }),
        ),
        case(
            "bulk: end",
            step!(c => bulk_is_out(c).await?),
            step!(c => {
                let news = BulkNews { ended: Some(Ok(())), ..BulkNews::default() };
                c.stage.queue.keep_bulk(c.progress.bulk.as_ref().unwrap(), LONG, &news).await?
            }),
        ),
        case(
            "bulk: cancel",
            step!(c => bulk_is_out(c).await?),
            step!(c => {
                let id = &c.progress.bulk.as_ref().unwrap().id;
                c.stage.queue.cancel_bulk(id, &operator()).await?
            }),
        ),
    ]
}

fn gates() -> Vec<Case> {
    vec![
        plain(
            "pause",
            step!(c => c.stage.queue.pause(Crm, &operator()).await?),
        ),
        case(
            "resume",
            step!(c => c.stage.queue.pause(Crm, &operator()).await?),
            step!(c => c.stage.queue.resume(Crm, &operator()).await?),
        ),
        plain(
            "circuit breaker opens",
            step!(c => c.stage.queue.shut(Crm, Some(HOUR), PauseReason::Outage, "down").await?),
        ),
    ]
}

fn console() -> Vec<Case> {
    vec![
        plain(
            "session: open",
            step!(c => c.stage.queue.open_session("key", &session(), HOUR, HOUR).await?),
        ),
        case(
            "session: look",
            step!(c => c.stage.queue.open_session("key", &session(), HOUR / 2, HOUR).await?),
            step!(c => _ = c.stage.queue.session("key", Some(HOUR)).await?),
        ),
        case(
            "session: end",
            step!(c => c.stage.queue.open_session("key", &session(), HOUR, HOUR).await?),
            step!(c => c.stage.queue.end_session("key").await?),
        ),
        case(
            "login: wrong token",
            step!(c => for _ in 0..3 { c.stage.queue.knock(LoginMethod::Login, "client", false).await?; }),
            step!(c => _ = c.stage.queue.knock(LoginMethod::Login, "client", false).await?),
        ),
        case(
            "login: right token",
            step!(c => _ = c.stage.queue.knock(LoginMethod::Login, "client", false).await?),
            step!(c => _ = c.stage.queue.knock(LoginMethod::Login, "client", true).await?),
        ),
        plain(
            "audit: note",
            step!(c => {
                let note = Note { reason: "looked", ..Note::default() };
                c.stage.queue.note(&operator(), AuditAction::Revealed, &note).await?
            }),
        ),
        plain(
            "notice: claim",
            step!(c => _ = c.stage.queue.claim_notice(Duration::ZERO, LONG).await?),
        ),
        case(
            "notice: taken",
            step!(c => notice_is_out(c).await?),
            step!(c => {
                let lease = c.progress.notice.as_ref().unwrap();
                c.stage.queue.settle_notice(lease, NoticeEnd::Taken).await?
            }),
        ),
        case(
            "notice: failed",
            step!(c => notice_is_out(c).await?),
            step!(c => {
                let end = NoticeEnd::Failed { delay: HOUR, perhaps_taken: true };
                c.stage.queue.settle_notice(c.progress.notice.as_ref().unwrap(), end).await?
            }),
        ),
    ]
}
