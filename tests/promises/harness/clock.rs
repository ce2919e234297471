//! Processes with a wrong clock, by Debian's `faketime`. Only what tells the date is wrong: timers go on as ever.

use std::process::Command;

/// The variables of a process whose clock shows `time`: `+3600` and `-3600` are seconds off, `@2024-02-29 23:59:48`
/// (UTC) is what it shows at its start.
pub fn variables(time: &str) -> [(&'static str, String); 4] {
    [
        ("FAKETIME", time.to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        // In which the date is read.
        ("TZ", "UTC".to_owned()),
        // Redis' own allocator asks for the time before the library is ready for that; libc's does not.
        ("LD_PRELOAD", format!("{}:libc.so.6", library())),
    ]
}

/// Where the package keeps its library.
fn library() -> String {
    let shown = Command::new("faketime")
        .args(["-f", "+0", "printenv", "LD_PRELOAD"])
        .output()
        .expect("faketime is installed");
    String::from_utf8(shown.stdout).unwrap().trim().to_owned()
}
