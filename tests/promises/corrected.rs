//! Promise 9 with processes: what AlumnIQ lists now is what is applied.

use harness::{
    redis::Redis,
    relay::{Relay, text},
    vendors::vendors,
};
use sandbox::{NewChanges, Sandbox};
use serde_json::{Value, json};

use crate::hostile::Feed;

/// A person whom both destinations know.
fn somebody(sandbox: &Sandbox) -> String {
    let wanted = NewChanges {
        count: 1,
        ..NewChanges::default()
    };
    let id = sandbox.add_changes(&wanted).remove(0);
    sandbox.change(&id).unwrap().xid.unwrap()
}

/// What AlumnIQ was told, in order. It is told again of what it still lists after an acknowledgement, and a sync that finds
/// work in the queue may be done with it before its own fetch begins.
fn told(feed: &Feed) -> Vec<String> {
    let mut told = feed.told();
    told.dedup();
    told
}

/// How often a destination accepted the change, and how often AlumnIQ corrected it.
async fn events(relay: &Relay, id: &str, kind: &str) -> usize {
    let shown = relay.show(id).await;
    let events = shown["events"].as_array().unwrap();
    events.iter().filter(|event| event["event"] == kind).count()
}

#[tokio::test]
async fn a_row_that_alumniq_corrects_is_applied_as_corrected_before_and_after_its_acknowledgement()
{
    let sandbox = vendors(0, 3).await;
    let xid = somebody(&sandbox);
    let row = |employer: &str| json!([{ "changeId": "c-1", "xid": xid, "employer": employer, "phone": "+13605550100" }]);
    let lists = |row: Value| row.to_string();
    let feed = Feed::start(lists(row("Typo Inc")).into_bytes()).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("alumniq.url", &feed.url);
    relay.run(&["sync"]).await.expect(0);
    // The order of its keys, and a number for a text, are no correction.
    feed.lists(&format!(
        r#"[{{"phone":"+13605550100","employer":"Typo Inc","xid":{},"CHANGEID":"c-1"}}]"#,
        json!(xid)
    ));
    relay.run(&["sync"]).await.expect(0);
    assert_eq!(events(&relay, "c-1", "corrected").await, 0);

    feed.lists(&lists(row("Acme Inc")));
    relay.run(&["sync"]).await.expect(0);
    relay.run(&["sync", "--wait"]).await.expect(0);
    assert_eq!(events(&relay, "c-1", "corrected").await, 1);
    assert_eq!(events(&relay, "c-1", "done").await, 2);
    assert_eq!(told(&feed), ["c-1"]);

    // Closed, and listed with another content: a new change.
    let before = feed.told().len();
    feed.lists(&lists(row("Better Inc")));
    relay.run(&["sync", "--wait"]).await.expect(0);
    assert_eq!(events(&relay, "c-1", "done").await, 4);
    assert!(feed.told().len() > before, "{:?}", feed.told());
    let books = &relay.status().await["books"];
    assert_eq!(
        (
            &books["fetched"],
            &books["acknowledged"],
            &books["difference"]
        ),
        (&json!(2), &json!(2), &json!(0))
    );
}

#[tokio::test]
async fn one_change_id_with_two_contents_in_one_answer_is_a_dead_letter_that_names_both_rows() {
    let sandbox = vendors(0, 3).await;
    let xid = somebody(&sandbox);
    let row =
        |id: &str, employer: &str| json!({ "changeId": id, "xid": xid, "employer": employer });
    let feed = Feed::start(
        json!([
            row("c-2", "A"),
            row("c-1", "X"),
            row("c-1", "X"),
            row("c-2", "B")
        ])
        .to_string()
        .into_bytes(),
    )
    .await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("alumniq.url", &feed.url);
    relay.run(&["sync", "--wait"]).await.expect(3);
    assert_eq!(feed.told(), ["c-1"]);
    let letters = relay.dead().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0]["class"], "undecodable");
    let cause = text(&letters[0]["cause"]);
    assert!(cause.contains("rows 1 and 4"), "{cause}");
    relay.run(&["sync", "--wait"]).await;
    assert_eq!(
        relay.dead().await,
        letters,
        "the same answer is the same letter"
    );
    assert_eq!(feed.told(), ["c-1", "c-1"], "it is still listed");

    feed.lists(&json!([row("c-2", "B")]).to_string());
    relay.run(&["sync"]).await;
    relay.run(&["dead", "replay", "c-2"]).await.expect(0);
    relay.run(&["sync", "--wait"]).await.expect(0);
    assert_eq!(told(&feed), ["c-1", "c-2"]);
}

#[tokio::test]
async fn an_anonymous_letter_is_applied_in_its_persons_lane_once_the_bio_is_linked() {
    let sandbox = vendors(0, 3).await;
    let xid = somebody(&sandbox);
    let feed = Feed::start(br#"[{"changeId":"c-1","employer":"Acme Inc"}]"#.to_vec()).await;
    let redis = Redis::start().await;
    let relay = Relay::new(&sandbox, Some(&redis)).set("alumniq.url", &feed.url);
    relay.run(&["sync", "--wait"]).await.expect(3);
    let letters = relay.dead().await;
    assert!(
        letters.iter().all(|letter| letter["class"] == "anonymous"),
        "{letters:?}"
    );

    feed.lists(&json!([{ "changeId": "c-1", "xid": xid, "employer": "Acme Inc" }]).to_string());
    relay.run(&["sync", "--wait"]).await;
    let letters = relay.dead().await;
    assert!(
        letters.iter().all(|letter| letter["xid"] == json!(xid)),
        "{letters:?}"
    );
    relay.run(&["dead", "replay", "--all"]).await.expect(0);
    relay.run(&["sync", "--wait"]).await.expect(0);
    assert_eq!(relay.dead_ids().await, Vec::<String>::new());
    assert_eq!(told(&feed), ["c-1"]);
}
