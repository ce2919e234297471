use super::*;

fn email(value: &str) -> Value {
    json!([{ "type": "EMAIL", "value": value }])
}

fn results(supporters: &[Value]) -> Vec<String> {
    let mut results: Vec<_> = supporters
        .iter()
        .map(|found| text(&found["result"]))
        .collect();
    results.sort();
    results
}

impl Fixture {
    async fn xids(&self, count: usize) -> Vec<String> {
        let mut xids: Vec<_> = self
            .all_rows()
            .await
            .iter()
            .map(|row| text(&row["xid"]))
            .collect();
        xids.sort();
        xids.dedup();
        xids.truncate(count);
        xids
    }

    async fn supporter(&self, xid: &str) -> Value {
        self.search("EXTERNAL_ID", &[xid]).await.remove(0)
    }
}

#[tokio::test]
async fn calls_over_the_rate_are_refused_in_either_way() {
    let options = SandboxOptions {
        limits: Limits {
            rate_per_minute: 3,
            ..Limits::default()
        },
        ..small()
    };
    let it = start(options).await;
    let metrics = || it.salsa("GET", "metrics", &json!({}));
    let first = json_of(metrics()).await;
    let expected = json!({ "rateLimit": 3, "maxBatchSize": 20, "currentRateLimit": 2 });
    assert_eq!(first["payload"], expected);
    for _ in 0..2 {
        assert_eq!(status(metrics()).await, 200);
    }
    let answers = [
        metrics().send().await.unwrap(),
        metrics().send().await.unwrap(),
    ];
    let told = answers
        .iter()
        .filter(|answer| answer.headers().contains_key("retry-after"));
    assert_eq!(told.count(), 1);
    for answer in answers {
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.text().await.unwrap(), "Call rate has been exceeded");
    }
    let change = it
        .client
        .put(it.admin("limits"))
        .json(&json!({ "throttle_as_text": true }));
    assert_eq!(status(change).await, 200);
    let (status, body) = refused(metrics()).await;
    assert!(
        status == 200 && body.starts_with("Your per minute call rate"),
        "{body}"
    );
    assert_eq!(it.sandbox.report().traffic.throttled, 3);
    it.sandbox.set_limits(Limits {
        rate_per_minute: 9,
        ..Limits::default()
    });
    assert_eq!(json_of(metrics()).await["payload"]["currentRateLimit"], 5);
}

#[tokio::test]
async fn bad_requests_are_refused_as_the_vendor_refuses_them() {
    let it = start(small()).await;
    let batch: Vec<_> = (0..21).map(|number| number.to_string()).collect();
    let search = |payload: Value| it.salsa("POST", "supporters/search", &payload);
    let size = "Requested batch size exceeds the allowed size of: 20";
    for (request, status, body) in [
        (
            search(json!({ "identifiers": batch, "identifierType": "EXTERNAL_ID" })),
            429,
            size,
        ),
        (
            search(json!({ "modifiedFrom": "2016-05-26T11:49:24.905Z", "count": 21 })),
            429,
            size,
        ),
        (
            it.salsa(
                "PUT",
                "supporters",
                &json!({ "supporters": vec![json!({}); 21] }),
            ),
            429,
            size,
        ),
        (
            search(json!({ "identifiers": [], "identifierType": "EMAIL_ADDESS" })),
            400,
            "identifierType",
        ),
        (
            search(json!({ "identifiers": ["1"] })),
            400,
            "identifierType",
        ),
        (
            search(json!({ "modifiedFrom": "yesterday" })),
            400,
            "modifiedFrom",
        ),
        (search(json!({})), 400, "must be provided"),
        (
            it.salsa("PUT", "supporters", &json!({ "supporters": [1] })),
            400,
            "supporters",
        ),
        (
            search(json!({})).json(&json!({ "payload": {}, "count": 3 })),
            400,
            "Unrecognized field \"count\"",
        ),
        (search(json!({})).body("{"), 400, "JSON"),
        (it.salsa("PATCH", "supporters", &json!({})), 404, ""),
    ] {
        let answer = refused(request).await;
        assert_eq!(answer.0, status, "{}", answer.1);
        assert!(answer.1.contains(body), "{}", answer.1);
    }
    let url = format!(
        "{}/api//integration/ext/v1/metrics",
        it.sandbox.urls().salsa
    );
    assert_eq!(
        status(it.client.get(url).header("authToken", SANDBOX_TOKEN)).await,
        404
    );
    let url = format!("{}/api/integration/ext/v1/metrics", it.sandbox.urls().salsa);
    assert_eq!(
        status(it.client.get(url).header("authToken", "wrong")).await,
        401
    );
    assert_eq!(it.sandbox.report().traffic.oversized, 3);
}

#[tokio::test]
async fn searches_find_by_each_identifier_and_record_the_misses() {
    let it = start(small()).await;
    let xids = it.xids(3).await;
    let found = it
        .search("EXTERNAL_ID", &[&xids[0], &xids[1], "nobody", &xids[2]])
        .await;
    assert_eq!(results(&found), ["FOUND", "FOUND", "FOUND", "NOT_FOUND"]);
    let one = it.supporter(&xids[0]).await;
    assert!(
        one.get("title").is_none(),
        "fields without a value are left out"
    );
    let id = text(&one["supporterId"]);
    assert_eq!(
        it.search("SUPPORTER_ID", &[&id.to_uppercase()]).await[0],
        one
    );
    let contacts = one["contacts"].as_array().unwrap();
    let address = contacts
        .iter()
        .find(|contact| contact["type"] == "EMAIL")
        .unwrap();
    let address = text(&address["value"]).to_uppercase();
    assert_eq!(it.search("EMAIL_ADDRESS", &[&address]).await[0], one);
    let miss = json!({ "supporterId": "none", "result": "NOT_FOUND" });
    assert_eq!(it.search("SUPPORTER_ID", &["none"]).await, [miss]);
}

#[tokio::test]
async fn answers_come_in_an_order_of_their_own() {
    let it = start(SandboxOptions {
        changes: 400,
        people: 20,
        ..small()
    })
    .await;
    let xids = it.xids(20).await;
    let asked: Vec<_> = xids.iter().map(String::as_str).collect();
    let mut orders = std::collections::HashSet::new();
    for _ in 0..5 {
        let found = it.search("EXTERNAL_ID", &asked).await;
        orders.insert(
            found
                .iter()
                .map(|found| text(&found["externalSystemId"]))
                .collect::<Vec<_>>(),
        );
    }
    assert!(orders.len() > 1);
}

#[tokio::test]
async fn a_period_is_read_page_by_page() {
    let it = start(SandboxOptions {
        people: 25,
        ..small()
    })
    .await;
    let mut seen = std::collections::HashSet::new();
    for offset in [0, 10, 20, 30] {
        let payload =
            json!({ "modifiedFrom": "2020-01-01T00:00:00.000Z", "offset": offset, "count": 10 });
        let answer = json_of(it.salsa("POST", "supporters/search", &payload)).await;
        assert_eq!(answer["payload"]["total"], 25);
        let page = answer["payload"]["supporters"].as_array().unwrap();
        seen.extend(page.iter().map(|found| text(&found["supporterId"])));
    }
    assert_eq!(seen.len(), 25);
    let none =
        json!({ "modifiedFrom": "2020-01-01T00:00:00Z", "modifiedTo": "2021-01-01T00:00:00Z" });
    assert!(
        supporters(it.salsa("POST", "supporters/search", &none))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn each_supporter_of_a_put_has_its_own_result() {
    let it = start(small()).await;
    let known = it.supporter(&it.xids(1).await[0]).await;
    let sent = [
        json!({ "supporterId": known["supporterId"], "contacts": known["contacts"] }),
        json!({ "contacts": email("new@example.org") }),
        json!({ "supporterId": "none", "contacts": email("none@example.org") }),
        json!({ "contacts": email("bad@email@bad.com") }),
        json!({ "firstName": "No Email" }),
        json!({ "contacts": email("twice@example.org"), "firstName": "First" }),
        json!({ "contacts": email("Twice@example.org"), "firstName": "Second" }),
    ];
    let put = it.put(&sent).await;
    let expected = [
        "ADDED",
        "ADDED",
        "NOT_FOUND",
        "SYSTEM_ERROR",
        "UPDATED",
        "VALIDATION_ERROR",
        "VALIDATION_ERROR",
    ];
    assert_eq!(results(&put), expected);
    let twice = it.search("EMAIL_ADDRESS", &["twice@example.org"]).await;
    assert_eq!(twice[0]["firstName"], "Second");
    let again = it
        .put(&[json!({ "contacts": email("new@example.org"), "title": "Dr" })])
        .await;
    assert_eq!(again[0]["result"], "UPDATED", "the email is the key");
    let deleted = json!({ "supporters": [{ "supporterId": known["supporterId"] }, { "supporterId": "none" }] });
    let deleted = supporters(it.salsa("DELETE", "supporters", &deleted)).await;
    assert_eq!(results(&deleted), ["DELETED", "NOT_FOUND"]);
    let gone = it
        .search("SUPPORTER_ID", &[known["supporterId"].as_str().unwrap()])
        .await;
    assert_eq!(results(&gone), ["NOT_FOUND"]);
}

#[tokio::test]
async fn an_address_is_replaced_whole_and_the_checker_counts_what_was_erased() {
    let it = start(SandboxOptions {
        people: 30,
        changes: 400,
        ..small()
    })
    .await;
    let mut all = Vec::new();
    for xids in it.xids(30).await.chunks(20) {
        let asked: Vec<_> = xids.iter().map(String::as_str).collect();
        all.extend(it.search("EXTERNAL_ID", &asked).await);
    }
    let settled = all
        .into_iter()
        .find(|found| found.get("address").is_some())
        .unwrap();
    let xid = text(&settled["externalSystemId"]);
    let sent = json!({ "supporterId": settled["supporterId"], "contacts": settled["contacts"] });
    it.put(std::slice::from_ref(&sent)).await;
    assert_eq!(it.supporter(&xid).await["address"], settled["address"]);
    let mut partial = sent;
    partial["address"] = json!({ "city": "Elsewhere", "line1": "lost" });
    it.put(&[partial]).await;
    let address = &it.supporter(&xid).await["address"];
    assert_eq!(
        (&address["city"], address.get("addressLine1")),
        (&json!("Elsewhere"), None)
    );
    assert_eq!(it.sandbox.report().address_fields_erased, 5);
}

#[tokio::test]
async fn subscribing_again_and_moving_an_identity_are_seen() {
    let it = start(SandboxOptions {
        people: 60,
        changes: 400,
        ..small()
    })
    .await;
    let mut all = Vec::new();
    for xids in it.xids(60).await.chunks(20) {
        let asked: Vec<_> = xids.iter().map(String::as_str).collect();
        all.extend(it.search("EXTERNAL_ID", &asked).await);
    }
    let opted_out = |found: &&Value| found["contacts"].to_string().contains("OPT_OUT");
    let mut gone = all.iter().find(opted_out).unwrap().clone();
    for contact in gone["contacts"].as_array_mut().unwrap() {
        if contact["type"] == "EMAIL" {
            contact["status"] = json!("OPT_IN");
        }
    }
    it.put(&[gone.clone()]).await;
    let report = it.sandbox.report();
    assert_eq!(report.resubscribed, [text(&gone["supporterId"])]);
    assert!(report.identity_moved.is_empty());

    let id = &all[0]["supporterId"];
    it.put(&[json!({ "supporterId": id, "contacts": email("other@example.org") })])
        .await;
    let doubled = json!({ "externalSystemId": all[0]["externalSystemId"], "contacts": email("2@example.org") });
    it.put(&[doubled]).await;
    assert_eq!(it.sandbox.report().identity_moved.len(), 2);
    let taken = json!({ "supporterId": id, "contacts": email("2@example.org") });
    let refused = it.put(&[taken]).await;
    assert_eq!(refused[0]["result"], "VALIDATION_ERROR");
    assert_eq!(refused[0]["contacts"][0]["errors"][0]["code"], 2009);
}
