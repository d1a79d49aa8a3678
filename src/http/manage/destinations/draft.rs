//! What a body says about a destination, and what it makes of one.

use serde_json::{Map, Value};

use crate::delivery::channel::{self, Channel};
use crate::delivery::destination::Settings;
use crate::delivery::template;
use crate::error::ApiError;
use crate::http::manage::draft::{NAME_MAX, SECRET_MAX};
use crate::http::manage::fields::Fields;
use crate::http::manage::unknown;
use crate::secret::Secret;
use crate::store::destinations::Destination;

/// Characters of a URL, and of a header field's value.
const URL_MAX: usize = 4000;
const HEADER_MAX: usize = 4000;
/// Header fields of one destination.
const HEADERS_MAX: usize = 50;
/// Failures in a row that a breaker may wait for, and seconds that it may rest.
const FAILURES_MAX: i64 = 1000;
const REST_MAX: i64 = 86_400;
/// Messages a minute that can be allowed.
const RATE_LIMIT_MAX: i64 = 1_000_000;
/// What stands in an answer where a secret was.
pub const MASK: &str = "***";
const MASKED: &str = "is masked: send it whole, or leave it out to keep what is set";

/// What can be shown of a destination and not be set.
const READ_ONLY: [&str; 9] =
    ["id", "kind", "signing_secrets", "problem", "disabled_why", "rule", "created_by", "created_at", "updated_at"];

/// Header fields that a body names: null takes one away; null for all of them takes all away.
type Headers = Option<Option<Vec<(String, Option<Secret>)>>>;

/// The settings that a body names; the outer `None`: not named, the inner: null, none or the default.
pub struct Draft {
    /// Its name.
    pub name: Option<String>,
    /// The signing secret to set; null takes it away.
    pub signing_secret: Option<Option<Secret>>,
    /// Whether it gets what no rule matches.
    pub is_default: Option<bool>,
    url: Option<Option<Secret>>,
    token: Option<Option<Secret>>,
    headers: Headers,
    basic_auth: Option<Option<(String, Secret)>>,
    options: Option<Map<String, Value>>,
    signature_header: Option<Option<String>>,
    /// As they are stored; null takes one away.
    templates: Option<Option<Map<String, Value>>>,
    include: Option<&'static str>,
    enabled: Option<bool>,
    breaker_failures: Option<Option<i64>>,
    breaker_rest: Option<Option<i64>>,
    rate_limit_per_minute: Option<Option<i64>>,
}

/// What a body that makes a destination says besides.
pub struct Creation {
    /// Its kind.
    pub channel: &'static dyn Channel,
    /// The settings.
    pub draft: Draft,
    /// Whether it gets a rule that tells it everything.
    pub with_rule: bool,
}

impl Creation {
    /// Reads the body of `POST /destinations`. Templates are tried, which is work.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(mut fields: Fields) -> Result<Self, ApiError> {
        let kind = fields.text("kind", NAME_MAX);
        let kind = fields.required("kind", kind);
        let channel = kind.and_then(|kind| channel_of(&mut fields, &kind));
        let name = fields.text("name", NAME_MAX);
        let name = fields.required("name", name);
        let no_rule = fields.boolean("no_rule").flatten().unwrap_or(false);
        let draft = Draft { name, ..Draft::read(&mut fields) };
        fields.finish()?;
        let channel = channel.ok_or_else(|| ApiError::field("kind", "is required"))?;
        Ok(Self { channel, draft, with_rule: !no_rule })
    }
}

fn channel_of(fields: &mut Fields, kind: &str) -> Option<&'static dyn Channel> {
    let found = channel::by_kind(kind);
    if found.is_none() {
        let known: Vec<&str> = channel::CHANNELS.iter().map(|channel| channel.kind()).collect();
        fields.problem("kind", unknown("unknown kind", kind, &known));
    }
    found
}

impl Draft {
    /// Reads the body of `PATCH /destinations/{id}`. Templates are tried, which is work.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read_patch(mut fields: Fields) -> Result<Self, ApiError> {
        fields.read_only(&READ_ONLY);
        let name = fields.text("name", NAME_MAX);
        let name = if name.is_some() { fields.required("name", name) } else { None };
        let draft = Self { name, ..Self::read(&mut fields) };
        fields.finish()?;
        Ok(draft)
    }

    fn read(fields: &mut Fields) -> Self {
        Self {
            name: None,
            signing_secret: secret(fields, "signing_secret", SECRET_MAX),
            is_default: fields.boolean("default").map(|value| value.unwrap_or(false)),
            url: secret(fields, "url", URL_MAX),
            token: secret(fields, "token", SECRET_MAX),
            headers: headers(fields),
            basic_auth: basic_auth(fields),
            options: fields.object("options").map(|options| object(options.unwrap_or_default())),
            signature_header: fields.text("signature_header", NAME_MAX),
            templates: templates(fields),
            include: fields.word("include", &["summary", "details"], include).map(|word| word.unwrap_or("summary")),
            enabled: fields.boolean("enabled").flatten(),
            breaker_failures: fields.integer("breaker_failures", 0..=FAILURES_MAX),
            breaker_rest: breaker_rest(fields),
            rate_limit_per_minute: fields.integer("rate_limit_per_minute", 0..=RATE_LIMIT_MAX),
        }
    }

    /// The secrets that it sets or takes away, by their settings' names.
    pub fn secrets(&self) -> Vec<&'static str> {
        let named = [
            ("url", self.url.is_some()),
            ("token", self.token.is_some()),
            ("headers", self.headers.is_some()),
            ("basic_auth", self.basic_auth.is_some()),
        ];
        named.into_iter().filter(|(_, named)| *named).map(|(name, _)| name).collect()
    }

    /// Whether it changes what a message is sent with.
    pub fn is_of_sending(&self) -> bool {
        !self.secrets().is_empty()
            || self.templates.is_some()
            || self.options.is_some()
            || self.signature_header.is_some()
            || self.signing_secret.as_ref().is_some_and(Option::is_some)
    }

    /// Puts the secrets into `settings`.
    pub fn apply_secrets(&self, settings: &mut Settings) {
        if let Some(url) = &self.url {
            settings.url = url.clone().unwrap_or_else(|| Secret::new(""));
        }
        if let Some(token) = &self.token {
            settings.token.clone_from(token);
        }
        if let Some(headers) = &self.headers {
            let mut all = std::mem::take(&mut settings.headers);
            for (name, value) in headers.iter().flatten() {
                all.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
                all.extend(value.clone().map(|value| (name.clone(), value)));
            }
            settings.headers = if headers.is_some() { all } else { Vec::new() };
        }
        if let Some(basic_auth) = &self.basic_auth {
            settings.basic_auth.clone_from(basic_auth);
        }
    }

    /// Puts everything else into `row`; name, signing secret and which destination is the default are the caller's business.
    pub fn apply(&self, row: &mut Destination) {
        if self.options.is_some() || self.signature_header.is_some() {
            let kept = || serde_json::from_str(&row.options).unwrap_or_default();
            let mut options = self.options.clone().unwrap_or_else(kept);
            match &self.signature_header {
                Some(Some(name)) => drop(options.insert("signature_header".to_owned(), name.as_str().into())),
                Some(None) => drop(options.remove("signature_header")),
                None => {}
            }
            row.options = Value::Object(options).to_string();
        }
        if let Some(templates) = &self.templates {
            let mut all: Map<String, Value> = serde_json::from_str(&row.templates).unwrap_or_default();
            for (name, template) in templates.iter().flatten() {
                all.remove(name);
                all.extend((!template.is_null()).then(|| (name.clone(), template.clone())));
            }
            let all = if templates.is_some() { all } else { Map::new() };
            row.templates = Value::Object(all).to_string();
        }
        if let Some(include) = self.include {
            include.clone_into(&mut row.include);
        }
        if let Some(enabled) = self.enabled {
            row.enabled = i32::from(enabled);
            row.disabled_why = None;
        }
        if let Some(failures) = self.breaker_failures {
            row.breaker_failures = failures;
        }
        if let Some(rest) = self.breaker_rest {
            row.breaker_rest = rest;
        }
        if let Some(limit) = self.rate_limit_per_minute {
            row.rate_per_minute = limit.filter(|limit| *limit > 0);
        }
    }
}

fn include(word: &str) -> Option<&'static str> {
    ["summary", "details"].into_iter().find(|known| *known == word)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A secret as it is given; what an answer shows in its place is none.
fn secret(fields: &mut Fields, name: &'static str, max: usize) -> Option<Option<Secret>> {
    let text = fields.text(name, max)?;
    if text.as_ref().is_some_and(|text| text.contains(MASK)) {
        fields.problem(name, MASKED);
        return None;
    }
    Some(text.map(Secret::new))
}

fn headers(fields: &mut Fields) -> Headers {
    let Some(map) = fields.object("headers")?.map(object) else { return Some(None) };
    if map.len() > HEADERS_MAX {
        fields.problem("headers", format!("must be at most {HEADERS_MAX}"));
    }
    let mut all = Vec::new();
    for (name, value) in map {
        match value {
            Value::Null => all.push((name, None)),
            Value::String(text) if text.contains(MASK) => fields.problem(format!("headers.{name}"), MASKED),
            Value::String(text) if text.chars().count() <= HEADER_MAX => all.push((name, Some(Secret::new(text)))),
            _ => fields.problem(format!("headers.{name}"), format!("must be a text of at most {HEADER_MAX} characters, or null")),
        }
    }
    Some(Some(all))
}

fn basic_auth(fields: &mut Fields) -> Option<Option<(String, Secret)>> {
    let Some(given) = fields.object("basic_auth")? else { return Some(None) };
    let text = |name: &str| given.get(name).and_then(Value::as_str).filter(|text| text.len() <= SECRET_MAX);
    let only = given.as_object().is_some_and(|map| map.keys().all(|key| key == "user" || key == "password"));
    match (text("user"), text("password")) {
        (_, Some(MASK)) => fields.problem("basic_auth.password", MASKED),
        (Some(user), Some(password)) if only => return Some(Some((user.to_owned(), Secret::new(password)))),
        _ => fields.problem("basic_auth", "must be an object of two texts: user and password"),
    }
    None
}

/// Templates that work, as far as trying them shows.
fn templates(fields: &mut Fields) -> Option<Option<Map<String, Value>>> {
    let Some(given) = fields.object("templates")?.map(object) else { return Some(None) };
    match template::Settings::from_json(&given) {
        Ok(settings) => {
            let mut stored = settings.to_json();
            stored.extend(given.into_iter().filter(|(_, template)| template.is_null()));
            Some(Some(stored))
        }
        Err(problems) => {
            problems.into_iter().for_each(|problem| fields.problem(format!("templates.{}", problem.field), problem.message));
            None
        }
    }
}

fn breaker_rest(fields: &mut Fields) -> Option<Option<i64>> {
    let rest = fields.duration("breaker_rest", REST_MAX)?;
    if rest == Some(0) {
        fields.problem("breaker_rest", "must be longer than 0s; breaker_failures: 0 switches the breaker off");
        return None;
    }
    Some(rest)
}
