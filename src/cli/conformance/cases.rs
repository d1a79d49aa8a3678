//! What is posted, and what must come of it: the same cases for each scheme, made from the scheme's description.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::body::Message;
use crate::secret::Secret;
use crate::signature::{Encoding, Hmac, Prefix, Proof, Scheme, Signed, sign};
use crate::time::Timestamp;

/// Seconds beyond the five minutes that a signed time may be off, so that a slow request is not mistaken for a late one.
const TOO_FAR: i64 = 330;

/// What must come of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// 2xx.
    Accepted,
    /// 401, in the same words whatever was wrong.
    Refused,
}

/// What is done with a case.
pub enum Plan {
    /// It is posted.
    Post {
        /// Header fields, in this order.
        headers: Vec<(String, String)>,
        /// The bytes on the wire.
        body: Vec<u8>,
        /// What it says, without its proof.
        message: Message,
    },
    /// It means nothing for this scheme.
    Skip(&'static str),
}

/// A case.
pub struct Case {
    /// What it is called.
    pub name: &'static str,
    /// What must come of it.
    pub expected: Expected,
    /// What is done.
    pub plan: Plan,
}

/// What cases are made of.
pub struct Material<'a> {
    /// How the tool signs.
    pub scheme: &'a Scheme,
    /// The integration's secret.
    pub secret: &'a Secret,
    /// Its routing key.
    pub key: &'a Secret,
    /// A request of the tool's.
    pub message: &'a Message,
    /// The service's time.
    pub now: Timestamp,
}

type Headers = Vec<(String, String)>;

impl Material<'_> {
    /// The header that proves the sender.
    fn header(&self) -> String {
        match self.scheme.proof() {
            Proof::Hmac(hmac) => hmac.header.to_string(),
            Proof::Token(token) => token.header.to_owned(),
        }
    }

    /// The proof of `body` by `secret` at a time so many seconds from now.
    fn proof(&self, secret: &Secret, body: &[u8], seconds: i64) -> Headers {
        // Each its own delivery: otherwise the second would be a repetition of the first.
        let id = format!("msg_{}", crate::id::random26().unwrap_or_default());
        sign(self.scheme, std::slice::from_ref(secret), &id, body, self.now.plus_seconds(seconds))
    }

    fn good(&self) -> Headers {
        self.proof(self.secret, &self.message.body, 0)
    }

    /// The good proof with another value in the header of the signature.
    fn with(&self, change: impl Fn(&str) -> String) -> Headers {
        self.changed(&self.header(), change)
    }

    fn changed(&self, header: &str, change: impl Fn(&str) -> String) -> Headers {
        self.good().into_iter().map(|(name, value)| if name == header { (name, change(&value)) } else { (name, value) }).collect()
    }

    fn post(&self, name: &'static str, expected: Expected, headers: Headers) -> Case {
        self.post_as(name, expected, headers, self.message.clone())
    }

    fn post_as(&self, name: &'static str, expected: Expected, headers: Headers, message: Message) -> Case {
        let body = message.body.clone();
        Case { name, expected, plan: Plan::Post { headers, body, message } }
    }

    /// A request whose body is another one, and signed.
    fn signed(&self, name: &'static str, message: Message) -> Case {
        let headers = self.proof(self.secret, &message.body, 0);
        self.post_as(name, Expected::Accepted, headers, message)
    }
}

/// A request signed with `secret`.
pub fn by(material: &Material<'_>, name: &'static str, secret: &Secret, expected: Expected) -> Case {
    material.post(name, expected, material.proof(secret, &material.message.body, 0))
}

/// Every case that needs no rotation.
///
/// # Errors
/// The body cannot be compressed.
pub fn all(material: &Material<'_>) -> std::io::Result<Vec<Case>> {
    let mut cases = proofs(material);
    match material.scheme.proof() {
        Proof::Hmac(hmac) => {
            cases.extend(codes(material, hmac));
            cases.extend(times(material, &hmac.signed));
        }
        Proof::Token(_) => {
            cases.extend(CODES.map(|name| skip(name, "the secret is sent as it is")));
            cases.extend(times(material, &Signed::Body));
        }
    }
    cases.extend(bodies(material)?);
    Ok(cases)
}

fn proofs(material: &Material<'_>) -> Vec<Case> {
    let (m, message) = (material, material.message);
    let header = m.header();
    let wrong = Secret::new("a secret that nobody has set");
    let bearer = ("authorization".to_owned(), format!("Bearer {}", m.key.expose()));
    let by_wrong = m.proof(&wrong, &message.body, 0);
    let mut doubled = m.good();
    doubled.extend(by_wrong.iter().filter(|(name, _)| *name == header).cloned());
    let bad_first: Headers = doubled.iter().rev().cloned().collect();
    let both_bad: Headers = by_wrong.iter().cloned().chain([(header, "0".repeat(64))]).collect();
    vec![
        m.post("good", Expected::Accepted, m.good()),
        m.post("wrong secret", Expected::Refused, by_wrong),
        m.post("missing", Expected::Refused, Vec::new()),
        m.post("empty", Expected::Refused, m.with(|_| String::new())),
        m.post("the key as signature", Expected::Refused, m.with(|_| m.key.expose().to_owned())),
        m.post("the key as bearer", Expected::Refused, vec![bearer]),
        m.post("doubled, bad last", Expected::Accepted, doubled),
        m.post("doubled, bad first", Expected::Accepted, bad_first),
        m.post("doubled, both bad", Expected::Refused, both_bad),
    ]
}

/// The cases of [`codes`].
const CODES: [&str; 6] =
    ["one bit off", "one byte more", "the secret as signature", "wrong prefix", "wrong encoding", "upper-case hex"];

/// The right code over another body, and others, or in another form, over the right one.
fn codes(m: &Material<'_>, hmac: &Hmac) -> Vec<Case> {
    let prefix = match hmac.prefix {
        Prefix::None => "",
        Prefix::Optional(prefix) | Prefix::Required(prefix) => prefix,
    };
    let other_prefix = match prefix {
        "" => "sha256=",
        prefix if prefix.ends_with(',') => "v9,",
        _ => "md5=",
    };
    let other_encoding = match hmac.encoding {
        Encoding::Hex => Encoding::Base64,
        Encoding::Base64 => Encoding::Hex,
    };
    let code = |value: &str| value.split_at_checked(prefix.len()).map_or(String::new(), |(_, code)| code.to_owned());
    let bytes = |value: &str| decoded(hmac.encoding, &code(value));
    let one_bit_off = |value: &str| {
        let mut bytes = bytes(value);
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        format!("{prefix}{}", encoded(hmac.encoding, &bytes))
    };
    let mut other = m.message.clone();
    other.body.push(b' ');
    let [bit, byte, secret, prefixed, spelt, upper] = CODES;
    let upper_case = |value: &str| format!("{prefix}{}", code(value).to_ascii_uppercase());
    vec![
        m.post(bit, Expected::Refused, m.with(one_bit_off)),
        m.post_as(byte, Expected::Refused, m.good(), other),
        m.post(secret, Expected::Refused, m.with(|_| m.secret.expose().to_owned())),
        m.post(prefixed, Expected::Refused, m.with(|value| format!("{other_prefix}{}", code(value)))),
        m.post(spelt, Expected::Refused, m.with(|value| format!("{prefix}{}", encoded(other_encoding, &bytes(value))))),
        match hmac.encoding {
            Encoding::Hex => m.post(upper, Expected::Accepted, m.with(upper_case)),
            Encoding::Base64 => skip(upper, "this scheme writes base64"),
        },
    ]
}

fn decoded(encoding: Encoding, code: &str) -> Vec<u8> {
    match encoding {
        Encoding::Hex => hex::decode(code).unwrap_or_default(),
        Encoding::Base64 => STANDARD.decode(code).unwrap_or_default(),
    }
}

fn encoded(encoding: Encoding, bytes: &[u8]) -> String {
    match encoding {
        Encoding::Hex => hex::encode(bytes),
        Encoding::Base64 => STANDARD.encode(bytes),
    }
}

fn skip(name: &'static str, why: &'static str) -> Case {
    Case { name, expected: Expected::Refused, plan: Plan::Skip(why) }
}

/// What a signed time, or a signed id, must hold to.
fn times(m: &Material<'_>, signed: &Signed) -> Vec<Case> {
    let body = &m.message.body;
    let (id, time) = match signed {
        Signed::Body => (None, None),
        Signed::Timestamped { header, .. } => (None, Some(header.to_string())),
        Signed::Identified { id, timestamp } => (Some(*id), Some((*timestamp).to_owned())),
    };
    let names = ["old timestamp", "future timestamp", "timestamp changed", "timestamp missing", "two timestamps"];
    let mut cases = match time {
        None => names.map(|name| skip(name, "this scheme signs no time")).into(),
        Some(time) => {
            let earlier = (time.clone(), (m.now.seconds() - 1).to_string());
            let mut doubled = m.good();
            doubled.push(earlier);
            let made = [
                m.proof(m.secret, body, -TOO_FAR),
                m.proof(m.secret, body, TOO_FAR),
                m.changed(&time, |_| (m.now.seconds() + 1).to_string()),
                m.good().into_iter().filter(|(name, _)| *name != time).collect(),
                doubled,
            ];
            names.into_iter().zip(made).map(|(name, headers)| m.post(name, Expected::Refused, headers)).collect::<Vec<_>>()
        }
    };
    cases.push(match id {
        None => skip("two ids", "this scheme signs no id"),
        Some(id) => {
            let mut doubled = m.good();
            doubled.push((id.to_owned(), "msg_of_another".to_owned()));
            m.post("two ids", Expected::Refused, doubled)
        }
    });
    cases
}

/// Bodies that are easily signed wrongly.
fn bodies(material: &Material<'_>) -> std::io::Result<Vec<Case>> {
    let (m, message) = (material, material.message);
    let packed = message.packed()?;
    let gzip = |name, expected, mut headers: Headers| {
        headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
        Case { name, expected, plan: Plan::Post { headers, body: packed.clone(), message: message.clone() } }
    };
    Ok(vec![
        m.signed("emoji body", message.with_emoji()),
        m.signed("CRLF body", message.with_crlf()),
        m.signed("form body", message.as_form()),
        gzip("gzip, signed before it", Expected::Accepted, m.good()),
        match m.scheme.covers_body() {
            true => gzip("gzip, signed after it", Expected::Refused, m.proof(m.secret, &packed, 0)),
            false => skip("gzip, signed after it", "the secret is sent as it is"),
        },
    ])
}
