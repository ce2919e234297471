use super::*;

fn broken(report: &Report) -> Vec<String> {
    let verdicts = report.verdicts(&[], &[]).into_iter();
    verdicts
        .filter(|verdict| !verdict.held)
        .map(|verdict| verdict.promise)
        .collect()
}

/// Oldest first, as the relay sorts: by changedOn, then changeId as a number.
fn in_order(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(|row| {
        (
            text(&row["changedOn"]),
            text(&row["changeId"]).parse::<u64>().unwrap(),
        )
    });
    rows
}

#[tokio::test]
async fn a_relay_that_keeps_every_promise_is_found_to_keep_them() {
    let it = start(SandboxOptions {
        limits: Limits {
            rate_per_minute: 0,
            ..Limits::default()
        },
        ..small()
    })
    .await;
    let token = it.token().await;
    let rows = in_order(it.all_rows().await);
    for row in &rows {
        it.apply(&token, row).await;
    }
    assert_eq!(it.acknowledge(&ids(&rows)).await, 200);
    let report = it.sandbox.report();
    assert_eq!(broken(&report), Vec::<String>::new());
    assert_eq!(
        (report.changes, report.acknowledged, report.unprocessed),
        (40, 40, 0)
    );
    assert!(report.applied.values().all(|&applied| applied == 40));
    assert_eq!(
        report.traffic.batches[&Vendor::Alumniq]["acknowledge"][&40],
        1
    );
    assert_eq!(report.traffic.calls_of(Vendor::Crm, "update"), 40);
    assert_eq!((report.unattributed, report.repeats.len()), (0, 0));
}

#[tokio::test]
async fn acknowledging_before_both_destinations_have_it_is_seen() {
    let it = start(small()).await;
    let token = it.token().await;
    let rows = in_order(it.all_rows().await);
    it.apply(&token, &rows[0]).await;
    it.acknowledge(&ids(&rows[..2])).await;
    it.apply(&token, &rows[1]).await;
    let report = it.sandbox.report();
    assert_eq!(report.acknowledged_early, [text(&rows[1]["changeId"])]);
    assert_eq!(report.unacknowledged.len(), 38);
    assert!(broken(&report).contains(&"nothing is lost".to_owned()));
    let dead = report.unacknowledged.clone();
    let verdicts = report.verdicts(&report.acknowledged_early, &dead);
    assert!(verdicts.iter().all(|verdict| verdict.held), "{verdicts:?}");
}

#[tokio::test]
async fn one_enabled_destination_is_all_that_is_waited_for() {
    let it = start(SandboxOptions {
        destinations: vec![jobs::destination::Destination::Crm],
        ..small()
    })
    .await;
    let row = it.all_rows().await.remove(0);
    let note =
        json!({ "StudentInstitutionId": text(&row["xid"]), "ContactNoteContent": row["jobTitle"] });
    assert_eq!(
        status(it.contact("updatecontact", &it.token().await, &note)).await,
        200
    );
    it.acknowledge(&ids(&[row])).await;
    assert!(it.sandbox.report().acknowledged_early.is_empty());
}

#[tokio::test]
async fn a_relay_that_applies_newest_first_is_caught() {
    let it = start(small()).await;
    let token = it.token().await;
    let mut rows = in_order(it.all_rows().await);
    let xid = text(&rows[0]["xid"]);
    rows.retain(|row| text(&row["xid"]) == xid);
    assert!(rows.len() > 1);
    for row in rows.iter().rev() {
        it.apply(&token, row).await;
    }
    let report = it.sandbox.report();
    assert_eq!(report.inversions.len(), (rows.len() - 1) * 2);
    assert_eq!(report.stale_overwrites.len(), 2);
    let broken = broken(&report);
    assert!(
        broken.contains(&"order per person".to_owned()),
        "{broken:?}"
    );
    assert!(broken.contains(&"an old change never overwrites a newer one".to_owned()));
}

#[tokio::test]
async fn a_change_in_another_persons_record_is_seen() {
    let it = start(small()).await;
    let rows = it.all_rows().await;
    let other = rows
        .iter()
        .find(|row| row["xid"] != rows[0]["xid"])
        .unwrap();
    let note = json!({ "StudentInstitutionId": text(&other["xid"]), "ContactNoteContent": rows[0]["jobTitle"] });
    it.contact("updatecontact", &it.token().await, &note)
        .send()
        .await
        .unwrap();
    let report = it.sandbox.report();
    assert_eq!(
        report.identity_moved[0].change_id,
        text(&rows[0]["changeId"])
    );
    assert!(broken(&report).contains(&"no identity is moved".to_owned()));
}
