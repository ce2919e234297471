//! What operators look at and do: letters by cause and person, a person's changes, edits, and the audit of it.

use std::collections::BTreeSet;

use harness::{
    namespace::{EARLY, Namespace, dead, done, settlement, tester},
    redis::Redis,
    rows::{change, undecodable},
};
use jobs::{
    destination::{Destination, Destination::Crm, Vendor},
    outcome::DeadClass,
};
use queue::{
    Record,
    audit::{Actor, AuditAction, AuditFilter, Handling, Note, Via},
    editing::Edited,
    executor::Transition,
    letters::{DeadLetterOrder, LetterFilter},
    person::PersonCursor,
    recent::RecentCall,
    stats::Status,
};
use redis::AsyncTypedCommands;
use serde_json::{json, value::to_raw_value};

/// Puts changes `1..` of people `p1..` before the CRM and lets each die of its cause.
async fn with_causes(redis: &Redis, causes: &[&str]) -> Namespace {
    let namespace = Namespace::of_crm(redis).await;
    let ids = 1..=causes.len();
    let changes = ids.map(|n| change(&n.to_string(), Some(&format!("p{n}")), n as i64));
    namespace.enqueue(changes.collect()).await;
    for lease in namespace.claim(Crm).await {
        let n: usize = lease.change_id.parse().unwrap();
        let end = Transition::Dead {
            class: DeadClass::Rejected,
            cause: causes[n - 1].to_owned(),
            advice: "look".to_owned(),
            attempts: 1,
        };
        assert!(namespace.settle(Crm, &lease, end).await);
    }
    namespace
}

#[tokio::test]
async fn where_nothing_is_dead_there_is_no_group_whatever_is_asked_for() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    for filter in [
        LetterFilter::default(),
        LetterFilter {
            since: Some(1),
            until: Some(2),
            ..LetterFilter::default()
        },
        LetterFilter {
            vendor: Some(Vendor::Crm),
            class: Some(DeadClass::Stale),
            cause: Some("0123456789ab".to_owned()),
            since: Some(1),
            ..LetterFilter::default()
        },
        LetterFilter {
            xid: Some("p1".to_owned()),
            until: Some(1),
            ..LetterFilter::default()
        },
    ] {
        let groups = namespace.queue.letter_groups(&filter).await.unwrap();
        assert!(groups.is_empty(), "{filter:?}");
        let page = namespace.queue.letters(&filter, None, 10).await.unwrap();
        assert_eq!((page.total, page.items.len()), (0, 0), "{filter:?}");
    }
}

#[tokio::test]
async fn causes_that_differ_in_what_names_one_change_are_one_group() {
    let redis = Redis::start().await;
    let causes = [
        "no contact 1234567",
        "no contact 7654321",
        "employer has 231 characters, at most 100 are allowed",
        "employer has 99 characters, at most 100 are allowed",
        "request 6fa459ea-ee8a-3ca4-894e-db77e160355e failed",
        "request 16fd2706-8baf-433b-82eb-8c7fada847da failed",
        "unknown id \"a1\"",
        "unknown id \"b22\"",
        "the CRM answered 500",
        "the CRM answered 503",
        "no contact 42",
    ];
    let namespace = with_causes(&redis, &causes).await;
    let groups = namespace
        .queue
        .letter_groups(&LetterFilter::default())
        .await;
    let groups = groups.unwrap();
    let counts: Vec<u64> = groups.iter().map(|group| group.count).collect();
    assert_eq!(counts, [2, 2, 2, 2, 1, 1, 1], "{groups:#?}");
    for group in &groups {
        let filter = LetterFilter {
            vendor: Some(group.destination),
            cause: Some(group.cause.clone()),
            ..LetterFilter::default()
        };
        let page = namespace.queue.letters(&filter, None, 50).await.unwrap();
        assert_eq!(page.total, group.count);
        assert_eq!(page.items.len() as u64, group.count);
        let newest = page.items.last().unwrap();
        assert!(page.items.iter().any(|letter| letter.cause == group.text));
        assert_eq!(newest.died_at, group.newest_at);
        assert_eq!(page.items[0].died_at, group.oldest_at);
        let alone = namespace.queue.letter_groups(&filter).await.unwrap();
        assert_eq!(alone, std::slice::from_ref(group));
    }
    let of_one = LetterFilter {
        xid: Some("p9".to_owned()),
        ..LetterFilter::default()
    };
    let groups = namespace.queue.letter_groups(&of_one).await.unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].text, "the CRM answered 500");
    namespace.replay(Vendor::Crm, "9", false).await;
    let groups = namespace.queue.letter_groups(&of_one).await.unwrap();
    assert_eq!(groups, []);
}

#[tokio::test]
async fn thousands_of_causes_are_told_by_the_most_frequent() {
    const CAUSES: usize = 3000;
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    let changes = (0..CAUSES + 4).map(|n| change(&n.to_string(), Some(&n.to_string()), 0));
    namespace.enqueue(changes.collect()).await;
    let leases = namespace.claim_as(Crm, "worker", CAUSES + 4).await.leases;
    let settlements = leases.iter().enumerate().map(|(n, lease)| {
        let word: String = format!("{:04}", n.min(CAUSES - 1));
        let cause = word
            .chars()
            .map(|digit| (b'g' + digit as u8 - b'0') as char);
        let end = Transition::Dead {
            class: DeadClass::Rejected,
            cause: cause.collect(),
            advice: "look".to_owned(),
            attempts: 1,
        };
        settlement(lease, end)
    });
    let settlements: Vec<_> = settlements.collect();
    for settlements in settlements.chunks(200) {
        let settled = namespace.queue.settle(Crm, "worker", settlements).await;
        settled.unwrap();
    }
    let groups = namespace
        .queue
        .letter_groups(&LetterFilter::default())
        .await;
    let groups = groups.unwrap();
    assert_eq!(groups.len(), 200);
    assert_eq!((groups[0].count, groups[1].count), (5, 1));
}

/// How many answers' elements Redis has sent is not to be had; bytes it has sent are.
async fn bytes_sent(namespace: &mut Namespace) -> u64 {
    let info: String = redis::cmd("INFO")
        .arg("stats")
        .query_async(&mut namespace.connection)
        .await
        .unwrap();
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("total_net_output_bytes:"));
    line.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn a_page_of_a_hundred_thousand_letters_reads_a_page() {
    const MANY: usize = 100_000;
    const PAGE: usize = 50;
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    for block in 0..MANY / 10_000 {
        let rows = block * 10_000..(block + 1) * 10_000;
        let rows = rows.map(|n| undecodable(&format!("row-{n:06}")));
        namespace.enqueue(rows.collect()).await;
    }
    namespace
        .enqueue(vec![change("1", Some("p1"), 0), change("2", Some("p2"), 0)])
        .await;
    for lease in namespace.claim(Crm).await {
        assert!(
            namespace
                .settle(Crm, &lease, dead(DeadClass::Rejected))
                .await
        );
    }
    let everything = LetterFilter::default();
    let groups = namespace.queue.letter_groups(&everything).await.unwrap();
    assert_eq!(groups[0].count, MANY as u64);
    let page = namespace.queue.letters(&everything, None, PAGE).await;
    let died = page.unwrap().items[0].died_at.parse::<jiff::Timestamp>();
    let since = died.unwrap().as_millisecond() as u64;
    let of_cause = |cause: &str| LetterFilter {
        cause: Some(cause.to_owned()),
        ..LetterFilter::default()
    };
    let filters = [
        (everything.clone(), MANY + 2),
        (
            LetterFilter {
                since: Some(since),
                until: Some(u64::MAX >> 11),
                ..everything.clone()
            },
            MANY + 2,
        ),
        (
            LetterFilter {
                vendor: Some(Vendor::Alumniq),
                class: Some(DeadClass::Undecodable),
                ..of_cause(&groups[0].cause)
            },
            MANY,
        ),
        (of_cause(&groups[1].cause), 2),
        (
            LetterFilter {
                xid: Some("p2".to_owned()),
                class: Some(DeadClass::Rejected),
                since: Some(since),
                ..of_cause(&groups[1].cause)
            },
            1,
        ),
    ];
    for (filter, total) in filters {
        for order in [DeadLetterOrder::OldestFirst, DeadLetterOrder::NewestFirst] {
            let first = namespace.queue.letters_in(order, &filter, None, PAGE).await;
            let cursor = first.unwrap().next;
            let before = bytes_sent(&mut namespace).await;
            let page = namespace
                .queue
                .letters_in(order, &filter, cursor.as_ref(), PAGE)
                .await
                .unwrap();
            let read = bytes_sent(&mut namespace).await - before;
            assert_eq!(page.total, total as u64, "{filter:?}");
            // A letter is some 300 bytes, and the names of those of its millisecond are read with it. All are 30 MB.
            assert!(read < 200_000, "{read} bytes for {filter:?}, {order:?}");
        }
    }
}

#[tokio::test]
async fn pages_hold_every_letter_once_in_either_order_although_many_died_in_one_moment() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let rows = (0..60).map(|n| undecodable(&format!("row-{n:02}")));
    namespace.enqueue(rows.collect()).await;
    namespace.enqueue(vec![change("1", Some("p1"), 0)]).await;
    let lease = namespace.claim_one(Crm).await;
    assert!(
        namespace
            .settle(Crm, &lease, dead(DeadClass::Rejected))
            .await
    );
    // As if one moment had seen them all.
    for (index, letters) in [("alumniq:undecodable", "alumniq"), ("crm:rejected", "crm")] {
        let key = namespace.key(&format!("letters:{index}"));
        for id in namespace.connection.zrange(&key, 0, -1).await.unwrap() {
            let letter = namespace.key(&format!("letter:{letters}:{id}"));
            namespace.connection.zadd(&key, &id, 1000).await.unwrap();
            let set = namespace.connection.hset(letter, "died_at", "1000");
            set.await.unwrap();
        }
    }
    let filter = LetterFilter::default();
    let mut listed = Vec::new();
    for order in [DeadLetterOrder::OldestFirst, DeadLetterOrder::NewestFirst] {
        let (mut ids, mut cursor) = (Vec::new(), None);
        loop {
            let page = namespace
                .queue
                .letters_in(order, &filter, cursor.as_ref(), 7);
            let page = page.await.unwrap();
            assert_eq!(page.total, 61);
            ids.extend(page.items.into_iter().map(|letter| letter.change_id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(ids.len(), 61);
        listed.push(ids);
    }
    let [oldest, mut newest] = <[Vec<String>; 2]>::try_from(listed).unwrap();
    assert_eq!(oldest.iter().collect::<BTreeSet<_>>().len(), 61);
    newest.reverse();
    assert_eq!(oldest, newest);
}

#[tokio::test]
async fn a_person_is_seen_whole_from_the_lane_to_the_past() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    for (n, end) in [(1, done()), (2, done()), (3, dead(DeadClass::Rejected))] {
        let changes = vec![change(&n.to_string(), Some("1001"), n)];
        namespace.enqueue(changes).await;
        let lease = namespace.claim_one(Crm).await;
        assert!(namespace.settle(Crm, &lease, end).await);
        if n == 1 {
            assert_eq!(namespace.acknowledge_all().await, ["1"]);
        }
    }
    let rest = [("4", "1001"), ("5", "1001"), ("6", "1002")];
    let rest = rest.map(|(id, xid)| change(id, Some(xid), 9));
    namespace.enqueue(rest.into()).await;
    let mut changes = Vec::new();
    let mut cursor = None;
    loop {
        let page = namespace.queue.person("1001", cursor.as_ref(), 2);
        let page = page.await.unwrap();
        assert!(page.changes.len() <= 2, "{page:?}");
        changes.extend(page.changes);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let mut states: Vec<(String, String)> = changes
        .into_iter()
        .map(|change| {
            assert_eq!(change.xid.as_deref(), Some("1001"));
            (change.change_id, change.state.into_owned())
        })
        .collect();
    states.sort();
    let expected = [
        "acknowledged",
        "to acknowledge",
        "dead",
        "in flight",
        "in flight",
    ];
    let expected = ["1", "2", "3", "4", "5"].into_iter().zip(expected);
    assert_eq!(
        states,
        expected
            .map(|(id, state)| (id.to_owned(), state.to_owned()))
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_page_of_a_person_with_ten_thousand_open_changes_costs_redis_no_more_than_of_one_with_few()
 {
    let redis = Redis::start().await;
    let mut namespace = Namespace::new(&redis).await;
    for block in 0..20 {
        let rows = (0..500).map(|n| change(&format!("{}", block * 500 + n), Some("1001"), n));
        namespace.enqueue(rows.collect()).await;
    }
    let mut cost = async |cursor: Option<&PersonCursor>| {
        let before = spent(&mut namespace.connection).await;
        let page = namespace.queue.person("1001", cursor, 50).await.unwrap();
        assert_eq!(page.changes.len(), 50);
        let after = spent(&mut namespace.connection).await;
        (after.0 - before.0, after.1 - before.1, page)
    };
    let (commands, bytes, first) = cost(None).await;
    assert!(commands < 1_500, "{commands} commands");
    assert!(bytes < 200_000, "{bytes} bytes");
    let (commands, _, second) = cost(first.next.as_ref()).await;
    assert!(commands < 1_500, "{commands} commands");
    assert_eq!(first.changes[0].change_id, "9999", "the newest first");
    let seen: BTreeSet<_> = (first.changes.iter().chain(&second.changes))
        .map(|change| &change.change_id)
        .collect();
    assert_eq!(seen.len(), 100, "no change comes twice");
}

/// Commands that the server has run, those within scripts included, and bytes that it has sent.
async fn spent(connection: &mut redis::aio::MultiplexedConnection) -> (u64, u64) {
    let info: String = redis::cmd("INFO")
        .arg("stats")
        .query_async(connection)
        .await
        .unwrap();
    let field = |name: &str| {
        let mut lines = info.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(field, _)| *field == name).unwrap();
        value.trim().parse::<u64>().unwrap()
    };
    (
        field("total_commands_processed"),
        field("total_net_output_bytes"),
    )
}

#[tokio::test]
async fn an_erased_person_leaves_no_timeline_however_many_of_their_changes_are_closed() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let changes = (0..150).map(|n| change(&n.to_string(), Some("1001"), n));
    namespace.enqueue(changes.collect()).await;
    namespace.apply_all(Crm).await;
    while !namespace.acknowledge_all().await.is_empty() {}
    let by = tester();
    let erased = namespace.queue.erase("1001", "request", false, &by);
    assert_eq!(erased.await.unwrap().closed, 150);
    let snapshot = namespace.snapshot().await;
    assert!(snapshot.hash("events").is_empty());
    let closed = snapshot.closed();
    assert!(closed.len() == 150 && closed.values().all(|(_, events)| events.is_empty()));
    assert!(snapshot.past().is_empty());
}

#[tokio::test]
async fn a_change_that_arrives_while_its_person_is_erased_is_leased_once() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    namespace
        .enqueue(vec![
            change("1", Some("1001"), 1),
            change("2", Some("1002"), 1),
        ])
        .await;
    namespace
        .queue
        .erase_person_changes("1001", false)
        .await
        .unwrap();
    namespace.enqueue(vec![change("3", Some("1001"), 2)]).await;
    assert_eq!(
        namespace.snapshot().await.list("ready:crm"),
        ["x:1002", "x:1001"]
    );
    assert_eq!(namespace.claim(Crm).await.len(), 2);
    assert!(namespace.claim(Crm).await.is_empty());
}

#[tokio::test]
async fn an_edit_stands_against_what_alumniq_sends_and_against_a_slower_hand() {
    let redis = Redis::start().await;
    let namespace = with_causes(&redis, &["no"]).await;
    let (_, read) = namespace.queue.row("1").await.unwrap().unwrap();
    let edited = |phone: &str| Record {
        xid: Some("p1".to_owned()),
        row: to_raw_value(&json!({ "changeId": "1", "xid": "p1", "phone": phone })).unwrap(),
    };
    let fields = ["phone".to_owned()];
    let first = edited("555-0100");
    let queue = &namespace.queue;
    let by = tester();
    let result = queue.edit(Vendor::Crm, "1", &read, &first, &fields, &by);
    assert_eq!(result.await.unwrap(), Edited::Replayed);
    let slower = edited("555-0199");
    let result = queue.edit(Vendor::Crm, "1", &read, &slower, &fields, &by);
    assert_eq!(result.await.unwrap(), Edited::Changed);
    let result = queue.edit(Vendor::Crm, "1", &first, &slower, &fields, &by);
    assert_eq!(result.await.unwrap(), Edited::Gone);

    // It dies again, and AlumnIQ still sends its own row.
    let lease = namespace.claim_one(Crm).await;
    assert!(
        namespace
            .settle(Crm, &lease, dead(DeadClass::Rejected))
            .await
    );
    namespace.enqueue(vec![change("1", Some("p1"), 1)]).await;
    let (fetched, row) = queue.row("1").await.unwrap().unwrap();
    assert_eq!((fetched, row.row.get()), (EARLY, first.row.get()));
    let edits = queue.edits("1").await.unwrap();
    assert_eq!(edits.len(), 1);
    assert_eq!(edits[0].after["phone"], "555-0100");
    assert!(!edits[0].before.contains_key("phone"));
    let events = queue.timeline("1").await.unwrap().unwrap().events;
    let event = events.iter().find(|event| event["event"] == "edited");
    assert_eq!(event.unwrap()["fields"], "phone");
    assert!(!format!("{events:?}").contains("555-"), "{events:?}");
    let audit = queue
        .audit(None, 10, &AuditFilter::default())
        .await
        .unwrap();
    assert!(!format!("{audit:?}").contains("555-"), "{audit:?}");

    namespace.replay(Vendor::Crm, "1", false).await;
    namespace.apply_all(Crm).await;
    assert_eq!(namespace.acknowledge_all().await, ["1"]);
    assert_eq!(queue.edits("1").await.unwrap(), []);
}

#[tokio::test]
async fn what_was_sent_is_kept_as_long_as_the_letter() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    namespace.enqueue(vec![change("1", Some("p1"), 0)]).await;
    let lease = namespace.claim_one(Crm).await;
    let document = r#"{"PhoneWork":"555-0100"}"#;
    let queue = &namespace.queue;
    let mut end = settlement(&lease, dead(DeadClass::Rejected));
    end.sent = Some(queue.stored_document(Crm, "1", document));
    queue.settle(Crm, "worker", &[end]).await.unwrap();
    let sent = queue.sent(Vendor::Crm, "1").await.unwrap();
    assert_eq!(sent.as_deref(), Some(document));
    namespace.replay(Vendor::Crm, "1", false).await;
    assert_eq!(queue.sent(Vendor::Crm, "1").await.unwrap(), None);
}

#[tokio::test]
async fn whatever_a_person_does_is_in_the_audit_with_the_hand_that_did_it() {
    let redis = Redis::start().await;
    let mut namespace = with_causes(&redis, &["no", "no", "no"]).await;
    let queue = namespace.queue.clone();
    let by = Actor {
        name: "Ada".to_owned(),
        via: Via::Console,
    };
    let bulk = namespace.key("bulk:b1");
    namespace
        .connection
        .hset(&bulk, "handled", "5")
        .await
        .unwrap();
    let step = Handling {
        by: &by,
        bulk: Some("b1"),
        entry: None,
    };
    let letters = ["1", "2", "77"].map(|id| (Vendor::Crm, id.to_owned()));
    queue.replay(&letters, true, step).await.unwrap();
    let fields = namespace.connection.hgetall(&bulk).await.unwrap();
    assert_eq!((&*fields["handled"], &*fields["gone"]), ("7", "1"));
    namespace.discard(Vendor::Crm, "3", false).await;
    queue.pause(Vendor::Salsa, &by).await.unwrap();
    queue.resume(Vendor::Salsa, &by).await.unwrap();
    let ids = ["1".to_owned()];
    let note = Note {
        change_ids: &ids,
        count: Some(1),
        ..Note::default()
    };
    queue.note(&by, AuditAction::Revealed, &note).await.unwrap();

    let page = queue
        .audit(None, 50, &AuditFilter::default())
        .await
        .unwrap();
    let told: Vec<_> = page
        .items
        .iter()
        .map(|entry| (entry.action, entry.by.as_str(), entry.via, entry.count))
        .collect();
    let expected = [
        (AuditAction::Revealed, "Ada", Via::Console, 1),
        (AuditAction::Resumed, "Ada", Via::Console, 0),
        (AuditAction::Paused, "Ada", Via::Console, 0),
        (AuditAction::Discarded, "tester", Via::Command, 1),
        (AuditAction::ReplayedOverNewer, "Ada", Via::Console, 2),
    ];
    assert_eq!(told, expected);
    assert_eq!(page.items[3].reason.as_deref(), Some("not wanted"));
    assert_eq!(page.items[4].bulk.as_deref(), Some("b1"));
    assert_eq!(page.items[4].change_ids, ["1", "2"]);

    let of_one = AuditFilter {
        change_id: Some("1".to_owned()),
        ..AuditFilter::default()
    };
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = queue.audit(cursor, 1, &of_one).await.unwrap();
        found.extend(page.items.iter().map(|entry| entry.action));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(
        found,
        [AuditAction::Revealed, AuditAction::ReplayedOverNewer]
    );
}

#[tokio::test]
async fn the_audit_forgets_what_is_older_than_it_is_kept() {
    let redis = Redis::start().await;
    let mut namespace = Namespace::of_crm(&redis).await;
    let by = tester();
    namespace.queue.pause(Vendor::Crm, &by).await.unwrap();
    let index = namespace.key("audit");
    let old = namespace.connection.zrange(&index, 0, -1).await.unwrap();
    // As if it had been written when Unix time began.
    let aged = namespace.connection.zadd(&index, &old[0], 1);
    aged.await.unwrap();
    let entry = namespace.key(&format!("audit:{}", old[0]));
    assert!(namespace.connection.pexpire(entry, 1).await.unwrap());
    namespace.queue.resume(Vendor::Crm, &by).await.unwrap();
    assert_eq!(namespace.connection.zcard(&index).await.unwrap(), 1);
}

#[tokio::test]
async fn the_newest_fifty_calls_to_a_vendor_are_shown() {
    let redis = Redis::start().await;
    let namespace = Namespace::of_crm(&redis).await;
    let call = |n: usize| RecentCall {
        vendor: Vendor::Salsa,
        operation: "put".to_owned(),
        status: "200".to_owned(),
        ms: n as u64,
        changes: 20,
        at: format!("2026-11-22T00:{:02}:00.000Z", n),
        request_id: String::new(),
        worker: String::new(),
    };
    let queue = &namespace.queue;
    let calls: Vec<RecentCall> = (0..60).map(call).collect();
    queue.beat("one", "{}", &calls).await.unwrap();
    let shown = queue.recent_calls(Vendor::Salsa).await.unwrap();
    let shown: Vec<(u64, &str)> = shown.iter().map(|c| (c.ms, c.worker.as_str())).collect();
    let expected: Vec<(u64, &str)> = (10..60).rev().map(|n| (n, "one")).collect();
    assert_eq!(shown, expected);
    queue.limits_told(Vendor::Salsa, 300, 20).await.unwrap();
    namespace.book_call(Vendor::Salsa).await;
    let limits = queue.limits(Vendor::Salsa).await.unwrap();
    assert_eq!((limits.told_rate, limits.told_batch), (Some(300), Some(20)));
    assert_eq!(limits.places_used, 1);
    assert_eq!(queue.limits(Vendor::Crm).await.unwrap().told_at, None);
}

#[tokio::test]
async fn a_page_that_is_watched_shows_in_one_look_what_the_single_looks_show() {
    let redis = Redis::start().await;
    let namespace = Namespace::new(&redis).await;
    let queue = &namespace.queue;
    let changes = (0..5).map(|n| change(&n.to_string(), Some(&n.to_string()), 0));
    namespace.enqueue(changes.collect()).await;
    for (n, lease) in namespace.claim(Crm).await.iter().enumerate() {
        let end = match n {
            0 => done(),
            1 => dead(DeadClass::Validation),
            _ => dead(DeadClass::Rejected),
        };
        assert!(namespace.settle(Crm, lease, end).await);
    }
    queue.pause(Vendor::Salsa, &tester()).await.unwrap();
    queue.limits_told(Vendor::Salsa, 300, 20).await.unwrap();
    namespace.book_call(Vendor::Salsa).await;
    let call = RecentCall {
        vendor: Vendor::Crm,
        operation: "update".to_owned(),
        status: "200".to_owned(),
        ms: 1,
        changes: 1,
        at: "2026-11-22T00:00:00.000Z".to_owned(),
        request_id: String::new(),
        worker: String::new(),
    };
    let seen = queue.beat("one", "{}", &[call]).await.unwrap();
    let watched = queue.watched().await.unwrap();

    let groups = queue.letter_groups(&LetterFilter::default()).await.unwrap();
    assert_eq!(groups.len(), 2, "{groups:?}");
    assert_eq!(watched.groups.unwrap(), groups);
    for vendor in Vendor::ALL {
        let limits = queue.limits(vendor).await.unwrap();
        let calls = queue.recent_calls(vendor).await.unwrap();
        assert_eq!(watched.traffic[&vendor], (limits, calls));
    }
    let same = |status: Status| {
        let mut status = serde_json::to_value(status).unwrap();
        // Time passes, and memory is used.
        for moving in [
            "oldest_unacknowledged_seconds",
            "memory",
            "workers",
            "rates",
        ] {
            status.as_object_mut().unwrap().remove(moving);
        }
        status
    };
    let status = same(queue.status().await.unwrap());
    assert_eq!(same(watched.status.unwrap()), status);
    assert_eq!(same(seen), status, "and so does who says that it lives");
}

#[tokio::test]
async fn a_rate_counts_what_happened_in_the_last_minute() {
    let redis = Redis::start().await;
    let namespace = Namespace::new(&redis).await;
    let changes = (0..30).map(|n| change(&n.to_string(), Some(&n.to_string()), 0));
    namespace.enqueue(changes.collect()).await;
    namespace.apply_all(Crm).await;
    let status = namespace.queue.status().await.unwrap();
    for (name, happened) in [
        ("fetched", 30),
        ("crm", 30),
        ("salsa", 0),
        ("acknowledged", 0),
    ] {
        let rate = &status.rates[name];
        assert_eq!(rate.minutes.len(), 60);
        assert_eq!(rate.minutes.iter().sum::<u64>(), happened, "{name}");
        let least = happened as f64 * 60.0 / 70.0;
        assert!(
            (least..=happened as f64).contains(&rate.per_minute),
            "{name}: {rate:?}"
        );
    }
    assert_eq!(status.destinations[&Destination::Crm].applied, 30);
}
