use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::future::join_all;
use jobs::reply::Answer;
use serde_json::json;

use super::*;
use crate::vendors::testing::{
    ReceivedRequest, ScriptedReply, Server, answer, nobody, observed, told,
};

const PASSWORD: &str = "p&ss word=ü";

const MATCHING: CrmMatching = CrmMatching {
    enabled: true,
    min_confirmed_score: 82,
    min_name_similarity: 0.4,
};

fn password() -> CrmAuth {
    CrmAuth::Password {
        username: "relay".into(),
        password: PASSWORD.into(),
    }
}

fn client_as(url: &str, auth: CrmAuth, settings: ClientSettings) -> CrmClient {
    let options = CrmOptions {
        auth,
        operation: CrmOperation::Update,
        matching: MATCHING,
    };
    CrmClient::new(&format!("{url}/crms/api/"), options, settings).unwrap()
}

fn client(url: &str) -> CrmClient {
    client_as(url, password(), ClientSettings::default())
}

async fn update(client: &CrmClient) -> Reply {
    client
        .update(&json!({"StudentInstitutionId": "x1"}), None)
        .await
}

fn status(reply: &Reply) -> u16 {
    match reply {
        Reply::Answer(answer) => answer.status,
        reply => panic!("{reply:?}"),
    }
}

/// A CRM whose tokens are `token-1`, `token-2`, …; `contacts` answers the rest.
async fn crm(
    expires_in: serde_json::Value,
    contacts: impl Fn(&ReceivedRequest) -> ScriptedReply + Send + Sync + 'static,
) -> Server {
    let issued = AtomicUsize::new(0);
    Server::start(move |asked| {
        if asked.path != "/crms/api/token" {
            return contacts(asked);
        }
        let serial = issued.fetch_add(1, Ordering::SeqCst) + 1;
        let grant = json!({"access_token": format!("token-{serial}"), "token_type": "bearer", "expires_in": expires_in});
        answer(200, &[], grant.to_string())
    })
    .await
}

fn token_calls(server: &Server) -> usize {
    let asked = server.asked();
    asked
        .iter()
        .filter(|asked| asked.path.ends_with("/token"))
        .count()
}

#[tokio::test]
async fn credentials_become_a_token_and_the_token_a_header() {
    let server = crm(json!(3600), |_| answer(200, &[], "1234")).await;
    let reply = update(&client(&server.url())).await;
    let expected = Reply::Answer(Answer {
        status: 200,
        retry_after: None,
        body: "1234".to_owned(),
    });
    assert_eq!(reply, expected);
    let [token, contact] = &server.asked()[..] else {
        panic!("{:?}", server.asked())
    };
    assert_eq!((&*token.method, &*token.query), ("POST", ""));
    assert_eq!(
        token.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    let form = "grant_type=password&username=relay&password=p%26ss+word%3D%C3%BC";
    assert_eq!(token.body, form);
    assert_eq!(contact.method, "POST");
    assert_eq!(contact.path, "/crms/api/processes/updatecontact");
    let query = "contactMatchingMinConfirmedScore=82&contactMatchingMinNameSimilarity=0.4&contactMatchingEnabled=true";
    assert_eq!(contact.query, query);
    assert_eq!(contact.headers["authorization"], "Bearer token-1");
    assert_eq!(contact.headers["content-type"], "application/json");
    assert_eq!(contact.body, "{\"StudentInstitutionId\":\"x1\"}");
}

#[tokio::test]
async fn an_upsert_goes_to_its_own_address_with_the_configured_matching() {
    let server = Server::start(|_| answer(200, &[], "1")).await;
    let options = CrmOptions {
        auth: CrmAuth::Bearer("fixed".into()),
        operation: CrmOperation::Upsert,
        matching: CrmMatching {
            min_confirmed_score: 95,
            min_name_similarity: 0.75,
            enabled: false,
        },
    };
    let (settings, calls) = observed();
    let client = CrmClient::new(&server.url(), options, settings).unwrap();
    update(&client).await;
    let asked = &server.asked()[0];
    assert_eq!(asked.path, "/processes/upsertcontact");
    let query = "contactMatchingMinConfirmedScore=95&contactMatchingMinNameSimilarity=0.75&contactMatchingEnabled=false";
    assert_eq!(asked.query, query);
    assert_eq!(asked.headers["authorization"], "Bearer fixed");
    assert_eq!(told(&calls), ["upsert 200"]);
}

#[tokio::test]
async fn without_auth_no_header_is_sent_and_a_401_is_final() {
    for auth in [CrmAuth::None, CrmAuth::Bearer("fixed".into())] {
        let bearer = matches!(auth, CrmAuth::Bearer(_));
        let server = Server::start(|_| answer(401, &[], "")).await;
        let client = client_as(&server.url(), auth, ClientSettings::default());
        assert_eq!(status(&update(&client).await), 401);
        let asked = server.asked();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].headers.contains_key("authorization"), bearer);
    }
}

#[tokio::test]
async fn a_token_is_reused_until_it_expires() {
    for (expires_in, token_calls_for_three_updates) in [
        (json!(3600), 1),
        (json!("3600"), 1),
        (json!(null), 1),
        (json!(0), 3),
    ] {
        let server = crm(expires_in, |_| answer(200, &[], "1")).await;
        let client = client(&server.url());
        for _ in 0..3 {
            update(&client).await;
        }
        assert_eq!(token_calls(&server), token_calls_for_three_updates);
    }
}

#[tokio::test]
async fn many_at_once_share_one_token_call() {
    let server = crm(json!(3600), |_| answer(200, &[], "1")).await;
    let client = client(&server.url());
    let replies = join_all((0..64).map(|_| update(&client))).await;
    assert!(replies.iter().all(|reply| status(reply) == 200));
    assert_eq!((token_calls(&server), server.asked().len()), (1, 65));
}

#[tokio::test]
async fn many_at_once_share_one_failed_token_call() {
    let refusing = Server::start(|_| answer(400, &[], "{\"error\":\"invalid_grant\"}")).await;
    let client = client(&refusing.url());
    let replies = join_all((0..64).map(|_| update(&client))).await;
    assert!(replies.iter().all(|reply| status(reply) == 401));
    assert_eq!(refusing.asked().len(), 1);
    update(&client).await;
    assert_eq!(refusing.asked().len(), 2, "a later call asks again");
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_for_all_who_used_it() {
    let server = crm(json!(3600), |asked| {
        match asked.headers["authorization"].as_str() {
            "Bearer token-1" => answer(401, &[], ""),
            _ => answer(200, &[], "1"),
        }
    })
    .await;
    let client = client(&server.url());
    let replies = join_all((0..16).map(|_| update(&client))).await;
    assert!(replies.iter().all(|reply| status(reply) == 200));
    assert_eq!(token_calls(&server), 2);
}

#[tokio::test]
async fn a_second_401_is_the_answer() {
    let server = crm(json!(3600), |_| {
        answer(401, &[], "{\"Message\":\"denied\"}")
    })
    .await;
    let (settings, calls) = observed();
    let client = client_as(&server.url(), password(), settings);
    assert_eq!(status(&update(&client).await), 401);
    assert_eq!(
        told(&calls),
        ["token 200", "update 401", "token 200", "update 401"]
    );
}

#[tokio::test]
async fn without_a_token_no_contact_is_sent() {
    type Script = fn(&ReceivedRequest) -> ScriptedReply;
    let cases: [(Script, Option<u16>); 6] = [
        (|_| answer(401, &[], ""), Some(401)),
        (|_| answer(503, &[("retry-after", "9")], ""), Some(503)),
        (|_| answer(404, &[], "<html>no such page</html>"), None),
        (|_| answer(200, &[], "<html>log in</html>"), None),
        (|_| ScriptedReply::Reset(Vec::new()), None),
        (|_| ScriptedReply::BreakOff(Vec::new()), None),
    ];
    for (script, expected) in cases {
        let server = Server::start(script).await;
        let reply = update(&client(&server.url())).await;
        match expected {
            Some(expected) => assert_eq!(status(&reply), expected),
            None => assert!(matches!(reply, Reply::Unreachable { .. }), "{reply:?}"),
        }
        assert_eq!(token_calls(&server), server.asked().len());
    }
    let reply = update(&client(&nobody().await)).await;
    assert!(matches!(reply, Reply::Unreachable { .. }), "{reply:?}");
}

#[tokio::test]
async fn a_contact_is_not_sent_once_the_token_took_up_the_lease() {
    let hanging = Server::start(|_| ScriptedReply::Hang).await;
    let client = client(&hanging.url());
    let deadline = Some(Instant::now() + Duration::from_millis(500));
    let reply = client.update(&json!({}), deadline).await;
    let Reply::Unreachable { cause, .. } = reply else {
        panic!("{reply:?}")
    };
    assert_eq!(cause, "the lease ended before the call was made");
    assert_eq!(token_calls(&hanging), hanging.asked().len());
}

#[tokio::test]
async fn one_short_lease_does_not_fail_the_token_for_those_who_wait() {
    let asked_before = Arc::new(AtomicUsize::new(0));
    let server = Server::start(move |asked| {
        if asked.path != "/crms/api/token" {
            return answer(200, &[], "1");
        }
        match asked_before.fetch_add(1, Ordering::SeqCst) {
            0 => ScriptedReply::Hang,
            _ => answer(200, &[], "{\"access_token\":\"abcdef\"}"),
        }
    })
    .await;
    let client = client(&server.url());
    let document = json!({});
    let deadline = Some(Instant::now() + Duration::from_secs(1));
    let (short, patient) = futures::join!(client.update(&document, deadline), update(&client));
    assert!(matches!(short, Reply::Unreachable { .. }), "{short:?}");
    assert_eq!(status(&patient), 200);
}

#[tokio::test]
async fn a_check_writes_nothing() {
    let server = crm(json!("1199"), |_| answer(405, &[], "")).await;
    let url = server.url();
    let look = async |auth| {
        client_as(&url, auth, ClientSettings::default())
            .check(None)
            .await
    };
    let expires_in = Some(Duration::from_secs(1199));
    assert_eq!(
        look(password()).await,
        CrmCheck::Authenticated { expires_in }
    );
    assert_eq!(
        look(CrmAuth::Bearer("t0ken".into())).await,
        CrmCheck::Reached { status: 405 }
    );
    assert_eq!(look(CrmAuth::None).await, CrmCheck::Reached { status: 405 });
    let lines: Vec<_> = server
        .asked()
        .iter()
        .map(|a| format!("{} {}", a.method, a.path))
        .collect();
    let contact = "GET /crms/api/processes/updatecontact";
    assert_eq!(lines, ["POST /crms/api/token", contact, contact]);

    let refusing = Server::start(|_| answer(401, &[], "")).await;
    for auth in [password(), CrmAuth::Bearer("t0ken".into()), CrmAuth::None] {
        let check = client_as(&refusing.url(), auth, ClientSettings::default())
            .check(None)
            .await;
        assert!(
            matches!(&check, CrmCheck::Failed(reply) if status(reply) == 401),
            "{check:?}"
        );
    }
}

#[tokio::test]
async fn neither_password_nor_token_ever_shows() {
    let server = crm(json!(3600), |asked| {
        answer(
            500,
            &[],
            format!("StackTrace {}", asked.headers["authorization"]),
        )
    })
    .await;
    let (settings, calls) = observed();
    let client = client_as(&server.url(), password(), settings);
    let shown = format!("{:?} {client:?} {calls:?}", update(&client).await);
    assert!(shown.contains("Bearer [redacted]"), "{shown}");

    let echoing =
        Server::start(|asked| answer(400, &[], format!("{} {PASSWORD}", asked.body))).await;
    let client = client_as(&echoing.url(), password(), ClientSettings::default());
    let shown = format!("{shown} {:?} {:?}", update(&client).await, password());
    for secret in ["token-1", "p&ss", "p%26ss"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn missing_credentials_are_told_by_their_key() {
    let made = |username: &str, password: &str| {
        let auth = CrmAuth::Password {
            username: username.into(),
            password: password.into(),
        };
        let options = CrmOptions {
            auth,
            operation: CrmOperation::Update,
            matching: MATCHING,
        };
        let made = CrmClient::new(
            "https://h.example/crms/api",
            options,
            ClientSettings::default(),
        );
        made.unwrap_err().to_string()
    };
    assert!(made("", "secret").starts_with("`crm.username` is empty"));
    assert!(made("relay", "").starts_with("`crm.password` is empty"));
}
