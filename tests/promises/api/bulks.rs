//! Bulks: begun once, carried to the end whoever dies, at their pace, until somebody calls them off.

use super::{Fleet, OPERATOR, client};
use harness::waiting::until;

#[tokio::test]
async fn a_bulk_is_carried_on_when_the_process_that_works_on_it_is_killed() {
    let fleet = Fleet::with_letters(40).await;
    fleet.mend();
    let first = fleet.relay.start("console").await;
    let url = format!("http://{}/api/v1/bulks", first.address());
    let order = r#"{"action":"replay","filter":{"destination":"salsa"},"rate":"5/s"}"#;
    let begun = post(&url, OPERATOR, order).await;
    assert_eq!(begun["total"], 40);
    assert_eq!(begun["state"], "running");
    let path = format!("/api/v1/bulks/{}", begun["id"].as_str().unwrap());
    until("its first letters are replayed", async || {
        let bulk = get(&format!("http://{}{path}", first.address())).await;
        (bulk["handled"].as_u64() > Some(1)).then_some(())
    })
    .await;
    first.kill9().await;

    let second = fleet.relay.start("console").await;
    let bulk = until("another process ends it", async || {
        let bulk = get(&format!("http://{}{path}", second.address())).await;
        (bulk["state"] == "done").then_some(bulk)
    })
    .await;
    assert_eq!(bulk["handled"], 40, "{bulk}");
    assert_eq!(bulk["gone"], 0, "{bulk}");
    assert_eq!(fleet.relay.dead_ids().await, Vec::<String>::new());
    second.stop().await;
    fleet.relay.run(&["sync", "--wait"]).await.expect(0);
}

#[tokio::test]
async fn a_bulk_that_is_called_off_handles_nothing_more() {
    let fleet = Fleet::with_letters(30).await;
    fleet.mend();
    let service = fleet.relay.start("console").await;
    let url = format!("http://{}/api/v1/bulks", service.address());
    let order = r#"{"action":"discard","filter":{},"rate":"60/m","reason":"given up"}"#;
    let begun = post(&url, OPERATOR, order).await;
    let bulk = format!("{url}/{}", begun["id"].as_str().unwrap());
    until("its first letter is discarded", async || {
        (get(&bulk).await["handled"].as_u64() > Some(0)).then_some(())
    })
    .await;
    let cancelled = post(&format!("{bulk}/cancel"), OPERATOR, "").await;
    assert_eq!(cancelled["state"], "cancelled");
    let handled = cancelled["handled"].as_u64().unwrap();
    assert!(handled < 30, "{cancelled}");
    service.stop().await;
    assert_eq!(fleet.relay.dead_ids().await.len() as u64, 30 - handled);
}

#[tokio::test]
async fn dead_replay_with_a_server_is_a_bulk_that_is_watched_to_its_end() {
    let fleet = Fleet::with_letters(10).await;
    fleet.mend();
    let service = fleet.relay.start("console").await;
    let replay = ["dead", "replay", "--all", "--rate", "100/s"];
    let ended = fleet.ask(&service, OPERATOR, &replay).await.expect(0);
    assert_eq!(ended.stdout, "10 dead letters replayed\n");
    assert_eq!(fleet.relay.dead_ids().await, Vec::<String>::new());
    service.stop().await;
}

#[tokio::test]
async fn dead_replay_without_a_server_is_a_bulk_that_the_fleet_carries_on_when_the_command_is_killed()
 {
    let fleet = Fleet::with_letters(40).await;
    fleet.mend();
    let replay = ["dead", "replay", "--destination", "salsa", "--rate", "5/s"];
    let replaying = fleet.relay.spawn(&replay);
    until("its first letters are replayed", async || {
        (fleet.relay.dead_ids().await.len() < 40).then_some(())
    })
    .await;
    replaying.kill9().await;
    let left = fleet.relay.dead_ids().await.len();
    assert!(left > 0, "the command was over before it was killed");

    let service = fleet.relay.start("console").await;
    let bulk = until("a process with the role console ends it", async || {
        let bulks = fleet.get(&service, "bulks").await;
        let bulk = bulks["items"][0].clone();
        (bulk["state"] == "done").then_some(bulk)
    })
    .await;
    assert_eq!((&bulk["total"], &bulk["handled"]), (&40.into(), &40.into()));
    assert_eq!(fleet.relay.dead_ids().await, Vec::<String>::new());
    service.stop().await;
}

#[tokio::test]
async fn dead_replay_of_named_changes_at_a_rate_is_a_bulk_of_those_alone() {
    for with_server in [true, false] {
        let fleet = Fleet::with_letters(5).await;
        fleet.mend();
        let service = fleet.relay.start("console").await;
        let ids = fleet.relay.dead_ids().await;
        let (named, others) = ids.split_at(3);
        let mut replay = vec!["dead", "replay", "--rate", "10/s"];
        replay.extend(named.iter().map(String::as_str));
        let ended = match with_server {
            true => fleet.ask(&service, OPERATOR, &replay).await,
            false => fleet.relay.run(&replay).await,
        };
        assert_eq!(ended.expect(0).stdout, "3 dead letters replayed\n");
        assert_eq!(fleet.relay.dead_ids().await, others);
        let bulk = fleet.get(&service, "bulks").await["items"][0].clone();
        assert_eq!((&bulk["total"], &bulk["handled"]), (&3.into(), &3.into()));
        assert_eq!(bulk["filter"]["change_ids"].as_array().unwrap().len(), 3);
        service.stop().await;
    }
}

#[tokio::test]
async fn dead_replay_prints_the_same_with_and_without_a_server() {
    for with_server in [true, false] {
        let fleet = Fleet::with_letters(3).await;
        fleet.mend();
        let service = fleet.relay.start("console").await;
        let replay = ["dead", "replay", "--class", "validation", "--json"];
        let ended = match with_server {
            true => fleet.ask(&service, OPERATOR, &replay).await,
            false => fleet.relay.run(&replay).await,
        };
        let printed = ended.expect(0).stdout;
        assert_eq!(
            printed,
            "{\"letters\":3,\"gone\":0,\"left\":0,\"dry_run\":false}\n"
        );
        let bulks = fleet.get(&service, "bulks").await;
        assert_eq!(bulks["items"][0]["handled"], 3, "{bulks}");
        service.stop().await;
    }
}

async fn get(url: &str) -> serde_json::Value {
    let request = client().get(url).bearer_auth(OPERATOR);
    request.send().await.unwrap().json().await.unwrap()
}

async fn post(url: &str, token: &str, body: &str) -> serde_json::Value {
    let request = client()
        .post(url)
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body(body.to_owned());
    request.send().await.unwrap().json().await.unwrap()
}
