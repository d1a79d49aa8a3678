//! `callbox incident`: what is wrong, and who has taken it.

#[cfg(test)]
mod tests;
mod told;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value};

use super::api::{PAGE_MAX, Query, next_cursor};
use super::args::{Moment, Paging, word};
use super::lookup::{self, Named};
use super::output::Output;
use super::read::{array, cell, first, items, plain, text, time};
use super::{Session, terminal};
use crate::time::Clock;

/// Commands on incidents.
#[derive(Subcommand)]
pub enum Command {
    /// List incidents, the newest first
    List(Box<ListArgs>),
    /// Show one incident and what happened to it
    #[command(after_help = "Examples:\n  callbox incident show 12\n  callbox incident show '#12' --utc")]
    Show {
        /// Id or number
        incident: String,
    },
    /// Acknowledge incidents
    #[command(after_help = "Examples:\n  callbox incident ack 12\n  callbox incident ack 12 13 '#14'")]
    Ack(Several),
    /// Resolve incidents
    #[command(after_help = "Examples:\n  callbox incident resolve 12\n  callbox incident resolve 12 13 '#14'")]
    Resolve(Several),
}

/// Several incidents.
#[derive(Args)]
pub struct Several {
    /// Ids or numbers
    #[arg(required = true, value_name = "INCIDENT")]
    pub incidents: Vec<String>,
}

/// The state of an incident.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Status {
    /// Nobody has taken it
    Triggered,
    /// Somebody has
    Acknowledged,
    /// Over
    Resolved,
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Severity {
    /// High urgency
    Critical,
    /// High urgency
    Error,
    /// Low urgency
    Warning,
    /// Low urgency
    Info,
}

/// Filters of `list`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox incident list --status triggered --status acknowledged
  callbox incident list --integration prod --since 24h --all
  callbox incident list --unrouted
  callbox incident list --severity critical --q 'disk full' --output json")]
pub struct ListArgs {
    /// Only in this state; repeatable
    #[arg(long, value_enum)]
    pub status: Vec<Status>,
    /// Only of this integration, by name or id
    #[arg(long)]
    pub integration: Option<String>,
    /// Only of this service, by name or id
    #[arg(long)]
    pub service: Option<String>,
    /// Only with this dedup key
    #[arg(long, value_name = "DEDUP_KEY")]
    pub key: Option<String>,
    /// Only of this severity
    #[arg(long, value_enum)]
    pub severity: Option<Severity>,
    /// Only with these words
    #[arg(long, value_name = "TEXT")]
    pub q: Option<String>,
    /// Only those of which no rule has told anybody
    #[arg(long)]
    pub unrouted: bool,
    /// Only since then: how long ago (2h) or a time (2026-03-01T09:00:00Z; UTC where it names no offset)
    #[arg(long, value_name = "WHEN")]
    pub since: Option<Moment>,
    /// Only until then
    #[arg(long, value_name = "WHEN")]
    pub until: Option<Moment>,
    #[command(flatten)]
    paging: Paging,
}

impl Command {
    /// Runs it.
    ///
    /// # Errors
    /// What the API says.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        match self {
            Self::List(args) => list(session, args).await,
            Self::Show { incident } => show(session, incident).await,
            Self::Ack(several) => act(session, several, "acknowledge").await,
            Self::Resolve(several) => act(session, several, "resolve").await,
        }
    }
}

async fn list(session: &Session, args: &ListArgs) -> anyhow::Result<()> {
    let now = Clock::System.now();
    let integration = lookup::optional_id(&session.api, Named::Integration, args.integration.as_deref()).await?;
    let service = lookup::optional_id(&session.api, Named::Service, args.service.as_deref()).await?;
    let query = Query::new()
        .with("status", args.status.iter().copied().map(word))
        .with("integration_id", integration)
        .with("service_id", service)
        .with("dedup_key", args.key.as_ref())
        .with("severity", args.severity.map(word))
        .with("q", args.q.as_ref())
        .with("unrouted", args.unrouted.then_some(true))
        .with("since", args.since.map(|moment| moment.resolve(now)))
        .with("until", args.until.map(|moment| moment.resolve(now)));
    let answer = session.api.list(&["incidents"], &query, &args.paging).await?;
    let out = &session.out;
    if out.is_json() {
        return out.json(&answer);
    }
    let rows: Vec<Vec<String>> = items(&answer).iter().map(|incident| row(incident, out)).collect();
    out.table(&["NUMBER", "STATUS", "SEVERITY", "EVENTS", "LAST SEEN", "SOURCE", "TITLE"], &rows, "no incidents")?;
    super::more(session, &answer)
}

fn row(incident: &Value, out: &Output) -> Vec<String> {
    vec![
        format!("#{}", text(incident, "number")),
        text(incident, "status"),
        text(incident, "severity"),
        text(incident, "event_count"),
        time(incident, "last_seen", out),
        cell(incident, "source", 30),
        cell(incident, "title", 70),
    ]
}

async fn show(session: &Session, wanted: &str) -> anyhow::Result<()> {
    let id = lookup::incident(session, wanted).await?;
    let incident = session.api.get(&["incidents", &id], &Query::new()).await?;
    let out = &session.out;
    if out.is_json() {
        return out.json(&incident);
    }
    let integration = lookup::described(&session.api, Named::Integration, &text(&incident, "integration_id")).await;
    let service = lookup::described(&session.api, Named::Service, &text(&incident, "service_id")).await;
    print_fields(out, &incident, integration, service)?;
    for link in array(&incident, "links").iter().chain(array(&incident, "images")) {
        out.text(&format!(
            "link: {}  {}",
            terminal::line(&first(link, &["href", "src"])),
            terminal::line(&first(link, &["text", "alt"]))
        ))?;
    }
    if let Some(details) = incident.get("custom_details").filter(|details| !plain(details).is_empty()) {
        out.text("\ndetails:")?;
        out.json(details)?;
    }
    let timeline = session.api.page(&["incidents", &id, "events"], &Query::new(), PAGE_MAX, None).await?;
    let rows: Vec<Vec<String>> = items(&timeline).iter().map(|entry| timeline_row(entry, out)).collect();
    out.text("\ntimeline:")?;
    out.table(&["TIME", "WHAT", "OUTCOME", "BY", "TEXT"], &rows, "nothing yet")?;
    told::print(session, &incident).await?;
    match next_cursor(&timeline) {
        Some(_) => out.note("only the newest entries are shown; `callbox event list --key` has them all"),
        None => Ok(()),
    }
}

fn print_fields(out: &Output, incident: &Value, integration: String, service: String) -> anyhow::Result<()> {
    let field = |name: &str| text(incident, name);
    let at = |name: &str| time(incident, name, out);
    out.fields(&[
        ("incident", format!("#{}", field("number"))),
        ("title", field("title")),
        ("status", field("status")),
        ("severity", field("severity")),
        ("urgency", field("urgency")),
        ("source", field("source")),
        ("component", field("component")),
        ("group", field("group")),
        ("class", field("class")),
        ("dedup key", field("dedup_key")),
        ("events", field("event_count")),
        ("first seen", at("first_seen")),
        ("last seen", at("last_seen")),
        ("first summary", if field("first_summary") == field("title") { String::new() } else { field("first_summary") }),
        ("acknowledged", at("acknowledged_at")),
        ("acknowledged by", field("acknowledged_by")),
        ("resolved", at("resolved_at")),
        ("resolved by", field("resolved_by")),
        ("integration", integration),
        ("service", service),
        ("previous incident", field("previous_incident_id")),
        ("client", field("client")),
        ("client url", field("client_url")),
        ("id", field("id")),
    ])
}

/// Events, acts of people and deliveries have different fields; each shows what it has.
fn timeline_row(entry: &Value, out: &Output) -> Vec<String> {
    vec![
        out.time(&first(entry, &["at", "received_at", "created_at"])),
        first(entry, &["action", "kind", "type"]),
        first(entry, &["outcome", "status"]),
        first(entry, &["by", "actor", "created_by"]),
        terminal::clip(&terminal::line(&first(entry, &["summary", "message", "note", "destination"])), 80),
    ]
}

/// Does `verb` to each; one that fails does not keep the others from it.
async fn act(session: &Session, several: &Several, verb: &str) -> anyhow::Result<()> {
    let mut failed = 0;
    for wanted in &several.incidents {
        match act_on(session, wanted, verb).await {
            Ok(answer) if session.out.is_json() => session.out.json(&answer)?,
            Ok(answer) => session.out.text(&done(wanted, verb, &answer))?,
            Err(error) if several.incidents.len() == 1 => return Err(error),
            Err(error) => {
                failed += 1;
                session.out.note(&format!("{wanted}: {error:#}"))?;
            }
        }
    }
    if failed > 0 {
        anyhow::bail!("{failed} of {} failed", several.incidents.len());
    }
    Ok(())
}

async fn act_on(session: &Session, wanted: &str, verb: &str) -> anyhow::Result<Value> {
    let id = lookup::incident(session, wanted).await?;
    Ok(session.api.post(&["incidents", &id, verb], &Value::Object(Map::new())).await?)
}

fn done(wanted: &str, verb: &str, answer: &Value) -> String {
    let number = text(answer, "number");
    let name = if number.is_empty() { wanted.to_owned() } else { format!("#{number}") };
    let status = text(answer, "status");
    let status = if status.is_empty() { format!("{verb}d") } else { status };
    terminal::line(format!("{name} {status}  {}", text(answer, "title")).trim_end())
}
