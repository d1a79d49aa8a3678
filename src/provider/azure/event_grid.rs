//! Event Grid: its two schemas, and its two ways to ask whether it may post.

use serde_json::{Value, json};

use super::{last_segment, origin};
use crate::event::{Action, DedupKey, Event, Severity};
use crate::provider::{Item, Normalised, Reply, key, read, tokens};
use crate::time::Timestamp;

/// Events a minute that we ask for at most; Event Grid grants its own number.
const RATE: &str = "1000";

/// Whether `value` is an event of either schema.
pub(super) fn is_event(value: &Value) -> bool {
    let has = |name: &str| value.get(name).is_some_and(Value::is_string);
    (has("eventType") && (has("subject") || has("topic"))) || (has("specversion") && has("type"))
}

/// The code of an event that asks for validation.
pub(super) fn validation(event: &Value) -> Option<String> {
    let asks = read::field(event, "eventType")? == "Microsoft.EventGrid.SubscriptionValidationEvent";
    asks.then(|| read::owned(event, "data.validationCode")).flatten()
}

/// The answer that proves that this endpoint wants the events.
pub(super) fn validated(code: &str) -> Normalised {
    let reply = Reply::ok(json!({ "validationResponse": code }).to_string());
    Normalised { reply: Some(reply), note: Some("the Event Grid subscription was validated".into()), ..Normalised::default() }
}

/// The same for CloudEvents: <https://github.com/cloudevents/spec/blob/v1.0/http-webhook.md#4-abuse-protection>.
pub(super) fn allowed(origin: &str) -> Normalised {
    let headers = vec![("WebHook-Allowed-Origin", origin.to_owned()), ("WebHook-Allowed-Rate", RATE.to_owned())];
    let reply = Reply { headers, ..Reply::ok("{}") };
    Normalised { reply: Some(reply), note: Some("the CloudEvents subscription was validated".into()), ..Normalised::default() }
}

/// The id under which an event is delivered again: `id` is unique for each event of a topic, or of a CloudEvent's `source`.
pub(super) fn delivery_id(event: &Value) -> Option<String> {
    let from = read::first(event, &["topic", "source"]).filter(|_| is_event(event))?;
    Some(format!("{}#{}", from.text, read::field(event, "id")?))
}

/// An event that is no alert of Azure Monitor's: of a resource, or of the customer's own.
pub(super) fn item(body: &Value, at: String, now: Timestamp) -> Item {
    let kind = read::first(body, &["eventType", "type"]).map_or_else(Default::default, |found| found.text);
    let subject = read::first(body, &["subject", "topic", "source"]);
    let source = subject.as_ref().map_or("Azure Event Grid", |found| last_segment(&found.text)).to_owned();
    let said = read::first(body, &["data.title", "data.message", "data.summary", "data.description"]);
    let summary = said.map_or_else(|| format!("{kind}: {source}"), |found| format!("{kind}: {}", found.text));
    let states = ["data.resourceInfo.properties.availabilityState", "data.availabilityState", "data.state", "data.status"];
    let state = read::first(body, &states);
    let (action, action_from) = match state.as_ref().map(|found| (asked(&found.text), found.path)) {
        Some((Some(tokens::Meaning::Nothing), _)) => {
            return Item::Ignored { at, why: "its state is one on the way".into() };
        }
        Some((Some(tokens::Meaning::Act(action)), path)) => (action, path),
        Some((None, _)) | None => (Action::Trigger, "default: trigger"),
    };
    let named = subject.and_then(|found| DedupKey::lenient(&format!("{kind}:{}", found.text).to_lowercase()));
    let guessed = named.is_none();
    let dedup_key = named.unwrap_or_else(|| key::guess(&summary, &source));
    let severity = read::first(body, &["data.severity", "data.level"]).and_then(|found| tokens::severity(&found.text));
    let mut event = Event::new(action, dedup_key, &summary, &source, severity.unwrap_or(Severity::Error));
    event.key_guessed = guessed;
    event.class = Some(kind.into_owned()).filter(|kind| !kind.is_empty());
    event.custom_details = Some(body.clone());
    // When it was sent, which orders nothing: the state may be older.
    event.starts_at = Timestamp::trusted(body.get("eventTime").or_else(|| body.get("time")).and_then(read::time), now);
    let key_from = if guessed { "default: guessed from summary and source" } else { "eventType, subject" };
    let severity_from = if severity.is_some() { "data.severity, data.level" } else { "default: error" };
    Item::event(event, origin(at, action_from, key_from, "eventType, data", "subject", severity_from))
}

fn asked(word: &str) -> Option<tokens::Meaning> {
    let over = tokens::is_one_of(word, &["Available"]).then_some(tokens::Meaning::Act(Action::Resolve));
    over.or_else(|| tokens::meaning(word))
}
