//! AlumnIQ is told.

use harness::namespace::LONG;
use jobs::{destination::Destination, outcome::PauseReason};
use queue::acknowledgement::AckPause;

use super::{Case, case, plain, step};
use crate::queue_aborts::campus::{Campus, Outcome};

/// Everything that can be applied is, and a list of it is out.
async fn list_is_out(c: &mut Campus) -> Outcome {
    // AlumnIQ takes the changeId now.
    let letters = [(jobs::destination::Vendor::Alumniq, "8".to_owned())];
    let by = crate::queue_aborts::campus::operator();
    c.stage.queue.replay(&letters, false, &by).await?;
    for d in Destination::ALL {
        c.work(d).await?;
    }
    c.progress.list = c.claim_list().await?;
    assert!(c.progress.list.is_some());
    Ok(())
}

fn token(c: &Campus) -> u64 {
    c.progress.list.as_ref().unwrap().0
}

fn ids(c: &Campus) -> Vec<String> {
    c.progress.list.as_ref().unwrap().1.clone()
}

pub fn cases() -> Vec<Case> {
    vec![
        plain("acknowledge: claim", step!(c => _ = c.claim_list().await?)),
        case(
            "acknowledge: renew",
            step!(c => list_is_out(c).await?),
            step!(c => _ = c.stage.queue.renew_acknowledgements(token(c), LONG).await?),
        ),
        case(
            "acknowledge: accepted",
            step!(c => {
                c.is_fixed("8");
                list_is_out(c).await?;
                let ids = ids(c);
                c.tell_alumniq(&ids);
            }),
            step!(c => c.settle_list(token(c), &ids(c), &[]).await?),
        ),
        case(
            "acknowledge: accepted, and a row was corrected meanwhile",
            step!(c => {
                c.is_fixed("8");
                list_is_out(c).await?;
                c.corrects("12");
                c.fetch_these(&["12"]).await?;
                let ids = ids(c);
                c.tell_alumniq(&ids);
                c.progress.listed.insert("12".to_owned());
            }),
            step!(c => c.settle_list(token(c), &ids(c), &[]).await?),
        ),
        case(
            "acknowledge: rejected",
            step!(c => list_is_out(c).await?),
            step!(c => c.settle_list(token(c), &[], &["8".to_owned()]).await?),
        ),
        case(
            "acknowledge: pause",
            step!(c => list_is_out(c).await?),
            step!(c => {
                let pause = AckPause {
                    delay: Some(LONG),
                    reason: PauseReason::Outage,
                    cause: "connection refused".to_owned(),
                };
                c.stage.queue.return_acknowledgements(token(c), Some(&pause)).await?
            }),
        ),
        case(
            "acknowledge: release",
            step!(c => list_is_out(c).await?),
            step!(c => _ = c.stage.queue.return_acknowledgements(token(c), None).await?),
        ),
    ]
}
