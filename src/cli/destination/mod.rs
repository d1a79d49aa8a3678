//! `callbox destination`: who is told of incidents and changes.

mod settings;
mod shown;
#[cfg(test)]
mod tests;

use clap::{ArgGroup, Args, Subcommand};
use reqwest::StatusCode;
use serde_json::{Value, json};

use self::settings::Settings;
use super::Session;
use super::api::{ApiFailure, Query};
use super::args::{Paging, Source};
use super::delivery::exchange;
use super::lookup::{self, Named};
use super::read::{array, text};
use crate::duration::Span;

/// Commands on destinations.
#[derive(Subcommand)]
pub enum Command {
    /// Create a destination, and a rule that tells it everything
    Create(Box<CreateArgs>),
    /// List destinations
    #[command(after_help = "Example:\n  callbox destination list --all --output json")]
    List(Paging),
    /// Show one destination; secrets are never shown
    #[command(after_help = "Example:\n  callbox destination show ops")]
    Show(Which),
    /// Change settings; what waits for it is sent with the new ones
    Update(Box<UpdateArgs>),
    /// Replace the signing secret; for a while messages are signed with both
    Rotate(RotateArgs),
    /// Tell it again
    #[command(after_help = "Example:\n  callbox destination enable ops")]
    Enable(Which),
    /// Tell it nothing
    #[command(after_help = "Example:\n  callbox destination disable ops")]
    Disable(Which),
    /// Send it a message that says that it is a test, or show what would go out
    Test(TestArgs),
    /// Delete a destination; rules that name it stay
    Delete(DeleteArgs),
}

/// One destination.
#[derive(Args)]
pub struct Which {
    /// Name or id
    pub destination: String,
}

/// Arguments of `create`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox destination create slack --name ops --to @slack-url.txt
  callbox destination create webhook --name hub --to https://receiver.example/hook --header 'X-Team: ops'
  callbox destination create pagerduty --name pd --key env:PD_ROUTING_KEY --no-rule
  callbox destination create --name bot --to 'slack://${SLACK_TOKEN}@C0123'
  callbox destination create email --name mail --to smtp://mail.example.com --user callbox --password @- \\
      --option from=callbox@example.com --option 'to=[\"ops@example.com\"]'
  callbox destination create webhook --name hub --to '${HUB_URL}'

Secrets are given as they are, as @FILE (@- is standard input) or as env:NAME; other users of this machine
can see arguments, so prefer the latter two. ${NAME} and file:NAME are kept as they are and looked up by the
service, as far as its operator lists them in outbound.secrets_env and outbound.secrets_dir.")]
pub struct CreateArgs {
    /// Its kind: webhook, slack, pagerduty, msteams, discord, telegram, email, …; not needed where the URL says it
    #[arg(value_name = "KIND")]
    pub kind: Option<String>,
    /// A name to find it by
    #[arg(long)]
    pub name: String,
    /// Do not create the rule that tells it everything
    #[arg(long)]
    pub no_rule: bool,
    #[command(flatten)]
    settings: Settings,
}

/// Arguments of `update`.
#[derive(Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args([
    "name", "to", "key", "user", "headers", "remove_headers", "signing_secret", "unsigned", "signature_header", "options",
    "incident_template", "change_template", "include", "default", "breaker_failures", "breaker_rest", "rate_limit",
]))]
#[command(after_help = "Examples:
  callbox destination update ops --to @new-url.txt
  callbox destination update ops --rate-limit 30 --breaker-rest 2m
  callbox destination update hub --header 'X-Team: web' --remove-header X-Old

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

/// Arguments of `rotate`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox destination rotate hub
  callbox destination rotate hub --overlap off --signing-secret @secret.txt")]
pub struct RotateArgs {
    #[command(flatten)]
    which: Which,
    /// How long messages are signed with the old one too; off ends it at once
    #[arg(long, default_value = "24h", value_name = "TIME")]
    pub overlap: Span,
    /// The new secret, where it is not to be made: as it is, @FILE or env:NAME
    #[arg(long, value_name = "SECRET")]
    signing_secret: Option<Source>,
}

/// Arguments of `test`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox destination test ops
  callbox destination test ops --dry-run --event incident.triggered")]
pub struct TestArgs {
    #[command(flatten)]
    which: Which,
    /// Print the request that would go out, secrets masked, and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// What it is told: test, incident.triggered, incident.acknowledged, incident.updated, incident.resolved
    #[arg(long, value_name = "EVENT")]
    pub event: Option<String>,
}

/// Arguments of `delete`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox destination delete old
  callbox destination delete old --drop-pending")]
pub struct DeleteArgs {
    #[command(flatten)]
    which: Which,
    /// Drop what is still to be delivered to it; without this a destination with undelivered messages is not deleted
    #[arg(long)]
    pub drop_pending: bool,
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
            Self::Show(which) => show(session, which).await,
            Self::Update(args) => update(session, args).await,
            Self::Rotate(args) => rotate(session, args).await,
            Self::Enable(which) => enable(session, which, true).await,
            Self::Disable(which) => enable(session, which, false).await,
            Self::Test(args) => test(session, args).await,
            Self::Delete(args) => delete(session, args).await,
        }
    }
}

async fn find(session: &Session, which: &Which) -> anyhow::Result<String> {
    lookup::id(&session.api, Named::Destination, &which.destination).await
}

async fn create(session: &Session, args: &CreateArgs) -> anyhow::Result<()> {
    let mut body = args.settings.to_body()?;
    body.extend(args.kind.clone().map(|kind| ("kind".to_owned(), kind.into())));
    body.insert("name".to_owned(), args.name.clone().into());
    if args.no_rule {
        body.insert("no_rule".to_owned(), true.into());
    }
    if args.settings.has_options() {
        body.insert("options".to_owned(), args.settings.options_on(Value::Null));
    }
    let answer = session.api.post(&["destinations"], &Value::Object(body)).await?;
    shown::created(session, &answer)
}

async fn list(session: &Session, paging: &Paging) -> anyhow::Result<()> {
    let answer = session.api.list(&["destinations"], &Query::new(), paging).await?;
    shown::list(session, &answer)
}

async fn show(session: &Session, which: &Which) -> anyhow::Result<()> {
    let id = find(session, which).await?;
    let answer = session.api.get(&["destinations", &id], &Query::new()).await?;
    shown::settings(session, &answer)
}

async fn update(session: &Session, args: &UpdateArgs) -> anyhow::Result<()> {
    let id = find(session, &args.which).await?;
    let path = ["destinations", id.as_str()];
    let mut body = args.settings.to_body()?;
    if let Some(name) = &args.name {
        body.insert("name".to_owned(), name.clone().into());
    }
    if args.settings.has_options() {
        // The API replaces `options` as a whole.
        let current = session.api.get(&path, &Query::new()).await?.get("options").cloned().unwrap_or_default();
        body.insert("options".to_owned(), args.settings.options_on(current));
    }
    let answer = session.api.patch(&path, &Value::Object(body)).await?;
    shown::settings(session, &answer)
}

async fn rotate(session: &Session, args: &RotateArgs) -> anyhow::Result<()> {
    let id = find(session, &args.which).await?;
    let mut body = json!({ "overlap": args.overlap.to_string() });
    if let Some(secret) = &args.signing_secret
        && let Some(map) = body.as_object_mut()
    {
        map.insert("signing_secret".to_owned(), secret.read("the signing secret")?.expose().into());
    }
    let answer = session.api.post(&["destinations", &id, "rotate"], &body).await?;
    shown::rotated(session, &answer)
}

async fn enable(session: &Session, which: &Which, enabled: bool) -> anyhow::Result<()> {
    let id = find(session, which).await?;
    let answer = session.api.patch(&["destinations", &id], &json!({ "enabled": enabled })).await?;
    if session.out.is_json() {
        return session.out.json(&answer);
    }
    let state = if enabled { "enabled" } else { "disabled" };
    session.out.text(&format!("{} is {state}", which.destination))
}

async fn test(session: &Session, args: &TestArgs) -> anyhow::Result<()> {
    let id = find(session, &args.which).await?;
    let mut body = json!({ "dry_run": args.dry_run });
    if let (Some(event), Some(map)) = (&args.event, body.as_object_mut()) {
        map.insert("event".to_owned(), event.clone().into());
    }
    let answer = session.api.post(&["destinations", &id, "test"], &body).await?;
    let out = &session.out;
    let result = text(&answer, "result");
    if out.is_json() {
        out.json(&answer)?;
    } else if args.dry_run {
        exchange(&answer, out)?;
    } else {
        for attempt in array(&answer, "attempts") {
            exchange(attempt, out)?;
        }
        out.text(&format!("{}: {result}", args.which.destination))?;
    }
    anyhow::ensure!(args.dry_run || result == "delivered", "{}", text(&answer, "reason"));
    Ok(())
}

async fn delete(session: &Session, args: &DeleteArgs) -> anyhow::Result<()> {
    let id = find(session, &args.which).await?;
    let query = Query::new().with("pending", args.drop_pending.then_some("drop"));
    let answer = session.api.delete(&["destinations", &id], &query).await.map_err(|failure| match failure {
        ApiFailure::Refused { status: StatusCode::CONFLICT, .. } if !args.drop_pending => {
            anyhow::anyhow!("{failure}\n  hint: --drop-pending drops them")
        }
        failure => failure.into(),
    })?;
    shown::deleted(session, &args.which.destination, &answer)
}
