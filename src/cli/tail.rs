//! `callbox tail`: requests as they come in, one a line.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::api::{ApiFailure, Query, next_cursor};
use super::lookup::{self, Named};
use super::read::{items, text, time};
use super::request::{Filter, outcomes};
use super::{Session, terminal};

/// How often new requests are asked for.
const INTERVAL: Duration = Duration::from_secs(1);
/// Rows a page: asked for each second, so not many.
const PAGE: u16 = 100;
/// Pages read at most in one round; a service that takes more requests than that in a second is not read by eye.
const PAGES_MAX: usize = 100;
/// Ids remembered: twice what one round may bring.
const REMEMBERED: usize = 2 * PAGES_MAX * PAGE as usize;

/// Arguments of `tail`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox tail
  callbox tail -f --integration prod
  callbox tail -f --verdict invalid --output json | jq .message")]
pub struct TailArgs {
    /// Keep on: print each request as it comes in
    #[arg(short, long)]
    pub follow: bool,
    /// How many of the latest requests to begin with
    #[arg(short = 'n', long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=500), value_name = "N")]
    pub lines: u16,
    #[command(flatten)]
    filter: Filter,
}

impl TailArgs {
    /// Runs it: to its end, or until it is interrupted with `--follow`.
    ///
    /// # Errors
    /// What the API says. With `--follow` only what waiting cannot heal.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        let mut tail =
            Tail { session, query: self.filter.to_query(session).await?, seen: Seen::default(), names: HashMap::new() };
        tail.learn_names().await;
        // A whole page is remembered, however little of it is shown: a later round must know it when it sees it again.
        let answer = session.api.page(&["requests"], &tail.query, self.lines.max(PAGE), None).await?;
        let rows = items(&answer);
        rows.iter().rev().for_each(|request| tail.seen.insert(&text(request, "id")));
        let shown: Vec<Value> = rows.iter().take(usize::from(self.lines)).cloned().collect();
        tail.print(&shown).await?;
        if !self.follow {
            return Ok(());
        }
        loop {
            tokio::time::sleep(INTERVAL).await;
            tail.round().await?;
        }
    }
}

struct Tail<'a> {
    session: &'a Session,
    query: Query,
    seen: Seen,
    names: HashMap<String, String>,
}

impl Tail<'_> {
    /// Asks once and prints what is new. A service that is away (a restart, an upgrade) is waited for.
    async fn round(&mut self) -> anyhow::Result<()> {
        match self.fetch_new().await {
            Ok(new) => self.print(&new).await,
            Err(failure) if failure.is_temporary() => self.session.out.note(&format!("waiting: {failure}")),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Rows not printed yet, the newest first, from as many pages as it takes to meet one that was. A row that was written late stands
    /// between known ones; what stands below the last known one is older than this tail.
    async fn fetch_new(&mut self) -> Result<Vec<Value>, ApiFailure> {
        let mut new = Vec::new();
        let mut cursor = None;
        for _ in 0..PAGES_MAX {
            let page = self.session.api.page(&["requests"], &self.query, PAGE, cursor.take()).await?;
            let rows = items(&page);
            let known = rows.iter().rposition(|request| self.seen.contains(&text(request, "id")));
            let recent = rows.iter().take(known.unwrap_or(rows.len()));
            new.extend(recent.filter(|request| !self.seen.contains(&text(request, "id"))).cloned());
            cursor = next_cursor(&page);
            if known.is_some() || cursor.is_none() {
                break;
            }
        }
        // Only after the last page, since a failed round is asked again; the oldest first, since the oldest is forgotten first.
        new.iter().rev().for_each(|request| self.seen.insert(&text(request, "id")));
        Ok(new)
    }

    /// Prints rows that come the newest first.
    async fn print(&mut self, rows: &[Value]) -> anyhow::Result<()> {
        if rows.iter().any(|request| !self.names.contains_key(&text(request, "integration_id"))) {
            self.learn_names().await;
        }
        let out = &self.session.out;
        for request in rows.iter().rev() {
            if out.is_json() {
                out.json_line(request)?;
            } else {
                out.text(&line(&time(request, "received_at", out), request, &self.names))?;
            }
        }
        Ok(())
    }

    /// A token that may not list integrations still tails; it sees ids for names.
    async fn learn_names(&mut self) {
        if !self.session.out.is_json()
            && let Ok(names) = lookup::names(&self.session.api, Named::Integration).await
        {
            self.names = names;
        }
    }
}

/// `2026-03-01 09:00:00Z accepted   prod /api/integrations/grafana  2 events  trigger:opened disk/db1`.
fn line(at: &str, request: &Value, names: &HashMap<String, String>) -> String {
    let id = text(request, "integration_id");
    let name = names.get(&id).cloned().unwrap_or(id);
    let name = if name.is_empty() { "-".to_owned() } else { name };
    let mut line = format!("{at} {:<12} {name} {}", text(request, "verdict"), text(request, "route"));
    let message = text(request, "message");
    if !message.is_empty() {
        line.push_str(&format!("  {}", terminal::clip(&message, 80)));
    }
    let outcomes = outcomes(request);
    if !outcomes.is_empty() {
        line.push_str(&format!("  {outcomes}"));
    }
    terminal::line(&line)
}

/// The ids of the latest rows, at most [`REMEMBERED`].
#[derive(Default)]
struct Seen {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    fn contains(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    fn insert(&mut self, id: &str) {
        if !self.ids.insert(id.to_owned()) {
            return;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{Answer, Server};
    use super::*;

    #[test]
    fn one_line_a_request() {
        let request = json!({
            "id": "req_1", "integration_id": "int_1", "verdict": "accepted", "route": "/v2/enqueue", "message": "Event\nprocessed",
            "outcomes": {"opened": 1, "resolved": 2},
        });
        let names = HashMap::from([("int_1".to_owned(), "prod".to_owned())]);
        let expected = "T accepted     prod /v2/enqueue  Event\\nprocessed  opened, 2 resolved";
        assert_eq!(line("T", &request, &names), expected);
        assert!(line("T", &json!({"verdict": "unauthorized", "route": "/x"}), &names).ends_with("unauthorized - /x"));
    }

    #[tokio::test]
    async fn a_round_goes_back_to_what_was_seen() {
        let page = |body: &str| Answer::json(200, body);
        let server = Server::start([
            page(r#"{"items":[{"id":"5"},{"id":"4"}],"next":"c"}"#),
            page(r#"{"items":[{"id":"3"},{"id":"2"},{"id":"1"}],"next":"d"}"#),
            page(r#"{"items":[{"id":"5"},{"id":"4b"},{"id":"4"}],"next":"c"}"#),
            Answer::json(503, r#"{"error":{"code":"unavailable","message":"m"}}"#),
            Answer::json(401, r#"{"error":{"code":"unauthorized","message":"m"}}"#),
        ]);
        let session = server.session();
        let mut tail = Tail { session: &session, query: Query::new(), seen: Seen::default(), names: HashMap::new() };
        tail.seen.insert("2");
        let ids = |rows: &[Value]| rows.iter().map(|row| text(row, "id")).collect::<Vec<_>>();
        assert_eq!(ids(&tail.fetch_new().await.unwrap()), ["5", "4", "3"]);
        assert_eq!(ids(&tail.fetch_new().await.unwrap()), ["4b"], "a row that was written late");
        tail.round().await.unwrap();
        assert!(tail.round().await.is_err(), "a refused token does not heal");
    }

    #[test]
    fn memory_is_bounded() {
        let mut seen = Seen::default();
        (0..=REMEMBERED).for_each(|id| seen.insert(&id.to_string()));
        assert!(!seen.contains("0") && seen.contains("1"));
        assert_eq!(seen.ids.len(), REMEMBERED);
    }
}
