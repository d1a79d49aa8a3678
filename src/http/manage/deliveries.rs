//! Deliveries: what was told to whom, what came back, and what people do about dead letters.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::change::audited;
use super::fields::Fields;
use super::query::Query;
use super::{id_of, time};
use crate::app::App;
use crate::error::ApiError;
use crate::http::auth::{Caller, Scope};
use crate::id::{self, Kind};
use crate::outbox::message::Context;
use crate::outbox::{self, Again};
use crate::store::outbox::read::{self, Filter};
use crate::store::outbox::{Attempted, Delivery, Thread, again};
use crate::store::{self, StoreError};

/// Where a delivery may stand.
pub const STATUSES: [&str; 5] = ["pending", "retrying", "delivered", "dead", "skipped"];
/// Dead letters that one call deals with.
const MOST: i64 = 1_000;

/// `GET /deliveries`
pub async fn list(app: web::Data<App>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IncidentsRead)?;
    let mut query = Query::of(&request);
    let paging = query.paging(&caller);
    let filter = Filter {
        status: statuses(&mut query),
        destination_id: query.text("destination_id"),
        rule_id: query.text("rule_id"),
        incident_id: query.text("incident_id"),
        since: query.time("since"),
        until: query.time("until"),
    };
    query.finish()?;
    let page = paging.page.clone();
    let listed = app.store.read(move |conn| read::list(conn, &caller.tenant_id, &filter, &page)).await?;
    Ok(paging.answer(listed, |row| view(&row)))
}

fn statuses(query: &mut Query) -> Vec<String> {
    let words = query.all("status");
    if words.iter().any(|word| !STATUSES.contains(&word.as_str())) {
        query.problem("status", format!("must be one of {}; repeat it for several", STATUSES.join(", ")));
    }
    words
}

/// `GET /deliveries/{id}`
pub async fn show(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IncidentsRead)?;
    let id = id_of(Kind::Delivery, &path)?;
    let tenant_id = caller.tenant_id;
    let found = app
        .store
        .read(move |conn| {
            let Some(row) = read::find(conn, &tenant_id, &id)? else { return Ok(None) };
            let attempts = read::attempts(conn, &id)?;
            Ok::<_, StoreError>(Some((row, attempts)))
        })
        .await?;
    let (row, attempts) = found.ok_or(ApiError::NotFound)?;
    let mut view = view(&row);
    if let Some(map) = view.as_object_mut() {
        map.insert("message".into(), stored(&row.message));
        map.insert("attempts".into(), attempts.iter().map(attempt).collect());
    }
    Ok(HttpResponse::Ok().json(view))
}

/// `POST /deliveries/{id}/retry`
pub async fn retry(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    one(&app, caller, &path, Act::Retry).await
}

/// `POST /deliveries/{id}/drop`
pub async fn drop_one(app: web::Data<App>, caller: Caller, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    one(&app, caller, &path, Act::Drop).await
}

/// `POST /deliveries/retry`
pub async fn retry_many(
    app: web::Data<App>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    many(&app, caller, &request, payload, Act::Retry).await
}

/// `POST /deliveries/drop`
pub async fn drop_many(
    app: web::Data<App>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    many(&app, caller, &request, payload, Act::Drop).await
}

/// What is done about a dead letter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Retry,
    Drop,
}

async fn one(app: &web::Data<App>, caller: Caller, id: &str, act: Act) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IncidentsWrite)?;
    let id = id_of(Kind::Delivery, id)?;
    let app = app.clone().into_inner();
    let inner = Arc::clone(&app);
    let done = app.committer.tidy(move |conn| {
        let row = read::find(conn, &caller.tenant_id, &id)?.ok_or(ApiError::NotFound)?;
        if row.status != "dead" {
            return Err(ApiError::conflict(format!("the delivery is {}: only dead letters are dealt with by hand", row.status)));
        }
        let done = deal(conn, &inner, &caller, &row, act)?;
        let row = read::find(conn, &caller.tenant_id, &id)?.ok_or(ApiError::NotFound)?;
        Ok((done, row))
    });
    let (done, row) = done.await?;
    app.outbox.ring();
    app.outbox.wake(&row.destination_id);
    let mut view = view(&row);
    if let Some(map) = view.as_object_mut() {
        map.insert("done".into(), done.into());
    }
    Ok(HttpResponse::Accepted().json(view))
}

async fn many(
    app: &web::Data<App>,
    caller: Caller,
    request: &HttpRequest,
    payload: web::Payload,
    act: Act,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IncidentsWrite)?;
    let mut fields = Fields::read(request, payload).await?;
    let text = |value: Option<Option<String>>| value.flatten();
    let filter = Filter {
        status: vec!["dead".to_owned()],
        destination_id: text(fields.text("destination_id", 64)),
        rule_id: text(fields.text("rule_id", 64)),
        incident_id: text(fields.text("incident_id", 64)),
        since: fields.time("since").flatten(),
        until: fields.time("until").flatten(),
    };
    fields.finish()?;
    let app = app.clone().into_inner();
    let inner = Arc::clone(&app);
    let dealt = app.committer.tidy(move |conn| {
        let rows = read::dead(conn, &caller.tenant_id, &filter, MOST)?;
        let mut counts = std::collections::BTreeMap::new();
        let mut destinations: Vec<String> = Vec::new();
        for row in &rows {
            *counts.entry(deal(conn, &inner, &caller, row, act)?).or_insert(0_u32) += 1;
            destinations.push(row.destination_id.clone());
        }
        let left = read::dead(conn, &caller.tenant_id, &filter, 1)?;
        Ok::<_, ApiError>((counts, destinations, !left.is_empty()))
    });
    let (counts, destinations, more) = dealt.await?;
    app.outbox.ring();
    destinations.iter().for_each(|id| app.outbox.wake(id));
    Ok(HttpResponse::Accepted().json(json!({"done": counts, "more": more})))
}

/// Deals with one dead letter, and writes down who did.
fn deal(conn: &mut store::Conn, app: &App, caller: &Caller, row: &Delivery, act: Act) -> Result<&'static str, ApiError> {
    let now = app.clock.now();
    let snapshot = app.directory.snapshot();
    let (action, done) = match act {
        Act::Retry => {
            let context = Context { snapshot: &snapshot, public_url: app.public_url() };
            let done = match outbox::retry(conn, &context, row, &caller.name, now)? {
                Again::Queued => "queued",
                Again::Replaced => "replaced",
                Again::Overtaken => "overtaken",
            };
            ("delivery.retried", done)
        }
        Act::Drop => {
            again::end(conn, &row.id, &format!("dropped by {}", caller.name), now.0)?;
            ("delivery.dropped", "dropped")
        }
    };
    let (before, after) = (json!({"status": row.status, "reason": row.reason}), json!({"done": done}));
    audited(conn, caller, (action, &row.id), (Some(&before), Some(&after)), now)?;
    Ok(done)
}

/// A delivery as lists show it.
pub fn view(row: &Delivery) -> Value {
    json!({
        "id": row.id,
        "destination_id": row.destination_id,
        "rule_id": row.rule_id,
        "incident_id": row.incident_id.map(|number| id::text(Kind::Incident, number)),
        "event_id": row.event_id.map(|number| id::text(Kind::Event, number)),
        "subject": row.subject,
        "event": row.event,
        "status": row.status,
        "reason": row.reason,
        "attempt_count": row.attempts,
        "created_at": time(Some(row.created_at)),
        "finished_at": time(row.finished_at),
    })
}

/// Deliveries about an incident, in order, each with when it is tried next; null also while it is on its way.
pub fn of_incident(rows: &[Delivery], threads: &[Thread]) -> Value {
    let next = |row: &Delivery| {
        let thread = threads.iter().find(|thread| thread.destination_id == row.destination_id)?;
        let same = |other: &&Delivery| other.destination_id == row.destination_id && other.finished_at.is_none();
        // What comes after another one at the same destination waits for that.
        let first = rows.iter().find(same).is_some_and(|first| first.id == row.id);
        thread.due_at.filter(|_| first && row.finished_at.is_none() && thread.lease.is_none())
    };
    let shown = |row: &Delivery| {
        let mut view = view(row);
        if let Some(map) = view.as_object_mut() {
            map.insert("next_attempt_at".into(), time(next(row)));
        }
        view
    };
    rows.iter().map(shown).collect::<Vec<_>>().into()
}

/// The destinations at which an incident is on hold, why and until when.
pub fn holds(threads: &[Thread]) -> Value {
    let held = threads.iter().filter(|thread| thread.held_until.is_some());
    let shown = held.map(|thread| {
        json!({
            "destination_id": thread.destination_id, "rule_id": thread.rule_id, "by": thread.held_by, "until": time(thread.held_until),
        })
    });
    shown.collect::<Vec<_>>().into()
}

fn attempt(row: &Attempted) -> Value {
    json!({
        "number": row.number,
        "started_at": time(Some(row.started_at)),
        "took": row.took as f64 / 1e6,
        "result": row.result,
        "status": row.status,
        "error": row.error,
        "request": stored(&row.request),
        "answer": row.answer,
    })
}

fn stored(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}
