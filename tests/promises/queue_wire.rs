//! What lies in Redis while versions change under it: these shapes are fixed, because changes that an older
//! version queued must be read by a newer one.

use harness::{
    namespace::{EARLY, Namespace, dead},
    redis::Redis,
    rows,
};
use jobs::{
    destination::{Destination::Crm, Vendor},
    outcome::DeadClass,
};
use queue::{
    intake::{NewChange, NewLetter},
    seal::Seals,
};
use serde_json::{json, value::RawValue};

/// As AlumnIQ sent it, its spaces included.
const ROW: &str = r#"{ "CHANGEID": 4711,  "xid":"1001", "employer":"Käse & Söhne" }"#;

fn change() -> NewChange {
    NewChange {
        change_id: "4711".to_owned(),
        xid: Some("1001".to_owned()),
        order: "001795255200000:n0044711".to_owned(),
        row: RawValue::from_string(ROW.to_owned()).unwrap(),
        letter: None,
        replaces: None,
        listed: None,
    }
}

async fn stored(namespace: &mut Namespace, change_id: &str) -> String {
    namespace.stored(change_id).await.unwrap()
}

#[tokio::test]
async fn a_record_keeps_its_shape_and_the_row_its_bytes() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let nobody = NewChange {
        change_id: "4712".to_owned(),
        xid: None,
        ..change()
    };
    namespace.enqueue(vec![change(), nobody]).await;
    assert_eq!(
        stored(&mut namespace, "4711").await,
        format!(r#"{EARLY}{{"xid":"1001","row":{ROW}}}"#)
    );
    assert_eq!(
        stored(&mut namespace, "4712").await,
        format!(r#"{EARLY}{{"row":{ROW}}}"#)
    );
    for lease in namespace.claim(Crm).await {
        assert_eq!(lease.row.unwrap().get(), ROW);
    }
}

/// What a version before this one sealed under a key of 32 sevens, for this change of this namespace.
const SEALED: &str = "sealed:8263b094:AAECAwQFBgcICQoLDA0ODxAREhMUFRYX0zeJxrJdFeJgjsVl3MKbm27nFDc01U8Ylz+No6v8\
    pKYhEq9OkPkunHmYUQ8VltK3PdM4qaRWIIkbtseTz6Pq5LbuPiGmrsmgpsdL1NOQb3I";

async fn sealed_with(redis: &Redis, key: u8) -> Namespace {
    Namespace::with(redis, |settings| {
        settings.destinations = vec![Crm];
        settings.seals = Seals::new(Some(&[key; 32]), &[]);
    })
    .await
}

#[tokio::test]
async fn a_sealed_record_keeps_its_shape_and_is_opened_by_every_later_version() {
    let redis = Redis::start().await;
    let mut namespace = sealed_with(&redis, 7).await;
    namespace.enqueue(vec![change()]).await;
    let fresh = stored(&mut namespace, "4711").await;
    assert!(
        fresh.starts_with(&format!(r#"{EARLY}{{"sealed":"sealed:8263b094:"#))
            && fresh.ends_with(r#"","xid":"1001"}"#),
        "{fresh}"
    );
    let earlier = format!(r#"{EARLY}{{"sealed":"{SEALED}","xid":"1001"}}"#);
    assert_eq!(fresh.len(), earlier.len());
    namespace.store("4711", &earlier).await;
    assert_eq!(namespace.claim_one(Crm).await.row.unwrap().get(), ROW);
}

#[tokio::test]
async fn a_record_from_before_there_was_a_key_is_read_with_one_and_sealed_at_its_next_write() {
    let redis = Redis::start().await;
    let plain = Namespace::of_crm(&redis).await;
    plain.enqueue(vec![change()]).await;
    let mut namespace = sealed_with(&redis, 7).await;
    let lease = namespace.claim_one(Crm).await;
    assert_eq!(lease.row.clone().unwrap().get(), ROW);
    assert!(
        namespace
            .settle(Crm, &lease, dead(DeadClass::Rejected))
            .await
    );
    // AlumnIQ still lists it: a dead letter's row is written anew.
    namespace.enqueue(vec![change()]).await;
    let rewritten = stored(&mut namespace, "4711").await;
    assert!(rewritten.contains("sealed:8263b094:"), "{rewritten}");
    assert!(!rewritten.contains("employer"), "{rewritten}");
    namespace.replay(Vendor::Crm, "4711", false).await;
    assert_eq!(namespace.claim_one(Crm).await.row.unwrap().get(), ROW);
}

#[tokio::test]
async fn a_record_of_another_version_is_read_as_far_as_it_is_known_and_never_quoted() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let cases = [
        (
            r#"1000000000000{"order":"old","row":{"a":1},"new":[]}"#,
            Ok(r#"{"a":1}"#),
        ),
        (r#"1000000000000{"body":{"a":"secret"}}"#, Err("Data error")),
        (r#"1000000000000{"xid":"secret"#, Err("Eof error")),
        ("17secret", Err("it is too short")),
        ("secretsecretsecret", Err("invalid digit")),
    ];
    for (n, (record, expected)) in cases.into_iter().enumerate() {
        let id = n.to_string();
        namespace
            .enqueue(vec![rows::change(&id, Some(&id), 1)])
            .await;
        namespace.store(&id, record).await;
        let row = namespace.claim_one(Crm).await.row;
        match (row, expected) {
            (Ok(row), Ok(expected)) => assert_eq!(row.get(), expected),
            (Err(error), Err(why)) => {
                assert!(
                    error.contains(why) && !error.contains("secret"),
                    "{record}: {error}"
                );
            }
            (row, _) => panic!("{record}: {row:?}"),
        }
    }
}

#[test]
fn a_letter_on_arrival_keeps_its_shape() {
    let letter = NewLetter::new(
        DeadClass::Undecodable,
        "why".to_owned(),
        "what to do".to_owned(),
        true,
    );
    assert_eq!(
        serde_json::to_string(&letter).unwrap(),
        r#"{"class":"undecodable","cause":"why","advice":"what to do","attempts":0}"#
    );
}

#[tokio::test]
async fn a_letter_keeps_its_shape_in_redis_and_in_json() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(vec![change()]).await;
    let lease = namespace.claim_one(Crm).await;
    assert!(
        namespace
            .settle(Crm, &lease, dead(DeadClass::Rejected))
            .await
    );
    let snapshot = namespace.snapshot().await;
    let mut letter = snapshot.hash("letter:crm:4711");
    let died_at: i64 = letter.remove("died_at").unwrap().parse().unwrap();
    assert_eq!(
        json!(letter),
        json!({
            "class": "rejected", "cause": "no", "advice": "look", "attempts": "1", "lane": "x:1001",
            "because": "fd1286353570",
            "member": "001795255200000:n0044711 4711",
        })
    );
    let shown = namespace.queue.letters_of("4711").await.unwrap().remove(0);
    assert_eq!(shown.destination, Vendor::Crm);
    let died_at = jiff::Timestamp::from_millisecond(died_at).unwrap();
    assert_eq!(
        json!(shown),
        json!({
            "change_id": "4711", "xid": "1001", "destination": "crm", "class": "rejected", "cause": "no",
            "cause_key": "fd1286353570", "advice": "look", "attempts": 1, "died_at": format!("{died_at:.3}"),
        })
    );
}
