//! What a channel hands over to be sent: a request over HTTP or a mail.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::form_urlencoded;

use crate::secret::Secret;
use crate::time::Timestamp;

/// What is put on the wire.
#[derive(Clone, Debug)]
pub enum Sending {
    /// A request.
    Http(Parcel),
    /// A mail.
    Mail(Mail),
}

impl From<Parcel> for Sending {
    fn from(parcel: Parcel) -> Self {
        Self::Http(parcel)
    }
}

impl From<Mail> for Sending {
    fn from(mail: Mail) -> Self {
        Self::Mail(mail)
    }
}

/// An HTTP request.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The method.
    pub method: &'static str,
    /// Where it goes.
    pub url: Secret,
    /// Header fields; names in lower case.
    pub headers: Vec<(String, Secret)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Parcel {
    /// A POST of JSON.
    pub fn json(url: &Secret, body: &Value) -> Self {
        let headers = vec![("content-type".to_owned(), Secret::new("application/json"))];
        Self { method: "POST", url: url.clone(), headers, body: body.to_string().into_bytes() }
    }

    /// A POST of JSON that says how its text is written, for receivers that complain where it is not said.
    pub fn json_utf8(url: &Secret, body: &Value) -> Self {
        let headers = vec![("content-type".to_owned(), Secret::new("application/json; charset=utf-8"))];
        Self { headers, ..Self::json(url, body) }
    }

    /// A POST of a form.
    pub fn form(url: &Secret, fields: &[(&str, &str)]) -> Self {
        let headers = vec![("content-type".to_owned(), Secret::new("application/x-www-form-urlencoded"))];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self { method: "POST", url: url.clone(), headers, body: body.into_bytes() }
    }

    /// With one more header field; the name in lower case.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), Secret::new(value)));
        self
    }

    /// With a token that proves who we are (<https://www.rfc-editor.org/rfc/rfc6750#section-2.1>).
    pub fn bearer(self, token: &str) -> Self {
        self.with("authorization", format!("Bearer {token}"))
    }

    /// With user and password (<https://www.rfc-editor.org/rfc/rfc7617>).
    pub fn basic(self, user: &str, password: &Secret) -> Self {
        let pair = zeroize::Zeroizing::new(format!("{user}:{}", password.expose()));
        self.with("authorization", format!("Basic {}", STANDARD.encode(pair.as_bytes())))
    }
}

/// A mail and the server that takes it. Every text is free of line breaks where a header field has no room for them.
#[derive(Clone, PartialEq, Debug)]
pub struct Mail {
    /// Who takes it.
    pub server: MailServer,
    /// From whom: an address, or `Name <address>`.
    pub from: String,
    /// To whom, at least one: an address each.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The body in plain text; lines end with `\n`.
    pub text: String,
    /// The same in HTML.
    pub html: Option<String>,
    /// `Message-ID`, in angle brackets: the same on every attempt, so that a second copy is known as one.
    pub message_id: String,
    /// What `In-Reply-To` and `References` name, in angle brackets: the same for all mails about an incident, whether or not any mail
    /// has it as its own id, so that readers show them as one conversation.
    pub thread: Option<String>,
    /// Further header fields.
    pub headers: Vec<(&'static str, String)>,
    /// `Date`.
    pub date: Timestamp,
}

/// A server that takes mail.
#[derive(Clone, PartialEq, Debug)]
pub struct MailServer {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// User and password.
    pub login: Option<(String, Secret)>,
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MailTls {
    /// In plain text until `STARTTLS`, without which nothing is sent (port 587).
    StartTls,
    /// TLS from the first byte (port 465).
    Tls,
    /// Not at all.
    None,
}

impl MailTls {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::StartTls, Self::Tls, Self::None];

    /// The word for it in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StartTls => "starttls",
            Self::Tls => "tls",
            Self::None => "none",
        }
    }

    /// Reads exactly that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tls| tls.as_str() == word)
    }

    /// The port that stands for it where none is named.
    pub const fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}
