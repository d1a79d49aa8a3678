//! `callbox rule`: what is told to which destinations, and when.

mod settings;
mod shown;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use self::settings::Settings;
use super::Session;
use super::api::Query;
use super::args::{Paging, json_or_file, read_file};
use super::failure::usage;
use super::lookup::{self, Named};

/// Commands on rules.
#[derive(Subcommand)]
pub enum Command {
    /// Create a rule
    Create(Box<CreateArgs>),
    /// List rules
    #[command(after_help = "Example:\n  callbox rule list --all --output json")]
    List(Paging),
    /// Show one rule
    #[command(after_help = "Example:\n  callbox rule show nights")]
    Show(Which),
    /// Change a rule
    Update(Box<UpdateArgs>),
    /// Apply it again
    #[command(after_help = "Example:\n  callbox rule enable nights")]
    Enable(Which),
    /// Apply it no longer
    #[command(after_help = "Example:\n  callbox rule disable nights")]
    Disable(Which),
    /// Say what it would make of an event: whether it matches, what puts it off, and what would go out; nothing is sent
    Test(TestArgs),
    /// Delete a rule; what it told of before is still told its end
    #[command(after_help = "Example:\n  callbox rule delete nights")]
    Delete(Which),
}

/// One rule.
#[derive(Args)]
pub struct Which {
    /// Name or id
    pub rule: String,
}

/// Arguments of `create`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox rule create --name pages --to ops --severity-floor error
  callbox rule create --name nights --to chat --quiet 'mon,tue,wed,thu,fri 22:00-07:00 Europe/Berlin'
  callbox rule create --name chain --to first --step 10m=second --step 30m=boss,first-again
  callbox rule create --name long --to ops --event incident.open_for:2h --event incident.resolved
  callbox rule create --name db --to ops --service database --condition 'incident.source.startsWith(\"db-\")'
  callbox rule create --name whole --json rule.json")]
pub struct CreateArgs {
    /// A name to find it by
    #[arg(long)]
    pub name: String,
    #[command(flatten)]
    settings: Settings,
    /// The rule as the API takes it; other options replace what it says
    #[arg(long, value_name = "FILE|JSON")]
    pub json: Option<String>,
}

/// Arguments of `update`.
#[derive(Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args([
    "name", "to", "events", "condition", "severity_floor", "services", "integrations", "steps", "fallback", "fallback_after",
    "always", "dedupe", "rate_limit", "quiet", "on_gone", "json", "clear",
]))]
#[command(after_help = "Examples:
  callbox rule update nights --severity-floor critical
  callbox rule update nights --clear quiet_windows --clear condition
  callbox rule update nights --to chat --to mail

What is named replaces what was; what is not named stays as it is.")]
pub struct UpdateArgs {
    #[command(flatten)]
    which: Which,
    /// A new name
    #[arg(long)]
    pub name: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// Fields as the API takes them; other options replace what they say
    #[arg(long, value_name = "FILE|JSON")]
    pub json: Option<String>,
    /// A field, by the API's name, to go back to its default. Repeatable
    #[arg(long, value_name = "FIELD")]
    pub clear: Vec<String>,
}

/// Arguments of `test`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox rule test nights --dry-run
  callbox rule test nights --dry-run --incident 12
  callbox rule test nights --dry-run --file alert.json --integration prod
  callbox rule test long --dry-run --event incident.open_for:2h

The file holds an event as /api/events takes it: {\"event_action\": \"trigger\", \"payload\": {\"summary\": …, \"severity\": …}}.
Without file and incident the rule is tried with one made up so that its floor lets it pass.")]
pub struct TestArgs {
    #[command(flatten)]
    which: Which,
    /// Send nothing: a rule is tried in no other way; `callbox destination test` sends
    #[arg(long, required = true)]
    pub dry_run: bool,
    /// What happens, in the words of rules [default: as the event or the incident says, or incident.triggered]
    #[arg(long, value_name = "EVENT")]
    pub event: Option<String>,
    /// To this incident, by id or number
    #[arg(long, conflicts_with = "file")]
    pub incident: Option<String>,
    /// To what this event would open; - for standard input
    #[arg(long)]
    pub file: Option<PathBuf>,
    /// As if it came to this integration, by name or id
    #[arg(long)]
    pub integration: Option<String>,
    /// As if it belonged to this service, by name or id
    #[arg(long)]
    pub service: Option<String>,
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
            Self::Enable(which) => enable(session, which, true).await,
            Self::Disable(which) => enable(session, which, false).await,
            Self::Test(args) => test(session, args).await,
            Self::Delete(which) => delete(session, which).await,
        }
    }
}

async fn find(session: &Session, which: &Which) -> anyhow::Result<String> {
    lookup::id(&session.api, Named::Rule, &which.rule).await
}

/// The object that `--json` gives, or an empty one.
fn base(json: Option<&String>) -> anyhow::Result<serde_json::Map<String, Value>> {
    match json.map(|text| json_or_file("--json", text)).transpose()? {
        None => Ok(serde_json::Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(usage("--json must be an object")),
    }
}

async fn create(session: &Session, args: &CreateArgs) -> anyhow::Result<()> {
    let mut body = base(args.json.as_ref())?;
    body.extend(args.settings.to_body());
    body.insert("name".to_owned(), args.name.clone().into());
    let answer = session.api.post(&["rules"], &Value::Object(body)).await?;
    shown::whole(session, &answer).await
}

async fn list(session: &Session, paging: &Paging) -> anyhow::Result<()> {
    let answer = session.api.list(&["rules"], &Query::new(), paging).await?;
    shown::list(session, &answer).await
}

async fn show(session: &Session, which: &Which) -> anyhow::Result<()> {
    let id = find(session, which).await?;
    let answer = session.api.get(&["rules", &id], &Query::new()).await?;
    shown::whole(session, &answer).await
}

async fn update(session: &Session, args: &UpdateArgs) -> anyhow::Result<()> {
    let id = find(session, &args.which).await?;
    let mut body = base(args.json.as_ref())?;
    body.extend(args.clear.iter().map(|field| (field.clone(), Value::Null)));
    body.extend(args.settings.to_body());
    body.extend(args.name.clone().map(|name| ("name".to_owned(), name.into())));
    let answer = session.api.patch(&["rules", &id], &Value::Object(body)).await?;
    shown::whole(session, &answer).await
}

async fn enable(session: &Session, which: &Which, enabled: bool) -> anyhow::Result<()> {
    let id = find(session, which).await?;
    let answer = session.api.patch(&["rules", &id], &json!({ "enabled": enabled })).await?;
    if session.out.is_json() {
        return session.out.json(&answer);
    }
    let state = if enabled { "enabled" } else { "disabled" };
    session.out.text(&format!("{} is {state}", which.rule))
}

async fn test(session: &Session, args: &TestArgs) -> anyhow::Result<()> {
    let id = find(session, &args.which).await?;
    let mut body = serde_json::Map::new();
    body.insert("dry_run".to_owned(), args.dry_run.into());
    body.extend(args.event.clone().map(|event| ("event".to_owned(), event.into())));
    if let Some(file) = &args.file {
        let alert = serde_json::from_slice(&read_file(file)?).map_err(|error| usage(format!("{}: {error}", file.display())))?;
        body.insert("alert".to_owned(), alert);
    }
    if let Some(incident) = &args.incident {
        body.insert("incident_id".to_owned(), lookup::incident(session, incident).await?.into());
    }
    let integration = lookup::optional_id(&session.api, Named::Integration, args.integration.as_deref()).await?;
    let service = lookup::optional_id(&session.api, Named::Service, args.service.as_deref()).await?;
    let places = [("integration_id", integration), ("service_id", service)];
    body.extend(places.into_iter().filter_map(|(name, id)| Some((name.to_owned(), id?.into()))));
    let answer = session.api.post(&["rules", &id, "test"], &Value::Object(body)).await?;
    shown::tried(session, &answer)
}

async fn delete(session: &Session, which: &Which) -> anyhow::Result<()> {
    let id = find(session, which).await?;
    let answer = session.api.delete(&["rules", &id], &Query::new()).await?;
    if session.out.is_json() && !answer.is_null() {
        return session.out.json(&answer);
    }
    session.out.text(&format!("{} is deleted", which.rule))
}
