//! The settings that `integration create` and `integration update` share, and the request body they make.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use crate::cli::args::{Pair, Timer, json_or_file, read_file, word};
use crate::cli::failure::usage;
use crate::secret::Secret;

/// What a sender must prove.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Policy {
    /// The unguessable URL is enough
    Hook,
    /// The key too
    Key,
    /// A signature with the secret
    Signature,
}

/// Settings of an integration.
#[derive(Args)]
pub struct Settings {
    /// The service its incidents belong to, by name or id
    #[arg(long, value_name = "SERVICE")]
    pub service: Option<String>,
    /// What a sender must prove; a secret implies signature
    #[arg(long, value_enum, value_name = "POLICY")]
    pub policy: Option<Policy>,
    #[command(flatten)]
    secret: SecretSource,
    /// Requests a minute, 0 for no limit
    #[arg(long, value_name = "N")]
    pub rate_limit: Option<u32>,
    /// Resolve after so long without a repeat: 24h, off or default
    #[arg(long, value_name = "TIME")]
    pub auto_resolve_after: Option<Timer>,
    /// Back to triggered after so long acknowledged: 30m, off or default
    #[arg(long, value_name = "TIME")]
    pub acknowledge_timeout: Option<Timer>,
    /// Remind after so long without a resolve: 4h, off or default
    #[arg(long, value_name = "TIME")]
    pub remind_after: Option<Timer>,
    /// An option of the type; the value may be JSON. Repeatable
    #[arg(long = "option", value_name = "NAME=VALUE")]
    pub options: Vec<Pair>,
    /// The mapping of a webhook integration: JSON, or a file with it
    #[arg(long, value_name = "FILE|JSON")]
    pub mapping: Option<String>,
}

/// Where the signature secret comes from.
#[derive(Args)]
#[group(multiple = false)]
struct SecretSource {
    /// The signature secret. Other users of this machine can see arguments: prefer --signature-secret-file
    #[arg(long, value_name = "SECRET")]
    signature_secret: Option<String>,
    /// Read the signature secret from a file, - for standard input
    #[arg(long, value_name = "FILE")]
    signature_secret_file: Option<PathBuf>,
    /// Make a random signature secret and print it once
    #[arg(long)]
    generate_secret: bool,
}

/// A request body, and the secret that was made for it.
pub struct Body {
    /// Fields by the API's names; only what was given.
    pub fields: Map<String, Value>,
    /// To be shown once.
    pub generated: Option<Secret>,
}

impl Settings {
    /// The fields that were given, without `options` (see [`Settings::options_on`]).
    ///
    /// # Errors
    /// A file cannot be read, or a secret is empty.
    pub fn to_body(&self) -> anyhow::Result<Body> {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        put("service", self.service.clone().map(Value::from));
        put("policy", self.policy.map(|policy| word(policy).to_string().into()));
        put("rate_limit_per_minute", self.rate_limit.map(Value::from));
        put("auto_resolve_after", self.auto_resolve_after.map(Timer::to_json));
        put("acknowledge_timeout", self.acknowledge_timeout.map(Timer::to_json));
        put("remind_after", self.remind_after.map(Timer::to_json));
        let secret = self.secret.read()?;
        put("signature_secret", secret.as_ref().map(|secret| secret.expose().into()));
        Ok(Body { fields, generated: secret.filter(|_| self.secret.generate_secret) })
    }

    /// Whether options of the type were given.
    pub fn has_options(&self) -> bool {
        !self.options.is_empty() || self.mapping.is_some()
    }

    /// `current` with the options that were given in place of those of the same name.
    ///
    /// # Errors
    /// The mapping is not JSON or its file cannot be read.
    pub fn options_on(&self, current: Value) -> anyhow::Result<Value> {
        let mut options = match current {
            Value::Object(options) => options,
            _ => Map::new(),
        };
        for Pair { name, value } in &self.options {
            options.insert(name.clone(), value.clone());
        }
        if let Some(mapping) = &self.mapping {
            options.insert("mapping".to_owned(), json_or_file("--mapping", mapping)?);
        }
        Ok(Value::Object(options))
    }
}

impl SecretSource {
    fn read(&self) -> anyhow::Result<Option<Secret>> {
        if self.generate_secret {
            return generate().map(Some);
        }
        let text = match (&self.signature_secret, &self.signature_secret_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => from_file(path)?,
            (None, None) => return Ok(None),
        };
        if text.is_empty() {
            return Err(usage("the signature secret is empty"));
        }
        Ok(Some(Secret::new(text)))
    }
}

/// The text of a file without the line break that editors add.
fn from_file(path: &Path) -> anyhow::Result<String> {
    let text = String::from_utf8(read_file(path)?).map_err(|_| usage("the signature secret is not UTF-8 text"))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// 256 random bits as hex: every tool's field for a secret takes it, and it needs no quoting.
fn generate() -> anyhow::Result<Secret> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the system's random source failed: {error}"))?;
    Ok(Secret::new(hex::encode(bytes)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    fn parse(args: &[&str]) -> Settings {
        Line::try_parse_from(std::iter::once(&"x").chain(args)).map_err(|error| error.to_string()).ok().unwrap().settings
    }

    #[test]
    fn only_what_was_given_is_sent() {
        assert!(parse(&[]).to_body().unwrap().fields.is_empty());
        let line = [
            "--policy",
            "key",
            "--rate-limit",
            "0",
            "--auto-resolve-after",
            "off",
            "--remind-after",
            "default",
            "--service",
            "db",
        ];
        let expected = json!({"policy": "key", "rate_limit_per_minute": 0, "auto_resolve_after": "off", "remind_after": null, "service": "db"});
        assert_eq!(Value::Object(parse(&line).to_body().unwrap().fields), expected);
    }

    #[test]
    fn a_secret_comes_from_one_place() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hush \r\n").unwrap();
        let body = parse(&["--signature-secret-file", file.path().to_str().unwrap()]).to_body().unwrap();
        assert_eq!(body.fields["signature_secret"], "hush ");
        assert!(body.generated.is_none());

        let body = parse(&["--generate-secret"]).to_body().unwrap();
        let generated = body.generated.unwrap();
        assert_eq!(generated.expose().len(), 64);
        assert_eq!(body.fields["signature_secret"], generated.expose());

        assert!(Line::try_parse_from(["x", "--generate-secret", "--signature-secret", "s"]).is_err());
        assert!(parse(&["--signature-secret", ""]).to_body().is_err());
    }

    #[test]
    fn options_replace_those_of_the_same_name() {
        let settings = parse(&["--option", "a=2", "--option", "c=x", "--mapping", "{\"summary\":\"$.t\"}"]);
        assert!(settings.has_options());
        let options = settings.options_on(json!({"a": 1, "b": true})).unwrap();
        assert_eq!(options, json!({"a": 2, "b": true, "c": "x", "mapping": {"summary": "$.t"}}));
    }
}
