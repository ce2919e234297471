//! The README's commands do what it says, in the order in which it shows them.

use std::process::Command;

use harness::{relay::search_path, sockets::Port};
use tempfile::TempDir;

/// The README's shell blocks, but for its first two: those build the program and run these tests.
fn session() -> String {
    let readme = include_str!("../../README.md");
    let blocks = readme
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```"));
    blocks.skip(2).map(|(block, _)| block).collect()
}

#[test]
fn the_commands_of_the_readme_work_in_its_order() {
    let folder = TempDir::new().unwrap();
    let (sandbox, console) = (Port::hold(), Port::hold());
    let script = session()
        .replace("127.0.0.1:9470", &sandbox.address().to_string())
        .replace("127.0.0.1:9464", &console.address().to_string());
    assert!(
        script.contains("dead replay"),
        "the README has lost its commands:\n{script}"
    );
    // Whatever stops the script, nothing of it goes on.
    let script = format!("set -euo pipefail\ntrap 'kill $(jobs -p) || true' EXIT\n{script}");
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(&folder)
        .env("PATH", search_path())
        .env(
            "ALUMNIQ_RELAY__CONSOLE__LISTEN",
            console.address().to_string(),
        )
        .output()
        .unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{}\n{stdout}\n{stderr}",
        output.status
    );
    for said in [
        "1200 acknowledged, 0 dead letters",
        r#"alumniq_relay_books_difference{namespace="sandbox"} 0"#,
        "exit code 3",
        "Everything is through.",
    ] {
        assert!(
            stdout.contains(said),
            "the session did not print {said:?}:\n{stdout}\n{stderr}"
        );
    }
}
