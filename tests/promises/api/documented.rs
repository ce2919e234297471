//! Every command that deploy/api.md shows works as it stands there.

use std::process::Stdio;

use harness::relay::search_path;
use tokio::process::Command;

use super::{Fleet, OPERATOR};

/// The document's commands, with the address of a process of the test.
fn commands(document: &str, address: &str) -> String {
    let mut blocks = document.split("```sh\n").skip(1);
    let script: String = blocks.by_ref().fold(String::new(), |script, block| {
        script + block.split("```").next().unwrap()
    });
    assert!(script.matches("curl ").count() >= 7, "{script}");
    script.replace("127.0.0.1:9464", address)
}

#[tokio::test]
async fn every_command_of_the_apis_document_works() {
    let fleet = Fleet::with_letters(3).await;
    fleet.mend();
    let service = fleet.relay.start("console").await;
    let script = commands(
        include_str!("../../../deploy/api.md"),
        &service.address().to_string(),
    );
    // A refusal is an answer like any other to curl, unless it is told to fail.
    let script = format!(
        "set -euxo pipefail\n{}",
        script.replace("curl -s ", "curl -sS --fail-with-body ")
    );
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(&directory)
        .env("PATH", search_path())
        .env("TOKEN", OPERATOR)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{printed}");
    assert!(printed.contains("0 dead letters replayed"), "{printed}");
    service.stop().await;
}
