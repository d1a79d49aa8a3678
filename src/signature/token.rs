//! Secrets that are sent as they are: the only proof of some senders. Whoever has seen one request can make others, so that it is
//! worth no more than the secrecy of the connection.

use super::scheme::Token;
use super::{CANDIDATES_MAX, ConstantTimeEq, Unverified, Verified};
use crate::provider::Headers;
use crate::secret::Secret;

/// Checks every value of the token's header against each live secret.
///
/// # Errors
/// Why it did not hold; never `Ok` without a non-empty secret.
pub(super) fn check(token: Token, headers: &Headers, secrets: &[Secret]) -> Result<Verified, Unverified> {
    let shown: Vec<&str> = headers.all(token.header).collect();
    match shown.len() {
        0 => return Err(Unverified::Missing),
        count if count > CANDIDATES_MAX => return Err(Unverified::TooMany),
        _ if shown.iter().all(|shown| shown.is_empty()) => return Err(Unverified::Malformed),
        _ => {}
    }
    // White space around a header's value never arrives, so that of a secret cannot count.
    let is_shown = |secret: &Secret| {
        let expected = secret.expose().trim().as_bytes();
        let any = shown.iter().fold(subtle::Choice::from(0), |any, shown| any | shown.as_bytes().ct_eq(expected));
        !expected.is_empty() && any.into()
    };
    let secret = secrets.iter().position(is_shown).ok_or(Unverified::Mismatch)?;
    Ok(Verified { secret, delivery_id: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Token = Token { name: "Tally", header: "x-tally-token" };

    fn checked(shown: &[&str], secrets: &[&str]) -> Result<usize, Unverified> {
        let headers = Headers::new(shown.iter().map(|shown| (TOKEN.header, *shown)));
        let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        check(TOKEN, &headers, &secrets).map(|verified| verified.secret)
    }

    #[test]
    fn the_whole_secret_and_nothing_else() {
        assert_eq!(checked(&["topsecret"], &["topsecret"]), Ok(0));
        assert_eq!(checked(&["wrong", "older"], &["newer", "older"]), Ok(1));
        assert_eq!(checked(&["topsecret"], &[" topsecret "]), Ok(0));
        for near in ["topsecre", "topsecrett", "TOPSECRET", "t"] {
            assert_eq!(checked(&[near], &["topsecret"]), Err(Unverified::Mismatch), "{near}");
        }
    }

    #[test]
    fn what_is_no_token() {
        assert_eq!(checked(&[], &["topsecret"]), Err(Unverified::Missing));
        assert_eq!(checked(&[""], &["topsecret"]), Err(Unverified::Malformed));
        assert_eq!(checked(&[""], &[""]), Err(Unverified::Malformed));
        assert_eq!(checked(&["", "x"], &[""]), Err(Unverified::Mismatch));
        assert_eq!(checked(&["x"], &[]), Err(Unverified::Mismatch));
        assert_eq!(checked(&["topsecret"; 11], &["topsecret"]), Err(Unverified::TooMany));
    }
}
