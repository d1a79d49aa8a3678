//! `callbox request replay`: requests of the ledger run again, one or many, the old beside the new.

mod difference;
mod progress;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::super::Session;
use super::super::args::{Moment, json_or_file, read_file};
use super::super::failure::usage;
use super::super::lookup::{self, Named};
use super::super::read::{array, first, text};
use crate::time::Clock;
use difference::{DIFFERENCES, closing, differences};
use progress::{Done, STEP};

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
        let mut done = Done::after(self.after.clone());
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
}
