use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use super::*;

#[test]
fn what_is_not_global_is_not_public() {
    let private = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "100::1",
        "2001::1",
        "2001:0:7f00:1::",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ];
    for address in private {
        assert!(!address::is_public(address.parse().unwrap()), "{address}");
    }
    let public = [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.255.255",
        "172.32.0.1",
        "192.0.1.1",
        "192.167.255.255",
        "198.17.255.255",
        "198.20.0.1",
        "223.255.255.255",
        "168.63.129.17",
        "2606:4700::1111",
        "2a00:1450::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ];
    for address in public {
        assert!(address::is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn what_the_operator_names_is_allowed_in_every_spelling() {
    let guard = Guard::new(&["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()]);
    for yes in ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1", "8.8.8.8"] {
        assert!(guard.permits(yes.parse().unwrap()), "{yes}");
    }
    for no in ["10.2.0.1", "::ffff:10.2.0.1", "fc00::1", "127.0.0.1"] {
        assert!(!guard.permits(no.parse().unwrap()), "{no}");
    }
    let inside = guard.inside();
    assert!(inside.permits("10.1.2.3".parse().unwrap()) && !inside.permits("8.8.8.8".parse().unwrap()));
}

fn client(allowed: &[&str]) -> Client {
    let allowed: Vec<_> = allowed.iter().map(|net| net.parse().unwrap()).collect();
    Client::new(Guard::new(&allowed), Plain::Inside, Duration::from_millis(500), 1024).unwrap()
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// A server that answers every connection with `answer`, and counts them.
async fn server(answer: &'static [u8]) -> (SocketAddr, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let met = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = met.clone();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let mut head = [0; 4096];
            let _ = socket.read(&mut head).await;
            let _ = socket.write_all(answer).await;
            if answer.ends_with(b"...") {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
        }
    });
    (address, met)
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";

#[tokio::test]
async fn nothing_private_is_reached_however_it_is_written() {
    let (address, met) = server(OK).await;
    let port = address.port();
    let client = client(&[]);
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0",
        "localhost",
        "localhost.",
        "１２７.0.0.1",
    ];
    for host in hosts {
        for scheme in ["http", "https"] {
            let failure = client.get(&url(&format!("{scheme}://{host}:{port}/"))).await.unwrap_err();
            // Not every resolver knows the name with its dot.
            let unknown = host == "localhost." && matches!(failure, Failure::Unreachable(..));
            assert!(unknown || matches!(failure, Failure::Address(_)), "{scheme} {host}: {failure:?}");
        }
    }
    assert_eq!(met.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_is_allowed_is_reached() {
    let (address, _) = server(OK).await;
    let client = client(&["127.0.0.0/8", "::1/128"]);
    for host in ["127.0.0.1", "localhost"] {
        let answer = client.get(&url(&format!("http://{host}:{}/", address.port()))).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice(), answer.cut), (200, &b"hello"[..], false));
    }
}

#[tokio::test]
async fn plain_http_goes_inside_only() {
    let client = client(&["127.0.0.0/8"]);
    assert_eq!(client.check(&url("http://8.8.8.8/")), Err(Failure::Address("8.8.8.8".into())));
    assert_eq!(client.check(&url("https://8.8.8.8/")), Ok(()));
    for (text, why) in [
        ("https://me:secret@8.8.8.8/", "it holds a user name"),
        ("file:///etc/passwd", "it is neither https nor http"),
        ("gopher://8.8.8.8/", "it is neither https nor http"),
    ] {
        assert_eq!(client.check(&url(text)), Err(Failure::Url(why)), "{text}");
    }
    assert!(client.check(&url("https://a.example\\@127.0.0.1/")).is_ok(), "the parsed host counts, which is a.example");
}

#[tokio::test]
async fn redirects_are_answers_and_not_followed() {
    let (inner, met) = server(OK).await;
    let text = format!("HTTP/1.1 302 Found\r\nLocation: http://{inner}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let (outer, _) = server(Box::leak(text.into_boxed_str()).as_bytes()).await;
    let answer = client(&["127.0.0.1/32"]).get(&url(&format!("http://{outer}/"))).await.unwrap();
    assert_eq!((answer.status, met.load(std::sync::atomic::Ordering::SeqCst)), (302, 0));
}

#[tokio::test]
async fn answers_are_bounded_in_bytes_and_time() {
    let mut long = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    long.resize(100_000, b'x');
    let (address, _) = server(Box::leak(long.into_boxed_slice())).await;
    let client = client(&["127.0.0.0/8"]);
    let answer = client.get(&url(&format!("http://{address}/"))).await.unwrap();
    assert_eq!((answer.body.len(), answer.cut), (1024, true));
    let (slow, _) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello...").await;
    assert_eq!(client.get(&url(&format!("http://{slow}/"))).await.unwrap_err(), Failure::Late("127.0.0.1".into()));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(
        client.get(&url(&format!("http://{closed}/"))).await.unwrap_err(),
        Failure::Unreachable("127.0.0.1".into(), "the connection is refused")
    );
}

#[test]
fn an_address_is_looked_at_as_what_it_stands_for() {
    let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
    assert!(!Guard::new(&[]).permits(mapped));
}

#[test]
fn f4_a_name_with_one_inner_address_is_refused_whole() {
    let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
    let guard = Guard::new(&[]);
    assert!(super::client::vetted_all(&guard, vec![at("8.8.8.8"), at("2606:4700::1111")]).is_ok());
    assert!(super::client::vetted_all(&guard, vec![at("8.8.8.8"), at("10.0.0.1")]).is_err());
    assert!(super::client::vetted_all(&guard, vec![at("::1"), at("8.8.8.8")]).is_err());
}
