//! `callbox explain`: what would become of a request, step by step, without doing it.

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Map, Value, json};

use super::Session;
use super::args::{Header, TextPair, json_or_file, read_file};
use super::failure::usage;
use super::lookup::{self, Named};
use super::output::Output;
use super::read::{array, first, plain, text};
use super::told;
use crate::provider::Headers;
use crate::provider::fixture::Fixture;

/// Arguments of `explain`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox explain grafana --file body.json
  callbox explain alertmanager --file request.http --integration prod
  callbox explain github --file body.json --header 'X-Hub-Signature-256: sha256=…' --integration ci
  callbox explain prtg --method GET --query sensorid=2043 --query status=Down
  callbox explain webhook --file body.json --recipe tally.toml
  callbox explain webhook --file body.json --options '{\"mapping\":{\"summary\":\"$.title\"}}'

A file that ends in .http holds the request as it goes over the wire: request line, headers, a blank line, the body, which may be
gzip if Content-Encoding says so. Nothing is written and nobody is notified. With --integration its secret, its options and its open
incidents are used, and what would go out is shown: to whom, by which rule, when, and the request with its secrets masked.")]
pub struct ExplainArgs {
    /// The tool: alertmanager, grafana, datadog, events, webhook, …
    #[arg(value_name = "TYPE")]
    pub kind: String,
    /// The body, or a whole request if it ends in .http; - for standard input
    #[arg(long, required_unless_present = "query")]
    pub file: Option<PathBuf>,
    /// The method of the request [default: that of the file, or POST]
    #[arg(long)]
    pub method: Option<String>,
    /// The path below the integration's URL, such as api/v2/alerts
    #[arg(long, value_name = "PATH")]
    pub subpath: Option<String>,
    /// A header of the request, in place of the file's; repeatable
    #[arg(long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<Header>,
    /// A parameter of the request, in place of the file's; repeatable
    #[arg(long = "query", value_name = "NAME=VALUE")]
    pub query: Vec<TextPair>,
    /// As if it came to this integration, by name or id
    #[arg(long)]
    pub integration: Option<String>,
    /// The options of the type: JSON, or a file with it
    #[arg(long, value_name = "FILE|JSON")]
    pub options: Option<String>,
    /// Read it by this recipe; with the type webhook
    #[arg(long, value_name = "FILE", conflicts_with = "options")]
    pub recipe: Option<PathBuf>,
}

impl ExplainArgs {
    /// Runs it.
    ///
    /// # Errors
    /// The file cannot be read; what the API says.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        let mut body = self.to_body()?;
        if let Some(integration) = &self.integration {
            let id = lookup::id(&session.api, Named::Integration, integration).await?;
            body.insert("integration_id".to_owned(), id.into());
        }
        let answer = session.api.post(&["explain", &self.kind], &Value::Object(body)).await?;
        if session.out.is_json() {
            return session.out.json(&answer);
        }
        print(&session.out, &answer)
    }

    fn to_body(&self) -> anyhow::Result<Map<String, Value>> {
        let request = self.request()?;
        let headers = self.headers.iter().map(|header| (header.name.as_str(), header.value.as_str())).collect();
        let query = self.query.iter().map(|pair| (pair.name.as_str(), pair.value.as_str())).collect();
        let mut body = Map::new();
        body.insert("method".to_owned(), self.method.as_ref().unwrap_or(&request.method).to_ascii_uppercase().into());
        body.insert("subpath".to_owned(), self.subpath.as_deref().unwrap_or_else(|| request.subpath()).into());
        body.insert("headers".to_owned(), object(request.headers.iter(), headers));
        let in_file = request.query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        body.insert("query".to_owned(), object(in_file, query));
        body.insert("body_base64".to_owned(), STANDARD.encode(&request.body).into());
        if let Some(options) = &self.options {
            body.insert("options".to_owned(), json_or_file("--options", options)?);
        }
        if let Some(recipe) = &self.recipe {
            if !["webhook", "generic"].contains(&self.kind.as_str()) {
                return Err(usage("--recipe goes with the type webhook: a recipe in the folder is explained by its own type"));
            }
            let text = String::from_utf8(read_file(recipe)?).map_err(|_| usage(format!("{} is no text", recipe.display())))?;
            body.insert("options".to_owned(), json!({ "recipe": text }));
        }
        Ok(body)
    }

    /// The request as the file has it: a whole one, or the body of a plain post.
    fn request(&self) -> anyhow::Result<Fixture> {
        let bytes = self.file.as_deref().map(read_file).transpose()?.unwrap_or_default();
        match &self.file {
            Some(file) if file.extension().is_some_and(|extension| extension == "http") => {
                Fixture::parse(&bytes).map_err(|why| usage(format!("{}: {why}", file.display())))
            }
            _ => Ok(Fixture {
                method: "POST".to_owned(),
                path: String::new(),
                query: Vec::new(),
                headers: Headers::default(),
                body: bytes,
            }),
        }
    }
}

/// Pairs by name; of a name that comes several times every value, in order. A name given as a flag has nothing from the file.
fn object<'a>(file: impl Iterator<Item = (&'a str, &'a str)>, flags: Vec<(&'a str, &'a str)>) -> Value {
    let kept = file.filter(|(name, _)| flags.iter().all(|(flag, _)| flag != name));
    let mut map: Map<String, Value> = Map::new();
    for (name, value) in kept.chain(flags.iter().copied()) {
        match map.get_mut(name) {
            None => drop(map.insert(name.to_owned(), value.into())),
            Some(Value::Array(values)) => values.push(value.into()),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    map.into()
}

/// Parts of the trace that have a place of their own below; the rest is printed as it is, so that nothing is left out.
const PLACED: [&str; 11] = [
    "type",
    "verdict",
    "message",
    "signature",
    "events",
    "ignored",
    "unmapped",
    "deliveries",
    "later",
    "untold",
    "deliveries_note",
];

fn print(out: &Output, trace: &Value) -> anyhow::Result<()> {
    let signature = trace.get("signature").map(signature).unwrap_or_default();
    out.fields(&[
        ("type", text(trace, "type")),
        ("verdict", text(trace, "verdict")),
        ("message", text(trace, "message")),
        ("signature", signature),
    ])?;
    for (index, event) in array(trace, "events").iter().enumerate() {
        print_event(out, index + 1, event)?;
    }
    for (title, name) in [("ignored", "ignored"), ("unmapped", "unmapped")] {
        for item in array(trace, name) {
            out.text(&format!("\n{title} {}: {}", place(&text(item, "at")), first(item, &["why", "reason"])))?;
        }
    }
    told::print(out, trace)?;
    let rest: Vec<(&str, String)> = trace
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !PLACED.contains(&name.as_str()))
        .filter(|(_, value)| *value != &Value::Bool(false))
        .map(|(name, value)| (name.as_str(), plain(value)))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    if !rest.is_empty() {
        out.text("")?;
    }
    out.fields(&rest)
}

/// `generic: verified; signed: body`: the scheme, what came of it, and whatever else the API says about it.
fn signature(signature: &Value) -> String {
    let Some(fields) = signature.as_object() else { return plain(signature) };
    let scheme = text(signature, "scheme");
    let outcome = first(signature, &["outcome", "result", "verified"]);
    let mut parts = vec![[scheme, outcome].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")];
    for (name, value) in fields {
        let value = plain(value);
        if !["scheme", "outcome", "result", "verified"].contains(&name.as_str()) && !value.is_empty() {
            parts.push(format!("{name}: {value}"));
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}

/// One event: each field, and where it came from.
fn print_event(out: &Output, number: usize, event: &Value) -> anyhow::Result<()> {
    // The API may wrap the event to put its origin beside it.
    let fields = event.get("event").filter(|inner| inner.is_object()).unwrap_or(event);
    let origin = event.get("origin").or_else(|| fields.get("origin")).cloned().unwrap_or_else(|| json!({}));
    out.text(&format!("\nevent {number}, from {}", place(&text(&origin, "at"))))?;
    let rows: Vec<Vec<String>> =
        [("action", "action"), ("key", "dedup_key"), ("summary", "summary"), ("source", "source"), ("severity", "severity")]
            .iter()
            .map(|(title, name)| vec![format!("  {title}"), text(fields, name), from(&text(&origin, name))])
            .collect();
    out.table(&["  FIELD", "VALUE", "FROM"], &rows, "")?;
    let outcome = first(event, &["outcome", "decision.outcome"]);
    let incident = match event.get("incident") {
        Some(incident) if incident.is_object() => incident_line(incident),
        _ => text(event, "incident_id"),
    };
    let why = first(event, &["why", "reason", "decision.why"]);
    let indented = [("  outcome", outcome), ("  incident", incident), ("  why", why)];
    out.fields(&indented)
}

fn incident_line(incident: &Value) -> String {
    let number = text(incident, "number");
    let name = if number.is_empty() { text(incident, "id") } else { format!("#{number}") };
    format!("{name} {} {}", text(incident, "status"), text(incident, "title")).trim().to_owned()
}

/// A JSON pointer in words.
fn place(pointer: &str) -> String {
    if pointer.is_empty() { "the whole body".to_owned() } else { pointer.to_owned() }
}

fn from(origin: &str) -> String {
    if origin.is_empty() { "-".to_owned() } else { origin.to_owned() }
}
