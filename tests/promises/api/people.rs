//! `erase --server`: the fleet's person goes, not one of the Redis that happens to be near.

use serde_json::json;

use super::{Fleet, OPERATOR, VIEWER};

#[tokio::test]
async fn a_person_is_erased_where_the_server_is_in_the_name_of_who_asked() {
    let fleet = Fleet::with_letters(3).await;
    let service = fleet.relay.start("console").await;
    let letters = fleet.relay.json(&["dead", "list", "--json"]).await;
    let xid = letters["items"][0]["xid"].as_str().unwrap().to_owned();
    let hers = letters["items"].as_array().unwrap().iter();
    let hers = hers.filter(|letter| letter["xid"] == *xid).count();
    let order = ["erase", "--xid", &xid, "--reason", "request 17"];

    let asked = fleet.ask(&service, OPERATOR, &order).await.expect(2).said();
    assert!(asked.contains("no terminal to ask on"), "{asked}");
    let sure = [&order[..], &["--yes"]].concat();
    let refused = fleet.ask(&service, VIEWER, &sure).await.expect(1).said();
    assert!(refused.contains("A viewer may look, not act"), "{refused}");
    assert_eq!(fleet.relay.dead_ids().await.len(), 3, "nothing was done");

    let json = [&sure[..], &["--json"]].concat();
    let erased = fleet.ask(&service, OPERATOR, &json).await.expect(0).json();
    assert_eq!(erased["erasure"]["discarded"], hers);
    assert_eq!(erased["erasure"]["files"], "rewritten");
    assert!(erased["not_erased"][0].is_string(), "{erased}");
    assert_eq!(fleet.relay.dead_ids().await.len(), 3 - hers);
    let audit = fleet.get(&service, "audit?action=erased").await;
    let entry = &audit["items"][0];
    assert_eq!(
        (&entry["by"], &entry["via"]),
        (&json!("ada"), &json!("api"))
    );
    assert_eq!(entry["reason"], "request 17");

    let again = fleet.ask(&service, OPERATOR, &sure).await.expect(0).stdout;
    assert!(again.contains("Erased: 0 open changes"), "{again}");
    assert!(again.contains("Not erased:"), "{again}");
    service.stop().await;
}
