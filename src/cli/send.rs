//! `callbox send`: a client of the Events API v2, for Callbox and for PagerDuty itself
//! (<https://developer.pagerduty.com/docs/events-api-v2-overview>).

mod deliver;
mod direct;

use clap::Args;
use serde_json::{Map, Value, json};

use super::Session;
use super::api::Query;
use super::args::{Moment, Pair, TextPair, word};
use super::event::Action;
use super::failure::usage;
use super::incident::Severity;
use super::lookup::{self, Named};
use super::output::Output;
use super::read::{first, text};
use crate::secret::Secret;
use crate::time::Clock;
use deliver::deliver;
use direct::DirectArgs;

/// Arguments of `send`.
#[derive(Args)]
#[command(after_help = "Examples:
  callbox send --integration prod --summary 'disk full' --source db1 --severity critical
  callbox send --key KEY --url https://events.pagerduty.com --summary 'disk full' --dedup-key disk/db1
  callbox send resolve --key KEY --dedup-key disk/db1
  callbox send --key KEY --change --summary 'deployed 1.4.2' --detail version=1.4.2
  key=$(callbox send --integration prod --summary 'backup failed' --detail host=db1 --detail attempts=3)
  callbox send --to @slack-url.txt --to env:PAGER --summary 'disk full' --dedup-key disk/db1 --dedupe 5m
  watcher | callbox send --to slack://T0/B0/KEY --events - --severity-floor warning --dry-run

Prints the dedup key, to acknowledge and resolve with. Answers 429 and 5xx and failing connections are
tried again. A trigger without --dedup-key gets one made here, so that no try opens a second incident.

With --to no service is needed: each destination is told at once, and what became of it is printed on
standard error. One that fails keeps no other from being told; the exit code is 1 if any was not told,
0 if all were, or had nothing to be told. Signatures, rules and a queue that survives need a service.

--severity-floor compares triggers; an acknowledge or a resolve passes unless it says how bad it is.
--dedupe leaves out the same again for the same key; not a change of state, and not what got worse.
Without --dedup-key the summary, digits aside, and the source make the key. With --output json: a line
for each event and destination.")]
pub struct SendArgs {
    /// What to say
    #[arg(value_enum, default_value = "trigger", conflicts_with = "change")]
    pub action: Action,
    /// The routing key
    #[arg(long, env = "CALLBOX_KEY", hide_env_values = true, conflicts_with = "integration")]
    pub key: Option<String>,
    /// Use the key of this integration, by name or id; needs a token that may see it
    #[arg(long)]
    pub integration: Option<String>,
    /// What is wrong, in one line
    #[arg(long, value_name = "TEXT")]
    pub summary: Option<String>,
    /// What is affected [default: this machine's name]
    #[arg(long, value_name = "TEXT")]
    pub source: Option<String>,
    /// How bad it is
    #[arg(long, value_enum, default_value = "error")]
    pub severity: Severity,
    /// What makes it the same alert as before
    #[arg(long, value_name = "DEDUP_KEY")]
    pub dedup_key: Option<String>,
    /// The part of the source that is affected
    #[arg(long, value_name = "TEXT")]
    pub component: Option<String>,
    /// A logical group of components
    #[arg(long, value_name = "TEXT")]
    pub group: Option<String>,
    /// The class of the event
    #[arg(long, value_name = "TEXT")]
    pub class: Option<String>,
    /// More about it; the value may be JSON. Repeatable
    #[arg(long = "detail", value_name = "NAME=VALUE")]
    pub details: Vec<Pair>,
    /// A link to show; repeatable
    #[arg(long = "link", value_name = "URL[=TEXT]")]
    pub links: Vec<String>,
    /// The name of the tool
    #[arg(long, value_name = "TEXT")]
    pub client: Option<String>,
    /// A link to the tool
    #[arg(long, value_name = "URL")]
    pub client_url: Option<String>,
    /// When it happened: a time, or how long ago
    #[arg(long, value_name = "WHEN")]
    pub timestamp: Option<Moment>,
    /// Send a change event, which opens no incident
    #[arg(long, conflicts_with_all = ["dedup_key", "component", "group", "class"])]
    pub change: bool,
    /// How often to try again
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=100), value_name = "N")]
    pub retries: u32,
    #[command(flatten)]
    direct: DirectArgs,
}

impl SendArgs {
    /// Whether it tells destinations itself and needs no service.
    pub fn is_direct(&self) -> bool {
        self.direct.is_given()
    }

    /// Tells the destinations.
    ///
    /// # Errors
    /// The call is wrong, or a destination was not told.
    pub fn run_direct(&self, out: &Output) -> anyhow::Result<()> {
        self.direct.run(self, out)
    }

    /// Runs it.
    ///
    /// # Errors
    /// The event was refused, or could not be delivered in all tries.
    pub async fn run(&self, session: &Session) -> anyhow::Result<()> {
        let key = self.routing_key(session).await?;
        let body = self.to_body(&key)?;
        let path: &[&str] = if self.change { &["v2", "change", "enqueue"] } else { &["v2", "enqueue"] };
        let answer = deliver(session, path, &body, self.retries).await?;
        if session.out.is_json() {
            return session.out.json(&answer);
        }
        session.out.text(&first(&answer, &["dedup_key", "message"]))
    }

    async fn routing_key(&self, session: &Session) -> anyhow::Result<Secret> {
        if let Some(integration) = &self.integration {
            let id = lookup::id(&session.api, Named::Integration, integration).await?;
            let answer = session.api.get(&["integrations", &id], &Query::new()).await?;
            let key = text(&answer, "key");
            anyhow::ensure!(
                !key.is_empty(),
                "this token may not see the key of {integration}: it lacks the scope integrations:write"
            );
            return Ok(Secret::new(key));
        }
        match self.key.as_deref().map(str::trim).filter(|key| !key.is_empty()) {
            Some(key) => Ok(Secret::new(key)),
            None => Err(usage("give the routing key with --key or CALLBOX_KEY, or --integration to look it up")),
        }
    }

    fn to_body(&self, key: &Secret) -> anyhow::Result<Value> {
        let mut body = self.members()?;
        body.insert("routing_key".to_owned(), key.expose().into());
        if !self.change {
            body.insert("dedup_key".to_owned(), self.dedup_key()?.into());
        }
        Ok(Value::Object(body))
    }

    /// The event without routing key, and without a dedup key where none was given: for destinations that are told directly. No service
    /// knows what an acknowledge or a resolve is about, so what was given of it is in it.
    fn event(&self) -> anyhow::Result<Value> {
        let mut body = self.members()?;
        if !self.change && (self.dedup_key.is_some() || self.action != Action::Trigger) {
            body.insert("dedup_key".to_owned(), self.dedup_key()?.into());
        }
        if !self.change && self.action != Action::Trigger {
            let mut payload = self.payload();
            // Most likely the default, and not said.
            payload.as_object_mut().and_then(|payload| payload.remove("severity"));
            body.insert("payload".to_owned(), payload);
        }
        Ok(Value::Object(body))
    }

    fn members(&self) -> anyhow::Result<Map<String, Value>> {
        let mut body = Map::new();
        let needs_payload = self.change || self.action == Action::Trigger;
        if needs_payload && self.summary.is_none() {
            return Err(usage("--summary is missing: say what is wrong"));
        }
        if !self.change {
            body.insert("event_action".to_owned(), word(self.action).to_string().into());
        }
        if needs_payload {
            body.insert("payload".to_owned(), self.payload());
        }
        put(&mut body, "client", self.client.as_ref());
        put(&mut body, "client_url", self.client_url.as_ref());
        if !self.links.is_empty() {
            body.insert("links".to_owned(), self.links.iter().map(|text| link(text)).collect());
        }
        Ok(body)
    }

    /// Made here and not by the server: a try whose answer was lost may have opened an incident already.
    fn dedup_key(&self) -> anyhow::Result<String> {
        match (&self.dedup_key, self.action) {
            (Some(key), _) => Ok(key.clone()),
            (None, Action::Trigger) => Ok(uuid::Uuid::now_v7().simple().to_string()),
            (None, _) => Err(usage("--dedup-key is missing: say which alert")),
        }
    }

    fn payload(&self) -> Value {
        let mut payload = Map::new();
        put(&mut payload, "summary", self.summary.as_ref());
        payload.insert("source".to_owned(), self.source.clone().unwrap_or_else(machine_name).into());
        if let Some(moment) = self.timestamp {
            payload.insert("timestamp".to_owned(), moment.resolve(Clock::System.now()).to_string().into());
        }
        if !self.change {
            payload.insert("severity".to_owned(), word(self.severity).to_string().into());
            put(&mut payload, "component", self.component.as_ref());
            put(&mut payload, "group", self.group.as_ref());
            put(&mut payload, "class", self.class.as_ref());
        }
        if !self.details.is_empty() {
            let details: Map<String, Value> = self.details.iter().map(|pair| (pair.name.clone(), pair.value.clone())).collect();
            payload.insert("custom_details".to_owned(), Value::Object(details));
        }
        Value::Object(payload)
    }
}

fn put(object: &mut Map<String, Value>, name: &str, value: Option<&String>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), value.clone().into());
    }
}

/// `URL` or `URL=TEXT`. The query of a URL has `=` of its own: a URL with one takes no text.
fn link(text: &str) -> Value {
    match text.parse::<TextPair>() {
        Ok(pair) if !pair.name.contains('?') => json!({ "href": pair.name, "text": pair.value }),
        _ => json!({ "href": text }),
    }
}

/// The name that the kernel has for this machine.
fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    let name = name.or_else(|_| std::env::var("HOSTNAME")).unwrap_or_default();
    if name.trim().is_empty() { "callbox send".to_owned() } else { name.trim().to_owned() }
}

#[cfg(test)]
mod tests;
