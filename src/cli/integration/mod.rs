//! `callbox integration`: which tools may send, with which keys.

mod settings;
mod shown;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use self::settings::Settings;
use super::Session;
use super::api::{ApiFailure, Query};
use super::args::{Paging, word};
use super::lookup::{self, Named};
use crate::duration::Span;

/// Commands on integrations.
#[derive(Subcommand)]
pub enum Command {
    /// Create an integration and print what to paste into the tool
    Create(CreateArgs),
    /// List integrations
    #[command(after_help = "Example:\n  callbox integration list --all --output json")]
    List(Paging),
    /// Show one integration with its keys and its setup text
    Show(ShowArgs),
    /// Change settings
    Update(UpdateArgs),
    /// Replace a key, a secret or the URL; the old one stays valid for a while
    Rotate(RotateArgs),
    /// Accept requests again
    #[command(after_help = "Example:\n  callbox integration enable prod")]
    Enable(Which),
    /// Refuse requests; open incidents stay open
    #[command(after_help = "Example:\n  callbox integration disable prod")]
    Disable(Which),
    /// Delete an integration
    Delete(DeleteArgs),
    /// Send a test alert through an integration, and its resolve
    #[command(after_help = "Example:\n  callbox integration test prod")]
    Test(Which),
}

/// One integration.
#[derive(Args)]
pub struct Which {
    /// Name or id
    pub integration: String,
}

/// Arguments of `show`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox integration show prod
  callbox integration show prod --setup")]
pub struct ShowArgs {
    #[command(flatten)]
    which: Which,
    /// Print only the text that says what to paste into the tool
    #[arg(long)]
    pub setup: bool,
}

/// Arguments of `create`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox integration create alertmanager --name prod
  callbox integration create github --name ci --service build --signature-secret-file secret.txt
  callbox integration create webhook --name custom --generate-secret --mapping mapping.json
  callbox integration create events --name moved --key 0123456789abcdef0123456789abcdef")]
pub struct CreateArgs {
    /// The tool: alertmanager, grafana, datadog, events, webhook, …
    #[arg(value_name = "TYPE")]
    pub kind: String,
    /// A name to find it by
    #[arg(long)]
    pub name: String,
    /// Import a routing key of 32 letters and digits instead of making one, so that senders need no change
    #[arg(long)]
    pub key: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

/// Arguments of `update`.
#[derive(Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args([
    "name", "service", "policy", "signature_secret", "signature_secret_file", "generate_secret", "rate_limit",
    "auto_resolve_after", "acknowledge_timeout", "remind_after", "options", "mapping",
]))]
#[command(after_help = "Examples:
  callbox integration update prod --rate-limit 600 --auto-resolve-after off
  callbox integration update prod --name prod-eu --service eu
  callbox integration update custom --mapping mapping.json

Options that are not named stay as they are.")]
pub struct UpdateArgs {
    #[command(flatten)]
    which: Which,
    /// A new name
    #[arg(long)]
    pub name: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

/// What can be replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum What {
    /// The routing key
    Key,
    /// The signature secret
    Secret,
    /// The secret part of the URL
    Hook,
}

/// Arguments of `rotate`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox integration rotate prod key
  callbox integration rotate prod hook --overlap 7d
  callbox integration rotate prod secret --overlap off")]
pub struct RotateArgs {
    #[command(flatten)]
    which: Which,
    /// What to replace
    #[arg(value_enum)]
    pub what: What,
    /// How long the old one stays valid; off ends it at once
    #[arg(long, default_value = "24h", value_name = "TIME")]
    pub overlap: Span,
}

/// Arguments of `delete`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox integration delete old
  callbox integration delete old --resolve-open")]
pub struct DeleteArgs {
    #[command(flatten)]
    which: Which,
    /// Resolve its open incidents first; without this an integration that has some is not deleted
    #[arg(long)]
    pub resolve_open: bool,
}

impl Command {
    /// Runs it.
    ///
    /// # Errors
    /// What the API says.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        match self {
            Self::Create(args) => create(session, args).await,
            Self::List(paging) => list(session, paging).await,
            Self::Show(args) => show(session, args).await,
            Self::Update(args) => update(session, args).await,
            Self::Rotate(args) => rotate(session, args).await,
            Self::Enable(which) => enable(session, which, true).await,
            Self::Disable(which) => enable(session, which, false).await,
            Self::Delete(args) => delete(session, args).await,
            Self::Test(which) => test(session, which).await,
        }
    }
}

async fn find(session: &Session, which: &Which) -> anyhow::Result<String> {
    lookup::id(&session.api, Named::Integration, &which.integration).await
}

async fn create(session: &Session, args: &CreateArgs) -> anyhow::Result<()> {
    let mut body = args.settings.to_body()?;
    body.fields.insert("type".to_owned(), args.kind.clone().into());
    body.fields.insert("name".to_owned(), args.name.clone().into());
    if let Some(key) = &args.key {
        body.fields.insert("key".to_owned(), key.clone().into());
    }
    if args.settings.has_options() {
        body.fields.insert("options".to_owned(), args.settings.options_on(Value::Null)?);
    }
    let answer = session.api.post(&["integrations"], &Value::Object(body.fields)).await?;
    shown::created(session, &answer, body.generated.as_ref()).await
}

async fn list(session: &Session, paging: &Paging) -> anyhow::Result<()> {
    let answer = session.api.list(&["integrations"], &Query::new(), paging).await?;
    shown::list(session, &answer)
}

async fn show(session: &Session, args: &ShowArgs) -> anyhow::Result<()> {
    let id = find(session, &args.which).await?;
    let answer = session.api.get(&["integrations", &id], &Query::new()).await?;
    if args.setup { shown::setup_alone(session, &answer) } else { shown::whole(session, &answer).await }
}

async fn update(session: &Session, args: &UpdateArgs) -> anyhow::Result<()> {
    let id = find(session, &args.which).await?;
    let path = ["integrations", id.as_str()];
    let mut body = args.settings.to_body()?;
    if let Some(name) = &args.name {
        body.fields.insert("name".to_owned(), name.clone().into());
    }
    if args.settings.has_options() {
        // The API replaces `options` as a whole.
        let current = session.api.get(&path, &Query::new()).await?.get("options").cloned().unwrap_or_default();
        body.fields.insert("options".to_owned(), args.settings.options_on(current)?);
    }
    let answer = session.api.patch(&path, &Value::Object(body.fields)).await?;
    shown::settings(session, &answer, body.generated.as_ref()).await
}

async fn rotate(session: &Session, args: &RotateArgs) -> anyhow::Result<()> {
    let id = find(session, &args.which).await?;
    let body = json!({ "what": word(args.what).to_string(), "overlap": args.overlap.to_string() });
    let answer = session.api.post(&["integrations", &id, "rotate"], &body).await?;
    shown::rotated(session, args.what, &answer)
}

async fn enable(session: &Session, which: &Which, enabled: bool) -> anyhow::Result<()> {
    let id = find(session, which).await?;
    let answer = session.api.patch(&["integrations", &id], &json!({ "enabled": enabled })).await?;
    if session.out.is_json() {
        return session.out.json(&answer);
    }
    let state = if enabled { "enabled" } else { "disabled" };
    session.out.text(&format!("{} is {state}", which.integration))
}

async fn delete(session: &Session, args: &DeleteArgs) -> anyhow::Result<()> {
    let id = find(session, &args.which).await?;
    let query = Query::new().with("open", args.resolve_open.then_some("resolve"));
    let answer = session.api.delete(&["integrations", &id], &query).await.map_err(|failure| match failure {
        ApiFailure::Refused { status: StatusCode::CONFLICT, .. } if !args.resolve_open => {
            anyhow::anyhow!("{failure}\n  hint: --resolve-open resolves them")
        }
        failure => failure.into(),
    })?;
    if session.out.is_json() && !answer.is_null() {
        return session.out.json(&answer);
    }
    session.out.text(&format!("{} is deleted", args.which.integration))
}

async fn test(session: &Session, which: &Which) -> anyhow::Result<()> {
    let id = find(session, which).await?;
    let answer = session.api.post(&["integrations", &id, "test"], &Value::Object(Map::new())).await?;
    if session.out.is_json() {
        return session.out.json(&answer);
    }
    shown::tested(session, &answer)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::testing::{Answer, Server};
    use super::super::{Cli, Command as Top, dispatch};
    use super::*;

    const ID: &str = "int_01j9zzzzzzzzzzzzzzzzzzzzzz";

    async fn run(server: &Server, line: &[&str]) -> anyhow::Result<()> {
        let cli =
            Cli::try_parse_from(["callbox", "integration"].iter().chain(line)).map_err(|error| error.to_string()).ok().unwrap();
        assert!(matches!(cli.command, Top::Integration(_)));
        dispatch(&server.session(), cli.command).await
    }

    #[tokio::test]
    async fn create_sends_what_was_given() {
        let server = Server::start([Answer::json(201, r#"{"id":"int_1"}"#)]);
        let line = ["create", "webhook", "--name", "prod", "--mapping", "{\"summary\":\"$.a\"}", "--auto-resolve-after", "24h"];
        run(&server, &line).await.unwrap();
        let seen = server.requests();
        assert_eq!(seen[0].line, "POST /api/v1/integrations HTTP/1.1");
        let expected =
            json!({"type": "webhook", "name": "prod", "auto_resolve_after": "1d", "options": {"mapping": {"summary": "$.a"}}});
        assert_eq!(seen[0].json(), expected);
    }

    #[tokio::test]
    async fn update_keeps_the_options_it_does_not_name() {
        let server = Server::start([
            Answer::json(200, r#"{"items":[{"id":"int_1","name":"prod"}],"next":null}"#),
            Answer::json(200, r#"{"options":{"a":1,"b":2}}"#),
            Answer::json(200, "{}"),
        ]);
        run(&server, &["update", "prod", "--option", "b=3"]).await.unwrap();
        let seen = server.requests();
        assert_eq!(seen[2].line, "PATCH /api/v1/integrations/int_1 HTTP/1.1");
        assert_eq!(seen[2].json(), json!({"options": {"a": 1, "b": 3}}));
    }

    #[tokio::test]
    async fn rotate_enable_delete_test() {
        let server = Server::start((0..4).map(|_| Answer::json(200, "{}")));
        run(&server, &["rotate", ID, "hook", "--overlap", "off"]).await.unwrap();
        run(&server, &["disable", ID]).await.unwrap();
        run(&server, &["delete", ID, "--resolve-open"]).await.unwrap();
        run(&server, &["test", ID]).await.unwrap();
        let seen = server.requests();
        assert_eq!(seen[0].line, format!("POST /api/v1/integrations/{ID}/rotate HTTP/1.1"));
        assert_eq!(seen[0].json(), json!({"what": "hook", "overlap": "off"}));
        assert_eq!(seen[1].json(), json!({"enabled": false}));
        assert_eq!(seen[2].line, format!("DELETE /api/v1/integrations/{ID}?open=resolve HTTP/1.1"));
        assert_eq!(seen[3].line, format!("POST /api/v1/integrations/{ID}/test HTTP/1.1"));
    }
}
