//! Mail, taken by a server that is not ours: PyPI `aiosmtpd`, with STARTTLS, TLS and a login; read by Python's own `email`.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{destination_from, send, sender};
use crate::support::callbox::Options;
use crate::support::tool::{Tool, free_port, installed, repository};
use crate::support::{Authority, Callbox, Database, Integration, eventually, secrets};

on_both!(an_incident_is_one_conversation_of_mails_with_both_forms);
on_both!(tls_from_the_first_byte_and_no_tls_at_all);
on_both!(a_server_that_cannot_be_trusted_or_hides_nothing_gets_no_mail);
on_both!(a_mail_that_is_put_off_comes_again_as_the_same);
on_both!(no_alert_writes_a_header_or_a_second_mail);

const LOGIN: &str = "callbox:hush-hush-mail";

/// A mail server; gone when dropped.
struct Server {
    _tool: Tool,
    mails: PathBuf,
    port: u16,
    _folder: TempDir,
}

impl Server {
    /// `None`, said loudly, where it is not installed.
    async fn start(authority: &Authority, tls: &str, login: &str, grey: usize) -> Option<Self> {
        let python = installed("venv/bin/python")?;
        secrets::remember("hush-hush-mail");
        let (folder, port) = (TempDir::with_prefix("callbox-mail-").unwrap(), free_port());
        let mails = folder.path().join("mails");
        let mut command = Command::new(python);
        command
            .arg(repository().join("tests/it/e2e/clients/smtp_server.py"))
            .env("CALLBOX_TLS", tls)
            .env("CALLBOX_LOGIN", login)
            .env("CALLBOX_GREY", grey.to_string())
            .env("CALLBOX_CERT", authority.file("certificate.pem"))
            .env("CALLBOX_CERT_KEY", authority.file("key.pem"))
            .env("CALLBOX_PORT", port.to_string())
            .env("CALLBOX_MAILS", &mails)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        let tool = Tool::start(command, &folder);
        let output = folder.path().join("output");
        eventually(async || {
            let said = std::fs::read_to_string(&output).unwrap();
            if said.contains("ready") { Ok(()) } else { Err(said) }
        })
        .await;
        Some(Self { _tool: tool, mails, port, _folder: folder })
    }

    /// What has come so far.
    fn seen(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.mails).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn wait(&self, count: usize) -> Vec<Value> {
        eventually(async || {
            let seen = self.seen();
            if seen.len() >= count { Ok(seen) } else { Err(format!("{} of {count} mails", seen.len())) }
        })
        .await
    }
}

/// A service that trusts `authority`.
async fn trusting(database: &Database, authority: &Authority) -> (Callbox, Integration) {
    let environment = vec![
        ("CALLBOX_OUTBOUND_ALLOW".to_owned(), "127.0.0.0/8".to_owned()),
        ("SSL_CERT_FILE".to_owned(), authority.certificate().to_str().unwrap().to_owned()),
    ];
    let service = Callbox::start_with(database, Options { environment, ..Options::default() }).await;
    let tool = sender(&service).await;
    (service, tool)
}

/// A destination of kind `email`; its id.
async fn mailbox(service: &Callbox, scheme: &str, server: &Server, login: Option<&str>, options: Value) -> String {
    let mut all = json!({"from": "Callbox <alerts@callbox.example>", "to": ["ops@example.com", "ann@example.com"]});
    all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    let login =
        login.map(|login| login.split_once(':').unwrap()).map(|(user, password)| json!({"user": user, "password": password}));
    let url = format!("{scheme}://127.0.0.1:{}", server.port);
    let fields =
        json!({"name": format!("{scheme} {}", server.port), "kind": "email", "url": url, "options": all, "basic_auth": login});
    destination_from(service, fields).await
}

/// All values of a header field.
fn header<'a>(mail: &'a Value, name: &str) -> Vec<&'a str> {
    let fields = mail["headers"].as_array().unwrap();
    fields.iter().filter(|field| field[0] == name).map(|field| field[1].as_str().unwrap()).collect()
}

fn one<'a>(mail: &'a Value, name: &str) -> &'a str {
    let values = header(mail, name);
    assert_eq!(values.len(), 1, "{name}: {mail:#}");
    values[0]
}

/// The parts' texts: plain, and HTML.
fn parts(mail: &Value) -> (&str, &str) {
    let part = |index: usize, kind: &str| {
        assert_eq!(mail["parts"][index][0], kind, "{mail:#}");
        mail["parts"][index][1].as_str().unwrap()
    };
    assert_eq!((&mail["type"], mail["parts"].as_array().unwrap().len()), (&json!("multipart/alternative"), 2), "{mail:#}");
    (part(0, "text/plain"), part(1, "text/html"))
}

async fn an_incident_is_one_conversation_of_mails_with_both_forms(database: Database) {
    let authority = Authority::new();
    let Some(server) = Server::start(&authority, "starttls", LOGIN, 0).await else { return };
    let (service, tool) = trusting(&database, &authority).await;
    mailbox(&service, "smtp", &server, Some(LOGIN), json!({})).await;
    for (count, action) in ["trigger", "acknowledge", "resolve"].into_iter().enumerate() {
        send(&service, &tool, action, "disk 🔥").await;
        server.wait(count + 1).await;
    }
    let mails = server.seen();
    for (mail, word) in mails.iter().zip(["Triggered", "Acknowledged", "Resolved"]) {
        assert_eq!((&mail["tls"], &mail["user"], &mail["defects"]), (&json!(true), &json!("callbox"), &json!([])), "{mail:#}");
        assert_eq!(
            (&mail["mail_from"], &mail["rcpt_tos"]),
            (&json!("alerts@callbox.example"), &json!(["ops@example.com", "ann@example.com"]))
        );
        assert_eq!(one(mail, "subject"), format!("{word}: disk 🔥 is in trouble"));
        assert_eq!(
            (one(mail, "from"), one(mail, "to")),
            ("Callbox <alerts@callbox.example>", "ops@example.com, ann@example.com")
        );
        assert_eq!((one(mail, "mime-version"), one(mail, "auto-submitted")), ("1.0", "auto-generated"));
        assert_eq!(one(mail, "date").len(), "Sat, 21 Nov 2026 21:40:08 +0000".len(), "{}", one(mail, "date"));
        let (text, html) = parts(mail);
        assert!(text.starts_with(&format!("{word}: disk 🔥 is in trouble\n")) && text.contains("Source: db1"), "{text}");
        assert!(html.contains("disk 🔥 is in trouble") && html.contains("<td>db1</td>"), "{html}");
        assert!(mail["longest_line"].as_u64().unwrap() <= 998, "{mail:#}");
    }
    // By what they answer to readers know them as one conversation; by their own ids, which is which.
    let incident = service.api().incidents(&tool).await[0]["id"].as_str().unwrap().to_owned();
    let thread = format!("<{incident}@callbox.example>");
    assert!(mails.iter().all(|mail| one(mail, "in-reply-to") == thread && one(mail, "references") == thread), "{mails:#?}");
    let mut ids: Vec<&str> = mails.iter().map(|mail| one(mail, "message-id")).collect();
    assert!(ids.iter().all(|id| id.starts_with("<dlv_") && id.ends_with("@callbox.example>")), "{ids:?}");
    ids.dedup();
    assert_eq!(ids.len(), 3);
    // Another incident is another conversation.
    send(&service, &tool, "trigger", "cpu").await;
    let other = server.wait(4).await.remove(3);
    assert_ne!(one(&other, "references"), thread);
}

async fn tls_from_the_first_byte_and_no_tls_at_all(database: Database) {
    let authority = Authority::new();
    let Some(wrapped) = Server::start(&authority, "tls", LOGIN, 0).await else { return };
    let Some(open) = Server::start(&authority, "none", "", 0).await else { return };
    let (service, tool) = trusting(&database, &authority).await;
    mailbox(&service, "smtps", &wrapped, Some(LOGIN), json!({})).await;
    mailbox(&service, "smtp", &open, None, json!({"tls": "none"})).await;
    send(&service, &tool, "trigger", "disk").await;
    let (wrapped, open) = (wrapped.wait(1).await.remove(0), open.wait(1).await.remove(0));
    assert_eq!((&wrapped["tls"], &wrapped["user"]), (&json!(true), &json!("callbox")));
    assert_eq!((&open["tls"], &open["user"]), (&json!(false), &Value::Null));
    assert_eq!(one(&wrapped, "references"), one(&open, "references"));
}

async fn a_server_that_cannot_be_trusted_or_hides_nothing_gets_no_mail(database: Database) {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let Some(strange) = Server::start(&stranger, "starttls", LOGIN, 0).await else { return };
    let Some(open) = Server::start(&authority, "none", "", 0).await else { return };
    let Some(strict) = Server::start(&authority, "starttls", LOGIN, 0).await else { return };
    let (service, tool) = trusting(&database, &authority).await;
    let strange_id = mailbox(&service, "smtp", &strange, Some(LOGIN), json!({})).await;
    let open_id = mailbox(&service, "smtp", &open, Some(LOGIN), json!({})).await;
    let wrong = LOGIN.replace("mail", "wrong");
    secrets::remember("hush-hush-wrong");
    let strict_id = mailbox(&service, "smtp", &strict, Some(&wrong), json!({})).await;
    send(&service, &tool, "trigger", "disk").await;
    for (id, status, reason) in [
        (strange_id, "retrying", "has no certificate that can be trusted"),
        (open_id, "retrying", "offers no TLS"),
        (strict_id, "dead", "answered 535"),
    ] {
        eventually(async || {
            let found = service.api().get(&format!("/api/v1/deliveries?destination_id={id}")).await.body;
            let good =
                |first: &Value| first["status"] == status && first["reason"].as_str().is_some_and(|why| why.contains(reason));
            if found["items"].as_array().unwrap().iter().any(good) {
                Ok(())
            } else {
                Err(format!("not {status} because it {reason}: {found}"))
            }
        })
        .await;
    }
    assert!(strange.seen().is_empty() && open.seen().is_empty() && strict.seen().is_empty());
    let all = serde_json::to_string(&service.api().all("/api/v1/deliveries").await).unwrap();
    assert!(!all.contains("hush-hush"), "{all}");
}

async fn a_mail_that_is_put_off_comes_again_as_the_same(database: Database) {
    let authority = Authority::new();
    let Some(server) = Server::start(&authority, "starttls", LOGIN, 1).await else { return };
    let (service, tool) = trusting(&database, &authority).await;
    mailbox(&service, "smtp", &server, Some(LOGIN), json!({})).await;
    send(&service, &tool, "trigger", "disk").await;
    let mails = server.wait(2).await;
    assert_eq!((&mails[0]["put_off"], &mails[1]["put_off"]), (&json!(true), &json!(false)));
    for name in ["message-id", "references", "subject"] {
        assert_eq!(one(&mails[0], name), one(&mails[1], name));
    }
}

async fn no_alert_writes_a_header_or_a_second_mail(database: Database) {
    let authority = Authority::new();
    let Some(server) = Server::start(&authority, "starttls", LOGIN, 0).await else { return };
    let (service, tool) = trusting(&database, &authority).await;
    mailbox(&service, "smtp", &server, Some(LOGIN), json!({})).await;
    let evil = "x\r\nBcc: eve@example.com\r\nContent-Type: text/evil\r\n\r\n.\r\nMAIL FROM:<eve@example.com>\r\n.\r\n";
    let texts = [
        evil.to_owned(),
        format!("{}\n{evil}", "long ".repeat(150)),
        "=?utf-8?q?=0D=0ABcc:=20eve@example.com?= \u{2028}Bcc: eve@example.com\u{85}Bcc: eve@example.com\u{b}Bcc: eve".to_owned(),
        "\u{202e}gnihtyna 🔥🔥 <script>alert(1)</script>\u{0}\u{7}\u{1b}[31m".to_owned(),
        "🔥".repeat(1024),
    ];
    for (number, text) in texts.iter().enumerate() {
        let body = json!({
            "routing_key": tool.key, "event_action": "trigger", "dedup_key": format!("{number} {evil}"),
            "payload": {"summary": text, "source": evil, "severity": "critical", "component": evil, "group": evil, "class": evil,
                "custom_details": {evil: evil}},
            "client": evil, "client_url": evil, "links": [{"href": format!("https://a.example/{evil}"), "text": evil}],
        });
        let answer = service.api().send("/v2/enqueue", &body).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        let mails = server.wait(number + 1).await;
        let mail = &mails[number];
        let mut names: Vec<&str> = mail["headers"].as_array().unwrap().iter().map(|field| field[0].as_str().unwrap()).collect();
        names.sort_unstable();
        let expected = [
            "auto-submitted",
            "content-type",
            "date",
            "from",
            "importance",
            "in-reply-to",
            "message-id",
            "mime-version",
            "references",
            "subject",
            "to",
            "x-auto-response-suppress",
            "x-callbox-event",
            "x-callbox-incident",
        ];
        assert_eq!(names, expected, "{text:?}");
        assert_eq!(
            (&mail["mail_from"], &mail["rcpt_tos"]),
            (&json!("alerts@callbox.example"), &json!(["ops@example.com", "ann@example.com"]))
        );
        assert_eq!(mail["defects"], json!([]), "{mail:#}");
        assert!(one(mail, "subject").starts_with("Triggered: ") && !one(mail, "subject").contains(['\r', '\n']), "{mail:#}");
        assert!(mail["longest_line"].as_u64().unwrap() <= 998, "{text:?}");
        let (plain, html) = parts(mail);
        assert!(plain.starts_with("Triggered: ") && !html.contains("<script"), "{mail:#}");
    }
    assert_eq!(server.seen().len(), texts.len(), "each alert is one mail");
}
