//! F16: receivers whose TLS cannot be trusted. There is no switch to look away.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use super::{destination_from, send, sender, start_with};
use crate::support::authority::{Issued, Validity, self_signed};
use crate::support::{Authority, Database, eventually};

on_both!(f16_tls_that_cannot_be_trusted_is_a_failed_attempt_that_says_why);

async fn f16_tls_that_cannot_be_trusted_is_a_failed_attempt_that_says_why(database: Database) {
    let authority = Authority::new();
    let trusted = authority.certificate();
    let settings = [("SSL_CERT_FILE", trusted.to_str().unwrap()), ("CALLBOX_DELIVERY_TIMEOUT", "3s")];
    let service = start_with(&database, &settings).await;
    let here = |validity| authority.issue_for(&["127.0.0.1"], validity);
    let cases = [
        ("expired", serve(here(Validity::Over)), "its certificate has expired"),
        ("early", serve(here(Validity::NotYet)), "its certificate is not valid yet"),
        ("other-name", serve(authority.issue_for(&["elsewhere.example"], Validity::Now)), "its certificate is for another name"),
        ("self-signed", serve(self_signed("127.0.0.1")), "its certificate is signed by nobody that this machine trusts"),
        ("stranger", serve(Authority::new().issue()), "its certificate is signed by nobody that this machine trusts"),
        // The alert of a server that speaks no version that was offered: protocol_version.
        ("old", raw(b"\x15\x03\x01\x00\x02\x02\x46"), "it speaks no TLS that is safe: 1.2 or 1.3"),
        ("plain", raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "it does not speak TLS as it should"),
    ];
    let api = service.api();
    for (name, address, why) in cases {
        let fields = json!({"name": name, "kind": "webhook", "url": format!("https://{address}/hook"), "no_rule": true});
        let id = destination_from(&service, fields).await;
        let tried = api.post(&format!("/api/v1/destinations/{id}/test"), &json!({})).await.body;
        assert_eq!(tried["result"], "later", "{name}: {tried}");
        assert_eq!(tried["reason"], format!("127.0.0.1 cannot be reached: {why}"), "{name}");
    }
    // A real delivery waits for its next attempt, and says the same.
    let address = serve(here(Validity::Over));
    destination_from(&service, json!({"name": "ops", "kind": "webhook", "url": format!("https://{address}/hook")})).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    eventually(async || {
        let list = api.get("/api/v1/deliveries?status=retrying").await.body;
        let reason = list["items"][0]["reason"].as_str().unwrap_or_default();
        if reason.contains("its certificate has expired") { Ok(()) } else { Err(list.to_string()) }
    })
    .await;
    // Signed by the authority that the machine was told to trust, for this name, today.
    let address = serve(here(Validity::Now));
    let fields = json!({"name": "good", "kind": "webhook", "url": format!("https://{address}/hook"), "no_rule": true});
    let id = destination_from(&service, fields).await;
    let tried = api.post(&format!("/api/v1/destinations/{id}/test"), &json!({})).await.body;
    assert_eq!(tried["result"], "delivered", "{tried}");
}

/// A receiver that shows this certificate and answers 200; where it listens.
fn serve(issued: Issued) -> std::net::SocketAddr {
    let chain = vec![CertificateDer::from(issued.der)];
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    listen(move |stream| {
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
        let mut bytes = [0; 16 * 1024];
        // What it is told is small, and of no interest.
        if stream.read(&mut bytes).is_ok_and(|read| read > 0) {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    })
}

/// A receiver that answers with these bytes, whatever it is told.
fn raw(answer: &'static [u8]) -> std::net::SocketAddr {
    listen(move |mut stream| {
        let mut bytes = [0; 4 * 1024];
        let _ = stream.read(&mut bytes);
        let _ = stream.write_all(answer);
    })
}

fn listen(serve: impl Fn(TcpStream) + Send + 'static) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            serve(stream);
        }
    });
    address
}
