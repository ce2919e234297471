use serde_json::{Value, json};

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn notice(event: Event, destination: Option<Vendor>) -> Notice {
    Notice {
        event,
        destination,
        at: at("2026-11-21T10:01:00Z"),
        since: at("2026-11-21T10:00:00.4Z"),
        ..Notice::test("msg_1".to_owned(), "campus", at("2026-11-21T10:01:00Z"))
    }
}

fn paused(reason: PauseReason, cause: &str) -> Notice {
    Notice {
        reason: Some(reason),
        cause: Some(cause.to_owned()),
        ..notice(Event::DestinationPaused, Some(Vendor::Salsa))
    }
}

fn read(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

#[test]
fn the_body_of_a_pause_is_as_documented() {
    let body = read(&paused(PauseReason::Outage, "HTTP 503").json(Some("https://relay.example")));
    let text = body["text"].as_str().unwrap().to_owned();
    assert_eq!(
        body,
        json!({
            "id": "msg_1",
            "namespace": "campus",
            "event": "destination_paused",
            "at": "2026-11-21T10:01:00Z",
            "since": "2026-11-21T10:00:00Z",
            "destination": "salsa",
            "reason": "outage",
            "cause": "HTTP 503",
            "text": text,
            "link": "https://relay.example/runbook#alumniqrelaydestinationpaused",
        })
    );
    assert_eq!(
        text,
        "Calls to Salsa are paused (campus): since 2026-11-21T10:00:00Z, because it is down (HTTP 503). Changes \
         wait and none is lost; it is tried again by itself. If it lasts, ask those who run Salsa, and see \
         `alumniq-relay status`."
    );
}

#[test]
fn dead_letters_are_counted_by_class() {
    let notice = Notice {
        counts: [(DeadClass::Unmatched, 2), (DeadClass::Stale, 1)].into(),
        ..notice(Event::DeadLettersAppeared, Some(Vendor::Crm))
    };
    let body = read(&notice.json(None));
    assert_eq!(body["counts"], json!({ "unmatched": 2, "stale": 1 }));
    assert!(body.get("link").is_none() && body.get("reason").is_none());
    let text = notice.text();
    assert!(
        text.contains("3 dead letters wait for a person (2 unmatched, 1 stale)"),
        "{text}"
    );
    assert!(text.contains("dead list --destination crm"), "{text}");
}

#[test]
fn the_end_of_a_trouble_says_how_long_it_lasted() {
    for (seconds, says) in [
        (7, "after 7 s"),
        (123, "after 2 min 3 s"),
        (7_260, "after 2 h 1 min"),
        (90_000, "after 1 d 1 h"),
    ] {
        let notice = Notice {
            lasted: Some(Duration::from_secs(seconds)),
            ..notice(Event::DestinationResumed, Some(Vendor::Crm))
        };
        assert!(notice.text().contains(says), "{}", notice.text());
        assert_eq!(read(&notice.json(None))["lasted_seconds"], seconds);
    }
}

#[test]
fn every_event_and_every_reason_has_words_and_a_heading() {
    let reasons = PauseReason::ALL.map(|reason| paused(reason, "").text());
    let events = Event::ALL.map(|event| {
        let counts = [(DeadClass::AckRejected, 1)].into();
        let notice = notice(event, Some(Vendor::Alumniq));
        Notice { counts, ..notice }.text()
    });
    for text in reasons.iter().chain(&events) {
        assert!(
            text.contains(" (campus): ") && text.ends_with('.'),
            "{text}"
        );
        assert!(!text.contains("()"), "{text}");
    }
}

#[test]
fn in_slack_a_vendors_words_can_neither_call_a_channel_nor_make_a_link() {
    let hostile = paused(
        PauseReason::Outage,
        "<!channel> & <https://evil.example|ok>",
    );
    let body = read(&hostile.slack(Some("https://relay.example")));
    assert_eq!(body.as_object().unwrap().len(), 1);
    let text = body["text"].as_str().unwrap();
    assert!(
        text.starts_with("*Calls to Salsa are paused (campus)*: "),
        "{text}"
    );
    assert!(text.contains("&lt;!channel&gt; &amp; "), "{text}");
    let links = text.matches('<').count();
    assert_eq!(links, 1, "the runbook's alone: {text}");
}

#[test]
fn subjects_are_read_as_they_are_written() {
    let vendors = Vendor::ALL.into_iter();
    let of_vendors = vendors.flat_map(|vendor| [Subject::Gate(vendor), Subject::Letters(vendor)]);
    for subject in of_vendors.chain([Subject::Books]) {
        assert_eq!(subject.to_string().parse(), Ok(subject));
    }
}
