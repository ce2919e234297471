use super::*;

#[tokio::test]
async fn the_report_travels_over_http_unchanged() {
    let it = start(SandboxOptions {
        faults: Faults::demo(),
        ..small()
    })
    .await;
    let token = it.token().await;
    let _ = it.contact("updatecontact", &token, &json!({})).send().await;
    let _ = it.search("EXTERNAL_ID", &["1", "2"]).await;
    let report = it.client.get(it.admin("report")).send().await.unwrap();
    let report: Report = report.json().await.unwrap();
    assert_eq!(report, it.sandbox.report());
    assert_eq!(report.traffic.batches[&Vendor::Salsa]["search"][&2], 1);
}

#[tokio::test]
async fn only_calls_that_could_change_something_count_as_writes() {
    let it = start(small()).await;
    let writes = || async { json_of(it.client.get(it.admin("writes"))).await["writes"].clone() };
    let token = it.token().await;
    it.all_rows().await;
    it.search("EXTERNAL_ID", &["1"]).await;
    assert_eq!(writes().await, 0);
    it.contact("updatecontact", &token, &json!({}))
        .send()
        .await
        .unwrap();
    it.put(&[]).await;
    it.acknowledge(&["1".to_owned()]).await;
    assert_eq!(writes().await, 3);
}

#[tokio::test]
async fn faults_and_limits_are_changed_while_it_runs_and_nonsense_is_refused() {
    let it = start(small()).await;
    let put = |path: &str, body: Value| it.client.put(it.admin(path)).json(&body);
    for (path, body, expected) in [
        (
            "faults",
            json!({ "crm": { "rates": { "server_error": 1.0 } } }),
            204,
        ),
        (
            "faults",
            json!({ "crm": { "rates": { "nonsense": 1.0 } } }),
            400,
        ),
        ("limits", json!({ "max_batch": 5 }), 200),
        ("limits", json!({ "max_badge": 5 }), 400),
        ("limits", json!([]), 400),
        ("nonsense", json!({}), 404),
    ] {
        assert_eq!(
            status(put(path, body.clone())).await,
            expected,
            "{path} {body}"
        );
    }
    assert_eq!(
        it.sandbox.limits(),
        Limits {
            max_batch: 5,
            ..Limits::default()
        }
    );
    assert_eq!(
        status(it.contact("updatecontact", "", &json!({}))).await,
        500
    );
    let faults = json_of(it.client.get(it.admin("faults"))).await;
    assert_eq!(faults["crm"]["rates"]["server_error"], 1.0);
}

#[tokio::test]
async fn an_emptied_memory_is_told_and_nonsense_about_it_refused() {
    let it = start(small()).await;
    let token = it.token().await;
    it.apply(&token, &it.all_rows().await[0]).await;
    let tell = |body: Value| it.client.post(it.admin("forgotten")).json(&body);
    let told = json_of(tell(json!({ "grace_seconds": 0.5 }))).await;
    assert_eq!(told["repeatable"], 2, "one change at both destinations");
    assert_eq!(status(tell(json!({ "grace": 1 }))).await, 400);
    let report = it.sandbox.report();
    assert_eq!((report.forgotten, report.forgotten_applications), (1, 2));
}

#[tokio::test]
async fn changes_are_added_while_it_runs_older_ones_too() {
    let it = start(small()).await;
    let xid = text(&it.all_rows().await[0]["xid"]);
    let wanted = json!({ "count": 2, "xid": xid, "changed_on": "2025-11-01T08:00:00" });
    let added = json_of(it.client.post(it.admin("changes")).json(&wanted)).await;
    let id = text(&added["change_ids"][1]);
    let rows = it.rows(&[("changedOnDate", "2025-11-01")]).await;
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| text(&row["xid"]) == xid));
    let state = json_of(it.client.get(it.admin(&format!("change/{id}")))).await;
    assert_eq!(
        (&state["processed"], &state["crm"]),
        (&json!(false), &json!([]))
    );
    assert_eq!(status(it.client.get(it.admin("change/0"))).await, 404);

    let raw = json!({ "rows": [17, { "changeId": "x1", "changedOn": "2025-11-02 10:00:00" }, { "changeId": "x1" }] });
    it.client
        .post(it.admin("changes"))
        .json(&raw)
        .send()
        .await
        .unwrap();
    assert!(it.all_rows().await.contains(&json!(17)));
    assert_eq!(it.acknowledge(&["x1".to_owned()]).await, 200);
    let report = it.sandbox.report();
    assert_eq!(
        (report.changes, report.unprocessed),
        (43, 43),
        "a row that is no object stays"
    );
    assert_eq!(report.acknowledged, 1);
}

#[tokio::test]
async fn a_repair_makes_every_change_acceptable() {
    let it = start(SandboxOptions {
        missing_in_crm: 2,
        missing_in_salsa: 2,
        invalid_fields: 2,
        invalid_phones: 1,
        undecodable: 2,
        limits: Limits {
            rate_per_minute: 0,
            ..Limits::default()
        },
        ..small()
    })
    .await;
    let token = it.token().await;
    let rows = it.all_rows().await;
    let long = |row: &&Value| text(&row["employer"]).chars().count() > 100;
    let (xid, employer) = rows
        .iter()
        .find(long)
        .map(|row| (text(&row["xid"]), text(&row["employer"])))
        .unwrap();
    let sent = json!({
        "externalSystemId": xid,
        "contacts": [{ "type": "EMAIL", "value": "long@example.net" }],
        "customFieldValues": [{ "name": "Employer", "value": employer }],
    });
    let refused = it.put(std::slice::from_ref(&sent)).await;
    assert_eq!(refused[0]["result"], "VALIDATION_ERROR");
    assert_eq!(
        refused[0]["customFieldValues"][0]["errors"][0]["fieldName"],
        "value"
    );
    assert_eq!(rows.iter().filter(|row| row["xid"].is_object()).count(), 1);

    assert_eq!(status(it.client.post(it.admin("repair"))).await, 204);
    for row in it.all_rows().await {
        it.apply(&token, &row).await;
        assert!(text(&row["phone"]).starts_with('+'));
    }
    assert_eq!(it.put(&[sent]).await[0]["result"], "ADDED");
}

#[tokio::test]
async fn the_printed_configuration_names_every_vendor_and_hides_nothing_needed() {
    let it = start(small()).await;
    let config: toml::Table = it.sandbox.relay_toml().parse().unwrap();
    let Urls {
        alumniq,
        crm,
        salsa,
    } = it.sandbox.urls();
    assert_eq!(config["alumniq"]["url"].as_str(), Some(alumniq.as_str()));
    assert_eq!(config["crm"]["url"].as_str(), Some(crm.as_str()));
    assert_eq!(config["salsa"]["url"].as_str(), Some(salsa.as_str()));
    for secret in [
        "ALUMNIQ_API_KEY",
        "CRM_USERNAME",
        "CRM_PASSWORD",
        "SALSA_AUTH_TOKEN",
        "ALUMNIQ_RELAY__NOTIFY__WEBHOOK_URL",
        SANDBOX_WEBHOOK_SECRET,
    ] {
        assert!(it.sandbox.relay_toml().contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn the_webhook_keeps_what_arrives_and_answers_as_it_is_told() {
    let it = start(small()).await;
    let post = || {
        it.client
            .post(it.sandbox.webhook_url())
            .header("webhook-id", "msg_1")
    };
    assert_eq!(status(post().json(&json!({ "event": "test" }))).await, 204);
    let put = |mood: Value| it.client.put(it.admin("webhook")).json(&mood);
    assert_eq!(
        status(put(json!({ "status": 503, "retry_after": 7 }))).await,
        204
    );
    assert_eq!(status(put(json!({ "stature": 503 }))).await, 400);
    let refused = post().body("no JSON").send().await.unwrap();
    assert_eq!(
        (refused.status(), &refused.headers()["retry-after"]),
        (503.try_into().unwrap(), &"7".parse().unwrap())
    );

    let shown = json_of(it.client.get(it.admin("webhook"))).await;
    assert_eq!(shown["count"], 2);
    let newest = shown["newest"].as_array().unwrap();
    assert_eq!(newest[0]["headers"]["webhook-id"], "msg_1");
    assert_eq!(newest[0]["body"], json!({ "event": "test" }));
    assert_eq!(
        (&newest[1]["status"], &newest[1]["body"]),
        (&json!(503), &Value::Null)
    );
}

#[tokio::test]
async fn a_stopped_sandbox_frees_its_port() {
    let it = start(small()).await;
    let addr = it.sandbox.addr();
    it.sandbox.stop().await;
    let again = Sandbox::start(SandboxOptions {
        listen: addr,
        ..small()
    })
    .await
    .unwrap();
    assert_eq!(again.addr(), addr);
    let taken = Sandbox::start(SandboxOptions {
        listen: addr,
        ..small()
    })
    .await
    .unwrap_err();
    assert!(taken.to_string().contains("cannot listen"), "{taken}");
}

#[tokio::test]
async fn options_that_contradict_each_other_are_refused() {
    for (options, cause) in [
        (
            SandboxOptions {
                timezone: "Mars/Olympus".to_owned(),
                ..small()
            },
            "IANA",
        ),
        (
            SandboxOptions {
                undecodable: 41,
                ..small()
            },
            "fewer",
        ),
    ] {
        let error = Sandbox::start(options).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains(cause), "{error}");
    }
}
