//! What people do to incidents: through the committer, like everything else that changes one.

use std::sync::Arc;

use super::snapshot::Integration;
use super::submission::{EventReceipt, Posted, Refused};
use super::timers::{act, resolving};
use crate::app::App;
use crate::event::{Action, DedupKey, Event, Severity};
use crate::incident::{Actor, Report};
use crate::provider::Clock;
use crate::store;

/// Incidents that are resolved in one transaction when their integration is deleted.
const TOGETHER: i64 = 500;

/// Acknowledges or resolves one incident for a person; `None`: it was not open any more.
///
/// # Errors
/// The store cannot promise anything now.
pub async fn on_incident(
    app: &App,
    integration: &Integration,
    incident_id: &str,
    key: &str,
    action: Action,
    who: &str,
) -> Result<Option<EventReceipt>, Refused> {
    let Some(key) = DedupKey::lenient(key) else { return Ok(None) };
    let event = Event::new(action, key.clone(), "", "", Severity::Info);
    let mut item = Posted::report(key, Report::new(&event, Clock::Arrival));
    item.incident_id = Some(incident_id.to_owned());
    let submission = act(integration, Actor::Person(who.to_owned()), vec![item], app.clock.now());
    Ok(app.commit(submission).await?.events.pop())
}

/// Resolves everything that is open of an integration; how many that were.
///
/// # Errors
/// The store cannot promise anything now; what was resolved until then stays so.
pub async fn resolve_all(app: &App, integration: &Arc<Integration>, who: &str) -> Result<u64, Refused> {
    let mut resolved = 0;
    loop {
        let id = integration.id.to_string();
        let keys = app.store.read(move |conn| store::ingest::open_keys(conn, &id, TOGETHER)).await?;
        if keys.is_empty() {
            return Ok(resolved);
        }
        let items: Vec<Posted> = keys.iter().filter_map(|key| DedupKey::lenient(key)).map(resolving).collect();
        let submission = act(integration, Actor::Person(who.to_owned()), items, app.clock.now());
        let events = app.commit(submission).await?.events;
        if events.is_empty() {
            return Ok(resolved);
        }
        resolved += events.len() as u64;
    }
}
