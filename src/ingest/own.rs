//! Incidents about ourselves: what threatens a tenant's alerts is an incident like any other, of a built-in integration.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::refusal::{Reason, Refusal};
use super::submission::{Mode, Posted, Submission, Verdict};
use crate::app::App;
use crate::event::{Action, DedupKey, Event, Severity};
use crate::incident::{Actor, Report};
use crate::provider::Clock;

/// How long after it was last true an incident about limits or the store resolves.
const QUIET: Duration = Duration::from_secs(300);
/// How often an incident that is open already is raised again.
const AGAIN: Duration = Duration::from_secs(60);
/// How often requests to a deleted integration are worth an incident.
const DELETED_AGAIN: Duration = Duration::from_secs(24 * 3600);

/// What was raised, and when it was last true.
#[derive(Default)]
pub struct Watch {
    raised: Mutex<HashMap<(Arc<str>, String), Raised>>,
    /// Requests that were answered 503 since the store last worked.
    unavailable: AtomicU64,
}

/// The key of the incident that says that requests were turned away because the store did not work.
const STORE: &str = "store:unavailable";

/// The key of the incident that says that the disk of the database is nearly full.
const DISK: &str = "store:disk";

struct Raised {
    /// When it was last submitted.
    at: Instant,
    /// When it was last true.
    last: Instant,
}

/// Notes a refusal that threatens alerts; raises an incident where it is the first for a while.
pub fn note(app: &Arc<App>, refusal: &Refusal) {
    if refusal.reason == Reason::Unavailable {
        app.watch.unavailable.fetch_add(1, Ordering::Relaxed);
    }
    let Some(integration) = &refusal.integration else { return };
    let meta = integration.meta();
    let (key, again, summary) = match (&refusal.reason, refusal.verdict) {
        (Reason::Limited { per_minute, .. }, _) => (
            format!("limited:{}", integration.id),
            AGAIN,
            format!("{}: requests are refused, over the limit of {per_minute} a minute", integration.name),
        ),
        (Reason::TooLarge(limit), _) => (
            format!("too_large:{}", integration.id),
            AGAIN,
            format!("{}: {} sent a body over {limit} bytes; {}", integration.name, meta.name, smaller(meta.kind)),
        ),
        (_, Verdict::Deleted) => (
            format!("deleted:{}", integration.id),
            DELETED_AGAIN,
            format!("{}: {} still posts to this integration, which was deleted", integration.name, meta.name),
        ),
        _ => return,
    };
    if app.watch.due(&integration.tenant_id, &key, again) {
        raise(app, &integration.tenant_id, &key, &summary);
    }
}

/// The tool's own setting that makes its bodies smaller.
fn smaller(kind: &str) -> &'static str {
    match kind {
        "alertmanager" => "set max_alerts in its webhook_configs",
        "grafana" => "set Max Alerts in its contact point",
        _ => "make its bodies smaller, or raise native_body_limit of the integration",
    }
}

impl Watch {
    /// Notes that `key` is true now; whether it is time to raise it.
    fn due(&self, tenant_id: &Arc<str>, key: &str, again: Duration) -> bool {
        let mut all = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match all.get_mut(&(Arc::clone(tenant_id), key.to_owned())) {
            Some(raised) => {
                raised.last = now;
                let due = raised.at.elapsed() >= again;
                if due {
                    raised.at = now;
                }
                due
            }
            None => {
                all.insert((Arc::clone(tenant_id), key.to_owned()), Raised { at: now, last: now });
                true
            }
        }
    }

    /// Notes incidents that were open when the service started.
    pub fn resume(&self, tenant_id: &Arc<str>, key: String) {
        let now = Instant::now();
        let mut all = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((Arc::clone(tenant_id), key), Raised { at: now, last: now });
    }

    /// Takes out the keys beginning with `prefix` that have not been true for `quiet`.
    fn quiet(&self, prefix: &str, quiet: Duration) -> Vec<(Arc<str>, String)> {
        let mut all = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let over: Vec<(Arc<str>, String)> = all
            .iter()
            .filter(|((_, key), raised)| key.starts_with(prefix) && raised.last.elapsed() >= quiet)
            .map(|(key, _)| key.clone())
            .collect();
        for key in &over {
            all.remove(key);
        }
        over
    }
}

/// Says, once the store works again, that it did not, and resolves what is over; every second.
pub fn tick(app: &Arc<App>) {
    let turned_away = app.watch.unavailable.swap(0, Ordering::Relaxed);
    if turned_away > 0 {
        app.watch.due(&app.default_tenant, STORE, AGAIN);
        let summary = format!("{turned_away} requests were answered 503: the store did not work");
        raise(app, &app.default_tenant, STORE, &summary);
    }
    for prefix in ["limited:", "store:"] {
        for (tenant_id, key) in app.watch.quiet(prefix, QUIET) {
            clear(app, &tenant_id, &key);
        }
    }
}

/// Says that the disk of the database is nearly full: to be called again as long as it is.
pub fn disk_is_full(app: &Arc<App>, summary: &str) {
    if app.watch.due(&app.default_tenant, DISK, AGAIN) {
        raise(app, &app.default_tenant, DISK, summary);
    }
}

/// Opens (or adds to) an incident of the tenant's built-in integration; does not wait for it.
pub fn raise(app: &Arc<App>, tenant_id: &Arc<str>, key: &str, summary: &str) {
    submit(app, tenant_id, key, summary, Action::Trigger);
}

/// Resolves it, if it is open; does not wait for it.
pub fn clear(app: &Arc<App>, tenant_id: &Arc<str>, key: &str) {
    submit(app, tenant_id, key, "", Action::Resolve);
}

fn submit(app: &Arc<App>, tenant_id: &Arc<str>, key: &str, summary: &str, action: Action) {
    let Some(own) = app.directory.snapshot().own.get(tenant_id).cloned() else { return };
    let Some(dedup_key) = DedupKey::lenient(key) else { return };
    let event = Event::new(action, dedup_key.clone(), summary, "callbox", Severity::Error);
    let mut item = Posted::report(dedup_key, Report::new(&event, Clock::Arrival));
    item.only_if_open = action == Action::Resolve;
    let submission = Submission {
        tenant_id: Arc::clone(tenant_id),
        integration_id: Arc::clone(&own.id),
        service_id: Arc::clone(&own.service_id),
        received_at: app.clock.now(),
        actor: Actor::Tool,
        mode: Mode::Live,
        ledger: None,
        items: vec![item],
        changes: Vec::new(),
        delivery: None,
        tells: own.tells,
    };
    let app = Arc::clone(app);
    tokio::spawn(async move {
        if let Err(error) = app.commit(submission).await {
            tracing::warn!(%error, "an incident about this service itself could not be stored");
        }
    });
}
