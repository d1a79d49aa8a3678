//! `callbox fixture`: requests kept as files, with what they come to.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Session;
use super::api::Query;
use super::args::{json_or_file, read_file};
use super::failure::usage;
use super::read::text;
use crate::app::read_recipe;
use crate::provider::fixture::Fixture;
use crate::provider::fixture::capture::{Captured, capture};
use crate::provider::{Headers, Provider, Registry};

/// Commands on fixtures.
#[derive(Subcommand)]
pub enum Command {
    /// Make a fixture of a request: masked, with what it comes to
    Capture(CaptureArgs),
}

/// Arguments of `capture`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox fixture capture req_01j9zzzzzzzzzzzzzzzzzzzzzz
  callbox fixture capture req_01j9zzzzzzzzzzzzzzzzzzzzzz --to fixtures --name volume-degraded
  callbox fixture capture req_01j9zzzzzzzzzzzzzzzzzzzzzz --recipe tally.toml
  callbox fixture capture --file request.http --type grafana

Writes FOLDER/TYPE/NAME.http, the request, and NAME.json, what it comes to. Credentials, what looks like a token, e-mail addresses and
IP addresses are masked, the same value always in the same way; host names, ids and texts stay. Look through the file before you
show it to others. The masked request must be read like the original, or nothing is written.")]
pub struct CaptureArgs {
    /// The id of a request in the ledger
    #[arg(value_name = "REQUEST", required_unless_present = "file", conflicts_with = "file")]
    pub request: Option<String>,
    /// In place of one in the ledger: a request in a file, as it goes over the wire; - for standard input
    #[arg(long, requires = "kind")]
    pub file: Option<PathBuf>,
    /// The tool that sent it; of a request in the ledger it is known
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// The options of the type: JSON, or a file with it; of a request in the ledger they are known
    #[arg(long, value_name = "FILE|JSON")]
    pub options: Option<String>,
    /// The recipe of a type of your own
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// Write below this folder
    #[arg(long, value_name = "FOLDER", default_value = "fixtures")]
    pub to: PathBuf,
    /// The name of the files [default: captured- and the end of the id]
    #[arg(long)]
    pub name: Option<String>,
}

/// A request, and by what it is to be read.
struct Source {
    kind: String,
    options: Value,
    request: Fixture,
    subpath: String,
}

impl Command {
    /// Runs it.
    ///
    /// # Errors
    /// What the API says; the request makes no fixture; the files are there or cannot be written.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        let Self::Capture(args) = self;
        args.run(session).await
    }
}

impl CaptureArgs {
    async fn run(&self, session: &Session) -> anyhow::Result<()> {
        let mut source = match (&self.request, &self.file) {
            (Some(id), _) => from_ledger(session, id).await?,
            (None, Some(file)) => self.read(file)?,
            (None, None) => return Err(usage("name a request, or a file with one")),
        };
        if let Some(options) = &self.options {
            source.options = json_or_file("--options", options)?;
        }
        let provider = self.provider(&source.kind)?;
        let captured = capture(&source.request, &source.subpath, provider, &source.options)?;
        let folder = self.to.join(provider.meta().kind);
        let name = self.name.clone().unwrap_or_else(|| self.default_name());
        if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
            return Err(usage("--name must be the name of a file, without its ending"));
        }
        let (http, golden) = (folder.join(format!("{name}.http")), folder.join(format!("{name}.json")));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        write_new(&http, &captured.fixture.render())?;
        write_new(&golden, format!("{}\n", serde_json::to_string_pretty(&captured.golden)?).as_bytes())?;
        report(session, &captured, &http, &golden)
    }

    fn default_name(&self) -> String {
        let id = self.request.as_deref().unwrap_or("file");
        let end = id.char_indices().rev().nth(7).map_or(0, |(at, _)| at);
        format!("captured-{}", id.get(end..).unwrap_or(id))
    }

    fn provider(&self, kind: &str) -> anyhow::Result<&'static dyn Provider> {
        let tools = match &self.recipe {
            Some(file) => {
                let recipe = read_recipe(file).map_err(|problems| usage(problems.join("\n")))?;
                Registry::built_in().with(vec![recipe]).0
            }
            None => Registry::built_in(),
        };
        let missing = || usage(format!("{kind} is no type that is built in; give its recipe with --recipe {kind}.toml"));
        tools.by_type(kind).ok_or_else(missing)
    }

    fn read(&self, file: &Path) -> anyhow::Result<Source> {
        let request = Fixture::parse(&read_file(file)?).map_err(|why| usage(format!("{}: {why}", file.display())))?;
        let subpath = request.subpath().to_owned();
        Ok(Source { kind: self.kind.clone().unwrap_or_default(), options: Value::Null, request, subpath })
    }
}

/// A request of the ledger, with the type and the options of its integration.
async fn from_ledger(session: &Session, id: &str) -> anyhow::Result<Source> {
    let row = session.api.get(&["requests", id], &Query::new()).await?;
    if text(&row, "route") != "/api/integrations/{type}" {
        return Err(anyhow!(
            "the request came by {}: only requests to an integration's own URL make fixtures",
            text(&row, "route")
        ));
    }
    if row.get("body_dropped_at").is_some_and(Value::is_string) {
        return Err(anyhow!("the body of this request was dropped to make room; capture a newer one"));
    }
    let body = match (row.get("body"), row.get("body_base64").and_then(Value::as_str)) {
        (Some(Value::String(text)), _) => text.clone().into_bytes(),
        (_, Some(packed)) => STANDARD.decode(packed).context("the API's base64 cannot be read")?,
        _ => Vec::new(),
    };
    let headers: Vec<(String, String)> = row.get("headers").cloned().map(serde_json::from_value).transpose()?.unwrap_or_default();
    let integration_id = text(&row, "integration_id");
    let integration = session.api.get(&["integrations", &integration_id], &Query::new()).await?;
    let request = Fixture {
        method: text(&row, "method"),
        path: String::new(),
        query: url::form_urlencoded::parse(text(&row, "query").as_bytes()).into_owned().collect(),
        headers: Headers::new(headers),
        body,
    };
    let options = integration.get("options").cloned().unwrap_or_default();
    Ok(Source { kind: text(&integration, "type"), options, request, subpath: text(&row, "subpath") })
}

/// Writes a file that is not there yet.
fn write_new(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let opened = fs::OpenOptions::new().write(true).create_new(true).open(file);
    let write = opened.and_then(|mut opened| opened.write_all(bytes));
    write.with_context(|| format!("cannot write {}; --name gives it another name", file.display()))
}

fn report(session: &Session, captured: &Captured, http: &Path, golden: &Path) -> anyhow::Result<()> {
    let out = &session.out;
    let masked: serde_json::Map<String, Value> =
        captured.masked.iter().map(|(what, count)| ((*what).to_owned(), (*count).into())).collect();
    if out.is_json() {
        return out.json(&json!({
            "request": http, "golden": golden, "masked": masked, "headers_left_out": captured.left_out,
        }));
    }
    let told = captured.masked.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ");
    out.fields(&[
        ("request", http.display().to_string()),
        ("golden", golden.display().to_string()),
        ("masked", if told.is_empty() { "nothing".to_owned() } else { told }),
        ("left out", captured.left_out.join(", ")),
    ])?;
    out.note("host names, ids and texts are as they were: look through the file before you show it to others")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::testing::{Answer, Server};
    use super::super::{Cli, dispatch};
    use super::*;

    async fn run(server: &Server, arguments: &[&str]) -> anyhow::Result<()> {
        let line = ["callbox", "fixture", "capture"].iter().chain(arguments);
        dispatch(&server.session(), Cli::try_parse_from(line).map_err(|error| anyhow!("{error}"))?.command).await
    }

    #[tokio::test]
    async fn a_request_of_the_ledger_and_one_in_a_file() {
        let row = json!({
            "route": "/api/integrations/{type}", "integration_id": "int_1", "method": "GET", "subpath": "", "body": "",
            "headers": [["user-agent", "robot"], ["authorization", "[redacted]"]],
            "query": "integrationId=%5Bredacted%5D&monitorID=7&alertType=1&monitorFriendlyName=Shop&monitorAlertContacts=ann%40corp.example",
        });
        let server =
            Server::start([Answer::json(200, &row.to_string()), Answer::json(200, r#"{"type":"uptimerobot","options":{}}"#)]);
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().to_str().unwrap();
        run(&server, &["req_00000000000000000012345678", "--to", to]).await.unwrap();
        let file = folder.path().join("uptimerobot/captured-12345678.http");
        let written = fs::read_to_string(&file).unwrap();
        let head = "GET /api/integrations/uptimerobot?integrationId=HOOK&monitorID=7&alertType=1&monitorFriendlyName=Shop&\
            monitorAlertContacts=person1%40example.com HTTP/1.1\nHost: callbox.example\nUser-Agent: robot\n\n";
        assert_eq!(written, head);
        let golden: Value = serde_json::from_slice(&fs::read(file.with_extension("json")).unwrap()).unwrap();
        assert!(golden["items"][0].get("event").is_some(), "{golden}");

        let path = file.to_str().unwrap();
        let again = ["--file", path, "--type", "uptimerobot", "--to", to, "--name", "again"];
        run(&server, &again).await.unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("uptimerobot/again.http")).unwrap(), head);
        assert!(run(&server, &again).await.is_err(), "nothing is overwritten");
        assert!(
            run(&server, &["--file", path, "--type", "tally", "--to", to])
                .await
                .unwrap_err()
                .to_string()
                .contains("--recipe tally.toml")
        );
    }
}
