//! Requests of the ledger, run again by today's rules or by a draft of others.
//!
//! Idempotent: an event that the request has made already is not made twice, and what a replay made is remembered in the transaction
//! that made it. What has newer news of its key is stale, unless it is forced. Neither rate limits nor remembered delivery ids are in
//! its way: both are about what tools send.

mod apply;
mod read;
mod report;
mod step;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

pub use apply::apply;
pub use read::Row;
pub use report::{Effect, Report, Reporter};
pub use step::{Fate, Replaying, Step};

use super::inbound::{Inbound, Route, method_and_subpath};
use super::lane;
use super::ledger::REFUSED_BODY_MAX;
use super::snapshot::{Integration, Snapshot};
use super::submission::{Mode, Receipt, Submission};
use crate::id;
use crate::provider::{Compiled, Headers, Provider};
use crate::store::events::{self, MadeBy};
use crate::store::ingest::Purpose;
use crate::store::page::Page;
use crate::store::requests::{Content, Summary};
use crate::store::{Conn, Result, changes, replays, requests};
use crate::time::Timestamp;

/// Events of a request that a replay compares with.
const COMPARED_MAX: i64 = 20_000;
/// Bytes of bodies that are read for one step of many rows.
const BODIES_MAX: usize = 16 << 20;

const DROPPED: &str = "the body of this request was dropped to make room, so it cannot be replayed; to keep bodies longer raise \
     retention.ledger_bytes or give the database a larger disk";
const CUT: &str = "the request was refused, and only the first 16 KiB of its body were kept, so it cannot be replayed; let its tool \
     send it again";
const UNPROVED: &str = "its sender was not proved to be who it claims; to replay it all the same, force it";
const DUPLICATE: &str = "it is a second delivery of a request that had its effect; replay that one, or force this one";
const DELETED: &str = "its integration was deleted; create one anew and let the tool send again";

/// How replays are done.
#[derive(Clone, Default)]
pub struct Options {
    /// Who asks.
    pub by: String,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Apply events although the request has made them before or their keys have newer news; a forced replay too counts once.
    pub force: bool,
    /// Tell the outside world.
    pub notify: bool,
    /// Read by this in place of what the integration says.
    pub draft: Option<Draft>,
}

/// A draft of how bodies are read.
#[derive(Clone)]
pub struct Draft {
    /// The tool that reads.
    pub provider: &'static dyn Provider,
    /// Its options.
    pub options: Compiled,
}

/// A row of the ledger, ready to be replayed.
pub struct Prepared {
    /// The row.
    pub summary: Summary,
    /// What is known of it.
    row: Option<Row>,
    /// What its replay submits, or why there is none: a sentence.
    pub plan: Result<Submission, String>,
}

/// Reads rows by the rules asked for, and sees what has become of their keys since. It may stop early where bodies are large: the
/// rows that are not in the answer come next.
///
/// # Errors
/// A query failed.
pub fn prepare(
    conn: &mut Conn,
    snapshot: &Snapshot,
    tenant_id: &str,
    rows: Vec<Summary>,
    options: &Options,
    now: Timestamp,
) -> Result<Vec<Prepared>> {
    let seen_to = replays::newest_event(conn)?;
    let mut prepared = Vec::with_capacity(rows.len());
    let mut bytes = 0;
    for summary in rows {
        if bytes > BODIES_MAX {
            break;
        }
        let Some((summary, content)) = requests::find(conn, tenant_id, &summary.id)? else { continue };
        bytes += content.body.len();
        prepared.push(prepare_one(conn, snapshot, tenant_id, (summary, content), options, now)?);
    }
    find_stale(conn, &mut prepared, seen_to)?;
    Ok(prepared)
}

fn prepare_one(
    conn: &mut Conn,
    snapshot: &Snapshot,
    tenant_id: &str,
    (summary, content): (Summary, Content),
    options: &Options,
    now: Timestamp,
) -> Result<Prepared> {
    let integration = match replayable(snapshot, tenant_id, &summary, &content, options.force) {
        Ok(integration) => integration,
        Err(why) => return Ok(Prepared { summary, row: None, plan: Err(why.to_owned()) }),
    };
    let row = Row {
        made: made(conn, tenant_id, &summary)?,
        replayed: replays::made(conn, tenant_id, &summary.id)?,
        marks: replays::marks(conn, &summary.id)?,
        has_changes: changes::any_of(conn, &summary.id)?,
        inbound: inbound(&summary, content),
    };
    let plan = read::submission(&integration, &row, options, now);
    Ok(Prepared { summary, row: Some(row), plan })
}

/// The events that a request made when it came in, the oldest first.
fn made(conn: &mut Conn, tenant_id: &str, summary: &Summary) -> Result<Vec<events::Event>> {
    let Some(made_by) = MadeBy::of(summary) else { return Ok(Vec::new()) };
    let filter = events::Filter { made_by: Some(made_by), ..events::Filter::default() };
    let mut made = events::list(conn, tenant_id, &filter, &Page { limit: COMPARED_MAX, before: None })?.items;
    made.reverse();
    Ok(made)
}

/// The integration of a row that can be replayed, or why it cannot.
fn replayable(
    snapshot: &Snapshot,
    tenant_id: &str,
    summary: &Summary,
    content: &Content,
    force: bool,
) -> Result<Arc<Integration>, &'static str> {
    let id = summary.integration_id.as_deref().ok_or("the request has no integration, so nobody knows how to read it")?;
    let integration = snapshot.integrations.get(id).filter(|found| &*found.tenant_id == tenant_id).ok_or(DELETED)?;
    let route = Route::parse(&summary.route).ok_or("requests of this route cannot be replayed")?;
    let kept_whole = matches!(summary.verdict.as_str(), "accepted" | "ignored" | "handshake" | "duplicate" | "invalid")
        || (summary.verdict == "disabled" && !matches!(route, Route::Native | Route::Api));
    match summary.verdict.as_str() {
        _ if integration.deleted => Err(DELETED),
        _ if summary.body_dropped_at.is_some() => Err(DROPPED),
        _ if !kept_whole && content.body.len() >= REFUSED_BODY_MAX => Err(CUT),
        "unauthorized" if !force => Err(UNPROVED),
        "duplicate" if !force => Err(DUPLICATE),
        _ => Ok(Arc::clone(integration)),
    }
}

/// The request as it came in, as far as the ledger has it.
fn inbound(summary: &Summary, content: Content) -> Inbound {
    let (method, subpath) = method_and_subpath(content.target.as_deref());
    let headers: Vec<(String, String)> = serde_json::from_str(&content.headers).unwrap_or_default();
    Inbound {
        id: summary.id.clone(),
        route: Route::parse(&summary.route).unwrap_or(Route::Native),
        method: method.to_owned(),
        headers: Headers::new(headers),
        query: url::form_urlencoded::parse(content.query.as_bytes()).into_owned().collect(),
        subpath: subpath.to_owned(),
        body: Bytes::from(content.body),
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        received_at: Timestamp(summary.received_at),
        begun: Instant::now(),
    }
}

/// Notes which events have newer news of their keys: one look at the events since the oldest row for all rows of an integration.
fn find_stale(conn: &mut Conn, prepared: &mut [Prepared], seen_to: i64) -> Result<()> {
    let Some(oldest) = prepared.iter().map(|one| id::number(&one.summary.id)).min() else { return Ok(()) };
    let mut keys: HashMap<Arc<str>, HashSet<String>> = HashMap::new();
    for submission in prepared.iter().filter_map(|one| one.plan.as_ref().ok()) {
        let of_integration = keys.entry(Arc::clone(&submission.integration_id)).or_default();
        of_integration.extend(submission.items.iter().map(|item| item.key.as_str().to_owned()));
    }
    let mut last: HashMap<Arc<str>, HashMap<String, Timestamp>> = HashMap::new();
    for (integration_id, keys) in keys {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let found = replays::last_received(conn, &integration_id, &keys, oldest)?;
        last.insert(integration_id, found);
    }
    for submission in prepared.iter_mut().filter_map(|one| one.plan.as_mut().ok()) {
        let Submission { integration_id, items, received_at, mode, .. } = submission;
        let Mode::Replay(replaying) = mode else { continue };
        replaying.seen_to = seen_to;
        for (item, step) in items.iter().zip(&mut replaying.steps) {
            let at = last.get(integration_id).and_then(|found| found.get(item.key.as_str()));
            if let Step::Event { stale, .. } = step {
                *stale = at.is_some_and(|at| at > received_at);
            }
        }
    }
    Ok(())
}

/// What would become of the rows, one after the other, with nothing written: a receipt for each that has a plan.
///
/// # Errors
/// A query failed.
pub fn rehearse(conn: &mut Conn, prepared: &[Prepared]) -> Result<Vec<Receipt>> {
    let submissions: Vec<&Submission> = prepared.iter().filter_map(|one| one.plan.as_ref().ok()).collect();
    let mut fold = lane::load(conn, &submissions, Purpose::Look, None)?;
    let mut receipts = Vec::with_capacity(submissions.len());
    for submission in submissions {
        if let Mode::Replay(replaying) = &submission.mode {
            receipts.push(apply::rehearse(conn, &mut fold, submission, replaying)?);
        }
    }
    Ok(receipts)
}
