//! The parts of a watched page that change by themselves.

use super::{
    PageContext, Snapshot, destinations, fragment::Fragment, overview, progress, watched::Watched,
};
use crate::operations::client::OperatorClient;

/// Those of `page`, as they are now; `bulk` is the id of the bulk that its page shows.
pub async fn fragments(
    page: Watched,
    asked: &PageContext,
    bulk: &str,
    snapshot: &Snapshot,
) -> Vec<Fragment> {
    match page {
        Watched::Overview => overview::fragments(snapshot, asked.may_act()),
        Watched::Destinations => destinations::fragments(snapshot, asked),
        Watched::Bulk => {
            let bulk = asked.client.bulk(bulk).await.ok();
            bulk.iter()
                .map(|bulk| progress::fragment(bulk, asked))
                .collect()
        }
    }
}
