//! `callbox delivery`: what was told to whom, what came back, and dead letters.

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Map, Value};

use super::Session;
use super::api::Query;
use super::args::{Moment, Paging};
use super::lookup::{self, Named};
use super::output::Output;
use super::read::{array, cell, items, text, time};
use crate::time::Clock;

/// Commands on deliveries.
#[derive(Subcommand)]
pub enum Command {
    /// List deliveries, the newest first
    List(ListArgs),
    /// Show one delivery: what it tells, and every attempt with what came back
    #[command(after_help = "Example:\n  callbox delivery show dlv_01j9zzzzzzzzzzzzzzzzzzzzzz")]
    Show {
        /// Its id: `webhook-id` of the request
        delivery: String,
    },
    /// Take dead letters up again: destinations are told how things stand now
    #[command(after_help = "Examples:
  callbox delivery retry dlv_01j9zzzzzzzzzzzzzzzzzzzzzz
  callbox delivery retry --destination ops --since 2h
  callbox delivery retry --all")]
    Retry(DealArgs),
    /// Drop dead letters: they are told no more
    #[command(after_help = "Examples:
  callbox delivery drop dlv_01j9zzzzzzzzzzzzzzzzzzzzzz
  callbox delivery drop --destination old")]
    Drop(DealArgs),
}

/// What deliveries are chosen by.
#[derive(Args, Clone)]
pub struct Filter {
    /// Only to this destination, by name or id
    #[arg(long)]
    pub destination: Option<String>,
    /// Only by this rule, by name or id
    #[arg(long)]
    pub rule: Option<String>,
    /// Only about this incident
    #[arg(long, value_name = "ID")]
    pub incident: Option<String>,
    /// Made at this time or later: 2h, 7d, or an RFC 3339 time
    #[arg(long, value_name = "WHEN")]
    pub since: Option<Moment>,
    /// Made before this time
    #[arg(long, value_name = "WHEN")]
    pub until: Option<Moment>,
}

/// Arguments of `list`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox delivery list --status dead
  callbox delivery list --destination ops --since 1d --all --output json")]
pub struct ListArgs {
    #[command(flatten)]
    filter: Filter,
    /// Only in this state: pending, retrying, delivered, dead, skipped; repeat it for several
    #[arg(long)]
    pub status: Vec<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Arguments of `retry` and `drop`.
#[derive(Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true).args([
    "delivery", "destination", "rule", "incident", "since", "until", "all",
]))]
pub struct DealArgs {
    /// One dead letter
    #[arg(conflicts_with_all = ["destination", "rule", "incident", "since", "until", "all"])]
    pub delivery: Option<String>,
    #[command(flatten)]
    filter: Filter,
    /// Every dead letter
    #[arg(long)]
    pub all: bool,
}

impl Filter {
    async fn fields(&self, session: &Session) -> anyhow::Result<Vec<(&'static str, String)>> {
        let now = Clock::System.now();
        let fields = [
            ("destination_id", lookup::optional_id(&session.api, Named::Destination, self.destination.as_deref()).await?),
            ("rule_id", lookup::optional_id(&session.api, Named::Rule, self.rule.as_deref()).await?),
            ("incident_id", self.incident.clone()),
            ("since", self.since.map(|since| since.resolve(now).to_string())),
            ("until", self.until.map(|until| until.resolve(now).to_string())),
        ];
        Ok(fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }
}

impl Command {
    /// Runs it.
    ///
    /// # Errors
    /// What the API says.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        match self {
            Self::List(args) => list(session, args).await,
            Self::Show { delivery } => show(session, delivery).await,
            Self::Retry(args) => deal(session, args, "retry").await,
            Self::Drop(args) => deal(session, args, "drop").await,
        }
    }
}

async fn list(session: &Session, args: &ListArgs) -> anyhow::Result<()> {
    let mut query = Query::new();
    for (name, value) in args.filter.fields(session).await? {
        query = query.with(name, Some(value));
    }
    for status in &args.status {
        query = query.with("status", Some(status));
    }
    let answer = session.api.list(&["deliveries"], &query, &args.paging).await?;
    let out = &session.out;
    if out.is_json() {
        return out.json(&answer);
    }
    let rows: Vec<Vec<String>> = items(&answer).iter().map(|delivery| row(delivery, out)).collect();
    out.table(&["MADE", "EVENT", "STATUS", "ATTEMPTS", "DESTINATION", "REASON", "ID"], &rows, "no deliveries")?;
    super::more(session, &answer)
}

fn row(delivery: &Value, out: &Output) -> Vec<String> {
    vec![
        time(delivery, "created_at", out),
        text(delivery, "event"),
        text(delivery, "status"),
        text(delivery, "attempt_count"),
        text(delivery, "destination_id"),
        cell(delivery, "reason", 60),
        text(delivery, "id"),
    ]
}

async fn show(session: &Session, id: &str) -> anyhow::Result<()> {
    let delivery = session.api.get(&["deliveries", id], &Query::new()).await?;
    let out = &session.out;
    if out.is_json() {
        return out.json(&delivery);
    }
    let destination = lookup::described(&session.api, Named::Destination, &text(&delivery, "destination_id")).await;
    out.fields(&[
        ("delivery", text(&delivery, "id")),
        ("made", time(&delivery, "created_at", out)),
        ("event", text(&delivery, "event")),
        ("incident", text(&delivery, "incident_id")),
        ("destination", destination),
        ("status", text(&delivery, "status")),
        ("reason", text(&delivery, "reason")),
    ])?;
    for attempt in array(&delivery, "attempts") {
        out.text("")?;
        exchange(attempt, out)?;
    }
    Ok(())
}

/// One request and what came back.
///
/// # Errors
/// It cannot be printed.
pub fn exchange(attempt: &Value, out: &Output) -> anyhow::Result<()> {
    let request = attempt.get("request").unwrap_or(&Value::Null);
    out.text(&format!("{} {}", text(request, "method"), text(request, "url")))?;
    for header in array(request, "headers") {
        let part = |index: usize| header.get(index).and_then(Value::as_str).unwrap_or_default();
        out.text(&format!("{}: {}", part(0), part(1)))?;
    }
    out.text(&format!("\n{}", text(request, "body")))?;
    let came = [text(attempt, "status"), text(attempt, "error"), text(attempt, "answer")];
    let came: Vec<String> = came.into_iter().filter(|text| !text.is_empty()).collect();
    if came.is_empty() { Ok(()) } else { out.text(&format!("\n=> {}", came.join(" "))) }
}

async fn deal(session: &Session, args: &DealArgs, act: &str) -> anyhow::Result<()> {
    let out = &session.out;
    if let Some(id) = &args.delivery {
        let answer = session.api.post(&["deliveries", id, act], &Value::Object(Map::new())).await?;
        if out.is_json() {
            return out.json(&answer);
        }
        return out.text(&format!("{id}: {}", text(&answer, "done")));
    }
    let fields = args.filter.fields(session).await?;
    let body: Map<String, Value> = fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let mut counts: Map<String, Value> = Map::new();
    loop {
        let answer = session.api.post(&["deliveries", act], &Value::Object(body.clone())).await?;
        for (done, count) in answer.get("done").and_then(Value::as_object).into_iter().flatten() {
            let before = counts.get(done).and_then(Value::as_u64).unwrap_or(0);
            counts.insert(done.clone(), (before + count.as_u64().unwrap_or(0)).into());
        }
        if answer.get("more") != Some(&Value::Bool(true)) {
            break;
        }
    }
    if out.is_json() {
        return out.json(&serde_json::json!({ "done": counts }));
    }
    if counts.is_empty() {
        return out.text("there are no such dead letters");
    }
    let said: Vec<String> = counts.iter().map(|(done, count)| format!("{count} {done}")).collect();
    out.text(&said.join(", "))
}
