use super::*;

#[tokio::test]
async fn filters_exclude_each_other_and_errors_have_an_empty_body() {
    let it = start(small()).await;
    for (filter, expected) in [
        (&[][..], 400),
        (&[("changedOnDate", "2025-11-20"), ("xid", "1")], 400),
        (
            &[
                ("changedOnDate", "2025-11-20"),
                ("changedSinceDate", "2025-11-20"),
            ],
            400,
        ),
        (&[("changedOnDate", "20.11.2025")], 400),
        (&[("changedSinceDate", "2025-02-30")], 400),
        (&[("xid", "")], 400),
        (&[("changedOnDate", "2025-11-20")], 200),
        (&[("changedSinceDate", "2025-11-20")], 200),
        (&[("xid", "nobody")], 200),
    ] {
        let (status, body) = refused(it.get(filter)).await;
        assert_eq!(status, expected, "{filter:?}");
        assert_eq!(body.is_empty(), expected == 400, "{filter:?}");
    }
    let no_key = it.client.get(it.feed_url()).query(&[("xid", "1")]);
    assert_eq!(refused(no_key).await, (401, String::new()));
    assert_eq!(status(it.client.post(it.feed_url())).await, 405);
    let answer = it.get(&[("xid", "1")]).send().await.unwrap();
    assert_eq!(answer.headers()["x-api-key-days-remaining"], "200");
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_accept_it() {
    for (gzip, accepted, expected) in [
        (true, "gzip", true),
        (true, "identity", false),
        (false, "gzip", false),
    ] {
        let it = start(SandboxOptions { gzip, ..small() }).await;
        // Asking by hand keeps reqwest from unpacking.
        let plain = Client::builder().no_proxy().no_gzip().build().unwrap();
        let query = [
            ("apikey", SANDBOX_API_KEY),
            ("changedSinceDate", "2025-01-01"),
        ];
        let request = plain
            .get(it.feed_url())
            .query(&query)
            .header("accept-encoding", accepted);
        let packed = request.send().await.unwrap().bytes().await.unwrap();
        assert_eq!(
            packed.starts_with(&[0x1f, 0x8b]),
            expected,
            "{gzip} {accepted}"
        );
        assert_eq!(it.all_rows().await.len(), 40);
    }
}

#[tokio::test]
async fn since_is_capped_repeats_itself_and_one_day_is_not_capped() {
    let it = start(SandboxOptions {
        changes: 1200,
        days: 2,
        ..small()
    })
    .await;
    let first = ids(&it.all_rows().await);
    assert_eq!(first.len(), 500);
    assert_eq!(
        ids(&it.all_rows().await),
        first,
        "the same until they are acknowledged"
    );
    let mut days = 0;
    for day in ["2025-11-19", "2025-11-20"] {
        days += it.rows(&[("changedOnDate", day)]).await.len();
    }
    assert_eq!(days, 1200);
    assert_eq!(it.acknowledge(&first).await, 200);
    let second = ids(&it.all_rows().await);
    assert_eq!(second.len(), 500);
    assert!(second.iter().all(|id| !first.contains(id)));
}

#[tokio::test]
async fn one_persons_changes_come_newest_first() {
    let it = start(small()).await;
    let xid = text(&it.all_rows().await[0]["xid"]);
    let rows = it.rows(&[("xid", &xid)]).await;
    let times: Vec<_> = rows.iter().map(|row| text(&row["changedOn"])).collect();
    assert!(
        times.is_sorted_by(|newer, older| newer >= older),
        "{times:?}"
    );
    assert!(rows.iter().all(|row| text(&row["xid"]) == xid));
}

#[tokio::test]
async fn the_key_of_a_put_is_in_its_body() {
    let it = start(small()).await;
    let list = ("changeIdList", "1");
    let key = ("apikey", SANDBOX_API_KEY);
    let json = json!({ "apikey": SANDBOX_API_KEY, "changeIdList": "1,2" });
    let lone = json!({ "apikey": SANDBOX_API_KEY, "changeIdList": 1 });
    let put = || it.client.put(it.feed_url());
    for (request, expected) in [
        (put().query(&[key]).form(&[list]), 401),
        (put().form(&[key, list]), 200),
        (put().json(&json), 200),
        (put().json(&lone), 200),
        (
            put().json(&json!({ "apikey": SANDBOX_API_KEY, "changeIdList": [1] })),
            400,
        ),
        (put().form(&[key]), 400),
        (put().form(&[key, ("changeIdList", " ")]), 400),
        (put().body(json.to_string()), 400),
        (
            put()
                .header("content-type", "text/plain")
                .body(json.to_string()),
            400,
        ),
        (
            put()
                .header("content-type", "application/json")
                .body("[".repeat(100_000)),
            400,
        ),
        (
            put()
                .header("content-type", "application/json")
                .body(vec![0xff; 100]),
            400,
        ),
    ] {
        let (status, body) = refused(request).await;
        assert_eq!(status, expected);
        assert_eq!(body.is_empty(), expected != 200);
    }
}

#[tokio::test]
async fn a_poisoned_or_unknown_id_spoils_the_whole_list_where_so_configured() {
    let it = start(small()).await;
    let ids = ids(&it.all_rows().await);
    let with_unknown = [ids[0].clone(), "1".to_owned()];
    let mut limits = Limits {
        reject_unknown_ids: true,
        ..Limits::default()
    };
    limits.poison_ack_ids.insert(ids[2].clone());
    it.sandbox.set_limits(limits);
    assert_eq!(it.acknowledge(&with_unknown).await, 400);
    assert_eq!(it.acknowledge(&ids[1..4]).await, 400);
    assert_eq!(it.sandbox.report().acknowledged, 0);
    assert_eq!(it.acknowledge(&ids[..2]).await, 200);
    it.sandbox.set_limits(Limits::default());
    assert_eq!(it.acknowledge(&with_unknown).await, 200);
    let report = it.sandbox.report();
    assert_eq!(
        (report.acknowledged, report.unknown_acknowledgements),
        (2, 1)
    );
    assert_eq!(report.repeated_acknowledgements, 1);
}

#[tokio::test]
async fn marked_as_processed_cannot_be_had_again() {
    let it = start(small()).await;
    let marked = [
        ("changedSinceDate", "2025-01-01"),
        ("markAsProcessed", "true"),
    ];
    assert_eq!(it.rows(&marked).await.len(), 40);
    assert!(it.all_rows().await.is_empty());
    let report = it.sandbox.report();
    assert_eq!(
        (
            report.marked_on_fetch,
            report.unprocessed,
            report.traffic.writes
        ),
        (40, 0, 1)
    );
    assert!(report.unacknowledged.is_empty() && report.acknowledged_early.is_empty());
}
