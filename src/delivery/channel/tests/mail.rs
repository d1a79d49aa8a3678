//! What mail servers and mail's APIs take.

use serde_json::json;

use super::super::testing::{known, target, with};
use super::super::{Mail, Sending};
use super::chat::unmarked;
use super::schema::Shape::{List, Map, Object, Text, Word};
use super::schema::{self, Shape};
use super::{Case, Sent, Verdict, case, ensure};

/// What a mail's HTML is made of.
const ELEMENTS: [&str; 11] = ["div", "p", "h2", "table", "tr", "th", "td", "a", "pre", "b", "i"];

pub fn cases() -> Vec<Case> {
    let from = "Callbox <alerts@example.com>";
    let to = json!(["ops@example.com", "ann@example.com"]);
    let by = |provider: &str| with(known(target(""), "key"), &json!({ "provider": provider, "from": from, "to": to }));
    vec![
        case("email", with(target("smtps://user:secret@mail.example.com"), &json!({ "from": from, "to": to })), None, mail_valid),
        case(
            "email",
            with(target("smtp://mail.example.com:25"), &json!({ "from": "a@example.com", "to": "b@example.com", "tls": "none" })),
            None,
            mail_valid,
        ),
        case("email", by("resend"), None, resend_valid),
        case("email", by("sendgrid"), None, sendgrid_valid),
    ]
}

fn body_valid(sent: &Sent<'_>, subject: &str, text: &str, html: &str) -> Verdict {
    let printable = |text: &str| !text.chars().any(char::is_control);
    ensure(
        !subject.trim().is_empty() && subject.chars().count() <= 200 && printable(subject),
        &format!("has a subject {subject:?}"),
    )?;
    schema::clean(&json!([subject, text, html]))?;
    ensure(text.ends_with('\n') && text.len() < 1_000_000, "has no text")?;
    let shown = unmarked(html.strip_prefix("<!doctype html>").ok_or("is no HTML")?, &ELEMENTS)?;
    ensure(sent.link().is_none_or(|link| text.contains(&link) && html.contains(&link.replace('&', "&amp;"))), "lost its link")?;
    ensure(shown.contains(sent.message.heading()), "does not say what happened")
}

fn mail_valid(sent: &Sent<'_>) -> Verdict {
    let Sending::Mail(Mail { server, from, to, subject, text, html, message_id, thread, headers, .. }) = sent.sending else {
        return Err("is no mail".to_owned());
    };
    ensure(server.host == "mail.example.com" && server.port > 0, "goes elsewhere")?;
    ensure(
        !to.is_empty() && to.iter().chain(Some(from)).all(|address| address.is_ascii() && address.contains('@')),
        "goes to nobody",
    )?;
    let is_id = |id: &str| id.starts_with('<') && id.ends_with('>') && id.matches('@').count() == 1 && !id.contains(' ');
    ensure(is_id(message_id) && thread.as_deref().is_none_or(is_id), "has a bad id")?;
    ensure(thread.is_some() == sent.message.incident.is_some(), "is in no conversation")?;
    ensure(headers.iter().all(|(_, value)| value.bytes().all(|byte| (b' '..=b'~').contains(&byte))), "has a bad header field")?;
    body_valid(sent, subject, text, html.as_deref().ok_or("has no HTML")?)
}

/// <https://resend.com/docs/api-reference/emails/send-email>
const RESEND: Shape = Object(&[
    ("from", true, Text(3, 320)),
    ("to", true, List(1, 50, &Text(3, 320))),
    ("subject", true, Text(1, 998)),
    ("text", true, Text(1, 1_000_000)),
    ("html", true, Text(1, 1_000_000)),
    ("headers", true, Map(20, &Text(1, 998))),
]);

fn resend_valid(sent: &Sent<'_>) -> Verdict {
    let body = sent.json()?;
    schema::check(&RESEND, &body)?;
    ensure(sent.header("idempotency-key").is_some_and(|key| key.len() <= 256), "may be sent twice")?;
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    body_valid(sent, &text("subject"), &text("text"), &text("html"))
}

/// <https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send>
const SENDGRID: Shape = Object(&[
    ("personalizations", true, List(1, 1, &Object(&[("to", true, List(1, 1_000, &Object(&[("email", true, Text(3, 320))])))]))),
    ("from", true, Object(&[("email", true, Text(3, 320)), ("name", false, Text(1, 100))])),
    ("subject", true, Text(1, 998)),
    (
        "content",
        true,
        List(2, 2, &Object(&[("type", true, Word(&["text/plain", "text/html"])), ("value", true, Text(1, 1_000_000))])),
    ),
    ("headers", true, Map(20, &Text(1, 998))),
]);

fn sendgrid_valid(sent: &Sent<'_>) -> Verdict {
    let body = sent.json()?;
    schema::check(&SENDGRID, &body)?;
    // Plain text must come first, and these fields are SendGrid's own.
    ensure(body["content"][0]["type"] == "text/plain", "has HTML first")?;
    let reserved = [
        "to",
        "from",
        "subject",
        "reply-to",
        "cc",
        "bcc",
        "content-type",
        "content-transfer-encoding",
        "received",
        "dkim-signature",
    ];
    let names = body["headers"].as_object().into_iter().flatten().map(|(name, _)| name.to_ascii_lowercase());
    ensure(names.into_iter().all(|name| !reserved.contains(&name.as_str())), "sets a reserved header field")?;
    let value = |index: usize| body["content"][index]["value"].as_str().unwrap_or_default().to_owned();
    body_valid(sent, body["subject"].as_str().unwrap_or_default(), &value(0), &value(1))
}

#[test]
fn markup_of_somebody_elses_is_found() {
    assert_eq!(unmarked("<p><b>a &lt; b</b></p>", &ELEMENTS).as_deref(), Ok("a < b"));
    for bad in
        ["<script>x</script>", "<p>a", "a</p>", "a < b", "a > b", "a & b", "<a href=\"javascript:x\">x</a>", "<p \"x>a</p>"]
    {
        assert!(unmarked(bad, &ELEMENTS).is_err(), "{bad}");
    }
}
