//! Timers: what happens to an open incident when nothing happens to it.
//!
//! A sweep reads the open incidents and notes when the next timer can run out at all; until then nothing is read. Deadlines move
//! only later by themselves (a repeat moves `last_seen`), so the note holds until a new incident, an expiry or a changed setting
//! asks for an earlier look ([`Timers::by`]).

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::snapshot::{Integration, Snapshot};
use super::submission::{Effect, Mode, Posted, Submission};
use crate::app::App;
use crate::event::{Action, DedupKey, Event, Severity};
use crate::incident::{Actor, Report};
use crate::provider::Clock;
use crate::store::timers::{Ticking, database_now, open_after};
use crate::store::{Result, StoreError};
use crate::time::{Clock as Time, SECOND, Timestamp};

/// Seconds that an alert may be late before its expiry counts.
pub const EXPIRY_GRACE: i64 = 60;
/// What keys that we made up begin with: no tool will ever resolve them.
const MADE_UP: [&str; 2] = ["unmapped:", "auto:"];
/// Incidents read at once.
const PAGE: i64 = 1000;
/// The longest that a sweep puts itself off.
const LATEST: i64 = 300 * SECOND;

/// When the next sweep is due, in microseconds.
#[derive(Default)]
pub struct Timers(AtomicI64);

impl Timers {
    /// A sweep is due at `at`, or earlier.
    pub fn by(&self, at: Timestamp) {
        self.0.fetch_min(at.0, Ordering::AcqRel);
    }

    /// A sweep that lies further ahead than any is put off was noted before the clock went back: it is due as well.
    fn is_due(&self, now: Timestamp) -> bool {
        let at = self.0.load(Ordering::Acquire);
        at <= now.0 || at > now.0.saturating_add(LATEST)
    }
}

/// What a timer does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ring {
    AutoResolve,
    Expired,
    AcknowledgeTimeout,
    Remind,
    /// Its integration was deleted while it opened.
    Deleted,
}

/// Sweeps if it is time.
///
/// # Errors
/// The store cannot be read.
pub async fn sweep(app: &Arc<App>) -> Result<()> {
    let now = app.clock.now();
    if !app.timers.is_due(now) {
        return Ok(());
    }
    // Put off first: whatever asks for an earlier look meanwhile wins.
    app.timers.0.store(now.0.saturating_add(LATEST), Ordering::Release);
    let now = match app.clock {
        Time::System => app.store.read(database_now).await?.unwrap_or(now),
        Time::Manual(_) => now,
    };
    let snapshot = app.directory.snapshot();
    let tenants: HashSet<&Arc<str>> = snapshot.integrations.values().map(|integration| &integration.tenant_id).collect();
    for tenant_id in tenants {
        sweep_tenant(app, &snapshot, tenant_id, now).await?;
    }
    Ok(())
}

async fn sweep_tenant(app: &Arc<App>, snapshot: &Snapshot, tenant_id: &Arc<str>, now: Timestamp) -> Result<()> {
    let mut after = String::new();
    loop {
        let (tenant, from) = (tenant_id.to_string(), after.clone());
        let page = app.store.read(move |conn| open_after(conn, &tenant, &from, PAGE)).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.id);
        for incident in &page {
            let Some(integration) = snapshot.integrations.get(incident.integration_id.as_str()) else { continue };
            match next(integration, incident) {
                Some((at, ring)) if at <= now => run(app, integration, incident, ring, now).await?,
                Some((at, _)) => app.timers.by(at),
                None => {}
            }
        }
    }
}

/// The first timer of an incident to run out, and when.
fn next(integration: &Integration, incident: &Ticking) -> Option<(Timestamp, Ring)> {
    let timers = &integration.timers;
    let last_seen = Timestamp(incident.last_seen);
    if integration.deleted {
        return Some((last_seen, Ring::Deleted));
    }
    let made_up = MADE_UP.iter().any(|prefix| incident.dedup_key.starts_with(prefix));
    let resolve_after = if made_up { timers.made_up_after } else { timers.auto_resolve_after };
    let expired = incident.expires_at.map(|at| (Timestamp(at).plus_seconds(EXPIRY_GRACE), Ring::Expired));
    let resolve = resolve_after.map(|after| (last_seen.plus_seconds(after), Ring::AutoResolve));
    let acknowledged = incident.acknowledged_at.zip(timers.acknowledge_timeout);
    let timeout = acknowledged.map(|(at, after)| (Timestamp(at).plus_seconds(after), Ring::AcknowledgeTimeout));
    let unseen = (incident.status == "triggered").then_some(timers.remind_after).flatten();
    let from = incident.reminded_at.map_or(last_seen, |at| Timestamp(at).max(last_seen));
    let remind = unseen.map(|after| (from.plus_seconds(after), Ring::Remind));
    [expired, resolve, timeout, remind].into_iter().flatten().min_by_key(|(at, _)| *at)
}

async fn run(app: &Arc<App>, integration: &Arc<Integration>, incident: &Ticking, ring: Ring, now: Timestamp) -> Result<()> {
    let Some(key) = DedupKey::lenient(&incident.dedup_key) else { return Ok(()) };
    let (name, effect) = match ring {
        Ring::AutoResolve => ("auto_resolve", None),
        Ring::Expired => ("expired", None),
        Ring::AcknowledgeTimeout => ("acknowledge_timeout", Some(Effect::Unacknowledge)),
        Ring::Remind => ("reminder", Some(Effect::Remind)),
        Ring::Deleted => ("deleted", None),
    };
    // A repeat that came since the incident was read keeps it open.
    let unseen_since = Some(Timestamp(incident.last_seen));
    let mut item = Posted { incident_id: Some(incident.id.clone()), unseen_since, ..resolving(key) };
    item.effect = effect.unwrap_or(item.effect);
    let submission = act(integration, Actor::Timer(name), vec![item], now);
    let done = app.commit(submission).await;
    // Done or not, its next timer is found by the next sweep.
    app.timers.by(now);
    done.map(|_| ()).map_err(|error| StoreError::Environment(error.to_string()))
}

/// An item that resolves `key`.
pub fn resolving(key: DedupKey) -> Posted {
    let event = Event::new(Action::Resolve, key.clone(), "", "", Severity::Info);
    Posted::report(key, Report::new(&event, Clock::Arrival))
}

/// Items of a person or a timer, on the keys of `integration`.
pub fn act(integration: &Integration, actor: Actor, items: Vec<Posted>, now: Timestamp) -> Submission {
    Submission {
        tenant_id: Arc::clone(&integration.tenant_id),
        integration_id: Arc::clone(&integration.id),
        service_id: Arc::clone(&integration.service_id),
        received_at: now,
        actor,
        mode: Mode::Live,
        ledger: None,
        items,
        changes: Vec::new(),
        delivery: None,
        tells: integration.tells,
    }
}
