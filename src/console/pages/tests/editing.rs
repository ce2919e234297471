//! A row, mended by hand.

use std::collections::BTreeMap;

use axum::http::{StatusCode, header};
use jobs::destination::Vendor;
use serde_json::{Value, json};

use super::stage::{TestConsole, XID};

const PAGE: &str = "/dead-letters/crm/41/edit";

/// Two of its fields break a rule of the CRM.
fn row() -> Value {
    json!({
        "changeId": "41", "xid": XID, "changedOn": "2026-11-20", "employer": "Acme \"& <b>Sons", "workPhone": "none",
        "email": "nobody", "shoeSize": 44,
    })
}

/// What the form of the page sends where nobody wrote anything: every field by its name.
fn form(body: &str) -> BTreeMap<String, String> {
    let from = body.find(&format!("action=\"{PAGE}\"")).expect(body);
    let form = &body[from..][..body[from..].find("</form>").unwrap()];
    let plain = |text: &str| {
        let text = text.replace("&lt;", "<").replace("&gt;", ">");
        text.replace("&quot;", "\"").replace("&amp;", "&")
    };
    let attribute = |tag: &str, name: &str| {
        let value = tag.split(&format!(" {name}=\"")).nth(1)?;
        Some(plain(value.split('"').next()?))
    };
    let tags = form.split("<input").skip(1).filter_map(|rest| {
        let tag = rest.split('>').next()?;
        Some((
            attribute(tag, "name")?,
            attribute(tag, "value").unwrap_or_default(),
        ))
    });
    tags.collect()
}

impl TestConsole {
    async fn send(
        &self,
        mut form: BTreeMap<String, String>,
        step: &str,
        written: &[(&str, &str)],
    ) -> (StatusCode, String, String) {
        for (name, text) in written {
            form.insert((*name).to_owned(), (*text).to_owned());
        }
        form.insert("step".to_owned(), step.to_owned());
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&form);
        let (status, headers, body) = self.answer("POST", PAGE, query.finish()).await;
        let location = headers.get(header::LOCATION);
        let location = location.map_or("", |location| location.to_str().unwrap());
        (status, location.to_owned(), body)
    }

    async fn row(&self) -> Value {
        let (_, record) = self.queue.row("41").await.unwrap().unwrap();
        serde_json::from_str(record.row.get()).unwrap()
    }

    async fn audited(&self, action: &str) -> usize {
        let (_, body) = self.get(&format!("/audit?action={action}")).await;
        body.matches(&format!("data-audit=\"{action}\"")).count()
    }
}

#[tokio::test]
async fn every_problem_stands_beside_its_field_and_what_was_typed_is_kept() {
    let stage = TestConsole::new().await;
    stage.refuse(&[row()], None).await;
    let (_, letter) = stage.get("/dead-letters/crm/41").await;
    assert!(letter.contains("Edit and replay"), "{letter}");
    let (_, body) = stage.get(PAGE).await;
    let fields = form(&body);
    assert_eq!(fields["field.employer"], "Acme \"& <b>Sons");
    assert_eq!(fields["field.phone"], "none", "under whichever key it came");
    for fixed in [
        "field.changeId",
        "field.xid",
        "field.changedOn",
        "field.shoeSize",
    ] {
        assert!(!fields.contains_key(fixed), "{fixed}");
    }
    let typed = [("field.phone", "again <none>"), ("field.city", "Bonn")];
    let (status, _, body) = stage.send(fields, "preview", &typed).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields = form(&body);
    assert_eq!(fields["field.phone"], "again <none>");
    assert_eq!(fields["field.city"], "Bonn");
    for wrong in ["phone", "email"] {
        let input = format!("<input id=\"field-{wrong}\"");
        let input = body
            .split(&input)
            .nth(1)
            .unwrap()
            .split('>')
            .next()
            .unwrap();
        assert!(input.contains("aria-invalid=\"true\""), "{input}");
        assert!(
            input.contains(&format!("aria-describedby=\"field-{wrong}-problem")),
            "{input}"
        );
        assert!(
            body.contains(&format!("<a href=\"#field-{wrong}\">")),
            "{body}"
        );
    }
    assert_eq!(
        body.matches("aria-invalid").count(),
        2,
        "and beside no other: {body}"
    );
    assert_eq!((stage.row().await, stage.letters().await), (row(), 1));
}

#[tokio::test]
async fn what_would_be_sent_is_shown_before_it_is_replayed_and_the_audit_names_fields_only() {
    let stage = TestConsole::new().await;
    stage.refuse(&[row()], None).await;
    let (_, body) = stage.get(PAGE).await;
    assert_eq!(stage.audited("revealed").await, 1, "who saw the values");
    let typed = [
        ("field.phone", "+49228123456"),
        ("field.email", "a@example.org"),
    ];
    let (status, _, preview) = stage.send(form(&body), "preview", &typed).await;
    assert_eq!(status, StatusCode::OK, "{preview}");
    assert_eq!(stage.audited("revealed").await, 1, "once an hour");
    for shown in [
        "none",
        "+49228123456",
        "PhoneWork",
        "EmailAddress2",
        "Before",
        "After",
    ] {
        assert!(preview.contains(shown), "{shown}: {preview}");
    }
    assert_eq!(
        (stage.row().await, stage.letters().await),
        (row(), 1),
        "only shown"
    );
    let (status, _, again) = stage.send(form(&preview), "change", &[]).await;
    assert_eq!(
        (status, &form(&again)["field.phone"]),
        (StatusCode::OK, &typed[0].1.to_owned())
    );

    let (status, location, _) = stage.send(form(&preview), "replay", &[]).await;
    assert_eq!(
        (status, location.as_str()),
        (StatusCode::SEE_OTHER, "/changes/41")
    );
    assert_eq!(stage.letters().await, 0);
    let edited = stage.row().await;
    assert_eq!(edited["workPhone"], "+49228123456");
    assert_eq!(edited["shoeSize"], 44, "what nobody edited stays");
    assert_eq!(stage.audited("edited").await, 1);
    let (_, audit) = stage.get("/audit").await;
    assert!(audit.contains("email, phone"), "{audit}");
    assert!(
        !audit.contains("+49") && !audit.contains("a@example.org"),
        "{audit}"
    );
    assert!(stage.get("/changes/41").await.1.contains("email, phone"));
}

#[tokio::test]
async fn nothing_is_sent_where_nothing_was_edited_or_the_row_is_another_by_now() {
    let stage = TestConsole::new().await;
    stage.refuse(&[row()], None).await;
    let fields = form(&stage.get(PAGE).await.1);
    let (status, _, body) = stage.send(fields.clone(), "replay", &[]).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(body.contains("Nothing is edited"), "{body}");
    let mut old = fields.clone();
    old.insert("version".to_owned(), "0".repeat(40));
    for step in ["preview", "replay"] {
        let typed = [("field.phone", "+49228123456"), ("field.email", "")];
        let (status, _, body) = stage.send(old.clone(), step, &typed).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(body.contains("The row is another by now"), "{body}");
        assert_eq!(form(&body)["field.phone"], "+49228123456");
        assert!(body.contains("in the row: <bdi>none</bdi>"), "{body}");
    }
    assert_eq!((stage.row().await, stage.letters().await), (row(), 1));

    let by = queue::audit::Actor::at_command("ana");
    let letters = [(Vendor::Crm, "41".to_owned())];
    stage
        .queue
        .discard(&letters, false, "done by hand", &by)
        .await
        .unwrap();
    let (status, _, _) = stage.send(fields, "replay", &[("field.phone", "")]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(stage.get(PAGE).await.0, StatusCode::NOT_FOUND);
}
