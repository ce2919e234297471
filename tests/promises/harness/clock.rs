//! Processes with a wrong clock, by Debian's `faketime`. Only what tells the date is wrong: timers go on as ever.

use std::{path::Path, process::Command};

/// The variables of a process whose clock shows `time`: `+3600` and `-3600` are seconds off, `@2024-02-29 23:59:48`
/// (UTC) is what it shows at its start.
pub fn variables(time: &str) -> [(&'static str, String); 4] {
    clear_up();
    [
        ("FAKETIME", time.to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        // In which the date is read.
        ("TZ", "UTC".to_owned()),
        // Redis' own allocator asks for the time before the library is ready for that; libc's does not.
        ("LD_PRELOAD", format!("{}:libc.so.6", library())),
    ]
}

/// Removes what the library keeps in memory for processes that were killed: one that is given the same number later
/// would find it there and have a right clock.
fn clear_up() {
    for entry in std::fs::read_dir("/dev/shm")
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name
            .strip_prefix("sem.")
            .unwrap_or(&name)
            .strip_prefix("faketime_")
            .and_then(|rest| rest.split_once('_'))
            .map(|(_, number)| number);
        if number.is_some_and(|number| !Path::new("/proc").join(number).exists()) {
            // Another test may have removed it.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Where the package keeps its library.
fn library() -> String {
    let shown = Command::new("faketime")
        .args(["-f", "+0", "printenv", "LD_PRELOAD"])
        .output()
        .expect("faketime is installed");
    String::from_utf8(shown.stdout).unwrap().trim().to_owned()
}
