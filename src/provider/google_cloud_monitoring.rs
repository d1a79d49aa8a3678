//! Google Cloud Monitoring's webhook, and the same notification through Pub/Sub.
//!
//! <https://cloud.google.com/monitoring/support/notification-options#schema-pubsub>. Nothing but `incident_id` and `state` is sure to be
//! there. An incident has one id from open to closed; `started_at` and `ended_at` are the moments at which these states began. Pub/Sub
//! wraps the notification in base64 and delivers it again, with the same `messageId`, until it is answered 2xx
//! (<https://cloud.google.com/pubsub/docs/push>).

use std::borrow::Cow;
use std::sync::LazyLock;

use serde_json::Value;

use super::loose::Loose;
use super::plan::Plan;
use super::{Clock, Compiled, Item, Mapped, Meta, Normalised, OptionProblem, Origin, Provider, Request, Resolves, Unmapped};
use super::{labels, mapping, read, tokens};
use crate::event::{Action, DedupKey, Event, Severity};
use crate::signature::Scheme;
use crate::signature::published::{Published, oidc};
use crate::time::Timestamp;

mod options;
mod push;

/// Google Cloud Monitoring.
pub struct GoogleCloudMonitoring;

static META: Meta = Meta {
    kind: "google-cloud-monitoring",
    aliases: &["gcp"],
    name: "Google Cloud Monitoring",
    docs: "https://cloud.google.com/monitoring/support/notification-options#schema-pubsub",
    clock: Clock::Transition,
    resolves: Resolves::OnTransition,
    success_status: 200,
    throttle_status: 429,
    scheme: Scheme::Generic,
    key_headers: &[],
    delivery_header: None,
    secret_fields: &[],
    methods: &[],
    setup: include_str!("setup/google-cloud-monitoring.md"),
};

/// What else people publish to a topic.
static GUESSES: LazyLock<Plan> = LazyLock::new(|| Plan { guesses: true, ..Plan::new("Google Cloud Pub/Sub", &mapping::LABELS) });

impl Provider for GoogleCloudMonitoring {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let body = request.json.ok_or(Unmapped::new("the body is not JSON"))?;
        if let Some(push) = push::Push::of(body) {
            return pushed(&push, request);
        }
        if is_test(body) {
            return Ok(Normalised::ignored("a test notification"));
        }
        match body.get("incident").filter(|incident| incident.is_object()) {
            Some(incident) => match item(incident, "/incident".to_owned(), request.received_at) {
                Item::Unmapped { why, .. } => Err(Unmapped { why }),
                item => Ok(Normalised::one(item)),
            },
            None => Err(Unmapped::new("there is neither an `incident` nor a Pub/Sub `message`")),
        }
    }

    fn published(&self, options: &Compiled) -> Option<Published> {
        options.get::<oidc::Rules>().cloned().map(Published::Oidc)
    }

    /// Its webhook channel answers a challenge, and sends no credential before one.
    fn is_challenged(&self) -> bool {
        true
    }

    fn compile(&self, options: &Value) -> Result<Compiled, Vec<OptionProblem>> {
        Ok(options::read(options)?.map_or(Compiled::none(), Compiled::new))
    }
}

fn is_test(body: &Value) -> bool {
    read::field(body, "version").is_some_and(|version| version == "test")
}

/// What Pub/Sub pushes.
fn pushed(push: &push::Push<'_>, request: &Request<'_>) -> Result<Normalised, Unmapped> {
    let at = push.at.to_owned();
    let Some(data) = push.data() else {
        return Err(Unmapped::new("the Pub/Sub message's `data` is not base64"));
    };
    let json = crate::json::parse_lenient(&data).ok().map(|parsed| parsed.value);
    let items = match json.as_ref().map(|json| (json, json.get("incident").filter(|incident| incident.is_object()))) {
        Some((json, _)) if is_test(json) => vec![Item::Ignored { at, why: "a test notification".into() }],
        Some((_, Some(incident))) => vec![item(incident, at, request.received_at)],
        _ => {
            let text = String::from_utf8_lossy(&data);
            let json = json.as_ref().filter(|json| json.is_object() || json.is_array());
            let topic = push.subscription.as_deref().unwrap_or("Google Cloud Pub/Sub");
            let published_at = Timestamp::trusted(push.published_at, request.received_at);
            Loose { json, text: &text, subject: None, topic, at, published_at }.items(&GUESSES, request)
        }
    };
    Ok(Normalised { delivery_id: push.id.clone(), ..Normalised::many(items) })
}

/// Where the source is looked for.
const SOURCES: &[&str] =
    &["resource_display_name", "resource_name", "resource.labels.instance_id", "resource_id", "scoping_project_id"];

/// One incident at the JSON pointer `at`.
fn item(incident: &Value, at: String, now: Timestamp) -> Item {
    let id = incident.get("incident_id").and_then(read::scalar).filter(|id| !read::unexpanded(id));
    let Some(dedup_key) = id.and_then(|id| DedupKey::lenient(&id)) else {
        return Item::Unmapped { at, why: "there is no `incident_id`".into() };
    };
    // 0 and null: it is open still.
    let ended = || incident.get("ended_at").and_then(read::time).is_some_and(|end| end.at.0 > 0);
    let closed = read::field(incident, "state").map_or_else(ended, |state| tokens::is_one_of(&state, &["closed"]));
    let action = if closed { Action::Resolve } else { Action::Trigger };
    let summary = read::first(incident, &["documentation.subject", "summary", "condition_name", "policy_name"]);
    let (summary, summary_from) = summary.map_or((Cow::Borrowed("Incident"), "default: none"), |found| (found.text, found.path));
    let source = read::first(incident, SOURCES);
    let (source, source_from) = source.map_or((Cow::Borrowed(META.name), "default: the tool"), |found| (found.text, found.path));
    let (severity, severity_from) = severity(incident);
    let mut event = Event::new(action, dedup_key, &summary, &source, severity);
    let time = if closed { "ended_at" } else { "started_at" };
    event.occurred_at = Timestamp::trusted(incident.get(time).and_then(read::time), now);
    event.component =
        read::first(incident, &["resource_type_display_name", "resource.type"]).map(|found| found.text.into_owned());
    event.group = read::owned(incident, "scoping_project_id");
    event.class = read::first(incident, &["condition_name", "metric.type"]).map(|found| found.text.into_owned());
    event.client = Some(META.name.to_owned());
    event.client_url = read::owned(incident, "url").filter(|url| read::is_web_address(url));
    labels::push_link(&mut event.links, read::field(incident, "url"), "Incident");
    let links = read::at(incident, "documentation.links").and_then(Value::as_array);
    for link in links.into_iter().flatten() {
        let text =
            read::field(link, "displayName").or_else(|| read::field(link, "display_name")).unwrap_or("Documentation".into());
        labels::push_link(&mut event.links, read::field(link, "url"), &text);
    }
    event.custom_details = Some(incident.clone());
    let origin = Origin {
        at,
        action: "state".into(),
        dedup_key: "incident_id".into(),
        summary: summary_from.into(),
        source: source_from.into(),
        severity: severity_from.into(),
    };
    Item::Event(Box::new(Mapped { event, origin }))
}

/// The policy's severity; "No severity" is none.
fn severity(incident: &Value) -> (Severity, &'static str) {
    let places = ["severity", "policy_user_labels.severity", "metadata.user_labels.severity"];
    let found = places.iter().find_map(|path| Some((tokens::severity(&read::field(incident, path)?)?, *path)));
    found.unwrap_or((Severity::Error, "default: error"))
}
