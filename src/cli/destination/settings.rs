//! The settings that `destination create` and `destination update` share, and the request body they make.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::cli::args::{Pair, Source, Timer, read_file, word};
use crate::cli::failure::usage;

/// How much a destination is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Include {
    /// What is wrong, where, since when
    Summary,
    /// Everything that the tool said
    Details,
}

/// Settings of a destination.
#[derive(Args)]
pub struct Settings {
    /// Where it is: as it is, @FILE or env:NAME
    // Not `url`: that is the service's own.
    #[arg(long, value_name = "URL")]
    to: Option<Source>,
    /// What proves us to the vendor, a routing key or a bot's token: as it is, @FILE or env:NAME
    #[arg(long, value_name = "SECRET")]
    key: Option<Source>,
    /// User for Basic authentication
    #[arg(long, value_name = "NAME", requires = "password")]
    user: Option<String>,
    /// Its password: as it is, @FILE or env:NAME
    #[arg(long, value_name = "SECRET", requires = "user")]
    password: Option<Source>,
    /// A header field to add; the value as it is, @FILE or env:NAME. Repeatable
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// A header field to add no longer. Repeatable
    #[arg(long = "remove-header", value_name = "NAME")]
    remove_headers: Vec<String>,
    /// What messages are signed with instead of a new secret: as it is, @FILE or env:NAME
    #[arg(long, value_name = "SECRET", conflicts_with = "unsigned")]
    signing_secret: Option<Source>,
    /// Do not sign messages
    #[arg(long)]
    unsigned: bool,
    /// Sign in a header field of this name too: sha256=HEX of the body
    #[arg(long, value_name = "NAME")]
    signature_header: Option<String>,
    /// An option of the kind; the value may be JSON. Repeatable
    #[arg(long = "option", value_name = "NAME=VALUE")]
    options: Vec<Pair>,
    /// A template for what is told of incidents, - for standard input, none for the kind's own form
    #[arg(long, value_name = "FILE")]
    incident_template: Option<PathBuf>,
    /// A template for what is told of changes
    #[arg(long, value_name = "FILE")]
    change_template: Option<PathBuf>,
    /// How much it is told
    #[arg(long, value_enum, value_name = "HOW MUCH")]
    include: Option<Include>,
    /// Tell it what no rule matches, in place of the destination that was told so far; =false: not any longer
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    default: Option<bool>,
    /// Failures in a row after which it is left alone for a while; 0: never
    #[arg(long, value_name = "N")]
    breaker_failures: Option<u32>,
    /// How long it is left alone: 30s, or default
    #[arg(long, value_name = "TIME")]
    breaker_rest: Option<Timer>,
    /// Messages a minute, 0 for no limit
    #[arg(long, value_name = "N")]
    rate_limit: Option<u32>,
}

impl Settings {
    /// The fields that were given, by the API's names, without `options` (see [`Settings::options_on`]).
    ///
    /// # Errors
    /// A file or a variable cannot be read, or a header is none.
    pub fn to_body(&self) -> anyhow::Result<Map<String, Value>> {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        put("url", secret(self.to.as_ref(), "the URL")?);
        put("token", secret(self.key.as_ref(), "the key")?);
        let password = secret(self.password.as_ref(), "the password")?;
        put("basic_auth", self.user.as_ref().map(|user| json!({"user": user, "password": password})));
        put("headers", self.headers()?);
        put(
            "signing_secret",
            secret(self.signing_secret.as_ref(), "the signing secret")?.or(self.unsigned.then_some(Value::Null)),
        );
        put("signature_header", self.signature_header.clone().map(Value::from));
        put("templates", self.templates()?);
        put("include", self.include.map(|include| word(include).to_string().into()));
        put("default", self.default.map(Value::from));
        put("breaker_failures", self.breaker_failures.map(Value::from));
        put("breaker_rest", self.breaker_rest.map(Timer::to_json));
        put("rate_limit_per_minute", self.rate_limit.map(Value::from));
        Ok(fields)
    }

    /// Whether options of the kind were given.
    pub fn has_options(&self) -> bool {
        !self.options.is_empty()
    }

    /// `current` with the options that were given in place of those of the same name.
    pub fn options_on(&self, current: Value) -> Value {
        let mut options = match current {
            Value::Object(options) => options,
            _ => Map::new(),
        };
        options.extend(self.options.iter().map(|Pair { name, value }| (name.clone(), value.clone())));
        Value::Object(options)
    }

    /// The header fields to set, and null for those to remove.
    fn headers(&self) -> anyhow::Result<Option<Value>> {
        let mut headers = Map::new();
        for name in &self.remove_headers {
            headers.insert(name.clone(), Value::Null);
        }
        for header in &self.headers {
            let (name, value) = header.split_once(':').ok_or_else(|| usage("--header: not a header: write 'Name: value'"))?;
            let Ok(source) = value.trim().parse::<Source>();
            let value = source.read(&format!("the header {}", name.trim()))?;
            headers.insert(name.trim().to_owned(), value.expose().into());
        }
        Ok((!headers.is_empty()).then_some(Value::Object(headers)))
    }

    fn templates(&self) -> anyhow::Result<Option<Value>> {
        let mut templates = Map::new();
        for (name, path) in [("incident", &self.incident_template), ("change", &self.change_template)] {
            if let Some(path) = path {
                templates.insert(name.to_owned(), template(path)?);
            }
        }
        Ok((!templates.is_empty()).then_some(Value::Object(templates)))
    }
}

fn secret(source: Option<&Source>, what: &str) -> anyhow::Result<Option<Value>> {
    source.map(|source| Ok(source.read(what)?.expose().into())).transpose()
}

fn template(path: &Path) -> anyhow::Result<Value> {
    if path == Path::new("none") {
        return Ok(Value::Null);
    }
    String::from_utf8(read_file(path)?).map(Value::from).map_err(|_| usage(format!("{} is not UTF-8 text", path.display())))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

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
        assert!(parse(&[]).to_body().unwrap().is_empty());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hush\n").unwrap();
        let hidden = format!("@{}", file.path().display());
        let line = [
            "--to",
            "${HUB_URL}",
            "--key",
            &hidden,
            "--user",
            "callbox",
            "--password",
            "env:PATH",
            "--header",
            &format!("X-Team: {hidden}"),
            "--remove-header",
            "X-Old",
            "--unsigned",
            "--incident-template",
            file.path().to_str().unwrap(),
            "--change-template",
            "none",
            "--include",
            "details",
            "--default=false",
            "--breaker-failures",
            "0",
            "--breaker-rest",
            "default",
            "--rate-limit",
            "30",
        ];
        let expected = json!({
            "url": "${HUB_URL}", "token": "hush", "basic_auth": {"user": "callbox", "password": std::env::var("PATH").unwrap()},
            "headers": {"X-Team": "hush", "X-Old": null}, "signing_secret": null, "templates": {"incident": "hush\n", "change": null},
            "include": "details", "default": false, "breaker_failures": 0, "breaker_rest": null, "rate_limit_per_minute": 30,
        });
        assert_eq!(Value::Object(parse(&line).to_body().unwrap()), expected);
    }

    #[test]
    fn a_secret_that_is_not_there_is_no_empty_one() {
        for line in [["--to", "env:CALLBOX_TEST_NO_SUCH"], ["--key", "@/no/such/file"], ["--to", ""], ["--header", "X-Team"]] {
            assert!(parse(&line).to_body().is_err(), "{line:?}");
        }
        assert!(Line::try_parse_from(["x", "--user", "callbox"]).is_err(), "without a password");
        assert!(Line::try_parse_from(["x", "--unsigned", "--signing-secret", "hush"]).is_err());
    }
}
