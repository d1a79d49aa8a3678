//! ID tokens of OpenID Connect, as Pub/Sub sends them: <https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions>.
//!
//! A JWT (RFC 7519) in `Authorization: Bearer`, signed RS256 by one of the issuer's keys (RFC 7517). Google signs a token for any
//! audience that one of its customers asks for: only the account's address says whose it is, so both are demanded. The token proves who
//! sends, not what: it does not cover the body.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::Value;
use url::Url;

use super::Unproven;
use super::{Claim, Key};
use crate::provider::{Headers, read};
use crate::time::Timestamp;

/// Seconds that clocks may differ.
pub const LEEWAY: i64 = 60;
/// Seconds that a token may hold; Google's hold an hour.
pub const LIFE_MAX: i64 = 24 * 3_600;
/// Characters of a token that is looked at.
const TOKEN_MAX: usize = 16 * 1024;
/// Where Google publishes its keys.
pub const GOOGLE_KEYS: &str = "https://www.googleapis.com/oauth2/v3/certs";
/// What Google calls itself.
pub const GOOGLE: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];

/// What is demanded of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `aud`: what the subscription says.
    pub audience: String,
    /// `email`: the account that the subscription pushes as.
    pub email: String,
    /// `iss`: any of these.
    pub issuers: Vec<String>,
    /// Where the issuer's keys are (JWKS).
    pub keys: Url,
}

impl Rules {
    /// What the token of a request claims, everything but its signature checked.
    pub(super) fn claim(&self, headers: &Headers, now: Timestamp) -> Result<Claim, Unproven> {
        let token = token(headers)?;
        let (signed, signature) = token.rsplit_once('.').ok_or(Unproven::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Unproven::Malformed)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Unproven::Malformed)?;
        let header = object(header)?;
        // Exactly the algorithm that the keys are for: what a token says of itself decides nothing.
        if header.get("alg").and_then(Value::as_str) != Some("RS256") || header.get("crit").is_some() {
            return Err(Unproven::Algorithm);
        }
        let kid = header.get("kid").and_then(Value::as_str).ok_or(Unproven::Malformed)?.to_owned();
        self.holds(&object(claims)?, now)?;
        Ok(Claim { document: self.keys.clone(), signed: signed.as_bytes().to_vec(), signature, key: Key::Jwk(kid) })
    }

    fn holds(&self, claims: &Value, now: Timestamp) -> Result<(), Unproven> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if !text("iss").is_some_and(|issuer| self.issuers.iter().any(|known| known == issuer)) {
            return Err(Unproven::Issuer);
        }
        let audience = match claims.get("aud") {
            Some(Value::String(audience)) => *audience == self.audience,
            Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(&self.audience)),
            _ => false,
        };
        if !audience {
            return Err(Unproven::Audience);
        }
        let verified = claims.get("email_verified").and_then(read::scalar).is_some_and(|word| word == "true");
        if text("email") != Some(&self.email) || !verified {
            return Err(Unproven::Account);
        }
        let moment = |name: &str| claims.get(name).and_then(Value::as_i64);
        let (Some(from), Some(until)) = (moment("iat"), moment("exp")) else { return Err(Unproven::Malformed) };
        let now = now.seconds();
        let begun = from.max(moment("nbf").unwrap_or(from)) <= now.saturating_add(LEEWAY);
        let over = until <= now.saturating_sub(LEEWAY);
        if !begun || over || until.saturating_sub(from) > LIFE_MAX {
            return Err(Unproven::TokenOutside);
        }
        Ok(())
    }
}

/// The one bearer token of a request.
fn token(headers: &Headers) -> Result<&str, Unproven> {
    let mut bearers = headers.all("authorization").filter_map(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    let token = bearers.next().ok_or(Unproven::TokenMissing)?;
    match bearers.next() {
        None if token.len() <= TOKEN_MAX => Ok(token),
        _ => Err(Unproven::Malformed),
    }
}

fn object(text: &str) -> Result<Value, Unproven> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Unproven::Malformed)?;
    serde_json::from_slice(&bytes).ok().filter(Value::is_object).ok_or(Unproven::Malformed)
}

/// Whether the key `kid` of a JWKS made `signature` over `signed`, RS256.
pub(super) fn verify(jwks: &[u8], kid: &str, signed: &[u8], signature: &[u8]) -> Result<(), Unproven> {
    let set: Value = serde_json::from_slice(jwks).map_err(|_| Unproven::Keys)?;
    let keys = set.get("keys").and_then(Value::as_array).ok_or(Unproven::Keys)?;
    let is = |key: &Value, name: &str, word: &str| key.get(name).and_then(Value::as_str) == Some(word);
    let fits = |key: &&Value| {
        let lacks = |name: &str| key.get(name).is_none();
        is(key, "kid", kid)
            && is(key, "kty", "RSA")
            && (lacks("alg") || is(key, "alg", "RS256"))
            && (lacks("use") || is(key, "use", "sig"))
    };
    let key = keys.iter().find(fits).ok_or(Unproven::KeyUnknown)?;
    let number = |name: &str| {
        let text = key.get(name).and_then(Value::as_str)?;
        URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
    };
    let (Some(n), Some(e)) = (number("n"), number("e")) else { return Err(Unproven::Keys) };
    RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).map_err(|_| Unproven::Mismatch)
}
