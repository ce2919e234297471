use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::PathBuf,
    process::{Command, Stdio},
};

use redis::AsyncCommands;
use tempfile::TempDir;

use super::*;

const SERVER: &str = "redis-server";

async fn connect(redis: &EmbeddedRedis) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(redis.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

async fn pid(redis: &EmbeddedRedis) -> String {
    let info: String = redis::cmd("INFO")
        .arg("server")
        .query_async(&mut connect(redis).await)
        .await
        .unwrap();
    let pid = info
        .lines()
        .find_map(|line| line.strip_prefix("process_id:"));
    pid.unwrap().trim().to_owned()
}

fn kill(pid: &str) {
    assert!(
        Command::new("kill")
            .args(["-9", pid])
            .status()
            .unwrap()
            .success()
    );
}

/// Whether a server lives in the directory.
fn is_served(directory: &std::path::Path) -> bool {
    let lock = Lock::open(&directory.join("server.lock")).unwrap();
    !lock.try_exclusive().unwrap()
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn directory() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("data/redis");
    (folder, directory)
}

#[tokio::test]
async fn users_share_one_server_and_the_last_one_stops_it() {
    let (_folder, directory) = directory();
    let (one, two) = tokio::join!(
        EmbeddedRedis::start(&directory, SERVER),
        EmbeddedRedis::start(&directory, SERVER)
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(pid(&one).await, pid(&two).await);
    one.stop().await.unwrap();
    assert!(is_served(&directory));
    assert!(!ensure_running(&two.home, SERVER).await.unwrap());
    two.stop().await.unwrap();
    assert!(!is_served(&directory));
}

#[tokio::test]
async fn data_outlives_an_orderly_stop_and_nobody_else_can_read_it() {
    let (_folder, directory) = directory();
    let redis = EmbeddedRedis::start(&directory, SERVER).await.unwrap();
    let _: () = connect(&redis).await.set("k", "v").await.unwrap();
    redis.stop().await.unwrap();
    assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
    let redis = EmbeddedRedis::start(&directory, SERVER).await.unwrap();
    let value: String = connect(&redis).await.get("k").await.unwrap();
    assert_eq!(value, "v");
    redis.stop().await.unwrap();
}

#[tokio::test]
async fn the_server_is_durable_and_never_evicts() {
    let (_folder, directory) = directory();
    let redis = EmbeddedRedis::start(&directory, SERVER).await.unwrap();
    let mut connection = connect(&redis).await;
    for (option, value) in [
        ("appendonly", "yes"),
        ("appendfsync", "everysec"),
        ("maxmemory-policy", "noeviction"),
        ("save", ""),
        ("port", "0"),
    ] {
        let found: Vec<String> = redis::cmd("CONFIG")
            .arg("GET")
            .arg(option)
            .query_async(&mut connection)
            .await
            .unwrap();
        assert_eq!(found, [option, value]);
    }
    redis.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_killed_comes_back_with_its_data() {
    let (_folder, directory) = directory();
    let redis = EmbeddedRedis::start(&directory, SERVER).await.unwrap();
    let mut connection = connect(&redis).await;
    let _: () = connection.set("k", "v").await.unwrap();
    let killed = pid(&redis).await;
    kill(&killed);
    until(|| !is_served(&directory)).await;
    assert!(ensure_running(&redis.home, SERVER).await.unwrap());
    assert_ne!(pid(&redis).await, killed);
    let value: String = connect(&redis).await.get("k").await.unwrap();
    assert_eq!(value, "v");
    redis.stop().await.unwrap();
}

/// What a power failure leaves of a file whose new size was written and whose new content was not.
#[tokio::test]
async fn a_file_that_ends_in_zeros_is_refused_with_the_remedy_that_mends_it() {
    let (_folder, directory) = directory();
    let redis = EmbeddedRedis::start(&directory, SERVER).await.unwrap();
    let _: () = connect(&redis).await.set("k", "v").await.unwrap();
    redis.stop().await.unwrap();
    let parts = fs::read_dir(directory.join("appendonlydir")).unwrap();
    let newest = parts
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().ends_with(".incr.aof"))
        .unwrap();
    let mut text = fs::read(&newest).unwrap();
    text.extend([0; 512]);
    fs::write(&newest, text).unwrap();
    let error = EmbeddedRedis::start(&directory, SERVER).await.unwrap_err();
    let EmbeddedError::Damaged { manifest, .. } = &error else {
        panic!("{error}");
    };
    let said = error.to_string();
    assert!(said.contains("AlumnIQ still lists everything"), "{said}");
    assert!(
        said.contains(&format!("`redis-check-aof --fix {manifest}`")),
        "{said}"
    );
    let mut check = Command::new("redis-check-aof")
        .args(["--fix", manifest])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut check.stdin.take().unwrap(), b"y\n").unwrap();
    assert!(check.wait().unwrap().success());
    let redis = EmbeddedRedis::start(&directory, SERVER).await.unwrap();
    let value: String = connect(&redis).await.get("k").await.unwrap();
    assert_eq!(value, "v");
    redis.stop().await.unwrap();
}

#[tokio::test]
async fn supervision_restarts_a_server_that_is_killed() {
    let (_folder, directory) = directory();
    let redis = EmbeddedRedis::start(&directory, SERVER).await.unwrap();
    kill(&pid(&redis).await);
    until(|| !is_served(&directory)).await;
    let restarted = async {
        while redis::Client::open(redis.url())
            .unwrap()
            .get_multiplexed_async_connection()
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        never = redis.supervise() => match never {},
        () = restarted => {}
    }
    redis.stop().await.unwrap();
}

#[tokio::test]
async fn a_user_that_ends_early_stops_the_server_unless_another_uses_it() {
    let (_folder, directory) = directory();
    let one = EmbeddedRedis::start(&directory, SERVER).await.unwrap();
    let other = EmbeddedRedis::start(&directory, SERVER).await.unwrap();
    drop(one);
    let mut connection = connect(&other).await;
    let _: () = connection.set("k", "v").await.unwrap();
    drop(other);
    until(|| !is_served(&directory)).await;
    let redis = EmbeddedRedis::start(&directory, SERVER).await.unwrap();
    let value: String = connect(&redis).await.get("k").await.unwrap();
    assert_eq!(value, "v", "it had saved its data");
    redis.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_whose_user_was_killed_is_adopted() {
    let (_folder, directory) = directory();
    let mut user = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "embedded::tests::a_user_to_kill",
            "--ignored",
            "--nocapture",
        ])
        .env("ALUMNIQ_RELAY_TEST_DATA_DIR", &directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    until(|| directory.join("ready").exists()).await;
    user.kill().await.unwrap();
    assert!(is_served(&directory));
    let left = fs::read_to_string(directory.join("ready")).unwrap();
    let redis = EmbeddedRedis::start(&directory, SERVER).await.unwrap();
    assert_eq!(pid(&redis).await, left);
    redis.stop().await.unwrap();
    assert!(!is_served(&directory));
}

#[tokio::test]
#[ignore = "the process that the test above kills"]
async fn a_user_to_kill() {
    let directory = PathBuf::from(std::env::var_os("ALUMNIQ_RELAY_TEST_DATA_DIR").unwrap());
    let redis = EmbeddedRedis::start(&directory, SERVER).await.unwrap();
    fs::write(directory.join("ready.new"), pid(&redis).await).unwrap();
    fs::rename(directory.join("ready.new"), directory.join("ready")).unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_works_and_is_shared_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("d".repeat(120)).join("with blank & é");
    let one = EmbeddedRedis::start(&directory, SERVER).await.unwrap();
    let two = EmbeddedRedis::start(&directory, SERVER).await.unwrap();
    assert!(one.url().len() < 120);
    assert_eq!(pid(&one).await, pid(&two).await);
    let link = one.home.socket().parent().unwrap().to_owned();
    one.stop().await.unwrap();
    two.stop().await.unwrap();
    fs::remove_file(link).unwrap();
}

#[tokio::test]
async fn a_path_with_blanks_and_other_letters_makes_a_usable_url() {
    let folder = tempfile::tempdir().unwrap();
    let redis = EmbeddedRedis::start(&folder.path().join("a b?é#%"), SERVER)
        .await
        .unwrap();
    let _: () = connect(&redis).await.set("k", "v").await.unwrap();
    redis.stop().await.unwrap();
}

#[tokio::test]
async fn a_missing_program_tells_how_to_get_it() {
    let (_folder, directory) = directory();
    let error = EmbeddedRedis::start(&directory, "no-such-redis-server")
        .await
        .unwrap_err();
    let text = error.to_string();
    for part in [
        "no-such-redis-server",
        "redis.server",
        "apt-get install",
        "dnf",
        "brew",
        "redis.url",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// A program of this shell script.
fn script(folder: &TempDir, text: &str) -> String {
    let path = folder.path().join("fake-server");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn an_old_or_strange_or_failing_program_is_refused() {
    let (folder, directory) = directory();
    for (text, says) in [
        ("echo Redis server v=6.0.16 sha=0:0", "Redis 6.0.16"),
        ("echo hello", "its version"),
        (
            "echo Redis server v=7.2.0; echo disk on fire >&2; exit 1",
            "disk on fire",
        ),
    ] {
        let program = script(&folder, text);
        let error = EmbeddedRedis::start(&directory, &program)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_directory_with_other_files_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.path().join("thesis.doc"), "x").unwrap();
    let error = EmbeddedRedis::start(folder.path(), SERVER)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("a directory of its own"),
        "{error}"
    );
    assert_eq!(fs::metadata(folder.path()).unwrap().mode() & 0o777, 0o755);
}

#[tokio::test]
async fn a_data_directory_that_is_a_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = EmbeddedRedis::start(&file, SERVER).await.unwrap_err();
    assert!(error.to_string().contains("redis.data_dir"), "{error}");
}

#[tokio::test]
async fn a_deleted_socket_never_leads_to_a_second_server() {
    let (_folder, directory) = directory();
    let one = EmbeddedRedis::start(&directory, SERVER).await.unwrap();
    let mut connection = connect(&one).await;
    let _: () = connection.set("k", "v").await.unwrap();
    let first = pid(&one).await;
    fs::remove_file(directory.join("redis.sock")).unwrap();
    // The second user waits for the first server to answer or to end, whichever comes.
    let end = async {
        let socket = directory.join("redis.sock");
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(!socket.exists());
        }
        let _: Result<(), _> = redis::cmd("SHUTDOWN").query_async(&mut connection).await;
    };
    let (two, ()) = tokio::join!(EmbeddedRedis::start(&directory, SERVER), end);
    let two = two.unwrap();
    assert_ne!(pid(&two).await, first);
    let value: String = connect(&two).await.get("k").await.unwrap();
    assert_eq!(value, "v");
    one.stop().await.unwrap();
    two.stop().await.unwrap();
}
