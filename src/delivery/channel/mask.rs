//! URLs as people may see them: whatever in them proves who we are is overwritten.

use url::Url;

/// What stands where a secret was.
const MASK: &str = "***";

/// Names of query parameters whose values are secrets, without `-` and `_` and in lower case.
const SECRET_NAMES: [&str; 14] = [
    "accesstoken",
    "apikey",
    "auth",
    "code",
    "hook",
    "integrationid",
    "key",
    "password",
    "routingkey",
    "secret",
    "sig",
    "signature",
    "token",
    "webhooktoken",
];

/// Length from which a piece of a URL that looks random counts as a secret, whatever it is called.
const RANDOM_MIN: usize = 20;

/// `url` without its secrets: user and password, the values of parameters that are called like a secret, and every piece of path and
/// query that is `secret`, or long and random. What is no URL is masked as a whole.
pub fn masked(url: &str, secret: impl Fn(&Segment<'_>) -> bool) -> String {
    let Ok(parsed) = Url::parse(url) else { return MASK.to_owned() };
    let mut out = format!("{}://", parsed.scheme());
    if !parsed.username().is_empty() || parsed.password().is_some() {
        out.push_str(MASK);
        out.push('@');
    }
    out.push_str(parsed.host_str().unwrap_or_default());
    if let Some(port) = parsed.port() {
        out.push_str(&format!(":{port}"));
    }
    let mut before: Vec<&str> = Vec::new();
    for (index, text) in parsed.path().split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        let hidden = secret(&Segment { text, before: &before }) || is_random(text);
        out.push_str(if hidden && !text.is_empty() { MASK } else { text });
        before.push(text);
    }
    for (index, pair) in parsed.query().into_iter().flat_map(|query| query.split('&')).enumerate() {
        out.push(if index == 0 { '?' } else { '&' });
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let plain: String = name.chars().filter(|c| !"-_".contains(*c)).map(|c| c.to_ascii_lowercase()).collect();
        let name_shown = if is_random(name) { MASK } else { name };
        out.push_str(name_shown);
        if !value.is_empty() {
            let hidden = SECRET_NAMES.contains(&plain.as_str()) || is_random(value);
            out.push('=');
            out.push_str(if hidden { MASK } else { value });
        }
    }
    out
}

/// A piece of a path.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// It, as it stands in the URL.
    pub text: &'a str,
    /// Those before it.
    pub before: &'a [&'a str],
}

impl Segment<'_> {
    /// How many places after the last piece of this name it stands; 1: directly after.
    pub fn after(&self, name: &str) -> Option<usize> {
        self.before.iter().rev().position(|segment| *segment == name).map(|between| between + 1)
    }
}

/// Digits and letters mixed over a length that no word has.
fn is_random(text: &str) -> bool {
    text.len() >= RANDOM_MIN
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !text.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_proves_who_we_are_is_shown() {
        for (url, shown) in [
            ("https://user:pass@a.example:8443/x?y=1", "https://***@a.example:8443/x?y=1"),
            (
                "https://a.example/hook?key=abc&Access-Token=d&wait=true",
                "https://a.example/hook?key=***&Access-Token=***&wait=true",
            ),
            ("https://a.example/hooks/8f3a9c0d1e2f4a5b6c7d8e9f/in", "https://a.example/hooks/***/in"),
            ("https://a.example/?8f3a9c0d1e2f4a5b6c7d8e9f", "https://a.example/?***"),
            ("https://a.example/on-call/receiver-of-the-second-team", "https://a.example/on-call/receiver-of-the-second-team"),
            ("no url, but a secret", "***"),
            ("", "***"),
        ] {
            assert_eq!(masked(url, |_| false), shown, "{url}");
        }
        assert_eq!(
            masked("https://a.example/services/T/B/x", |segment| segment.after("services").is_some()),
            "https://a.example/services/***/***/***"
        );
    }
}
