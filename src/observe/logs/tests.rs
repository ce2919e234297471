use std::{
    io::Write,
    net::TcpListener,
    sync::{Arc, Mutex},
};

use super::*;

const KEY: &str = "k3y-that-must-not-leak";

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(format: LogFormat, filter: &str, colours: bool, act: impl FnOnce()) -> String {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let filter = Filters {
        flag: Some(filter),
        ..Filters::default()
    };
    let subscriber = subscriber(format, filter.choose().unwrap(), colours, move || {
        writer.clone()
    });
    tracing::subscriber::with_default(subscriber, act);
    buffer.text()
}

#[test]
fn a_failing_call_logged_at_trace_does_not_show_the_key() {
    // A port that was free a moment ago: the call is refused.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}/sync?apikey={KEY}");
    let text = logged(
        LogFormat::Pretty,
        "trace,reqwest=trace,hyper_util=trace",
        false,
        || {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let error = runtime.block_on(async {
                reqwest::Client::builder()
                    .no_proxy()
                    .build()
                    .unwrap()
                    .get(&url)
                    .send()
                    .await
                    .unwrap_err()
            });
            tracing::trace!(cause = %error.without_url(), "call failed");
        },
    );
    assert!(text.contains("call failed"), "{text}");
    assert!(!text.contains(KEY), "{text}");
    assert!(!text.contains("hyper_util"), "{text}");
}

#[test]
fn a_dependency_speaks_from_warn_up_only_even_when_asked_for_by_name() {
    let text = logged(
        LogFormat::Pretty,
        "trace,reqwest::connect=trace,alumniq_relays=trace",
        false,
        || {
            tracing::debug!(target: "reqwest::connect", "debug of {KEY}");
            tracing::info!(target: "redis", "info of {KEY}");
            tracing::info!(target: "alumniq_relays", "info of {KEY}");
            tracing::warn!(target: "redis", "a warning");
            tracing::trace!(target: "alumniq_relay_queue::trouble", "our trace");
        },
    );
    assert!(!text.contains(KEY), "{text}");
    assert!(
        text.contains("a warning") && text.contains("our trace"),
        "{text}"
    );
}

#[test]
fn the_flag_wins_over_rust_log_and_that_over_the_configuration() {
    let all = Filters {
        flag: Some("error"),
        rust_log: Some("debug"),
        config: Some("trace"),
    };
    for (filters, expected) in [
        (all, "error"),
        (Filters { flag: None, ..all }, "debug"),
        (
            Filters {
                flag: Some(" "),
                ..all
            },
            "debug",
        ),
        (
            Filters {
                flag: None,
                rust_log: Some(""),
                ..all
            },
            "trace",
        ),
        (Filters::default(), DEFAULT_FILTER),
    ] {
        assert_eq!(
            filters.choose().unwrap().to_string(),
            expected,
            "{filters:?}"
        );
    }
}

#[test]
fn a_filter_that_makes_no_sense_is_named_with_its_origin() {
    let filters = Filters {
        config: Some("alumniq_relay=loud"),
        ..Filters::default()
    };
    let message = filters.choose().unwrap_err().to_string();
    assert!(
        message.starts_with("log.level = `alumniq_relay=loud`"),
        "{message}"
    );
}

#[test]
fn json_lines_are_json() {
    let text = logged(LogFormat::Json, "info", false, || {
        tracing::info!(change_id = "42", "applied \"it\"");
    });
    let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(line["message"], "applied \"it\"");
    assert_eq!(line["change_id"], "42");
    assert_eq!(line["level"], "INFO");
}

#[test]
fn colours_need_a_terminal_and_no_objection() {
    for (terminal, no_color, expected) in [
        (true, None, true),
        (true, Some(""), true),
        (true, Some("1"), false),
        (false, None, false),
    ] {
        let no_color = no_color.map(OsStr::new);
        assert_eq!(
            colours(terminal, no_color),
            expected,
            "{terminal} {no_color:?}"
        );
    }
    let plain = logged(LogFormat::Pretty, "info", false, || tracing::info!("plain"));
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
}

/// Names the case of [`a_panic_is_reported_by_its_place_and_never_by_its_message`] that the child plays.
const PANICS: &str = "ALUMNIQ_RELAY_TEST_PANICS";

#[test]
fn a_panic_is_reported_by_its_place_and_never_by_its_message() {
    // The hook is the whole process's, so a child plays the panic.
    if let Some(case) = std::env::var_os(PANICS) {
        report_panics();
        let _flush = FlushAtEnd;
        if case == "logged" {
            init(LogFormat::Json, Some("info"), None).unwrap();
        }
        panic!("{KEY}");
    }
    for (case, says) in [("plain", "panicked at src"), ("logged", "\"place\":\"src")] {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["a_panic_is_reported_by_its_place", "--nocapture"])
            .env(PANICS, case)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[child.stdout, child.stderr].concat()).into_owned();
        assert!(!child.status.success());
        assert!(said.contains(says) && said.contains("tests.rs:"), "{said}");
        assert!(!said.contains(KEY), "{said}");
    }
}
