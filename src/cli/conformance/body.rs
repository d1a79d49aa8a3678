//! The bodies that are signed: a request of the tool's own that opens nothing, and what becomes of it on unusual ways.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::provider::fixture::Fixture;

include!(concat!(env!("OUT_DIR"), "/samples.rs"));

/// The member that the kit adds to bodies.
const NAME: &str = "callbox_conformance";
const EMOJI: &str = "🔥 naïve 日本";
/// Parts of the names of headers that are proofs of another request, and of those that belong to the connection.
const NOT_OURS: [&str; 9] =
    ["signature", "timestamp", "webhook-id", "authorization", "token", "key", "host", "content-", "x-fixture"];

/// A request without its proof.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Header fields that the tool sends.
    pub headers: Vec<(String, String)>,
    /// Parameters of its URL.
    pub query: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Message {
    /// Requests of the tool `kind` that open nothing, the best first; the last one suits any tool, which may not know it.
    pub fn samples(kind: &str) -> Vec<Self> {
        let files = SAMPLES.iter().find(|(tool, _)| *tool == kind).map_or(&[][..], |(_, files)| files);
        let fixtures = files.iter().filter_map(|file| Fixture::parse(file).ok());
        let posted =
            fixtures.filter(|fixture| fixture.method == "POST" && fixture.subpath().is_empty() && !fixture.body.is_empty());
        let any = format!("{{\"{NAME}\": \"no alert\"}}").into_bytes();
        posted.map(Self::of).chain([Self { headers: json(), query: Vec::new(), body: any }]).collect()
    }

    fn of(fixture: Fixture) -> Self {
        let keep = |name: &str| name == "content-type" || !NOT_OURS.iter().any(|part| name.contains(part));
        let headers = fixture.headers.iter().filter(|(name, _)| keep(name));
        let query = fixture.query.into_iter().filter(|(name, _)| !["integrationId", "key", "token"].contains(&name.as_str()));
        Self {
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            query: query.collect(),
            body: fixture.body,
        }
    }

    /// With letters beyond ASCII in its body.
    pub fn with_emoji(&self) -> Self {
        self.with_member(&format!("\"{NAME}\": \"{EMOJI}\""), &format!("{NAME}={EMOJI}"))
    }

    /// With lines that end in CR and LF.
    pub fn with_crlf(&self) -> Self {
        let mut message = self.with_member(&format!("\r\n\"{NAME}\": \"CRLF\"\r\n"), &format!("{NAME}=a\r\nb"));
        message.body.extend_from_slice(b"\r\n");
        message
    }

    /// As a form with the body in a field, as some tools can send it.
    pub fn as_form(&self) -> Self {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &text).finish();
        let mut headers: Vec<_> = self.headers.iter().filter(|(name, _)| name != "content-type").cloned().collect();
        headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        Self { headers, body: form.into_bytes(), ..self.clone() }
    }

    /// A member more: in front in an object, at the end in a form. Any other body gives way to an object.
    fn with_member(&self, member: &str, field: &str) -> Self {
        let is_form = self.headers.iter().any(|(name, value)| name == "content-type" && value.contains("urlencoded"));
        let text = String::from_utf8_lossy(&self.body);
        match text.trim_start().strip_prefix('{') {
            Some(rest) => {
                let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
                Self { body: format!("{{{member}{comma}{rest}").into_bytes(), ..self.clone() }
            }
            None if is_form => Self { body: format!("{text}&{field}").into_bytes(), ..self.clone() },
            None => Self { headers: json(), body: format!("{{{member}}}").into_bytes(), query: self.query.clone() },
        }
    }

    /// Its body as it goes over the wire under `Content-Encoding: gzip`.
    ///
    /// # Errors
    /// Never in practice: nothing is written to but memory.
    pub fn packed(&self) -> std::io::Result<Vec<u8>> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&self.body)?;
        encoder.finish()
    }
}

fn json() -> Vec<(String, String)> {
    vec![("content-type".to_owned(), "application/json".to_owned())]
}
