//! Exact counts of refused requests, and the first few of each minute as ledger rows: gathered here, written lazily.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::cause::Clue;
use super::inbound::Inbound;
use super::ledger;
use super::refusal::Refusal;
use super::submission::Ledger;
use crate::secret::Sealer;
use crate::store::ingest::{RequestRow, Rows};
use crate::store::refusals::{self, Count};
use crate::store::{self, Conn, Result};
use crate::time::Timestamp;

/// Rows a minute of one integration and verdict.
const ROWS_A_MINUTE: i64 = 10;

/// Which counter: tenant, integration (empty where none is known), verdict, minute since the epoch.
type Key = (Arc<str>, Arc<str>, &'static str, i64);

/// How often each was refused.
#[derive(Clone, Default)]
pub struct Counts(HashMap<Key, i64>);

#[derive(Default)]
struct State {
    /// This minute's and the last one's totals, so that the first rows of a minute are known.
    seen: HashMap<Key, i64>,
    unwritten: Counts,
    rows: Vec<Row>,
}

struct Row {
    tenant_id: Arc<str>,
    integration_id: Arc<str>,
    received_at: Timestamp,
    ledger: Ledger,
    clue: Option<Clue>,
}

/// Refusals that wait to be written.
#[derive(Default)]
pub struct Refusals(Mutex<State>);

/// What one flush writes.
#[derive(Default)]
pub struct Unwritten {
    counts: Counts,
    rows: Vec<Row>,
}

impl Refusals {
    /// Counts a refusal. `default_tenant` is charged where no integration is known.
    pub fn add(&self, refusal: &Refusal, inbound: &Inbound, status: u16, default_tenant: &Arc<str>) {
        let (tenant_id, integration_id) = match &refusal.integration {
            Some(integration) => (Arc::clone(&integration.tenant_id), Arc::clone(&integration.id)),
            None => (Arc::clone(default_tenant), Arc::from("")),
        };
        let minute = inbound.received_at.seconds().div_euclid(60);
        let key: Key = (tenant_id, integration_id, refusal.verdict.as_str(), minute);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state.unwritten.0.entry(key.clone()).or_default() += 1;
        if state.seen.len() > 1000 {
            state.seen.retain(|(.., at), _| *at >= minute - 1);
        }
        let seen = state.seen.entry(key.clone()).or_default();
        *seen += 1;
        if *seen > ROWS_A_MINUTE {
            return;
        }
        let (tenant_id, integration_id, ..) = key;
        let meta = refusal.integration.as_ref().map(|integration| integration.meta());
        let ledger = ledger::refused_row(inbound, meta, refusal.verdict, status, refusal.reason.to_string());
        let clue = Clue::of(refusal, inbound);
        state.rows.push(Row { tenant_id, integration_id, received_at: inbound.received_at, ledger, clue });
    }

    /// Takes what has gathered, if anything has.
    pub fn take(&self) -> Option<Unwritten> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.unwritten.0.is_empty() {
            return None;
        }
        Some(Unwritten { counts: std::mem::take(&mut state.unwritten), rows: std::mem::take(&mut state.rows) })
    }

    /// Puts counts back that could not be written; their rows, the first to go, are lost.
    pub fn put_back(&self, counts: Counts) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, count) in counts.0 {
            *state.unwritten.0.entry(key).or_default() += count;
        }
    }
}

impl Unwritten {
    /// The counts, to put them back.
    pub fn counts(&self) -> Counts {
        self.counts.clone()
    }

    /// Looks into the refusals over credentials: what likely causes each becomes its row's message.
    ///
    /// # Errors
    /// The credentials cannot be read.
    pub fn look_into(&mut self, conn: &mut Conn, sealer: &Sealer) -> Result<()> {
        for row in &mut self.rows {
            let Some(clue) = row.clue.take() else { continue };
            let told = clue.told(conn, sealer)?;
            if !told.is_empty() {
                row.ledger.message = Some(told.replace('\0', ""));
            }
        }
        Ok(())
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// A statement failed.
    pub fn write(&self, conn: &mut Conn) -> Result<()> {
        let counts: Vec<Count<'_>> = self
            .counts
            .0
            .iter()
            .map(|((tenant_id, integration_id, verdict, minute), count)| Count {
                tenant_id,
                integration_id,
                verdict,
                minute: *minute,
                count: *count,
            })
            .collect();
        refusals::add(conn, &counts)?;
        let requests = self.rows.iter().map(Row::request).collect();
        store::ingest::write(conn, &mut Rows { requests, ..Rows::default() }, &mut None)
    }
}

impl Row {
    fn request(&self) -> RequestRow<'_> {
        RequestRow {
            id: &self.ledger.id,
            tenant_id: &self.tenant_id,
            integration_id: (!self.integration_id.is_empty()).then_some(&*self.integration_id),
            route: self.ledger.route,
            verdict: self.ledger.verdict.as_str(),
            status: self.ledger.status,
            received_at: self.received_at,
            headers: &self.ledger.headers,
            query: &self.ledger.query,
            target: self.ledger.target.as_deref(),
            body: &self.ledger.body,
            message: self.ledger.message.as_deref(),
            first_event_id: None,
            last_event_id: None,
        }
    }
}
