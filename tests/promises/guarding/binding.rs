use harness::{relay::Relay, vendors::vendors};
use sandbox::Sandbox;

use super::{OPERATOR, VIEWER};

/// What a start with these settings says; it must be refused as a wrong configuration.
async fn refused(sandbox: &Sandbox, settings: &[(&str, &str)]) -> String {
    let relay = settings
        .iter()
        .fold(Relay::new(sandbox, None), |relay, (key, value)| {
            relay.set(key, value)
        });
    relay
        .run(&["run", "--roles", "console"])
        .await
        .expect(2)
        .said()
}

#[tokio::test]
async fn no_process_can_be_reached_from_elsewhere_without_both_tokens() {
    let sandbox = vendors(1, 1).await;
    let (operator, viewer) = (
        ("console.operator_token", OPERATOR),
        ("console.viewer_token", VIEWER),
    );
    for listen in ["0.0.0.0:0", "[::]:0", "10.0.0.1:0", "[::ffff:10.0.0.1]:0"] {
        for tokens in [&[][..], &[operator], &[viewer]] {
            let settings = [&[("console.listen", listen)], tokens].concat();
            let said = refused(&sandbox, &settings).await;
            assert!(
                said.contains("can be reached from other machines"),
                "{listen}: {said}"
            );
        }
    }
}

#[tokio::test]
async fn a_token_that_could_be_guessed_or_that_is_both_roles_is_refused_and_never_shown() {
    let sandbox = vendors(1, 1).await;
    for key in ["console.operator_token", "console.viewer_token"] {
        let said = refused(&sandbox, &[(key, "fifteen-letters")]).await;
        assert!(said.contains("shorter than 16 characters"), "{said}");
        assert!(
            said.contains("/dev/urandom"),
            "it says how to make one: {said}"
        );
        assert!(!said.contains("fifteen-letters"), "{said}");
    }
    let both = [
        ("console.operator_token", OPERATOR),
        ("console.viewer_token", OPERATOR),
    ];
    let said = refused(&sandbox, &both).await;
    assert!(said.contains("is the operator's token too"), "{said}");
    assert!(!said.contains(OPERATOR), "{said}");
}
