//! The two ways to a campus: on its Redis, and over the API of a process that serves it.

use jobs::destination::Vendor;
use queue::{
    audit::{Actor, AuditFilter},
    bulk::BulkAction,
    letters::DeadLetterOrder,
};
use reqwest::header::HeaderValue;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::stage::{TestConsole, XID};
use crate::{
    console,
    operations::{
        bulk::NewBulk,
        client::{OperatorClient, Remote},
        dead_letters::{DeadLetterFilter, LetterName},
        error::{OperatorError, RefusalKind},
        wire::{API_ROOT, DiscardRequest, NewValues, ReplayRequest},
    },
    vendors::{ClientSettings, Http},
};

/// What is asked of both.
async fn answers(client: &dyn OperatorClient) -> Vec<(&'static str, Value)> {
    let all = DeadLetterFilter::default();
    let request = ReplayRequest {
        ids: vec![LetterName::at(Vendor::Alumniq, "41")],
        dry_run: true,
        ..ReplayRequest::default()
    };
    let (alumniq, nowhere) = (Vendor::Alumniq, "nothing/of?that&name");
    let mended = NewValues {
        fields: [("employer".to_owned(), "Acme".to_owned())].into(),
        dry_run: true,
        version: None,
    };
    let overtaken = NewValues {
        version: Some("another".to_owned()),
        ..mended.clone()
    };
    let of_nobody = NewBulk {
        action: BulkAction::Replay,
        filter: all.clone(),
        change_ids: vec![nowhere.to_owned()],
        rate: None,
        reason: String::new(),
        apply_stale: false,
        keep_unacknowledged: false,
    };
    let no_reason = DiscardRequest {
        filter: Some(all.clone()),
        ..DiscardRequest::default()
    };
    let bulk = client.bulks().await.unwrap().remove(0).id;
    let every = AuditFilter::default();
    vec![
        ("campus", said(client.campus().await)),
        (
            "overview",
            said(client.overview().await.map(|overview| {
                let books = overview.status.map(|status| status.books);
                (
                    books,
                    overview.unreadable,
                    overview.groups,
                    overview.traffic,
                )
            })),
        ),
        (
            "status",
            said(client.status().await.map(|status| status.books)),
        ),
        ("timeline", said(client.timeline("41").await)),
        ("no timeline", said(client.timeline(nowhere).await)),
        ("person", said(client.person(XID, None, 1).await)),
        ("nobody", said(client.person(nowhere, None, 10).await)),
        (
            "letters",
            said(
                client
                    .letters(DeadLetterOrder::NewestFirst, &all, None, 1)
                    .await,
            ),
        ),
        ("groups", said(client.groups(&all).await)),
        ("letter", said(client.letter(alumniq, "41").await)),
        ("no letter", said(client.letter(alumniq, nowhere).await)),
        ("row", said(client.row(alumniq, "41").await)),
        ("draft", said(client.draft(alumniq, "41").await)),
        ("no draft", said(client.draft(alumniq, nowhere).await)),
        ("edit", said(client.edit(alumniq, "41", mended).await)),
        (
            "an edit of another row",
            said(client.edit(alumniq, "41", overtaken).await),
        ),
        ("replay", said(client.replay(request).await)),
        ("discard", said(client.discard(no_reason).await)),
        ("bulk", said(client.bulk(&bulk).await)),
        ("no bulk", said(client.bulk("nothing").await)),
        ("a bulk of nobody", said(client.start_bulk(of_nobody).await)),
        ("pause", said(client.pause(Vendor::Crm).await)),
        ("resume", said(client.resume(Vendor::Crm).await)),
        ("destinations", said(client.destinations().await)),
        ("audit", said(client.audit(&every, Some(4), 2).await)),
    ]
}

fn said<T: Serialize>(answer: Result<T, OperatorError>) -> Value {
    match answer {
        Ok(answer) => json!({ "good": answer }),
        Err(OperatorError::Refused {
            why,
            message,
            advice,
            problems,
        }) => json!({
            "why": format!("{why:?}"), "message": message, "advice": advice, "problems": problems,
        }),
        Err(OperatorError::Queue(error)) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_campus_answers_the_same_on_its_redis_and_over_the_api() {
    let stage = TestConsole::new().await;
    stage.kill(&["41", "42"]).await;
    let local = stage.console.client(Actor::at_command("ana")).unwrap();
    let one = NewBulk {
        action: BulkAction::Discard,
        filter: DeadLetterFilter::default(),
        change_ids: vec!["42".to_owned(), "42".to_owned()],
        rate: None,
        reason: "a test".to_owned(),
        apply_stale: false,
        keep_unacknowledged: false,
    };
    let begun = local.start_bulk(one).await.unwrap();
    assert_eq!((begun.total, begun.filter.change_ids.len()), (1, 1));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let closing = CancellationToken::new();
    let served = console::serve(
        listener,
        stage.console.clone(),
        closing.clone().cancelled_owned(),
    );
    let served = tokio::spawn(served);
    let http = Http::new("server", "--server", &url, &[], ClientSettings::default()).unwrap();
    let remote = Remote {
        http: http.under(API_ROOT.trim_start_matches('/')),
        url,
        token: None,
        name: Some(HeaderValue::from_static("ana")),
    };

    let here = answers(&local).await;
    for ((what, here), (_, there)) in here.iter().zip(answers(&remote).await) {
        assert_eq!(*here, there, "{what}");
    }
    let missing = remote.bulk("nothing").await.unwrap_err();
    assert!(missing.is(RefusalKind::NotFound), "{missing}");

    let discarded = remote.discard(DiscardRequest {
        ids: vec![LetterName::at(Vendor::Alumniq, "41")],
        reason: "a test".to_owned(),
        ..DiscardRequest::default()
    });
    assert_eq!(discarded.await.unwrap().letters, 1);
    assert_eq!(stage.letters().await, 1);
    closing.cancel();
    served.await.unwrap();
}
