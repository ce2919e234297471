use std::collections::BTreeMap;

use super::*;

fn next(faults: &[Fault]) -> VendorFaults {
    VendorFaults {
        next: faults.to_vec(),
        ..VendorFaults::default()
    }
}

#[tokio::test]
async fn answers_of_every_kind_can_be_injected() {
    let it = start(small()).await;
    let salsa = VendorFaults {
        retry_after: Some(7),
        instead: Instead {
            status: 418,
            content_type: "text/plain".to_owned(),
            body: "Blocked by the caf\u{e9}".to_owned(),
            charset: "iso-8859-1".to_owned(),
        },
        ..next(&[
            Fault::ServerError,
            Fault::Unavailable,
            Fault::Throttle,
            Fault::ThrottleText,
            Fault::HtmlPage,
            Fault::HtmlInOk,
            Fault::Instead,
        ])
    };
    it.sandbox.set_faults(Faults {
        salsa,
        ..Faults::default()
    });
    for (status, body) in [
        (500, "Internal"),
        (503, ""),
        (429, "Call rate has been exceeded"),
        (200, "Your per minute call rate"),
        (504, "<html>"),
        (200, "<html>"),
        (418, "Blocked by the caf\u{fffd}"),
    ] {
        let answer = it.salsa("GET", "metrics", &json!({})).send().await.unwrap();
        assert_eq!(answer.status(), status);
        let told = answer.headers().contains_key("retry-after");
        assert_eq!(told, [429, 503].contains(&status));
        assert!(answer.text().await.unwrap().starts_with(body), "{status}");
    }
    let report = it.sandbox.report();
    assert_eq!(
        report.traffic.throttled, 0,
        "injected refusals are not the caller's fault"
    );
    assert_eq!(report.faults[&Vendor::Salsa].values().sum::<u64>(), 7);
    assert_eq!(report.traffic.calls[&Vendor::Salsa]["metrics"]["200"], 2);
}

#[tokio::test]
async fn a_call_without_an_answer_is_handled_only_where_the_answer_was_lost() {
    let it = start(small()).await;
    let token = it.token().await;
    let row = it.all_rows().await.remove(0);
    let note =
        json!({ "StudentInstitutionId": text(&row["xid"]), "ContactNoteContent": row["jobTitle"] });
    let id = text(&row["changeId"]);
    for (fault, applied) in [
        (Fault::Reset, 0),
        (Fault::Close, 0),
        (Fault::Hang, 0),
        (Fault::Lost, 1),
        (Fault::Truncate, 2),
    ] {
        let crm = VendorFaults {
            hang_seconds: 0.01,
            ..next(&[fault])
        };
        it.sandbox.set_faults(Faults {
            crm,
            ..Faults::default()
        });
        let sent = it.contact("updatecontact", &token, &note).send().await;
        let read = match sent {
            Ok(answer) => answer.bytes().await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert!(read.is_err(), "{fault:?}");
        assert_eq!(
            it.sandbox.change(&id).unwrap().crm.len(),
            applied,
            "{fault:?}"
        );
    }
    let report = it.sandbox.report();
    assert_eq!(report.traffic.lost_answers, 2);
    assert_eq!(report.traffic.changes_in_lost_answers, 2);
    assert_eq!(report.repeats[0].times, 1);
    let statuses: Vec<_> = report.traffic.calls[&Vendor::Crm]["update"]
        .keys()
        .collect();
    assert_eq!(statuses, ["close", "hang", "lost", "reset", "truncate"]);
    assert_eq!(report.traffic.calls_of(Vendor::Crm, "update"), 5);
}

#[tokio::test]
async fn a_revoked_token_is_refused_until_a_new_one_is_asked_for() {
    let it = start(small()).await;
    let token = it.token().await;
    let crm = next(&[Fault::RevokeToken]);
    it.sandbox.set_faults(Faults {
        crm,
        ..Faults::default()
    });
    let update = |token: &str| it.contact("updatecontact", token, &json!({}));
    assert_eq!(status(update(&token)).await, 401);
    assert_eq!(status(update(&token)).await, 401);
    assert_eq!(status(update(&it.token().await)).await, 404);
}

#[tokio::test]
async fn a_vendor_that_is_down_leaves_the_others_up() {
    let it = start(small()).await;
    let down = |fault| VendorFaults {
        outages: vec![Outage {
            after_seconds: 0.0,
            seconds: None,
            fault,
        }],
        ..VendorFaults::default()
    };
    it.sandbox.set_faults(Faults {
        crm: down(Fault::Unavailable),
        salsa: down(Fault::Close),
        ..Faults::default()
    });
    assert_eq!(
        status(it.contact("updatecontact", "", &json!({}))).await,
        503
    );
    assert!(it.salsa("GET", "metrics", &json!({})).send().await.is_err());
    assert_eq!(it.all_rows().await.len(), 40);
    it.sandbox.set_faults(Faults::default());
    assert_eq!(status(it.salsa("GET", "metrics", &json!({}))).await, 200);
}

#[tokio::test]
async fn chosen_supporters_fail_and_their_neighbours_do_not() {
    let it = start(small()).await;
    let sent = |xid: &str| {
        let email = format!("{xid}@example.net");
        json!({ "externalSystemId": xid, "contacts": [{ "type": "EMAIL", "value": email }] })
    };
    let salsa = VendorFaults {
        system_error_xids: vec!["s".to_owned()],
        validation_error_xids: vec!["v".to_owned()],
        ..VendorFaults::default()
    };
    it.sandbox.set_faults(Faults {
        salsa,
        ..Faults::default()
    });
    let put = it.put(&[sent("s"), sent("v"), sent("good")]).await;
    let results: BTreeMap<_, _> = put
        .iter()
        .map(|found| (text(&found["externalSystemId"]), text(&found["result"])))
        .collect();
    assert_eq!(results["s"], "SYSTEM_ERROR");
    assert_eq!(results["v"], "VALIDATION_ERROR");
    assert_eq!(results["good"], "ADDED");
}

#[tokio::test]
async fn a_reset_is_a_reset_and_a_close_is_a_close() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let it = start(small()).await;
    let salsa = next(&[Fault::Reset, Fault::Close]);
    it.sandbox.set_faults(Faults {
        salsa,
        ..Faults::default()
    });
    let mut ends = Vec::new();
    for _ in 0..2 {
        let mut stream = tokio::net::TcpStream::connect(it.sandbox.addr())
            .await
            .unwrap();
        let request = b"GET /api/integration/ext/v1/metrics HTTP/1.1\r\nhost: sandbox\r\n\r\n";
        stream.write_all(request).await.unwrap();
        ends.push(
            stream
                .read(&mut [0; 100])
                .await
                .map_err(|error| error.kind()),
        );
    }
    assert_eq!(ends, [Err(io::ErrorKind::ConnectionReset), Ok(0)]);
}
