//! Credentials that are not signatures: a key in a header or in the query, wherever tools can be made to put it.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::CANDIDATES_MAX;
use crate::provider::Headers;
use crate::secret::Secret;

/// A key that a request brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Presented<'a> {
    /// The key as sent, without white space around it.
    pub key: Secret,
    /// Where it stood: `authorization: bearer`, `x-api-key`, `?token=`.
    pub place: Cow<'a, str>,
}

/// Headers that may carry the key, for every tool.
const KEY_HEADERS: [&str; 3] = ["x-integration-key", "x-routing-key", "x-api-key"];
/// Query fields that may carry the key, for every tool.
const KEY_QUERY: [&str; 3] = ["key", "token", "integrationKey"];

/// Every key that a request brings: `Authorization` as `Bearer`, `Token token=` or `Basic` (the password, whatever the user),
/// `X-Integration-Key`, `X-Routing-Key`, `X-Api-Key`, the tool's own `extra_headers` (lower case), and `?key=`, `?token=` or
/// `?integrationKey=`. At most [`CANDIDATES_MAX`], in this order; `query` is decoded.
pub fn presented_keys<'a>(headers: &'a Headers, query: &'a [(String, String)], extra_headers: &[&'a str]) -> Vec<Presented<'a>> {
    let authorization = headers.all("authorization").filter_map(authorization);
    let named = KEY_HEADERS.iter().chain(extra_headers);
    let in_headers = named.flat_map(|&name| headers.all(name).map(move |key| (Cow::Borrowed(key), Cow::Borrowed(name))));
    let in_query = query
        .iter()
        .filter(|(name, _)| KEY_QUERY.contains(&name.as_str()))
        .map(|(name, key)| (Cow::Borrowed(key.as_str()), Cow::Owned(format!("?{name}="))));
    authorization
        .chain(in_headers)
        .chain(in_query)
        .filter(|(key, _)| !key.trim().is_empty())
        .take(CANDIDATES_MAX)
        .map(|(key, place)| Presented { key: Secret::new(key.trim()), place })
        .collect()
}

/// The key in an `Authorization` header, and how it is written there.
fn authorization(value: &str) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let (scheme, rest) = value.split_once(char::is_whitespace)?;
    let rest = rest.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some((Cow::Borrowed(rest), Cow::Borrowed("authorization: bearer"))),
        "token" => {
            let key = rest.strip_prefix("token=")?.trim_matches('"');
            Some((Cow::Borrowed(key), Cow::Borrowed("authorization: token")))
        }
        "basic" => {
            let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
            let (_, password) = decoded.split_once(':')?;
            Some((Cow::Owned(password.to_owned()), Cow::Borrowed("authorization: basic")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(headers: &[(&str, &str)], query: &[(&str, &str)], extra: &[&'static str]) -> Vec<(String, String)> {
        let headers = Headers::new(headers.iter().copied());
        let query: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let presented = presented_keys(&headers, &query, extra);
        presented.iter().map(|found| (found.key.expose().to_owned(), found.place.clone().into_owned())).collect()
    }

    #[test]
    fn a_key_is_found_wherever_a_tool_can_put_it() {
        let cases = [
            (("Authorization", "Bearer k1"), "authorization: bearer"),
            (("Authorization", "bearer  k1 "), "authorization: bearer"),
            (("Authorization", "Token token=k1"), "authorization: token"),
            (("Authorization", "Token token=\"k1\""), "authorization: token"),
            (("Authorization", "Basic dXNlcjprMQ=="), "authorization: basic"),
            (("X-Integration-Key", "k1"), "x-integration-key"),
            (("X-Routing-Key", " k1 "), "x-routing-key"),
            (("X-API-Key", "k1"), "x-api-key"),
            (("X-Gitlab-Token", "k1"), "x-gitlab-token"),
        ];
        for (header, place) in cases {
            assert_eq!(keys(&[header], &[], &["x-gitlab-token"]), [("k1".to_owned(), place.to_owned())], "{header:?}");
        }
        for name in ["key", "token", "integrationKey"] {
            assert_eq!(keys(&[], &[(name, "k1"), ("other", "k2")], &[]), [("k1".to_owned(), format!("?{name}="))]);
        }
    }

    #[test]
    fn what_is_no_key_is_passed_over() {
        let headers = [
            ("Authorization", "k1"),
            ("Authorization", "Digest k1"),
            ("Authorization", "Token k1"),
            ("Authorization", "Basic !!!"),
            ("Authorization", "Basic dXNlcjo="),
            ("X-Api-Key", "  "),
            ("X-Gitlab-Token", "k1"),
        ];
        assert_eq!(keys(&headers, &[("key", "")], &[]), []);
    }

    #[test]
    fn at_most_ten_are_tried_and_none_is_printed() {
        let headers = Headers::new((0..1000).map(|n| ("X-Api-Key", format!("hush{n}"))));
        let presented = presented_keys(&headers, &[], &[]);
        assert_eq!(presented.len(), 10);
        assert!(!format!("{presented:?}").contains("hush"));
    }
}
