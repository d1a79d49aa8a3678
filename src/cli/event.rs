//! `callbox event` and `callbox change`: what each alert did, and what was done on purpose.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::Session;
use super::api::Query;
use super::args::{Paging, word};
use super::lookup::{self, Named};
use super::output::Output;
use super::read::{cell, first, items, plain, text, time};

/// Commands on events.
#[derive(Subcommand)]
pub enum Command {
    /// List events, the newest first
    List(Box<ListArgs>),
    /// Show one event
    #[command(after_help = "Example:\n  callbox event show evt_01j9zzzzzzzzzzzzzzzzzzzzzz")]
    Show {
        /// Its id
        event: String,
    },
}

/// What an event asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Action {
    /// Something is wrong
    Trigger,
    /// Somebody has taken it
    Acknowledge,
    /// It is over
    Resolve,
}

/// Filters of `event list`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox event list --integration prod --action resolve --outcome unmatched
  callbox event list --key disk/db1 --all --output json")]
pub struct ListArgs {
    /// Only of this integration, by name or id
    #[arg(long)]
    pub integration: Option<String>,
    /// Only with this dedup key
    #[arg(long, value_name = "DEDUP_KEY")]
    pub key: Option<String>,
    /// Only with this action
    #[arg(long, value_enum)]
    pub action: Option<Action>,
    /// Only with this outcome: opened, updated, escalated, acknowledged, resolved, unmatched, stale, unmapped, quarantined
    #[arg(long)]
    pub outcome: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Commands on change events.
#[derive(Subcommand)]
pub enum ChangeCommand {
    /// List change events, the newest first
    #[command(after_help = "Example:\n  callbox change list --limit 10")]
    List(Paging),
}

impl Command {
    /// Runs it.
    ///
    /// # Errors
    /// What the API says.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        match self {
            Self::List(args) => list(session, args).await,
            Self::Show { event } => show(session, event).await,
        }
    }
}

async fn list(session: &Session, args: &ListArgs) -> anyhow::Result<()> {
    let integration = lookup::optional_id(&session.api, Named::Integration, args.integration.as_deref()).await?;
    let query = Query::new()
        .with("integration_id", integration)
        .with("dedup_key", args.key.as_ref())
        .with("action", args.action.map(word))
        .with("outcome", args.outcome.as_ref());
    let answer = session.api.list(&["events"], &query, &args.paging).await?;
    let out = &session.out;
    if out.is_json() {
        return out.json(&answer);
    }
    let rows: Vec<Vec<String>> = items(&answer).iter().map(|event| row(event, out)).collect();
    out.table(&["RECEIVED", "ACTION", "OUTCOME", "SEVERITY", "KEY", "SUMMARY", "ID"], &rows, "no events")?;
    super::more(session, &answer)
}

fn row(event: &Value, out: &Output) -> Vec<String> {
    vec![
        time(event, "received_at", out),
        text(event, "action"),
        text(event, "outcome"),
        text(event, "severity"),
        cell(event, "dedup_key", 32),
        cell(event, "summary", 60),
        text(event, "id"),
    ]
}

async fn show(session: &Session, id: &str) -> anyhow::Result<()> {
    let event = session.api.get(&["events", id], &Query::new()).await?;
    let out = &session.out;
    if out.is_json() {
        return out.json(&event);
    }
    let fields: Vec<(&str, String)> =
        event.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), field(name, value, out))).collect();
    out.fields(&fields)
}

/// A field of an object as text; by the API's convention the names of times end in `_at`.
pub fn field(name: &str, value: &Value, out: &Output) -> String {
    if name.ends_with("_at") { out.time(&plain(value)) } else { plain(value) }
}

impl ChangeCommand {
    /// Runs it.
    ///
    /// # Errors
    /// What the API says.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        let Self::List(paging) = self;
        let answer = session.api.list(&["changes"], &Query::new(), paging).await?;
        let out = &session.out;
        if out.is_json() {
            return out.json(&answer);
        }
        let rows: Vec<Vec<String>> = items(&answer)
            .iter()
            .map(|change| {
                let at = out.time(&first(change, &["occurred_at", "received_at", "created_at"]));
                vec![at, cell(change, "source", 30), cell(change, "summary", 80), text(change, "id")]
            })
            .collect();
        out.table(&["TIME", "SOURCE", "SUMMARY", "ID"], &rows, "no change events")?;
        super::more(session, &answer)
    }
}
