//! Checking a destination's settings when it is saved: all problems at once, each with the setting's name and what it must be.

use serde_json::Value;
use url::{Url, form_urlencoded};

use super::Target;
use crate::secret::Secret;

/// A setting's name and what is wrong with it.
pub type Problem = (&'static str, String);

/// How alike a setting's name must be to a known one to be taken for a slip of the keys.
const ALIKE: f64 = 0.8;

/// A destination's settings while they are checked.
pub struct Settings<'a> {
    target: &'a Target,
    problems: Vec<Problem>,
}

impl<'a> Settings<'a> {
    /// Those of `target`, whose kind knows the options `known`.
    pub fn of(target: &'a Target, known: &[&str]) -> Self {
        let mut problems = Vec::new();
        for name in target.options.keys().filter(|name| !known.contains(&name.as_str())) {
            let alike = known.iter().map(|known| (strsim::jaro_winkler(name, known), known)).max_by(|a, b| a.0.total_cmp(&b.0));
            let hint = alike.filter(|(score, _)| *score >= ALIKE).map(|(_, known)| format!(": did you mean {known}?"));
            problems.push(("options", format!("{name:?} is no option of this kind{}", hint.unwrap_or_default())));
        }
        Self { target, problems }
    }

    /// Adds a problem.
    pub fn wrong(&mut self, name: &'static str, why: impl Into<String>) {
        self.problems.push((name, why.into()));
    }

    /// The URL must be there, to http or https; `what` says what it should be.
    pub fn url(&mut self, what: &str) {
        let url = self.target.url.expose();
        let web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        if !Url::parse(url).is_ok_and(|url| web(&url)) {
            self.wrong("url", format!("must be {what}"));
        }
    }

    /// The URL may be left out, for the vendor's own.
    pub fn own_url(&mut self) {
        if !self.target.url.expose().is_empty() {
            self.url("a URL with http or https, or nothing for the vendor's own");
        }
    }

    /// The token must be there and good; `what` says what it should be.
    pub fn token(&mut self, good: impl Fn(&str) -> bool, what: &str) {
        let token = self.target.token.as_ref().map(Secret::expose).unwrap_or_default();
        if token.is_empty() || !is_field_value(token) || !good(token) {
            self.wrong("token", format!("must be {what}"));
        }
    }

    /// User and password must be there and good; `what` says what they should be.
    pub fn login(&mut self, good: impl Fn(&str) -> bool, what: &str) {
        let login = self.target.basic_auth.as_ref();
        if !login.is_some_and(|(user, password)| good(user) && !user.contains(':') && !password.expose().is_empty()) {
            self.wrong("basic_auth", format!("must be {what}"));
        }
    }

    /// An option that must be a text and good, and may be left out unless `needed`; `what` says what it should be.
    pub fn text(&mut self, name: &'static str, needed: bool, good: impl Fn(&str) -> bool, what: &str) {
        let fine = match self.target.options.get(name) {
            None | Some(Value::Null) => !needed,
            Some(value) => value.as_str().is_some_and(good),
        };
        if !fine {
            self.wrong(name, format!("must be {what}"));
        }
    }

    /// An option that must be a list of texts, or one text, all good, and may be left out unless `needed`.
    pub fn texts(&mut self, name: &'static str, needed: bool, good: impl Fn(&str) -> bool, what: &str) {
        let fine = match self.target.options.get(name) {
            None | Some(Value::Null) => !needed,
            Some(Value::String(text)) => good(text),
            Some(Value::Array(list)) => !list.is_empty() && list.iter().all(|one| one.as_str().is_some_and(&good)),
            Some(_) => false,
        };
        if !fine {
            self.wrong(name, format!("must be {what}"));
        }
    }

    /// An option that is true or false, or left out.
    pub fn flag(&mut self, name: &'static str) {
        if self.target.options.get(name).is_some_and(|value| !value.is_boolean()) {
            self.wrong(name, "must be true or false");
        }
    }

    /// What was found.
    pub fn problems(self) -> Vec<Problem> {
        self.problems
    }
}

impl Target {
    /// An option that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.options.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
    }

    /// An option that is a list of texts, or one.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        match self.options.get(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Where a vendor's API is: the destination's own URL, or `default`; without a slash at its end.
    pub(super) fn base<'a>(&'a self, default: &'a str) -> &'a str {
        let own = self.url.expose().trim_end_matches('/');
        if own.is_empty() { default } else { own }
    }

    /// The token, or nothing.
    pub(super) fn token(&self) -> &str {
        self.token.as_ref().map(Secret::expose).unwrap_or_default()
    }
}

/// Visible text and spaces: what no reader takes for the end of a header field.
pub fn is_field_value(value: &str) -> bool {
    value.len() <= 4096 && value.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}

/// A piece of a URL without its percent signs.
pub fn decoded(text: &str) -> String {
    let field = format!("={}", text.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(field.as_bytes()).map(|(_, value)| value.into_owned()).next().unwrap_or_default()
}

/// Digits, at least one.
pub fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Letters, digits and `extra`, at least one.
pub fn is_word(text: &str, extra: &str) -> bool {
    !text.is_empty() && text.chars().all(|character| character.is_ascii_alphanumeric() || extra.contains(character))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::target;
    use super::*;

    #[test]
    fn every_problem_is_named() {
        let mut target = target("ftp://a.example");
        target.options = json!({ "chanel": "C1", "other": 1, "to": ["a", 2], "buttons": "yes" }).as_object().unwrap().clone();
        let mut settings = Settings::of(&target, &["channel", "to", "buttons"]);
        settings.url("the webhook's URL");
        settings.own_url();
        settings.token(|token| token.starts_with("xoxb-"), "a bot's token");
        settings.login(|_| true, "a user and a password");
        settings.text("channel", true, |_| true, "a channel's id");
        settings.text("from", false, |_| false, "left out");
        settings.texts("to", true, |_| true, "texts");
        settings.flag("buttons");
        let problems = settings.problems();
        let names: Vec<_> = problems.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["options", "options", "url", "url", "token", "basic_auth", "channel", "to", "buttons"]);
        assert_eq!(problems[0].1, r#""chanel" is no option of this kind: did you mean channel?"#);
        assert_eq!(problems[1].1, r#""other" is no option of this kind"#);
    }
}
