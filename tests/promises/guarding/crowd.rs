//! Clients that take every place they can get.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{Guarded, VIEWER};

/// Longer than any answer takes, shorter than the server waits for a request's head.
const AT_ONCE: Duration = Duration::from_secs(8);

#[tokio::test]
async fn three_hundred_clients_that_dribble_keep_no_probe_out() {
    let guarded = Guarded::start().await;
    let mut crowd = Vec::new();
    for _ in 0..300 {
        let mut client = TcpStream::connect(guarded.service.address()).await.unwrap();
        client.write_all(b"G").await.unwrap();
        crowd.push(client);
    }
    for path in ["/healthz", "/readyz", "/healthz"] {
        let answer = timeout(AT_ONCE, guarded.service.get(path)).await;
        assert_eq!(answer.map(|answer| answer.0).ok(), Some(200), "{path}");
    }
    // Nor do those whose bodies never end.
    let head = "POST /login HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 1000\r\n\r\nt";
    for _ in 0..300 {
        let mut client = TcpStream::connect(guarded.service.address()).await.unwrap();
        client.write_all(head.as_bytes()).await.unwrap();
        crowd.push(client);
    }
    for path in ["/healthz", "/readyz"] {
        let answer = timeout(AT_ONCE, guarded.service.get(path)).await;
        assert_eq!(answer.map(|answer| answer.0).ok(), Some(200), "{path}");
    }
}

#[tokio::test]
async fn one_client_watches_only_so_many_pages_and_is_told_when_to_ask_again() {
    let guarded = Guarded::start().await;
    let request = format!(
        "GET /live?page=overview HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {VIEWER}\r\n\r\n"
    );
    let mut watching = Vec::new();
    let refused = loop {
        let mut client = TcpStream::connect(guarded.service.address()).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 1024];
        let read = client.read(&mut head).await.unwrap();
        let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
        if !head.starts_with("http/1.1 200") {
            break head;
        }
        watching.push(client);
        assert!(watching.len() < 64, "nobody is refused");
    };
    assert!(refused.starts_with("http/1.1 429"), "{refused}");
    assert!(refused.contains("retry-after: 30"), "{refused}");
    assert_eq!(guarded.service.get("/healthz").await.0, 200);
}
