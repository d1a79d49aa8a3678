//! Trying a destination: what would go out, or what comes back, without the outbox.

use serde_json::{Value, json};

use super::message::Context;
use super::send::{Way, made};
use super::shown::shown;
use super::turn::{End, Work};
use crate::app::App;
use crate::delivery::channel::Letter;
use crate::delivery::destination::Destination;
use crate::delivery::message::{Incident, Message, Named, Occasion};
use crate::delivery::retry::Policy;
use crate::event::{Severity, Urgency};
use crate::id::{self, Kind};
use crate::incident::Status;
use crate::store::outbox::{Delivery, Thread};
use crate::time::Timestamp;

/// Tries a destination with a message made up for it; where `dry`, nothing is sent.
///
/// # Errors
/// A sentence: it cannot be told anything now.
pub async fn trial(app: &App, destination: &Destination, occasion: Occasion, dry: bool) -> Result<Value, String> {
    let now = app.clock.now();
    let (channel, target) = destination.open(now)?;
    let snapshot = app.directory.snapshot();
    let message = sample(&Context { snapshot: &snapshot, public_url: app.public_url() }, destination, occasion, now);
    let client = app.outbound.as_ref().map_err(ToString::to_string)?;
    let policy = Policy::default();
    let timeout = std::time::Duration::from_secs(5);
    if dry {
        let letter = Letter { id: &id::new(Kind::Delivery), message: &message, now, remembered: None };
        let sending = made(destination, channel, &target, &letter).await?;
        return Ok(json!({"dry_run": true, "request": shown(channel, &target, &sending)}));
    }
    let way = Way { client, destination, policy: &policy, clock: &app.clock, timeout, random: 1.0 };
    let work = work(destination, message, now);
    let done = way.attempt(work).await;
    let (result, reason) = match &done.end {
        End::Delivered(_) => ("delivered", None),
        End::Later { why, .. } => ("later", Some(why)),
        End::Dead(why) => ("refused", Some(why)),
        End::Gone(why) => ("gone", Some(why)),
    };
    let attempts: Vec<Value> = done
        .attempts
        .iter()
        .map(|attempt| {
            let request: Value = serde_json::from_str(&attempt.request).unwrap_or_default();
            json!({
                "request": request, "status": attempt.status, "error": attempt.error, "answer": attempt.answer,
                "took": attempt.took as f64 / 1e6,
            })
        })
        .collect();
    Ok(json!({"dry_run": false, "result": result, "reason": reason, "attempts": attempts}))
}

fn work(destination: &Destination, message: Message, now: Timestamp) -> Work {
    let subject = message.incident.as_ref().map_or_else(String::new, |incident| incident.id.clone());
    let thread = Thread::new(&destination.tenant_id, &destination.id, &subject, None, None);
    let delivery = Delivery {
        id: id::new(Kind::Delivery),
        tenant_id: destination.tenant_id.to_string(),
        destination_id: destination.id.to_string(),
        subject,
        rule_id: None,
        incident_id: None,
        event_id: None,
        event: message.event.as_str().to_owned(),
        status: "pending".to_owned(),
        reason: None,
        message: String::new(),
        attempts: 0,
        failures: 0,
        created_at: now.0,
        tried_since: now.0,
        finished_at: None,
    };
    Work { thread, delivery, message }
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
