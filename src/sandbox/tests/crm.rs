use super::*;

#[tokio::test]
async fn a_token_needs_the_right_password_and_expires() {
    let it = start(SandboxOptions {
        token_seconds: 0,
        ..small()
    })
    .await;
    let url = format!("{}/token", it.sandbox.urls().crm);
    let form = [
        ("grant_type", "password"),
        ("username", SANDBOX_USERNAME),
        ("password", "wrong"),
    ];
    let answer = refused(it.client.post(&url).form(&form)).await;
    assert_eq!(answer, (400, r#"{"error":"invalid_grant"}"#.to_owned()));
    let expired = it.token().await;
    let denied = r#"{"Message":"Authorization has been denied for this request."}"#;
    for token in [expired.as_str(), "", "nonsense"] {
        let answer = refused(it.contact("updatecontact", token, &json!({}))).await;
        assert_eq!(answer, (401, denied.to_owned()));
    }
}

#[tokio::test]
async fn refusals_are_told_apart_by_status_and_body() {
    let it = start(small()).await;
    let token = it.token().await;
    let nobody = json!({ "StudentInstitutionId": "nobody" });
    let update = |body: &Value| it.contact("updatecontact", &token, body);
    let answer = refused(update(&nobody)).await;
    assert_eq!(
        answer,
        (404, r#"{"Message":"No contact was updated."}"#.to_owned())
    );
    let (status, body) = refused(it.contact("updatecontacts", &token, &nobody)).await;
    assert!(status == 404 && body.contains("MessageDetail"), "{body}");
    let (status, body) = refused(update(&json!({ "Gender": "A", "CrmNumber": [] }))).await;
    assert!(status == 400 && body.contains("ModelState"), "{body}");
    assert!(
        body.contains("dto.Gender") && body.contains("dto.CrmNumber"),
        "{body}"
    );
    let (status, body) = refused(update(&nobody).query(&[("contactMatchingEnabled", "yes")])).await;
    assert!(
        status == 400 && body.contains("contactMatchingEnabled"),
        "{body}"
    );
    for body in ["", "[]", "{", "\u{0}"] {
        assert_eq!(refused(update(&nobody).body(body)).await.0, 400);
    }
    let form = update(&nobody).header("content-type", "application/x-www-form-urlencoded");
    let form = form.build().unwrap();
    let mut form = form;
    form.headers_mut().insert(
        "content-type",
        "application/x-www-form-urlencoded".parse().unwrap(),
    );
    assert_eq!(it.client.execute(form).await.unwrap().status(), 415);
}

#[tokio::test]
async fn an_update_answers_the_bare_number_and_an_upsert_creates() {
    let it = start(small()).await;
    let token = it.token().await;
    let xid = text(&it.all_rows().await[0]["xid"]);
    let document = json!({ "StudentInstitutionId": xid, "ContactNoteContent": "n" });
    let update = || it.contact("updatecontact", &token, &document);
    let (status, number) = refused(update()).await;
    assert_eq!(status, 200);
    assert!(number.parse::<u32>().is_ok(), "{number}");
    assert_eq!(refused(update()).await.1, number);
    let enabled = [
        ("contactMatchingEnabled", "False"),
        ("contactMatchingMinNameSimilarity", "0.5"),
    ];
    assert_eq!(
        refused(update().query(&enabled)).await.0,
        404,
        "only the CrmNumber counts then"
    );
    let person = json_of(it.client.get(it.admin(&format!("person/{xid}")))).await;
    assert_eq!(person["contact"]["notes"], json!(["n", "n"]));

    let new = json!({ "StudentInstitutionId": "new", "Name": "New" });
    assert_eq!(
        refused(it.contact("updatecontact", &token, &new)).await.0,
        404
    );
    assert_eq!(
        refused(it.contact("upsertcontact", &token, &new)).await.0,
        200
    );
    assert_eq!(
        refused(it.contact("updatecontact", &token, &new)).await.0,
        200
    );
}
