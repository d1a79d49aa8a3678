//! E-mail: by a server that speaks SMTP, or by the HTTP APIs of Resend and SendGrid.
//!
//! <https://www.rfc-editor.org/rfc/rfc5322>, <https://resend.com/docs/api-reference/emails/send-email>,
//! <https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send>. A mail's id is made of the delivery's, so that a second copy is
//! known as one, and every mail about an incident names the incident's own id as what it answers to, so that readers show them as one
//! conversation. `Auto-Submitted` (<https://www.rfc-editor.org/rfc/rfc3834#section-5>) keeps away the answers of those who are on holiday.

mod address;
mod body;

use serde_json::{Value, json};
use url::Url;

use self::address::Mailbox;
use super::settings::{Problem, Settings, decoded};
use super::shown::Shown;
use super::{Channel, Letter, Mail, MailServer, MailTls, Parcel, Sending, Target};
use crate::event::Urgency;
use crate::secret::Secret;

/// E-mail.
pub struct Email;

/// Recipients of a mail; Resend takes 50.
const TO_MAX: usize = 50;

/// Who sends a mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Provider {
    Smtp,
    Resend,
    SendGrid,
}

impl Provider {
    const ALL: [(&str, Self); 3] = [("smtp", Self::Smtp), ("resend", Self::Resend), ("sendgrid", Self::SendGrid)];

    fn of(target: &Target) -> Self {
        let named = target.text("provider");
        Self::ALL.into_iter().find(|(name, _)| Some(*name) == named).map_or(Self::Smtp, |(_, provider)| provider)
    }
}

impl Channel for Email {
    fn kind(&self) -> &'static str {
        "email"
    }

    fn name(&self) -> &'static str {
        "E-mail"
    }

    fn docs(&self) -> &'static str {
        "https://www.rfc-editor.org/rfc/rfc5322"
    }

    fn options(&self) -> &'static [&'static str] {
        &["provider", "from", "to", "tls"]
    }

    fn problems(&self, target: &Target) -> Vec<Problem> {
        let mut settings = Settings::of(target, self.options());
        let known = |name: &str| Provider::ALL.iter().any(|(known, _)| *known == name);
        settings.text("provider", false, known, "smtp, resend or sendgrid");
        settings.text("from", true, |text| Mailbox::parse(text).is_some(), "the sender: an address, or Name <address>");
        settings.texts("to", true, address::is_address, "the recipients: an address, or a list of addresses");
        if target.texts("to").len() > TO_MAX {
            settings.wrong("to", format!("must be at most {TO_MAX} addresses: use a mailing list, or several destinations"));
        }
        settings.text("tls", false, |word| MailTls::parse(word).is_some(), "starttls, tls or none");
        match Provider::of(target) {
            Provider::Smtp => match server(target) {
                None => settings.wrong("url", "must be the mail server's: smtp://HOST:587, or smtps://HOST"),
                Some(server) if server.tls == MailTls::None && server.login.is_some() => {
                    settings.wrong("tls", "must not be none with a password, which everybody on the way could read");
                }
                Some(_) => {}
            },
            Provider::Resend | Provider::SendGrid => {
                settings.own_url();
                settings.token(|token| !token.contains(' '), "the API key");
            }
        }
        settings.problems()
    }

    fn parcel(&self, target: &Target, letter: &Letter<'_>) -> Result<Sending, String> {
        let from = target.text("from").and_then(Mailbox::parse).ok_or("the sender is no address: set from")?;
        let to: Vec<String> = target.texts("to").into_iter().filter(|to| address::is_address(to)).map(str::to_owned).collect();
        if to.is_empty() {
            return Err("there is no recipient: set to".to_owned());
        }
        let shown = Shown::of(letter.message);
        let details = letter.message.incident.as_ref().and_then(|incident| incident.details.as_ref());
        let mail = Mail {
            server: server(target).unwrap_or(MailServer { host: String::new(), port: 0, tls: MailTls::StartTls, login: None }),
            from: from.to_string(),
            to,
            subject: body::subject(&shown),
            text: body::text(&shown, details),
            html: Some(body::html(&shown, details)),
            message_id: format!("<{}@{}>", letter.id, from.domain()),
            thread: letter.message.incident.as_ref().map(|incident| format!("<{}@{}>", incident.id, from.domain())),
            headers: headers(letter),
            date: letter.now,
        };
        Ok(match Provider::of(target) {
            Provider::Smtp if mail.server.host.is_empty() => return Err("there is no mail server: set url".to_owned()),
            Provider::Smtp => mail.into(),
            Provider::Resend => resend(target, letter, &mail).into(),
            Provider::SendGrid => sendgrid(target, &from, &mail).into(),
        })
    }
}

/// The server that a destination's URL names.
fn server(target: &Target) -> Option<MailServer> {
    let url = Url::parse(target.url.expose()).ok()?;
    let by_scheme = match url.scheme() {
        "smtp" => MailTls::StartTls,
        "smtps" => MailTls::Tls,
        _ => return None,
    };
    let tls = target.text("tls").and_then(MailTls::parse).unwrap_or(by_scheme);
    let host = url.host_str().filter(|host| !host.is_empty())?.trim_matches(['[', ']']).to_owned();
    let in_url =
        (!url.username().is_empty()).then(|| (decoded(url.username()), Secret::new(decoded(url.password().unwrap_or_default()))));
    Some(MailServer { host, port: url.port().unwrap_or(tls.port()), tls, login: target.basic_auth.clone().or(in_url) })
}

fn headers(letter: &Letter<'_>) -> Vec<(&'static str, String)> {
    let message = letter.message;
    let mut headers = vec![
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("X-Auto-Response-Suppress", "All".to_owned()),
        ("X-Callbox-Event", message.event.as_str().to_owned()),
    ];
    if let Some(incident) = &message.incident {
        headers.push(("X-Callbox-Incident", incident.id.clone()));
        if super::shown::pages(message.event) && incident.urgency == Urgency::High {
            headers.push(("Importance", "high".to_owned()));
        }
    }
    headers
}

/// The header fields of a mail as an object, with those of its conversation.
fn fields(mail: &Mail) -> Value {
    let thread = mail.thread.iter().flat_map(|id| [("In-Reply-To", id.clone()), ("References", id.clone())]);
    mail.headers
        .iter()
        .cloned()
        .chain(thread)
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn resend(target: &Target, letter: &Letter<'_>, mail: &Mail) -> Parcel {
    let body = json!({
        "from": mail.from,
        "to": mail.to,
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
        "headers": fields(mail),
    });
    let url = Secret::new(format!("{}/emails", target.base("https://api.resend.com")));
    // The same key again within 24 hours sends nothing more.
    Parcel::json(&url, &body).bearer(target.token()).with("idempotency-key", letter.id)
}

fn sendgrid(target: &Target, from: &Mailbox<'_>, mail: &Mail) -> Parcel {
    let to: Vec<Value> = mail.to.iter().map(|address| json!({ "email": address })).collect();
    let mut sender = json!({ "email": from.address });
    if let (Some(name), Some(members)) = (from.name, sender.as_object_mut()) {
        members.insert("name".to_owned(), json!(name));
    }
    let body = json!({
        "personalizations": [{ "to": to }],
        "from": sender,
        "subject": mail.subject,
        "content": [{ "type": "text/plain", "value": mail.text }, { "type": "text/html", "value": mail.html }],
        "headers": fields(mail),
    });
    let url = Secret::new(format!("{}/v3/mail/send", target.base("https://api.sendgrid.com")));
    Parcel::json(&url, &body).bearer(target.token())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{header, incident, known, letter, parcel, sent, target, test, with, wrong};
    use super::*;
    use crate::delivery::message::Occasion;

    fn mailed(target: &Target, letter: &Letter<'_>) -> Mail {
        match Email.parcel(target, letter).unwrap() {
            Sending::Mail(mail) => mail,
            Sending::Http(parcel) => panic!("a request: {parcel:?}"),
        }
    }

    fn smtp(url: &str) -> Target {
        with(target(url), &json!({ "from": "Callbox <alerts@example.com>", "to": ["ops@example.com", "ann@example.com"] }))
    }

    #[test]
    fn mails_of_an_incident_are_one_conversation_and_copies_are_known() {
        let mut message = incident("The disk is full\r\nBcc: eve@example.com");
        let page = mailed(&smtp("smtp://mail.example.com"), &letter(&message));
        assert_eq!(page.subject, "Triggered: The disk is full Bcc: eve@example.com");
        assert_eq!((page.from.as_str(), page.to.len()), ("Callbox <alerts@example.com>", 2));
        assert_eq!((page.message_id.as_str(), page.thread.as_deref()), ("<dlv_1@example.com>", Some("<inc_1@example.com>")));
        assert!(page.headers.contains(&("Importance", "high".to_owned())), "{:?}", page.headers);
        message.event = Occasion::Resolved;
        let end = mailed(&smtp("smtp://mail.example.com"), &Letter { id: "dlv_2", ..letter(&message) });
        assert_eq!((end.message_id.as_str(), end.thread), ("<dlv_2@example.com>", page.thread));
        assert!(!end.headers.iter().any(|(name, _)| *name == "Importance"));
        assert_eq!(mailed(&smtp("smtp://mail.example.com"), &letter(&test())).thread, None);
    }

    #[test]
    fn the_server_is_what_the_url_says() {
        let of = |url: &str| {
            server(&smtp(url)).map(|server| (server.host, server.port, server.tls, server.login.map(|(user, _)| user)))
        };
        let host = || "mail.example.com".to_owned();
        assert_eq!(of("smtp://mail.example.com"), Some((host(), 587, MailTls::StartTls, None)));
        assert_eq!(of("smtps://a%40b:c%2Bd@mail.example.com"), Some((host(), 465, MailTls::Tls, Some("a@b".to_owned()))));
        assert_eq!(of("smtp://mail.example.com:2525"), Some((host(), 2525, MailTls::StartTls, None)));
        assert_eq!(of("smtp://[::1]:25"), Some(("::1".to_owned(), 25, MailTls::StartTls, None)));
        assert_eq!((of("https://mail.example.com"), of("smtp://"), of("mail")), (None, None, None));
        let login = server(&smtp("smtps://a:c%2Bd@mail.example.com")).unwrap().login.unwrap();
        assert_eq!(login.1.expose(), "c+d");
        let target = Target { basic_auth: Some(("u".to_owned(), Secret::new("p"))), ..smtp("smtp://mail.example.com") };
        assert_eq!(server(&target).unwrap().login.unwrap().0, "u");
    }

    #[test]
    fn apis_take_the_same_mail() {
        let message = incident("<b>");
        let by = |provider: &str| {
            let options = json!({ "from": "Callbox <alerts@example.com>", "to": "ops@example.com", "provider": provider });
            let target = with(known(target(""), "key"), &options);
            assert_eq!(wrong(&Email, &target), [""; 0]);
            parcel(&Email, &target, &letter(&message))
        };
        let resend = by("resend");
        assert_eq!(
            (resend.url.expose(), header(&resend, "authorization")),
            ("https://api.resend.com/emails", Some("Bearer key"))
        );
        assert_eq!(header(&resend, "idempotency-key"), Some("dlv_1"));
        assert_eq!(
            (&sent(&resend)["to"], &sent(&resend)["headers"]["References"]),
            (&json!(["ops@example.com"]), &json!("<inc_1@example.com>"))
        );
        let sendgrid = by("sendgrid");
        assert_eq!(sendgrid.url.expose(), "https://api.sendgrid.com/v3/mail/send");
        let body = sent(&sendgrid);
        assert_eq!(
            (&body["from"], &body["content"][0]["type"]),
            (&json!({ "email": "alerts@example.com", "name": "Callbox" }), &json!("text/plain"))
        );
        assert!(body["content"][1]["value"].as_str().unwrap().contains("&lt;b&gt;"));
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        assert_eq!(wrong(&Email, &smtp("smtp://mail.example.com")), [""; 0]);
        assert_eq!(wrong(&Email, &target("")), ["from", "to", "url"]);
        let options = json!({ "from": "a@b\r\nBcc: c@d", "to": ["a"], "tls": "ssl", "provider": "post" });
        assert_eq!(wrong(&Email, &with(target("smtp://a"), &options)), ["provider", "from", "to", "tls"]);
        let mut open = smtp("smtp://u:p@mail.example.com");
        open.options.insert("tls".to_owned(), json!("none"));
        assert_eq!(wrong(&Email, &open), ["tls"]);
        let many = vec!["ops@example.com"; 51];
        assert_eq!(
            wrong(&Email, &with(known(target(""), "k"), &json!({ "provider": "resend", "from": "a@example.com", "to": many }))),
            ["to"]
        );
        let message = incident("x");
        assert!(Email.parcel(&target("smtp://a"), &letter(&message)).is_err());
        assert!(Email.parcel(&smtp("https://a"), &letter(&message)).is_err());
    }
}
