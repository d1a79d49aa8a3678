//! A: the framing and the size of requests.

use std::time::Duration;

use super::*;

/// The service's limit for the headers, and for the body after them (its settings' defaults).
const HEADERS_WITHIN: Duration = Duration::from_secs(5);
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// What a loaded machine may add, and the seconds in which a connection is closed.
const SLACK: Duration = Duration::from_secs(4);

#[tokio::test]
async fn a1_a2_a3_slow_senders_are_cut_off() {
    let shared = Shared::sqlite().await;
    let integration = shared.service.api().integration("webhook", "slow").await;
    let head = |path: &str| format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
    let (on_v2, on_native) = (head(V2), head(native(&integration)));
    let (headers, silence, v2, native) = tokio::join!(
        trickle(shared.address(), b"POST /v2/enqueue HTTP/1.1\r\n", b"X-A: b\r\n"),
        trickle(shared.address(), b"", b""),
        trickle(shared.address(), on_v2.as_bytes(), b"{"),
        trickle(shared.address(), on_native.as_bytes(), b"{"),
    );
    assert_eq!(status_of(&headers.0), 408, "{headers:?}");
    assert!(matches!(status_of(&silence.0), 0 | 408), "{silence:?}");
    for (text, took) in [headers, silence] {
        assert!(took < HEADERS_WITHIN + SLACK, "{took:?}: {text}");
    }
    for (text, took) in [v2, native] {
        assert_eq!(status_of(&text), 408, "{text}");
        assert!(took < BODY_WITHIN + SLACK, "{took:?}: {text}");
    }
}

/// Writes `beginning`, then `piece` again and again until the service closes.
async fn trickle(address: &str, beginning: &[u8], piece: &[u8]) -> (String, Duration) {
    let begun = Instant::now();
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let write = async {
        let _ = writer.write_all(beginning).await;
        while writer.write_all(piece).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut text = Vec::new();
    let read = async {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut buffer).await {
            text.extend_from_slice(&buffer[..count]);
        }
    };
    tokio::select! {
        () = write => {}
        () = read => {}
        () = tokio::time::sleep(BODY_WITHIN * 2) => panic!("the connection stays open"),
    }
    (String::from_utf8_lossy(&text).into_owned(), begun.elapsed())
}

#[tokio::test]
async fn a4_a_length_beyond_all_bounds_is_refused_before_the_body() {
    let shared = Shared::sqlite().await;
    let integration = shared.service.api().integration("webhook", "great lengths").await;
    for (path, status) in [(V2, 400), (V1, 400), (API, 413), (native(&integration), 413)] {
        for length in ["99999999999", "18446744073709551615"] {
            let mut wire = Wire::open(shared.address()).await;
            let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
            wire.write(head.as_bytes()).await.unwrap();
            let (text, took) = wire.read_to_end(BODY_WITHIN).await;
            assert_eq!(status_of(&text), status, "{path}: {text}");
            assert!(took < BODY_WITHIN - SLACK, "{path}: {took:?}");
        }
    }
}

#[tokio::test]
async fn a5_a_body_of_the_limit_is_taken_and_one_byte_more_is_not() {
    let shared = Shared::sqlite().await;
    let api = shared.service.api();
    let events = api.integration("events", "sizes").await;
    let webhook = api.integration("webhook", "native sizes").await;
    let cases = [
        (V2, PAGERDUTY_BODY, 202, 400),
        (API, PAGERDUTY_BODY, 202, 413),
        (native(&events), NATIVE_BODY, 202, 413),
        (native(&webhook), NATIVE_BODY, 202, 413),
    ];
    for (path, limit, taken, refused) in cases {
        for (size, status) in [(limit, taken), (limit + 1, refused), (limit * 2, refused)] {
            let body = trigger_of(&events.key, size);
            assert_eq!(body.len(), size);
            let reply = shared.post("192.0.2.5", path, &[], &body).await;
            assert_eq!(reply.status, status, "{path}, {size} bytes: {}", reply.json());
            let reply = raw::send(shared.address(), &chunked(path, &body)).await;
            assert_decent(&reply);
            assert_eq!(reply.status, status, "{path}, {size} bytes in chunks: {}", reply.json());
            if (path, size) == (V2, limit + 1) {
                invalid_event(&reply);
            }
        }
    }
}

fn chunked(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut bytes = head.into_bytes();
    for chunk in body.chunks(60_000) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// One request a line: the row, the statuses allowed, and its bytes.
#[tokio::test]
async fn a6_to_a11_framing_that_two_readers_could_read_differently_is_refused() {
    let shared = Shared::sqlite().await;
    let post = |headers: &str, body: &str| format!("POST /v2/enqueue HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}");
    let many: String = (0..200).map(|n| format!("X-{n}: a\r\n")).collect();
    let long = format!("X-A: {}\r\nContent-Length: 2\r\n", "a".repeat(200_000));
    let target = format!("POST /v2/enqueue?{} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{{}}", "a".repeat(70_000));
    let cases: &[(&str, &[u16], String)] = &[
        ("a6 length and encoding", &[400], post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
        ("a6 encoding and length", &[400], post("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", "0\r\n\r\n")),
        ("a7 two lengths", &[400], post("Content-Length: 2\r\nContent-Length: 3\r\n", "{} ")),
        ("a7 a signed length", &[400], post("Content-Length: +2\r\n", "{}")),
        ("a7 a negative length", &[400], post("Content-Length: -2\r\n", "{}")),
        ("a8 a chunk beyond all bounds", &[400], post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n")),
        ("a8 an encoding that is none", &[400], post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")),
        ("a9 200 headers", &[400, 431], post(&many, "")),
        ("a9 a header of 200 KB", &[400, 431], post(&long, "{}")),
        ("a10 a target of 70 KB", &[400, 414], target),
        ("a11 no host", &[400], "POST /v2/enqueue HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}".to_owned()),
        ("a11 bare line feeds", &[400], "POST /v2/enqueue HTTP/1.1\nHost: a\nContent-Length: 2\n\n{}".to_owned()),
    ];
    let mut failures = Vec::new();
    for (name, statuses, bytes) in cases {
        let mut wire = Wire::open(shared.address()).await;
        let _ = wire.write(bytes.as_bytes()).await;
        // One that is taken for the beginning of a request must not stay open for ever either.
        let _ = wire.stream.shutdown().await;
        let (text, _) = wire.read_to_end(BODY_WITHIN + SLACK).await;
        let status = status_of(&text);
        if !statuses.contains(&status) {
            failures.push(format!("{name}: expected {statuses:?}, got {status}: {}", text.get(..300).unwrap_or(&text)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn a15_other_protocols_and_methods_reach_no_handler() {
    let shared = Shared::sqlite().await;
    let integration = shared.service.api().integration("webhook", "other methods").await;
    let path = native(&integration);
    let cases = [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "TRACE /v2/enqueue HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(),
        "CONNECT /v2/enqueue HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(),
        "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nConnection: close\r\n\r\n".to_owned(),
        "BREW /v2/enqueue HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
        "POST /v2/enqueue HTTP/3.7\r\nHost: a\r\n\r\n".to_owned(),
        format!("TRACE {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        format!("DELETE {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        format!("BREW {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\r\n\r\n".to_owned(),
    ];
    for bytes in cases {
        let mut wire = Wire::open(shared.address()).await;
        wire.write(bytes.as_bytes()).await.unwrap();
        let _ = wire.stream.shutdown().await;
        let (text, _) = wire.read_to_end(BODY_WITHIN).await;
        assert!(matches!(status_of(&text), 400 | 404 | 405 | 505), "{bytes:?}: {text}");
    }
    assert!(shared.service.api().events(&integration).await.is_empty());
}

#[tokio::test]
async fn a16_an_oversized_length_is_refused_before_the_body_is_asked_for() {
    let shared = Shared::sqlite().await;
    let integration = shared.service.api().integration("webhook", "expecting").await;
    for (path, length, status) in [(native(&integration), NATIVE_BODY + 1, 413), (V2, PAGERDUTY_BODY + 1, 400)] {
        let mut wire = Wire::open(shared.address()).await;
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n");
        wire.write(head.as_bytes()).await.unwrap();
        let (text, took) = wire.read_to_end(BODY_WITHIN).await;
        assert_eq!(status_of(&text), status, "{path}: {text}");
        assert!(took < BODY_WITHIN - SLACK, "{path}: {took:?}");
    }
}
