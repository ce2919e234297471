//! `chaos`: everything fails at once, and every promise holds; on somebody's Redis it touches nothing else.
//!
//! `ALUMNIQ_RELAY_CHAOS_CHANGES=3000 cargo test --test promises chaos` makes a small run of it.

use std::{path::Path, process::Stdio, time::Duration};

use harness::{redis::Redis, relay::program, waiting::until_true};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

/// Longer than a run takes on a busy machine: a run that hangs gives itself up, too.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// The program, with a directory for all that it leaves behind.
struct Chaos {
    temporary: TempDir,
}

impl Chaos {
    fn new() -> Self {
        Self {
            temporary: tempfile::tempdir().unwrap(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .arg("chaos")
            .args(arguments)
            .env("TMPDIR", self.temporary.path())
            .env_remove("ALUMNIQ_RELAY_CHAOS_REDIS")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs it to its end: exit code, stdout, stderr.
    async fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = tokio::time::timeout(PATIENCE, self.command(arguments).output());
        let output = output.await.expect("chaos ends").unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// Runs it, with all promises held; what it said.
    async fn holds(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        let (code, stdout, stderr) = self.run(&arguments).await;
        assert_eq!(code, Some(0), "{arguments:?}\n{stdout}\n{stderr}");
        let summary: Value = serde_json::from_str(&stdout).unwrap();
        let promises = summary["promises"].as_array().unwrap();
        assert!(promises.iter().all(|promise| promise["held"] == true));
        self.is_clean();
        summary
    }

    /// No process is left behind, and no file.
    #[track_caller]
    fn is_clean(&self) {
        assert_eq!(processes_in(self.temporary.path()), Vec::<u32>::new());
        let files: Vec<_> = std::fs::read_dir(&self.temporary).unwrap().collect();
        assert!(files.is_empty(), "{files:?}");
    }
}

/// Processes that work in a directory below this one.
fn processes_in(directory: &Path) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let works_in = std::fs::read_link(entry.path().join("cwd")).ok()?;
            works_in.starts_with(directory).then_some(pid)
        })
        .collect()
}

fn words<'s>(summary: &'s Value, list: &str, field: &str) -> Vec<&'s str> {
    let items = summary[list].as_array().unwrap().iter();
    items.map(|item| item[field].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_promise_holds_while_processes_redis_and_vendors_fail() {
    let changes: usize = match std::env::var("ALUMNIQ_RELAY_CHAOS_CHANGES") {
        Ok(changes) => changes.parse().unwrap(),
        Err(_) => 20_000,
    };
    let seed: u32 = rand::random();
    println!("seed {seed}");
    let summary = Chaos::new()
        .holds(&[
            "--seed",
            &seed.to_string(),
            "--changes",
            &changes.to_string(),
            "--people",
            &changes.div_ceil(4).to_string(),
        ])
        .await;
    println!("{summary:#}");
    assert_eq!(summary["acknowledged"], changes);
    // The plan's own tests say that each fault happens; here that it hit something.
    let counts = &summary["counts"];
    assert_eq!(counts["outages"], 6, "each vendor, in two ways");
    let number = |of: &Value| of.as_u64().unwrap();
    assert!(number(&counts["kills"]) > 0 && number(&counts["zombies"]) > 0);
    assert!(number(&counts["redis"]) >= 4);
    assert!(number(&summary["refused_settles"]) > 0);
    assert!(number(&summary["answers_lost"]) > 0 && number(&summary["repeats"]) > 0);
    for left_out in words(&summary, "left_out", "fault") {
        assert!(["redis-cut", "skew"].contains(&left_out), "{left_out}");
    }
}

#[tokio::test]
async fn on_somebodys_redis_nothing_is_touched_but_a_namespace_that_is_gone_in_the_end() {
    let redis = Redis::start().await;
    let mut connection = redis.connect().await;
    let mut ask = async |command: &[&str]| -> redis::Value {
        let (name, rest) = command.split_first().unwrap();
        let mut command = redis::cmd(name);
        command.arg(rest);
        command.query_async(&mut connection).await.unwrap()
    };
    let integer = redis::Value::Int;
    // Neighbours whose names are like the namespace's.
    let neighbours = [
        "chaos-5",
        "chaos-5:change:1",
        "{chaos-55}:ack",
        "{alumniq}:ack",
    ];
    for key in neighbours {
        ask(&["SET", key, "mine"]).await;
    }
    let limit = ask(&["CONFIG", "GET", "maxmemory*"]).await;
    let url = redis.url();
    let arguments = [
        "--redis",
        &url,
        "--seed",
        "5",
        "--changes",
        "600",
        "--people",
        "150",
    ];
    let arguments = [&arguments[..], &["--without", "vendor-stop,vendor-errors"]].concat();
    let chaos = Chaos::new();

    ask(&["SET", "{chaos-5}:ack", "somebody's"]).await;
    let (code, _, stderr) = chaos.run(&arguments).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("in use"), "{stderr}");
    assert_eq!(ask(&["DEL", "{chaos-5}:ack"]).await, integer(1));

    let summary = chaos.holds(&arguments).await;
    let left_out = words(&summary, "left_out", "fault");
    let theirs = ["redis-restart", "redis-kill", "redis-full"];
    assert!(theirs.iter().all(|fault| left_out.contains(fault)));
    let done = words(&summary, "schedule", "what").join(", ");
    for act in ["Redis is emptied", "every connection to Redis is cut"] {
        assert!(done.contains(act), "{done}");
    }
    assert_eq!(ask(&["DBSIZE"]).await, integer(4), "only the neighbours");
    for key in neighbours {
        let value = ask(&["GET", key]).await;
        assert_eq!(value, redis::Value::BulkString(b"mine".to_vec()), "{key}");
    }
    assert_eq!(ask(&["CONFIG", "GET", "maxmemory*"]).await, limit);
}

#[tokio::test]
async fn ctrl_c_leaves_no_process_and_no_file_not_even_of_a_process_that_is_stopped() {
    let chaos = Chaos::new();
    let output = tempfile::tempdir().unwrap();
    let said = output.path().join("stdout");
    let mut running = chaos
        .command(&["--changes", "2000", "--people", "400", "--faults", "stop"])
        .stdout(std::fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    until_true("a process is stopped", async || {
        std::fs::read_to_string(&said)
            .unwrap()
            .contains("is stopped")
    })
    .await;
    // The fleet and its Redis.
    assert_eq!(processes_in(chaos.temporary.path()).len(), 5);
    let pid = running.id().unwrap().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(sent.unwrap().success());
    assert_eq!(running.wait().await.unwrap().code(), Some(130));
    chaos.is_clean();
}

#[tokio::test]
async fn a_run_that_is_killed_leaves_no_process() {
    let chaos = Chaos::new();
    let mut running = chaos
        .command(&["--changes", "20000", "--people", "400"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let living = || processes_in(chaos.temporary.path()).len();
    until_true("the fleet and its Redis run", async || living() >= 5).await;
    running.kill().await.unwrap();
    until_true("all have ended", async || living() == 0).await;
}
