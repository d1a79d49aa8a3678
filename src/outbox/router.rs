//! The router: a thread that turns what happened into deliveries, in order. One in the whole cluster.
//!
//! It reads and decides without holding anything up, then writes in one short transaction. Nobody else takes notices away or makes
//! deliveries, so what it read still holds.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::message::Context;
use super::plan::{self, Facts, Paces, Planned};
use super::{POLL, settle, sweep};
use crate::app::App;
use crate::store::changes::Change;
use crate::store::incidents::Incident;
use crate::store::outbox::route::{self, Notice};
use crate::store::outbox::{Thread, read};
use crate::store::{Backend, Conn, Result, StoreError, conn};
use crate::time::Timestamp;

/// Notices of one turn.
const BATCH: i64 = 500;

struct Router {
    app: Arc<App>,
    runtime: Handle,
    paces: Paces,
}

/// Starts it.
///
/// # Errors
/// The thread cannot be started.
pub fn start(app: Arc<App>, stop: watch::Receiver<bool>) -> std::io::Result<std::thread::JoinHandle<()>> {
    let mut router = Router { app, runtime: Handle::current(), paces: Paces::new() };
    std::thread::Builder::new().name("router".into()).spawn(move || router.run(&stop))
}

impl Router {
    fn run(&mut self, stop: &watch::Receiver<bool>) {
        let mut connection = None;
        let mut failures = 0;
        // Whoever may tell us to stop may be gone without having done so.
        while !*stop.borrow() && stop.has_changed().is_ok() {
            // What a turn that panicked has left half done is undone with its connection.
            match StoreError::guard(|| self.turn(&mut connection)) {
                // There may be more.
                Ok(true) => failures = 0,
                Ok(false) => {
                    failures = 0;
                    self.app.outbox.bell.wait(POLL);
                }
                Err(error) => {
                    connection = None;
                    self.app.metrics.store_error(error.class());
                    tracing::warn!(%error, "what happened could not be turned into deliveries; again soon");
                    std::thread::sleep(conn::backoff(failures));
                    failures = failures.saturating_add(1);
                }
            }
        }
    }

    /// One turn; whether there may be more to do at once.
    fn turn(&mut self, connection: &mut Option<Conn>) -> Result<bool> {
        let conn = match connection {
            Some(conn) => conn,
            None => {
                let mut conn = self.app.store.writer()?;
                if !route::lead(&mut conn)? {
                    // Another node is the router; its place is free when its connection ends.
                    return Ok(false);
                }
                crate::store::numbered::advance(&mut conn)?;
                connection.insert(conn)
            }
        };
        let now = self.app.clock.now();
        let settled = self.settle(conn, now)? | self.watch(conn, now)?;
        let notices = route::notices(conn, BATCH)?;
        if notices.is_empty() {
            return Ok(settled);
        }
        let planned = self.plan(conn, &notices, now)?;
        let Planned { plan, unrouted, held } = planned;
        for tenant_id in unrouted {
            tracing::debug!(tenant = %tenant_id, "no rule tells anybody of an incident");
            self.app.metrics.delivery.unrouted();
        }
        let watched = !plan.watches.is_empty() || !plan.begun.is_empty();
        for (why, count) in held {
            self.app.metrics.delivery.held(why, count);
        }
        let mut woken: Vec<String> = plan.threads.iter().map(|thread| thread.destination_id.clone()).collect();
        woken.sort();
        woken.dedup();
        self.write(conn, move |conn| route::write(conn, &plan))?;
        self.app.outbox.wake_all(woken);
        Ok(notices.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX) || settled || watched)
    }

    fn plan(&mut self, conn: &mut Conn, notices: &[Notice], now: Timestamp) -> Result<Planned> {
        let snapshot = self.app.directory.snapshot();
        let mut numbers: Vec<i64> = notices.iter().filter_map(|notice| notice.incident_id).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let changed: Vec<i64> = notices.iter().filter_map(|notice| notice.change_id).collect();
        let number = |id: &str| crate::id::number(id);
        let incidents: HashMap<_, _> = read::incidents(conn, &numbers)?.into_iter().map(|row| (number(&row.id), row)).collect();
        let changes: HashMap<_, _> = read::changes(conn, &changed)?.into_iter().map(|row| (number(&row.id), row)).collect();
        let context = Context { snapshot: &snapshot, public_url: self.app.public_url() };
        let mut facts = facts(conn, context, notices, (incidents, changes), now)?;
        Ok(plan::plan(notices, &mut facts, &mut self.paces))
    }

    /// Does what time alone brings about.
    fn watch(&self, conn: &mut Conn, now: Timestamp) -> Result<bool> {
        if route::next_watch(conn)?.is_none_or(|at| at > now.0) {
            return Ok(false);
        }
        let snapshot = self.app.directory.snapshot();
        let context = Context { snapshot: &snapshot, public_url: self.app.public_url() };
        let (plan, more) = sweep::sweep(conn, &context, now)?;
        let woken: Vec<String> = plan.threads.iter().map(|thread| thread.destination_id.clone()).collect();
        self.write(conn, move |conn| route::write(conn, &plan))?;
        self.app.outbox.wake_all(woken);
        Ok(more)
    }

    /// Ends holds that are over.
    fn settle(&self, conn: &mut Conn, now: Timestamp) -> Result<bool> {
        if route::next_hold(conn)?.is_none_or(|at| at > now.0) {
            return Ok(false);
        }
        let app = Arc::clone(&self.app);
        let (woken, more) = self.write(conn, move |conn| {
            let snapshot = app.directory.snapshot();
            let context = Context { snapshot: &snapshot, public_url: app.public_url() };
            settle::settle(conn, &context, now)
        })?;
        self.app.outbox.wake_all(woken);
        Ok(more)
    }

    /// Runs `work` in a transaction: on SQLite in turn with all that writes, on PostgreSQL on the connection that holds the lock, so that
    /// nothing is written where the lock was lost.
    fn write<T: Send + 'static>(&self, conn: &mut Conn, work: impl FnOnce(&mut Conn) -> Result<T> + Send + 'static) -> Result<T> {
        match self.app.store.backend() {
            Backend::Sqlite => self.runtime.block_on(self.app.committer.tidy(work)),
            Backend::Postgres => conn.transaction_immediate::<T, StoreError>(work),
        }
    }
}

/// What is to be known of incidents and changes to plan what is told of them: their threads, and when their keys paged.
///
/// # Errors
/// A query failed.
pub fn facts<'a>(
    conn: &mut Conn,
    context: Context<'a>,
    notices: &[Notice],
    (incidents, changes): (HashMap<i64, Incident>, HashMap<i64, Change>),
    now: Timestamp,
) -> Result<Facts<'a>> {
    let mut threads: HashMap<i64, Vec<Thread>> = HashMap::new();
    let numbers: Vec<i64> = incidents.keys().copied().collect();
    for thread in route::threads_of(conn, &numbers)? {
        threads.entry(thread.incident_id.unwrap_or_default()).or_default().push(thread);
    }
    let mut paged = HashMap::new();
    for notice in notices.iter().filter(|notice| notice.event == "incident.triggered") {
        let Some(row) = notice.incident_id.and_then(|id| incidents.get(&id)) else { continue };
        for rule in context.snapshot.rules.get(notice.tenant_id.as_str()).into_iter().flatten() {
            if rule.rule.dedupe_window.is_some()
                && let Some(at) = route::paged_at(conn, &rule.id, &row.integration_id, &row.dedup_key)?
            {
                paged.insert((Arc::clone(&rule.id), row.integration_id.clone(), row.dedup_key.clone()), Timestamp(at));
            }
        }
    }
    Ok(Facts { context, incidents, changes, threads, paged, now, untold: None })
}
