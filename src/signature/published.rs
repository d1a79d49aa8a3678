//! Proofs by a key that the sender publishes, instead of a secret that both know: SNS's signatures, and the ID tokens of Google.
//!
//! Pure: a proof is read into [`Claim`]s, each of which names the document that holds its key; whoever has fetched that document hands
//! it to [`Claim::verify`]. Nothing of a request is fetched before everything that can be said without the key was said.

use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::provider::Headers;
use crate::time::Timestamp;

mod certificate;
pub mod oidc;
pub mod sns;
pub mod vectors;

/// What an integration demands of a sender with published keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// Amazon SNS signs its messages with a certificate that each names.
    Sns(sns::Rules),
    /// An ID token in `Authorization`, signed by one of its issuer's keys.
    Oidc(oidc::Rules),
}

/// Why a claim was not made, or does not hold: a sentence for the integration's owner, with the likely cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unproven {
    /// There is nothing to check.
    #[error("there is no signature: SNS signs what it posts with raw message delivery off")]
    Unsigned,
    /// A record beside signed messages is none.
    #[error("not every record is a message that SNS signed: post them as SNS does")]
    Mixed,
    /// It is not in the form that the sender writes.
    #[error("the signature, or what it covers, is malformed: something between the sender and this server rewrites it")]
    Malformed,
    /// More than the sender ever posts at once.
    #[error("the request carries more than 10 signed messages: split it")]
    TooMany,
    /// Another topic than those named.
    #[error("the message is of a topic that is not in the option topics: add it there if it is meant")]
    Topic,
    /// The certificate's address is not SNS's own.
    #[error(
        "the certificate's address is not one of Amazon SNS's own, so nothing was fetched: the message is forged, or of an emulator (see providers.sns_origins)"
    )]
    CertificateUrl,
    /// What is there is no certificate.
    #[error("what is at the certificate's address is no certificate: the message is forged, or a proxy answers for Amazon")]
    Certificate,
    /// The certificate is not valid now.
    #[error("the certificate is not valid now: look at this server's clock")]
    CertificateExpired,
    /// The moment of the message cannot be read.
    #[error("the message does not say when it was sent")]
    Undated,
    /// The message is too old, or of the future.
    #[error(
        "the message was sent more than 65 minutes ago, or is ahead of this server's clock: it is replayed, or a clock is wrong"
    )]
    MessageOutside,
    /// There is no token.
    #[error("there is no bearer token: switch on authentication of the push subscription")]
    TokenMissing,
    /// The token is signed by something else than RS256.
    #[error("the token is not signed by RS256, as its issuer's are: it is forged")]
    Algorithm,
    /// The token is of another issuer.
    #[error("the token is of another issuer: look at the option oidc.issuer")]
    Issuer,
    /// The token is for somebody else.
    #[error("the token is for another audience: the subscription's audience and the option oidc.audience must be the same")]
    Audience,
    /// The token is of another account.
    #[error("the token is of another account: the subscription's service account and the option oidc.email must be the same")]
    Account,
    /// The token does not hold now.
    #[error("the token does not hold now, or holds longer than a day: it is replayed, or a clock is wrong")]
    TokenOutside,
    /// What the issuer publishes is not a set of keys.
    #[error("what is at the keys' address is no set of keys: look at the option oidc.jwksUrl")]
    Keys,
    /// The issuer does not publish this key.
    #[error("the token is signed by a key that its issuer does not publish: it is forged")]
    KeyUnknown,
    /// The key did not make this signature.
    #[error("the signature does not match: the message is forged, or something between the sender and this server changes it")]
    Mismatch,
}

/// Where documents may come from besides the sender's own hosts: an emulator's, for SNS. Set by the operator.
pub type Origins = [Url];

/// One thing that a request claims, and what proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Where the key is.
    pub document: Url,
    /// What is signed.
    pub signed: Vec<u8>,
    signature: Vec<u8>,
    key: Key,
}

/// Which key of the document, and how it signs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    /// That of the certificate; RSA with SHA-1 or SHA-256.
    Certificate(certificate::Hash),
    /// The one with this `kid`; RS256.
    Jwk(String),
}

impl Published {
    /// What a request claims. Empty: nothing is demanded of it.
    ///
    /// # Errors
    /// It does not claim what is demanded, or what it claims cannot hold.
    pub fn claims(
        &self,
        headers: &Headers,
        body: Option<&Value>,
        now: Timestamp,
        origins: &Origins,
    ) -> Result<Vec<Claim>, Unproven> {
        match self {
            Self::Sns(rules) => rules.claims(body, now, origins),
            Self::Oidc(rules) => rules.claim(headers, now).map(|claim| vec![claim]),
        }
    }

    /// What people call it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sns(_) => "Amazon SNS",
            Self::Oidc(_) => "OpenID Connect",
        }
    }

    /// What is signed, in words.
    pub const fn signed(&self) -> &'static str {
        match self {
            Self::Sns(_) => "the message's fields, each with its name",
            Self::Oidc(_) => "<header>.<claims> of the token in Authorization",
        }
    }
}

impl Claim {
    /// Checks the claim with the document that holds its key.
    ///
    /// # Errors
    /// It does not hold. [`Unproven::KeyUnknown`] where a newer document might have the key.
    pub fn verify(&self, document: &[u8], now: Timestamp) -> Result<(), Unproven> {
        match &self.key {
            Key::Certificate(hash) => certificate::verify(document, *hash, &self.signed, &self.signature, now),
            Key::Jwk(kid) => oidc::verify(document, kid, &self.signed, &self.signature),
        }
    }
}

#[cfg(test)]
mod tests;
