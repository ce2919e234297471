//! Processes with a wrong clock, by Debian's `faketime`. Only what tells the date is wrong: timers go on as ever.

use std::{fs, path::Path, process::Command};

/// The variable that names the file with a clock's offset. Where it is set, `FAKETIME` must not be.
pub const OFFSET_FILE: &str = "FAKETIME_TIMESTAMP_FILE";

type Variables = Vec<(&'static str, String)>;

/// The variables of a process whose clock is so many seconds off the tests' own.
pub fn off_by(seconds: i64) -> Variables {
    variables(format!("{:+}", own_offset().unwrap_or(0) + seconds))
}

/// The variables of a process whose clock shows `utc` (`2024-02-29 23:59:48`) at its start.
pub fn starting_at(utc: &str) -> Variables {
    let mut variables = variables(format!("@{utc}"));
    variables.push(("TZ", "UTC".to_owned())); // in which the date is read
    variables
}

/// The variables of a process whose clock [`set_offset`] moves while it runs.
pub fn by_file(file: &Path) -> Variables {
    // An inherited offset would outrank the file's.
    let mut variables = variables(String::new());
    variables.push((OFFSET_FILE, file.display().to_string()));
    // Seconds. To read the file each time would cost more than most of Redis' commands.
    variables.push(("FAKETIME_CACHE_DURATION", "1".to_owned()));
    variables
}

/// Sets a clock of [`by_file`] so many seconds ahead of the tests' own; the process sees that about a second later.
pub fn set_offset(file: &Path, seconds: i64) {
    // Replaced at once: the process must never read half of it.
    let next = file.with_extension("next");
    fs::write(
        &next,
        format!("{:+}\n", own_offset().unwrap_or(0) + seconds),
    )
    .unwrap();
    fs::rename(next, file).unwrap();
}

/// The variables by which a process that inherits no others shares the tests' clock and zone.
pub fn own() -> Variables {
    let offset = own_offset().map(|seconds| variables(format!("{seconds:+}")));
    let zone = std::env::var("TZ").ok().map(|zone| ("TZ", zone));
    offset.into_iter().flatten().chain(zone).collect()
}

/// By how many seconds the tests' own clock is off: `deploy/test.sh` also runs them at another date.
fn own_offset() -> Option<i64> {
    let offset = std::env::var("FAKETIME").ok()?;
    Some(offset.parse().expect("FAKETIME is a number of seconds"))
}

fn variables(time: String) -> Variables {
    clear_up();
    vec![
        ("FAKETIME", time),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        // Redis' own allocator asks for the time before the library is ready for that; libc's does not.
        ("LD_PRELOAD", format!("{}:libc.so.6", library())),
    ]
}

/// Removes what the library keeps in memory for processes that were killed: one that is given the same number later
/// would find it there and have a right clock.
fn clear_up() {
    for entry in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name
            .strip_prefix("sem.")
            .unwrap_or(&name)
            .strip_prefix("faketime_")
            .and_then(|rest| rest.split_once('_'))
            .map(|(_, number)| number);
        if number.is_some_and(|number| !Path::new("/proc").join(number).exists()) {
            // Another test may have removed it.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Where the package keeps its library.
fn library() -> String {
    let shown = Command::new("faketime")
        .args(["-f", "+0", "printenv", "LD_PRELOAD"])
        .env_remove("LD_PRELOAD") // it does not start twice
        .output()
        .expect("faketime is installed");
    String::from_utf8(shown.stdout).unwrap().trim().to_owned()
}
