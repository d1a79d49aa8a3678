//! What a body says about an integration, and what it makes of one.

use serde_json::Value;

use super::fields::Fields;
use super::unknown;
use crate::error::{ApiError, Problem};
use crate::ingest::snapshot::Policy;
use crate::provider::{Provider, Registry};
use crate::secret::Secret;
use crate::store::integrations::Integration;

/// Characters of a name, of a pasted secret, and of a routing key.
pub const NAME_MAX: usize = 100;
pub const SECRET_MAX: usize = 1000;
const KEY_LENGTH: usize = 32;
/// Requests a minute that can be allowed.
const RATE_LIMIT_MAX: i64 = 1_000_000;
/// Seconds a timer may have: a year.
const TIMER_MAX: i64 = 366 * 86_400;
/// Bytes that a native body can be allowed to have.
const NATIVE_BODY_MAX: i64 = 64 << 20;

/// The settings that a body names; the outer `None`: not named, the inner: null, the default.
pub struct Draft {
    /// Its name.
    pub name: Option<String>,
    /// The name or id of its service.
    pub service: Option<String>,
    policy: Option<Option<Policy>>,
    /// The signature secret to set; null takes it away.
    pub signature_secret: Option<Option<Secret>>,
    enabled: Option<bool>,
    rate_limit_per_minute: Option<i64>,
    auto_resolve_after: Option<Option<i64>>,
    acknowledge_timeout: Option<Option<i64>>,
    remind_after: Option<Option<i64>>,
    native_body_limit: Option<Option<i64>>,
    options: Option<Value>,
}

/// What a body that makes an integration says besides.
pub struct Creation {
    /// The tool.
    pub provider: &'static dyn Provider,
    /// The settings.
    pub draft: Draft,
    /// The routing key to take over.
    pub key: Option<Secret>,
    /// Whether a signature secret is to be generated.
    pub generate_secret: bool,
}

impl Creation {
    /// Reads the body of `POST /integrations`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(mut fields: Fields, tools: &Registry) -> Result<Self, ApiError> {
        let kind = fields.text("type", NAME_MAX);
        let kind = fields.required("type", kind);
        let provider = kind.and_then(|kind| tool(&mut fields, tools, &kind));
        let name = fields.text("name", NAME_MAX);
        let name = fields.required("name", name);
        let key = key(&mut fields, "key");
        let generate_secret = fields.boolean("generate_secret").flatten().unwrap_or(false);
        let draft = Draft { name, ..Draft::read(&mut fields, provider) };
        let has_secret = generate_secret || draft.signature_secret.as_ref().is_some_and(Option::is_some);
        if generate_secret && draft.signature_secret.as_ref().is_some_and(Option::is_some) {
            fields.problem("generate_secret", "cannot be combined with signature_secret");
        }
        draft.check_policy(&mut fields, has_secret);
        fields.finish()?;
        let provider = provider.ok_or_else(|| ApiError::field("type", "is required"))?;
        Ok(Self { provider, draft, key, generate_secret })
    }
}

impl Draft {
    /// Reads the body of `PATCH /integrations/{id}` on an integration of this tool. `has_secret`: whether it has one now.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read_patch(mut fields: Fields, provider: &'static dyn Provider, has_secret: bool) -> Result<Self, ApiError> {
        fields.read_only(&[
            "id",
            "type",
            "key",
            "url",
            "setup",
            "hooks",
            "keys",
            "secrets",
            "warnings",
            "created_at",
            "created_by",
        ]);
        let name = fields.text("name", NAME_MAX);
        let name = if name.is_some() { fields.required("name", name) } else { None };
        let draft = Self { name, ..Self::read(&mut fields, Some(provider)) };
        let has_secret = draft.signature_secret.as_ref().map_or(has_secret, Option::is_some);
        draft.check_policy(&mut fields, has_secret);
        fields.finish()?;
        Ok(draft)
    }

    fn read(fields: &mut Fields, provider: Option<&'static dyn Provider>) -> Self {
        Self {
            name: None,
            service: fields.text("service", NAME_MAX).flatten(),
            policy: fields.word("policy", &["hook", "key", "signature"], Policy::parse),
            signature_secret: fields.text("signature_secret", SECRET_MAX).map(|secret| secret.map(Secret::new)),
            enabled: fields.boolean("enabled").flatten(),
            rate_limit_per_minute: fields.integer("rate_limit_per_minute", 0..=RATE_LIMIT_MAX).flatten(),
            auto_resolve_after: fields.duration("auto_resolve_after", TIMER_MAX),
            acknowledge_timeout: fields.duration("acknowledge_timeout", TIMER_MAX),
            remind_after: fields.duration("remind_after", TIMER_MAX),
            native_body_limit: fields.integer("native_body_limit", 1024..=NATIVE_BODY_MAX),
            options: options(fields, provider),
        }
    }

    /// A secret that is set is enforced, so no other policy can be chosen beside it.
    fn check_policy(&self, fields: &mut Fields, has_secret: bool) {
        match self.policy.flatten() {
            Some(Policy::Signature) if !has_secret => {
                fields.problem("policy", "signature needs a secret: give signature_secret or generate_secret");
            }
            Some(Policy::Hook | Policy::Key) if has_secret => {
                fields.problem("policy", "a signature secret is set and always enforced; take it away to choose another policy");
            }
            _ => {}
        }
    }

    /// Which of the settings a built-in integration does not have.
    pub fn not_for_built_in(&self) -> Vec<Problem> {
        let named = [
            ("name", self.name.is_some()),
            ("service", self.service.is_some()),
            ("policy", self.policy.is_some()),
            ("signature_secret", self.signature_secret.is_some()),
            ("options", self.options.is_some()),
        ];
        let named = named.into_iter().filter(|(_, named)| *named);
        named.map(|(field, _)| Problem::new(field, "a built-in integration does not have it")).collect()
    }

    /// Puts the settings into `integration`; name, service and secret are the caller's business.
    pub fn apply(&self, integration: &mut Integration) {
        if let Some(policy) = self.policy {
            integration.policy = policy.map(|policy| policy.as_str().to_owned());
        }
        if let Some(enabled) = self.enabled {
            integration.enabled = i32::from(enabled);
        }
        if let Some(limit) = self.rate_limit_per_minute {
            integration.rate_limit_per_minute = limit;
        }
        if let Some(after) = self.auto_resolve_after {
            integration.auto_resolve_after = after;
        }
        if let Some(timeout) = self.acknowledge_timeout {
            integration.acknowledge_timeout = timeout;
        }
        if let Some(after) = self.remind_after {
            integration.remind_after = after;
        }
        if let Some(limit) = self.native_body_limit {
            integration.native_body_limit = limit;
        }
        if let Some(options) = &self.options {
            integration.options = options.to_string();
        }
    }
}

fn tool(fields: &mut Fields, tools: &Registry, kind: &str) -> Option<&'static dyn Provider> {
    let found = tools.by_type(kind);
    if found.is_none() {
        fields.problem("type", unknown("unknown type", kind, &tools.names()));
    }
    found
}

/// A routing key to take over: 32 letters and digits.
pub fn key(fields: &mut Fields, name: &'static str) -> Option<Secret> {
    let text = fields.text(name, 1000).flatten()?;
    if text.len() == KEY_LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Some(Secret::new(text));
    }
    fields.problem(name, "must be 32 letters and digits");
    None
}

/// Options that compile; the tool says what is wrong with others.
fn options(fields: &mut Fields, provider: Option<&'static dyn Provider>) -> Option<Value> {
    let options = fields.object("options")?.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let problems = provider.and_then(|provider| provider.compile(&options).err()).unwrap_or_default();
    for problem in problems {
        let field = if problem.option == "options" { problem.option } else { format!("options.{}", problem.option) };
        fields.problem(field, problem.problem);
    }
    Some(options)
}
