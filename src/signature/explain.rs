//! Why a signature held or did not, for the person who sets up the sender. Shows neither secrets nor expected signatures.

use serde::Serialize;

use super::cause::{self, Case, Suspects};
use super::evidence::values;
use super::scheme::{Proof, Scheme, Token};
use super::{Unverified, Verified, check};
use crate::provider::Headers;
use crate::secret::Secret;
use crate::time::Timestamp;

/// What [`check`] did, in words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SignatureTrace {
    /// The scheme's name.
    pub scheme: &'static str,
    /// The headers that may hold the signature.
    pub headers: Vec<String>,
    /// Whether one of them came.
    pub found: bool,
    /// What is signed: `the raw body`, `<timestamp>:<body>`.
    pub signed: String,
    /// The index of the secret that matched.
    pub secret: Option<usize>,
    /// Why it did not hold.
    pub problem: Option<Unverified>,
    /// The problem as a sentence, then what likely causes it.
    pub causes: Vec<String>,
}

/// Checks as [`check`] does, and says what happened and why; `suspects` are keys that the sender may have used by mistake.
pub fn explain(
    scheme: &Scheme,
    headers: &Headers,
    body: &[u8],
    secrets: &[Secret],
    suspects: &Suspects,
    now: Timestamp,
) -> SignatureTrace {
    let result = check(scheme, headers, body, secrets, now);
    let hmac = match scheme.proof() {
        Proof::Hmac(hmac) => hmac,
        Proof::Token(token) => return token_trace(token, headers, result),
    };
    let problem = result.as_ref().err().copied();
    let causes = problem.map(|problem| {
        let mut causes = vec![problem.to_string()];
        causes.extend(cause::likely(problem, &Case { hmac, headers, body, secrets, suspects, now }));
        causes
    });
    SignatureTrace {
        scheme: hmac.name,
        headers: std::iter::once(hmac.header.to_string()).chain(hmac.also_header.map(str::to_owned)).collect(),
        found: values(hmac, headers).next().is_some(),
        signed: hmac.signed.described(),
        secret: result.ok().map(|verified| verified.secret),
        problem,
        causes: causes.unwrap_or_default(),
    }
}

fn token_trace(token: Token, headers: &Headers, result: Result<Verified, Unverified>) -> SignatureTrace {
    let problem = result.as_ref().err().copied();
    let mut causes: Vec<String> = problem.iter().map(Unverified::to_string).collect();
    if problem == Some(Unverified::Mismatch) {
        causes.push(format!("`{}` holds another secret than the one that is set here", token.header));
    }
    SignatureTrace {
        scheme: token.name,
        headers: vec![token.header.to_owned()],
        found: headers.get(token.header).is_some(),
        signed: "nothing: the secret itself is sent".to_owned(),
        secret: result.ok().map(|verified| verified.secret),
        problem,
        causes,
    }
}
