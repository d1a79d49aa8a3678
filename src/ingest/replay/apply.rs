//! A replay at the moment of its commit: inside the transaction, or, for a dry run, with nothing written.
//!
//! What was found out before may have changed since, so it is looked at again here: what replays did of this request, and whether
//! its keys have newer news. A replay that is cut off has done all of a request or nothing of it, and is simply run again.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::{Fate, Replaying, Step};
use crate::incident::Actor;
use crate::ingest::fold::Fold;
use crate::ingest::submission::{Posted, Receipt, Submission};
use crate::store::audit::{self, Record};
use crate::store::ingest::ReplayRow;
use crate::store::{Conn, Result, replays};
use crate::time::Timestamp;

/// The mark of a request's change events.
const CHANGES: &str = "changes";

/// Replays a request, and puts it into the audit log if it did anything.
///
/// # Errors
/// A query failed.
pub fn apply<'a>(conn: &mut Conn, fold: &mut Fold<'a>, submission: &'a Submission, replaying: &'a Replaying) -> Result<Receipt> {
    let before = fold.replays().len();
    let receipt = rehearse(conn, fold, submission, replaying)?;
    if fold.replays().len() == before {
        return Ok(receipt);
    }
    let closed = receipt.fates.iter().filter(|fate| matches!(fate, Fate::CatchAll { resolved: true, .. })).count();
    let after = json!({
        "what": "replay", "events": receipt.events.len() - closed, "catch_alls_resolved": closed, "force": replaying.force,
        "notify": replaying.notify, "draft": replaying.draft,
    });
    let record = Record {
        tenant_id: &submission.tenant_id,
        actor: &replaying.by,
        action: "request.replayed",
        object_type: "request",
        object_id: &replaying.request_id,
        before: None,
        after: Some(&after),
    };
    audit::record(conn, &record, replaying.at)?;
    Ok(receipt)
}

/// As [`apply`], in memory only.
///
/// # Errors
/// A query failed.
pub fn rehearse<'a>(
    conn: &mut Conn,
    fold: &mut Fold<'a>,
    submission: &'a Submission,
    replaying: &'a Replaying,
) -> Result<Receipt> {
    let keys: Vec<&str> = submission.items.iter().map(|item| item.key.as_str()).collect();
    let mut done = replays::marks(conn, &replaying.request_id)?;
    let here = fold.replays().iter().filter(|row| row.request_id == replaying.request_id);
    done.extend(here.map(|row| row.mark.clone()).collect::<Vec<_>>());
    let since = replays::last_received(conn, &submission.integration_id, &keys, replaying.seen_to)?;
    let mut run = Run { conn, fold, submission, replaying, done, since };
    let mut fates = Vec::with_capacity(submission.items.len());
    for (item, step) in submission.items.iter().zip(&replaying.steps) {
        fates.push(match step {
            Step::Event { mark, made, stale } => run.event(item, mark, *made, *stale),
            Step::CatchAll { incident_id, events } => run.catch_all(item, incident_id, events)?,
        });
    }
    run.changes();
    let events = fates.iter().filter_map(|fate| match fate {
        Fate::Applied(event) => Some(event.clone()),
        _ => None,
    });
    Ok(Receipt { events: events.collect(), fates, ..Receipt::default() })
}

struct Run<'f, 'a> {
    conn: &'f mut Conn,
    fold: &'f mut Fold<'a>,
    submission: &'a Submission,
    replaying: &'a Replaying,
    /// The marks of what replays did.
    done: HashSet<String>,
    /// When keys were spoken of since it was found out whether they have newer news.
    since: HashMap<String, Timestamp>,
}

impl<'a> Run<'_, 'a> {
    /// One event of the request.
    fn event(&mut self, item: &'a Posted, mark: &str, made: bool, stale: bool) -> Fate {
        let (Submission { received_at: at, .. }, force) = (self.submission, self.replaying.force);
        if self.done.contains(mark) || (made && !force && item.is_catch_all()) {
            return Fate::Unchanged;
        }
        let news = || self.since.get(item.key.as_str()).is_some_and(|since| since > at);
        if !force && (stale || news() || self.fold.has_news(self.submission, item, *at)) {
            return Fate::Stale;
        }
        if made && !force {
            return Fate::Unchanged;
        }
        let Some(event) = self.fold.item(self.submission, item, *at) else { return Fate::Nothing };
        self.remember(mark.to_owned(), Some(event.id.clone()), event.incident_id.clone());
        Fate::Applied(event)
    }

    /// A catch-all incident in which events of this request stand that are understood now: resolved, now and by who asked for the
    /// replay, as soon as that holds for every event in it.
    fn catch_all(&mut self, item: &'a Posted, incident_id: &str, events: &[String]) -> Result<Fate> {
        for event in events {
            let mark = understood(event);
            if !self.done.contains(&mark) {
                self.remember(mark, None, Some(incident_id.to_owned()));
            }
        }
        let count = self.fold.open(self.submission, item).filter(|open| open.id == incident_id).map(|open| open.event_count);
        let Some(count) = count else { return Ok(Fate::Nothing) };
        let here = self.fold.replays().iter().filter(|row| row.event_id.is_none());
        let here = here.filter(|row| row.incident_id.as_deref() == Some(incident_id)).count();
        let known = replays::understood(self.conn, incident_id)?;
        let left = count.saturating_sub(known).saturating_sub(i64::try_from(here).unwrap_or(0)).max(0);
        if left > 0 {
            return Ok(Fate::CatchAll { left, resolved: false });
        }
        let by = Actor::Person(self.replaying.by.clone());
        let resolved = self.fold.item_by(self.submission, item, self.replaying.at, &by).is_some();
        Ok(Fate::CatchAll { left, resolved })
    }

    /// The change events, all of them once.
    fn changes(&mut self) {
        if self.submission.changes.is_empty() || self.done.contains(CHANGES) {
            return;
        }
        self.fold.changes(self.submission, self.submission.received_at);
        self.remember(CHANGES.to_owned(), None, None);
    }

    fn remember(&mut self, mark: String, event_id: Option<String>, incident_id: Option<String>) {
        let Replaying { request_id, at, .. } = self.replaying;
        let tenant_id = &self.submission.tenant_id;
        self.fold.replayed(ReplayRow { request_id, mark, tenant_id, event_id, incident_id, replayed_at: *at });
    }
}

/// The mark of a catch-all event that is understood now.
pub fn understood(event_id: &str) -> String {
    format!("understood:{event_id}")
}
