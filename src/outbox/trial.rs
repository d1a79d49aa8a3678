//! Trying a destination: what would go out, or what comes back, without the outbox.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::direct::{Direct, Line};
use super::message::Context;
use crate::app::App;
use crate::delivery::destination::Destination;
use crate::delivery::message::{Incident, Message, Named, Occasion};
use crate::event::{Severity, Urgency};
use crate::id::{self, Kind};
use crate::incident::Status;
use crate::time::Timestamp;

/// How long a mail may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Tries a destination with a message made up for it; where `dry`, nothing is sent.
///
/// # Errors
/// A sentence: it cannot be told anything now.
pub async fn trial(app: &App, destination: &Arc<Destination>, occasion: Occasion, dry: bool) -> Result<Value, String> {
    let now = app.clock.now();
    let snapshot = app.directory.snapshot();
    let message = sample(&Context { snapshot: &snapshot, public_url: app.public_url() }, destination, occasion, now);
    let client = app.outbound.as_ref().map_err(ToString::to_string)?;
    let line = Line { client, clock: &app.clock, timeout: TIMEOUT };
    let direct = Direct::new(Arc::clone(destination), message, now);
    if dry {
        return Ok(json!({"dry_run": true, "request": direct.shown(now).await?}));
    }
    let tried = direct.attempt(line).await?;
    Ok(json!({"dry_run": false, "result": tried.result, "reason": tried.reason, "attempts": tried.exchanges}))
}

/// A message that says of itself that it is a test.
fn sample(context: &Context<'_>, destination: &Destination, occasion: Occasion, now: Timestamp) -> Message {
    let named = |name: &str| Named { id: String::new(), name: name.to_owned(), kind: None };
    let status = match occasion {
        Occasion::Acknowledged => Status::Acknowledged,
        Occasion::Resolved => Status::Resolved,
        _ => Status::Triggered,
    };
    let at = |when: bool| when.then(|| now.to_string());
    let incident = Incident {
        id: id::new(Kind::Incident),
        number: 0,
        title: format!("Test of the destination {} by Callbox: nothing is wrong", destination.name),
        status,
        urgency: Urgency::Low,
        severity: Severity::Info,
        service: named("test"),
        integration: named("test"),
        dedup_key: "callbox-test".to_owned(),
        source: "callbox".to_owned(),
        component: None,
        group: None,
        class: None,
        event_count: 1,
        first_seen: now.to_string(),
        last_seen: now.to_string(),
        acknowledged_at: at(status == Status::Acknowledged),
        acknowledged_by: None,
        resolved_at: at(status == Status::Resolved),
        resolved_by: None,
        assignee: None,
        url: Some(context.public_url.to_owned()),
        details: None,
    };
    let incident = (occasion != Occasion::Test).then_some(incident);
    Message { event: occasion, timestamp: now.to_string(), incident, change: None, notes: Vec::new(), hops: 0 }
}
