//! The table `[auth]` of a recipe: which signature a tool makes, and where else it can carry a credential.

use std::borrow::Cow;

use super::sheet::Table;
use crate::signature::{Algorithm, Encoding, Hmac, Prefix, Scheme};

/// What a tool can prove, and how.
#[derive(Clone, Debug)]
pub struct Auth {
    /// How it signs. [`Scheme::Generic`] for tools that cannot.
    pub scheme: Scheme,
    /// Headers, in lower case, in which it can carry the integration's key.
    pub key_headers: Vec<String>,
    /// The header, in lower case, with a delivery's id, the same over all attempts.
    pub delivery_header: Option<String>,
    /// Top-level fields of the body that hold a credential.
    pub secret_fields: Vec<String>,
}

impl Default for Auth {
    fn default() -> Self {
        Self { scheme: Scheme::Generic, key_headers: Vec::new(), delivery_header: None, secret_fields: Vec::new() }
    }
}

impl Auth {
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let key_headers =
            table.texts("key_headers").map(|(_, names)| names.iter().map(|name| name.to_ascii_lowercase()).collect());
        let secret_fields = table.texts("secret_fields").map(|(_, names)| names);
        let delivery_header = table.text("delivery_header").map(|name| name.to_ascii_lowercase());
        let scheme = scheme(&mut table).unwrap_or(Scheme::Generic);
        table.finish();
        let (key_headers, secret_fields) = (key_headers.unwrap_or_default(), secret_fields.unwrap_or_default());
        Self { scheme, key_headers, delivery_header, secret_fields }
    }
}

/// A scheme by name, or an HMAC of the body described by its header.
fn scheme(table: &mut Table<'_>) -> Option<Scheme> {
    let named = table.take("scheme");
    let header = table.text("header");
    let algorithm = table.word("algorithm", &[("sha256", Algorithm::Sha256), ("sha1", Algorithm::Sha1)]);
    let encoding = table.word("encoding", &[("hex", Encoding::Hex), ("base64", Encoding::Base64)]);
    let prefixes = ["sha256=", "sha1=", "v0=", "v1="].map(|prefix| (prefix, Prefix::Required(prefix)));
    let prefix = table.word("prefix", &prefixes);
    let Some(header) = header else {
        if algorithm.is_some() || encoding.is_some() || prefix.is_some() {
            table.missing("header", "is missing: algorithm, encoding and prefix describe the signature in it");
        }
        let given = named?;
        let name = table.list(&given)?.concat();
        let scheme = Scheme::named(&name);
        if scheme.is_none() {
            table.wrong(&given, format!("{name:?} is no scheme; there are {}", Scheme::names().join(", ")));
        }
        return scheme;
    };
    if let Some(given) = named {
        table.wrong(&given, "cannot be combined with header: name a scheme or describe one");
    }
    Some(Scheme::Hmac(Hmac {
        header: Cow::Owned(header.to_ascii_lowercase()),
        algorithm: algorithm.unwrap_or(Algorithm::Sha256),
        encoding: encoding.unwrap_or(Encoding::Hex),
        prefix: prefix.unwrap_or(Prefix::None),
        ..Hmac::PLAIN
    }))
}
