//! What a body says about a destination, and what it makes of one.

mod read;

use serde_json::{Map, Value};

use self::read::Headers;
pub use self::read::MASK;
use crate::delivery::channel::shorthand::shorthand;
use crate::delivery::channel::{self, Channel};
use crate::delivery::destination::Settings;
use crate::error::ApiError;
use crate::http::manage::draft::{NAME_MAX, SECRET_MAX};
use crate::http::manage::fields::Fields;
use crate::http::manage::unknown;
use crate::secret::Secret;
use crate::store::destinations::Destination;

/// Characters of a URL.
const URL_MAX: usize = 4000;
/// Failures in a row that a breaker may wait for.
const FAILURES_MAX: i64 = 1000;
/// Messages a minute that can be allowed.
const RATE_LIMIT_MAX: i64 = 1_000_000;

/// What can be shown of a destination and not be set.
const READ_ONLY: [&str; 15] = [
    "id",
    "kind",
    "signing_secrets",
    "problem",
    "disabled_why",
    "rule",
    "created_by",
    "created_at",
    "updated_at",
    "breaker",
    "waiting",
    "last_delivered_at",
    "last_failed_at",
    "actions_url",
    "warnings",
];

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
    /// Options that the URL names; those of the body go before them.
    url_options: Map<String, Value>,
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
        let kind = fields.text("kind", NAME_MAX).flatten();
        let channel = kind.as_ref().and_then(|kind| channel_of(&mut fields, kind));
        let name = fields.text("name", NAME_MAX);
        let name = fields.required("name", name);
        let no_rule = fields.boolean("no_rule").flatten().unwrap_or(false);
        let mut draft = Draft { name, ..Draft::read(&mut fields) };
        let channel = channel.or_else(|| if kind.is_none() { draft.channel_by_url() } else { None });
        if channel.is_none() && kind.is_none() {
            fields.problem("kind", "is required, unless the URL says it");
        }
        if let Some(channel) = channel
            && let Err(problem) = draft.expand(channel.kind())
        {
            fields.problem("url", problem);
        }
        fields.finish()?;
        let channel = channel.ok_or_else(|| ApiError::field("kind", "is required, unless the URL says it"))?;
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
            signing_secret: read::secret(fields, "signing_secret", SECRET_MAX),
            is_default: fields.boolean("default").map(|value| value.unwrap_or(false)),
            url: read::secret(fields, "url", URL_MAX),
            token: read::secret(fields, "token", SECRET_MAX),
            headers: read::headers(fields),
            basic_auth: read::basic_auth(fields),
            options: fields.object("options").map(|options| read::object(options.unwrap_or_default())),
            url_options: Map::new(),
            signature_header: fields.text("signature_header", NAME_MAX),
            templates: read::templates(fields),
            include: fields.word("include", &["summary", "details"], read::include).map(|word| word.unwrap_or("summary")),
            enabled: fields.boolean("enabled").flatten(),
            breaker_failures: fields.integer("breaker_failures", 0..=FAILURES_MAX),
            breaker_rest: read::breaker_rest(fields),
            rate_limit_per_minute: fields.integer("rate_limit_per_minute", 0..=RATE_LIMIT_MAX),
        }
    }

    /// The kind that the URL stands for.
    fn channel_by_url(&self) -> Option<&'static dyn Channel> {
        let url = self.url.as_ref()?.as_ref()?;
        channel::by_kind(shorthand(url.expose())?.kind)
    }

    /// Puts in the place of a URL that says more than where the destination is (`slack://TOKEN@CHANNEL`) what it says; what the body says
    /// otherwise goes before that.
    ///
    /// # Errors
    /// It stands for a destination of another kind: a sentence.
    pub fn expand(&mut self, kind: &str) -> Result<(), String> {
        let Some(named) = self.url.as_ref().and_then(Option::as_ref).and_then(|url| shorthand(url.expose())) else {
            return Ok(());
        };
        if named.kind != kind {
            // A web address can be a destination of many kinds.
            let is_web = named.url.expose().starts_with("http") && self.url.as_ref().and_then(Option::as_ref) == Some(&named.url);
            return if is_web {
                Ok(())
            } else {
                Err(format!("stands for a destination of kind {}, and this is one of {kind}", named.kind))
            };
        }
        self.url = Some(Some(named.url).filter(|url| !url.expose().is_empty()));
        self.token = self.token.take().or(named.token.map(Some));
        self.basic_auth = self.basic_auth.take().or(named.basic_auth.map(Some));
        self.url_options = named.options;
        Ok(())
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
        if self.options.is_some() || self.signature_header.is_some() || !self.url_options.is_empty() {
            let kept = || serde_json::from_str(&row.options).unwrap_or_default();
            let mut options: Map<String, Value> = self.options.clone().unwrap_or_else(kept);
            options.extend(self.url_options.clone());
            options.extend(self.options.clone().unwrap_or_default());
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
