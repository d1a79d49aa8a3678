//! `callbox request replay`: requests of the ledger run again, one or many, the old beside the new.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use serde_json::{Map, Value, json};

use super::super::Session;
use super::super::args::{Moment, json_or_file, read_file};
use super::super::failure::usage;
use super::super::lookup::{self, Named};
use super::super::read::{array, cell, first, items, text};
use super::super::terminal;
use crate::time::Clock;

/// Requests that one call replays: the API answers within seconds and says where to go on.
const STEP: usize = 200;
/// Calls that may fail one after the other where the service cannot promise anything for the moment.
const TRIES: u32 = 5;
/// The pause before the next of them.
const PAUSE: Duration = Duration::from_secs(1);

/// Arguments of `replay`.
#[derive(Args, Default)]
#[command(after_help = "Examples:
  callbox request replay req_01j9zzzzzzzzzzzzzzzzzzzzzz --dry-run
  callbox request replay --integration disks --outcome unmapped --since 2d --mapping mapping.json --dry-run
  callbox request replay --integration disks --outcome unmapped --since 2d
  callbox request list --integration disks --q full --output json | jq -r '.items[].id' | callbox request replay -

Requests are replayed in the order in which they came, by what their integration says today, or by a draft; --dry-run shows the old
beside the new. Events keep the time at which they were received. What a request has made is not made twice, so a replay that was
cut off is simply run again. Where a key has newer news the event is stale and changes nothing, unless --force. Nobody is notified,
unless --notify. A catch-all incident resolves when every request in it is understood.")]
pub struct ReplayArgs {
    /// Ids of requests; - reads them from standard input
    #[arg(value_name = "REQUEST", required_unless_present = "integration")]
    pub requests: Vec<String>,
    /// Those of this integration, by name or id
    #[arg(long)]
    pub integration: Option<String>,
    /// Only with this verdict: accepted, ignored, invalid, limited, …
    #[arg(long, requires = "integration")]
    pub verdict: Option<String>,
    /// Only those that made an event with this outcome: unmapped, opened, stale, …
    #[arg(long, requires = "integration")]
    pub outcome: Option<String>,
    /// Received at this time or later: 2h, 7d, or an RFC 3339 time
    #[arg(long, requires = "integration", value_name = "WHEN")]
    pub since: Option<Moment>,
    /// Received before this time
    #[arg(long, requires = "integration", value_name = "WHEN")]
    pub until: Option<Moment>,
    /// Go on after this request: the last one that an earlier replay has done
    #[arg(long, value_name = "REQUEST")]
    pub after: Option<String>,
    /// Read by this draft of a mapping: JSON, or a file with it
    #[arg(long, value_name = "FILE|JSON", group = "draft")]
    pub mapping: Option<String>,
    /// Read by this draft of a recipe, whatever the type
    #[arg(long, value_name = "FILE", group = "draft")]
    pub recipe: Option<PathBuf>,
    /// Read by these options of the type: JSON, or a file with it
    #[arg(long, value_name = "FILE|JSON", group = "draft")]
    pub options: Option<String>,
    /// Only say what would happen
    #[arg(long)]
    pub dry_run: bool,
    /// Apply events even where newer ones of the same key exist, or the request has made them before
    #[arg(long)]
    pub force: bool,
    /// Deliver to destinations as if it came in now
    #[arg(long)]
    pub notify: bool,
}

impl ReplayArgs {
    /// Runs it.
    ///
    /// # Errors
    /// What the API says, and where to go on.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        match self.requests.as_slice() {
            [id] if id != "-" && self.integration.is_none() => self.one(session, id).await,
            _ => self.many(session).await,
        }
    }

    /// How a replay is done, as the API has it.
    fn how(&self) -> anyhow::Result<Map<String, Value>> {
        let mut fields = Map::new();
        for (name, value) in [("dry_run", self.dry_run), ("force", self.force), ("notify", self.notify)] {
            fields.insert(name.to_owned(), value.into());
        }
        if let Some(mapping) = &self.mapping {
            fields.insert("options".to_owned(), json!({ "mapping": json_or_file("--mapping", mapping)? }));
        }
        if let Some(options) = &self.options {
            fields.insert("options".to_owned(), json_or_file("--options", options)?);
        }
        if let Some(file) = &self.recipe {
            let recipe = String::from_utf8(read_file(file)?).map_err(|_| usage(format!("{} is no text", file.display())))?;
            fields.insert("recipe".to_owned(), recipe.into());
        }
        Ok(fields)
    }

    async fn one(&self, session: &Session, id: &str) -> anyhow::Result<()> {
        let answer = session.api.post(&["requests", id, "replay"], &Value::Object(self.how()?)).await?;
        let out = &session.out;
        if out.is_json() {
            return out.json(&answer);
        }
        out.fields(&[
            ("request", first(&answer, &["request_id", "id"])),
            ("dry run", if self.dry_run { "yes: nothing was changed".to_owned() } else { String::new() }),
            ("verdict", text(&answer, "verdict")),
            ("message", text(&answer, "message")),
        ])?;
        let rows: Vec<Vec<String>> = differences(&answer);
        if !rows.is_empty() {
            out.text("")?;
            out.table(&DIFFERENCES, &rows, "")?;
        }
        array(&answer, "catch_alls").iter().try_for_each(|catch_all| out.text(&closing(catch_all, self.dry_run)))
    }

    async fn many(&self, session: &Session) -> anyhow::Result<()> {
        let mut fields = self.how()?;
        let now = Clock::System.now();
        let integration = lookup::optional_id(&session.api, Named::Integration, self.integration.as_deref()).await?;
        let since = self.since.map(|since| since.resolve(now).to_string());
        let until = self.until.map(|until| until.resolve(now).to_string());
        let filters = [("integration_id", integration), ("verdict", self.verdict.clone()), ("outcome", self.outcome.clone())];
        for (name, value) in filters.into_iter().chain([("since", since), ("until", until)]) {
            fields.extend(value.map(|value| (name.to_owned(), value.into())));
        }
        let mut done = Done { after: self.after.clone(), ..Done::default() };
        let ids = self.ids()?;
        let steps: Vec<Option<&[String]>> = if ids.is_empty() { vec![None] } else { ids.chunks(STEP).map(Some).collect() };
        let mut ended = Ok(());
        for ids in steps {
            fields.extend(ids.map(|ids| ("ids".to_owned(), json!(ids))));
            ended = done.all(session, &fields).await;
            if ended.is_err() {
                break;
            }
        }
        done.print(session, self.dry_run)?;
        ended
    }

    /// The ids asked for, in the order in which the requests came.
    fn ids(&self) -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::new();
        for id in &self.requests {
            match id.as_str() {
                "-" => {
                    let text =
                        String::from_utf8(read_file(std::path::Path::new("-"))?).map_err(|_| usage("the ids are no text"))?;
                    ids.extend(text.split_whitespace().map(str::to_owned));
                }
                id => ids.push(id.to_owned()),
            }
        }
        if ids.is_empty() && !self.requests.is_empty() {
            return Err(usage("there is no id on standard input"));
        }
        ids.sort();
        ids.dedup();
        Ok(ids)
    }
}

/// What was replayed so far.
#[derive(Default)]
struct Done {
    items: Vec<Value>,
    /// The last request that is done.
    after: Option<String>,
    stopped: Value,
}

impl Done {
    /// Step by step until there are no more; what fails for the moment is tried again.
    async fn all(&mut self, session: &Session, fields: &Map<String, Value>) -> anyhow::Result<()> {
        let mut tries = 0;
        loop {
            let mut fields = fields.clone();
            fields.insert("after".to_owned(), json!(self.after));
            fields.insert("limit".to_owned(), STEP.into());
            let problem = match session.api.post(&["requests", "replay"], &Value::Object(fields)).await {
                Ok(answer) => {
                    let some = !items(&answer).is_empty();
                    self.take(session, &answer)?;
                    match (answer.get("next").is_some_and(Value::is_string), self.stopped.is_null()) {
                        (false, true) => return Ok(()),
                        (_, true) => None,
                        (_, false) => {
                            tries = if some { 0 } else { tries };
                            Some(anyhow!("stopped at {}: {}", text(&self.stopped, "request_id"), text(&self.stopped, "message")))
                        }
                    }
                }
                Err(failure) if failure.is_temporary() => Some(failure.into()),
                Err(failure) => return Err(failure.into()),
            };
            let Some(problem) = problem else {
                tries = 0;
                continue;
            };
            tries += 1;
            if tries >= TRIES {
                return Err(problem.context(self.how_to_go_on()));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn take(&mut self, session: &Session, answer: &Value) -> anyhow::Result<()> {
        self.items.extend(items(answer).iter().cloned());
        self.stopped = answer.get("stopped").cloned().unwrap_or_default();
        let Some(last) = items(answer).last() else { return Ok(()) };
        self.after = Some(text(last, "request_id"));
        if answer.get("next").is_some_and(Value::is_string) {
            let at = session.out.time(&text(last, "received_at"));
            session.out.note(&format!("{} requests done, up to {at}", self.items.len()))?;
        }
        Ok(())
    }

    fn how_to_go_on(&self) -> String {
        let after = self.after.as_ref().map_or_else(String::new, |after| format!(" and --after {after}"));
        let done = self.items.len();
        format!("{done} requests are done, the next is not; go on with the same command{after} (what is done is not done twice)")
    }

    fn print(&self, session: &Session, dry_run: bool) -> anyhow::Result<()> {
        let out = &session.out;
        let effects = |wanted: &[&str]| -> usize {
            let events = self.items.iter().flat_map(|item| array(item, "events"));
            events.filter(|event| wanted.contains(&text(event, "effect").as_str())).count()
        };
        let skipped = self.items.iter().filter(|item| item.get("skipped").is_some_and(Value::is_string)).count();
        let (applied, unchanged, stale) = (effects(&["applied", "would_apply"]), effects(&["unchanged"]), effects(&["stale"]));
        if out.is_json() {
            let next = if self.stopped.is_null() { &None } else { &self.after };
            let counts = json!({
                "requests": self.items.len(), "skipped": skipped, "applied": applied, "unchanged": unchanged, "stale": stale,
            });
            let answer = json!({
                "dry_run": dry_run, "items": self.items, "counts": counts, "stopped": self.stopped, "next": next,
            });
            return out.json(&answer);
        }
        let mut rows = Vec::new();
        for item in &self.items {
            let place = [out.time(&text(item, "received_at")), text(item, "request_id")];
            rows.extend(differences(item).into_iter().map(|row| place.iter().cloned().chain(row).collect()));
        }
        let head: Vec<&str> = ["RECEIVED", "REQUEST"].into_iter().chain(DIFFERENCES).collect();
        out.table(&head, &rows, "no requests")?;
        if self.items.is_empty() {
            return Ok(());
        }
        let done = if dry_run { "nothing was done; events that would be applied" } else { "events applied" };
        let requests = self.items.len();
        out.text(&format!(
            "\n{requests} requests; {done}: {applied}, unchanged: {unchanged}, stale: {stale}; requests skipped: {skipped}"
        ))?;
        self.catch_alls().iter().try_for_each(|catch_all| out.text(&closing(catch_all, dry_run)))
    }

    /// How each catch-all incident stood at the end.
    fn catch_alls(&self) -> Vec<&Value> {
        let mut last: Vec<&Value> = Vec::new();
        for catch_all in self.items.iter().flat_map(|item| array(item, "catch_alls")) {
            last.retain(|known| known.get("incident_id") != catch_all.get("incident_id"));
            last.push(catch_all);
        }
        last
    }
}

/// The columns of [`differences`].
const DIFFERENCES: [&str; 5] = ["ACTION", "KEY", "SEVERITY", "OUTCOME", "EFFECT"];

/// One row an event, the old beside the new where they differ.
fn differences(request: &Value) -> Vec<Vec<String>> {
    let skipped = text(request, "skipped");
    if !skipped.is_empty() {
        return vec![vec![String::new(), String::new(), String::new(), String::new(), format!("skipped: {skipped}")]];
    }
    let none = Value::Null;
    let new = array(request, "events").iter().map(|event| (event.get("was").unwrap_or(&none), event));
    let gone = array(request, "gone").iter().map(|was| (was, &none));
    let mut rows: Vec<Vec<String>> = new.chain(gone).map(|(was, event)| difference(was, event)).collect();
    let changes = request.get("changes").and_then(Value::as_u64).unwrap_or(0);
    if changes > 0 {
        rows.push(vec![format!("{changes} change events"), String::new(), String::new(), String::new(), String::new()]);
    }
    rows
}

fn difference(was: &Value, event: &Value) -> Vec<String> {
    let both = |name: &str| match (cell(was, name, 40), cell(event, name, 40)) {
        (old, new) if old == new || old.is_empty() => new,
        (old, new) if new.is_empty() => old,
        (old, new) => format!("{old} -> {new}"),
    };
    let effect = match event {
        Value::Null => "gone (not taken back)".to_owned(),
        event => text(event, "effect").replace('_', " "),
    };
    vec![both("action"), both("dedup_key"), both("severity"), both("outcome"), effect]
}

/// How a catch-all incident stands.
fn closing(catch_all: &Value, dry_run: bool) -> String {
    let key = terminal::line(&text(catch_all, "dedup_key"));
    let left = text(catch_all, "left");
    match catch_all.get("resolved").and_then(Value::as_bool) {
        Some(true) if dry_run => format!("catch-all incident {key}: would be resolved, everything in it would be understood"),
        Some(true) => format!("catch-all incident {key}: resolved, everything in it is understood"),
        _ => format!("catch-all incident {key}: stays open, events in it that are not replayed yet: {left}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Answer, Server};
    use super::*;

    #[tokio::test]
    async fn one_says_how() {
        let server = Server::start([Answer::json(200, r#"{"verdict":"accepted"}"#)]);
        let args = ReplayArgs {
            requests: vec!["req_1".into()],
            dry_run: true,
            mapping: Some("{\"summaryField\":\"a\"}".into()),
            ..ReplayArgs::default()
        };
        args.run(&server.session()).await.unwrap();
        let seen = server.requests();
        assert_eq!(seen[0].line, "POST /api/v1/requests/req_1/replay HTTP/1.1");
        let expected = json!({"dry_run": true, "force": false, "notify": false, "options": {"mapping": {"summaryField": "a"}}});
        assert_eq!(seen[0].json(), expected);
    }

    #[tokio::test]
    async fn many_go_on_after_the_last_that_is_done_and_try_again_what_fails_for_the_moment() {
        let page = |id: &str, next: &str, stopped: &str| {
            let item = format!(r#"{{"request_id":"{id}","events":[{{"effect":"applied"}}]}}"#);
            Answer::json(200, &format!(r#"{{"items":[{item}],"next":{next},"stopped":{stopped}}}"#))
        };
        let server = Server::start([
            page("req_1", "\"req_1\"", "null"),
            Answer::json(503, r#"{"error":{"code":"unavailable","message":"later"}}"#),
            page("req_2", "\"req_2\"", r#"{"request_id":"req_3","message":"the queue is full"}"#),
            page("req_3", "null", "null"),
        ]);
        let mut done = Done::default();
        done.all(&server.session(), &Map::new()).await.unwrap();
        let after: Vec<Value> = server.requests().iter().map(|seen| seen.json()["after"].clone()).collect();
        assert_eq!(after, [json!(null), json!("req_1"), json!("req_1"), json!("req_2")]);
        assert_eq!((done.items.len(), done.stopped), (3, Value::Null));
    }

    #[test]
    fn the_old_stands_beside_the_new() {
        let request = json!({
            "events": [{
                "action": "trigger", "dedup_key": "disk-1", "severity": "critical", "outcome": "opened", "effect": "would_apply",
                "was": {"action": "trigger", "dedup_key": "unmapped:0f", "severity": "error", "outcome": "unmapped"},
            }],
            "gone": [{"action": "trigger", "dedup_key": "k", "severity": "info", "outcome": "updated"}],
            "changes": 0,
        });
        let expected = [
            ["trigger", "unmapped:0f -> disk-1", "error -> critical", "unmapped -> opened", "would apply"],
            ["trigger", "k", "info", "updated", "gone (not taken back)"],
        ];
        assert_eq!(differences(&request), expected);
        assert_eq!(differences(&json!({"skipped": "why", "events": []}))[0][4], "skipped: why");
    }

    #[test]
    fn how_to_go_on_is_said() {
        let done = Done { items: vec![Value::Null], after: Some("req_7".into()), ..Done::default() };
        assert!(done.how_to_go_on().contains("1 requests are done") && done.how_to_go_on().contains("--after req_7"));
    }
}
