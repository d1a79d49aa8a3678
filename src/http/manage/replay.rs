//! Replays: one request of the ledger, or many of them in the order in which they came.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::acts::{compile, integration, unavailable};
use super::fields::Fields;
use super::requests::{OUTCOMES, VERDICTS};
use super::{id_of, looks_like};
use crate::app::App;
use crate::error::ApiError;
use crate::http::auth::{Caller, Scope};
use crate::id::Kind;
use crate::ingest::replay::{self, Draft, Effect, Options, Prepared, Report, Reporter};
use crate::ingest::snapshot::Integration;
use crate::ingest::submission::{Receipt, Refused};
use crate::store::requests::{self, Filter, Summary};
use crate::store::{Conn, StoreError};

/// Requests that one call replays unless asked otherwise, and at most.
const LIMIT: i64 = 100;
const LIMIT_MAX: i64 = 500;
/// After this long a call stops between two requests, and says where to go on.
const PATIENCE: Duration = Duration::from_secs(5);

/// `POST /requests/{id}/replay`
pub async fn one(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IncidentsWrite)?;
    let id = id_of(Kind::Request, &path)?;
    let tenant_id = Arc::clone(&caller.tenant_id);
    let row = app.store.read(move |conn| requests::summary(conn, &tenant_id, &id)).await?.ok_or(ApiError::NotFound)?;
    let mut fields = Fields::read(&request, payload).await?;
    let (mut options, draft) = options(&mut fields, &caller);
    fields.finish()?;
    if let Some(draft) = draft {
        let integration = row.integration_id.as_deref().map(|id| integration(&app, &caller, id)).transpose()?;
        options.draft = integration.map(|integration| compiled(&app, &integration, &draft)).transpose()?;
    }
    let dry_run = options.dry_run;
    let mut run = Run::begin(&app, &caller, options, 1, move |_| Ok(vec![row])).await?;
    run.go_on(&app).await;
    if let Some((_, refused)) = run.stopped {
        return Err(unavailable(refused));
    }
    let report = run.reports.pop().ok_or(ApiError::NotFound)?;
    if let Some(why) = report.skipped {
        return Err(ApiError::conflict(why));
    }
    let mut answer = json!(report);
    if let Some(map) = answer.as_object_mut() {
        map.insert("dry_run".into(), dry_run.into());
        map.insert("message".into(), message(dry_run, &report).into());
    }
    Ok(HttpResponse::Ok().json(answer))
}

fn message(dry_run: bool, report: &Report) -> String {
    match (dry_run, report.applied(), report.events.len()) {
        (_, _, 0) => "the request makes no event".to_owned(),
        (true, applied, events) => format!("nothing was done; {applied} of {events} events would be applied"),
        (false, applied, events) => format!("{applied} of {events} events applied"),
    }
}

/// `POST /requests/replay`: the oldest first, as many as asked for and as fit into a few seconds; `next` goes on after them.
pub async fn many(
    app: web::Data<App>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IncidentsWrite)?;
    let mut fields = Fields::read(&request, payload).await?;
    let (mut options, draft) = options(&mut fields, &caller);
    let wanted = Wanted::read(&mut fields, draft.is_some());
    fields.finish()?;
    if let Some(id) = &wanted.filter.integration_id {
        let integration = integration(&app, &caller, id)?;
        options.draft = draft.map(|draft| compiled(&app, &integration, &draft)).transpose()?;
    }
    let (dry_run, after) = (options.dry_run, wanted.after.clone());
    let tenant_id = Arc::clone(&caller.tenant_id);
    let mut run = Run::begin(&app, &caller, options, wanted.limit, move |conn| wanted.rows(conn, &tenant_id)).await?;
    run.go_on(&app).await;
    let stopped = match run.stopped {
        Some((_, refused)) if run.reports.is_empty() => return Err(unavailable(refused)),
        Some((request_id, refused)) => json!({"request_id": request_id, "message": refused.to_string()}),
        None => Value::Null,
    };
    let next = run.more.then(|| run.reports.last().map(|last| last.request_id.clone()).or(after)).flatten();
    Ok(HttpResponse::Ok().json(json!({
        "dry_run": dry_run, "items": run.reports, "counts": counts(&run.reports), "stopped": stopped, "next": next,
    })))
}

/// How an event counts, beside the requests.
fn counts(reports: &[Report]) -> Value {
    let events = |wanted: &[Effect]| -> usize {
        reports.iter().flat_map(|report| &report.events).filter(|event| wanted.contains(&event.effect)).count()
    };
    json!({
        "requests": reports.len(),
        "skipped": reports.iter().filter(|report| report.skipped.is_some()).count(),
        "applied": events(&[Effect::Applied, Effect::WouldApply]),
        "unchanged": events(&[Effect::Unchanged]),
        "stale": events(&[Effect::Stale]),
        "catch_alls_resolved": reports.iter().flat_map(|report| &report.catch_alls).filter(|catch_all| catch_all.resolved).count(),
    })
}

/// How requests are read in place of what their integration says.
enum RawDraft {
    Options(Value),
    Recipe(String),
}

fn options(fields: &mut Fields, caller: &Caller) -> (Options, Option<RawDraft>) {
    let mut flag = |name| fields.boolean(name).flatten().unwrap_or(false);
    let (dry_run, force, notify) = (flag("dry_run"), flag("force"), flag("notify"));
    let draft = fields.object("options").flatten().map(RawDraft::Options);
    let recipe = match fields.raw("recipe") {
        Some(Value::String(text)) => Some(RawDraft::Recipe(text)),
        Some(_) => {
            fields.problem("recipe", "must be the text of a recipe");
            None
        }
        None => None,
    };
    if draft.is_some() && recipe.is_some() {
        fields.problem("recipe", "cannot be combined with options: use one of them");
    }
    (Options { by: caller.name.clone(), dry_run, force, notify, draft: None }, draft.or(recipe))
}

/// A recipe reads the bodies of any tool: as the option of a webhook.
fn compiled(app: &App, integration: &Integration, draft: &RawDraft) -> Result<Draft, ApiError> {
    let (provider, options) = match draft {
        RawDraft::Options(options) => (integration.provider, options.clone()),
        RawDraft::Recipe(text) => {
            let webhook = app.tools.by_type("webhook").ok_or_else(|| ApiError::Internal("there is no webhook type".into()))?;
            (webhook, json!({ "recipe": text }))
        }
    };
    Ok(Draft { provider, options: compile(provider, &options)? })
}

/// Which requests are asked for.
struct Wanted {
    filter: Filter,
    ids: Option<Vec<String>>,
    after: Option<String>,
    limit: i64,
}

impl Wanted {
    fn read(fields: &mut Fields, has_draft: bool) -> Self {
        let word = |words: &'static [&'static str]| move |word: &str| words.contains(&word).then(|| word.to_owned());
        let filter = Filter {
            integration_id: fields.text("integration_id", 64).flatten(),
            verdict: fields.word("verdict", &VERDICTS, word(&VERDICTS)).flatten(),
            outcome: fields.word("outcome", &OUTCOMES, word(&OUTCOMES)).flatten(),
            since: fields.time("since").flatten(),
            until: fields.time("until").flatten(),
            q: None,
        };
        let ids = fields.raw("ids").and_then(|ids| Self::ids(fields, &ids));
        let after = fields.text("after", 64).flatten();
        if after.as_ref().is_some_and(|after| !looks_like(Kind::Request, after)) {
            fields.problem("after", "must be the id of a request: the one to go on after");
        }
        let limit = fields.integer("limit", 1..=LIMIT_MAX).flatten().unwrap_or(LIMIT);
        if filter.integration_id.is_none() && has_draft {
            fields.problem("integration_id", "is required with options or a recipe: they are drafts for one integration");
        } else if filter.integration_id.is_none() && ids.is_none() {
            fields.problem("integration_id", "is required, unless ids names the requests");
        }
        Self { filter, ids, after, limit }
    }

    fn ids(fields: &mut Fields, given: &Value) -> Option<Vec<String>> {
        let ids: Option<Vec<String>> = given.as_array().and_then(|list| {
            list.iter().map(|id| id.as_str().filter(|id| looks_like(Kind::Request, id)).map(str::to_owned)).collect()
        });
        let ids = ids.filter(|ids| (1..=500).contains(&ids.len()));
        if ids.is_none() {
            fields.problem("ids", "must be an array of 1 to 500 ids of requests");
        }
        ids
    }

    /// One row more than wanted, to see whether there are more.
    fn rows(&self, conn: &mut Conn, tenant_id: &str) -> Result<Vec<Summary>, StoreError> {
        let limit = self.limit.saturating_add(1);
        requests::oldest(conn, tenant_id, &self.filter, self.ids.as_deref(), self.after.as_deref(), limit)
    }
}

/// Requests that are being replayed.
struct Run {
    options: Options,
    prepared: std::vec::IntoIter<Prepared>,
    rehearsed: std::vec::IntoIter<Receipt>,
    reporter: Reporter,
    reports: Vec<Report>,
    /// Whether there are requests after those in `reports`.
    more: bool,
    /// The request at which it could not go on, and why.
    stopped: Option<(String, Refused)>,
}

impl Run {
    /// Reads what is to be replayed, `limit` rows at most (`rows` brings one more where there are more); of a dry run also what
    /// would become of it.
    async fn begin(
        app: &App,
        caller: &Caller,
        options: Options,
        limit: i64,
        rows: impl FnOnce(&mut Conn) -> Result<Vec<Summary>, StoreError> + Send + 'static,
    ) -> Result<Self, ApiError> {
        let (snapshot, tenant_id, now) = (app.directory.snapshot(), Arc::clone(&caller.tenant_id), app.clock.now());
        let asked = options.clone();
        let (prepared, rehearsed, more) = app
            .store
            .read(move |conn| {
                let mut rows = rows(conn)?;
                let mut more = i64::try_from(rows.len()).is_ok_and(|rows| rows > limit);
                if more {
                    rows.pop();
                }
                let wanted = rows.len();
                let prepared = replay::prepare(conn, &snapshot, &tenant_id, rows, &asked, now)?;
                more |= prepared.len() < wanted;
                let rehearsed = if asked.dry_run { replay::rehearse(conn, &prepared)? } else { Vec::new() };
                Ok::<_, StoreError>((prepared, rehearsed, more))
            })
            .await?;
        Ok(Self {
            reporter: Reporter::new(options.dry_run),
            options,
            prepared: prepared.into_iter(),
            rehearsed: rehearsed.into_iter(),
            reports: Vec::new(),
            more,
            stopped: None,
        })
    }

    /// Replays one request after the other until all are done, the time is up, or the store cannot go on.
    async fn go_on(&mut self, app: &App) {
        let begun = Instant::now();
        while let Some(prepared) = self.prepared.next() {
            let receipt = match &prepared.plan {
                Err(_) => None,
                Ok(_) if self.options.dry_run => self.rehearsed.next(),
                Ok(submission) => match app.commit(submission.clone()).await {
                    Ok(receipt) => Some(receipt),
                    Err(refused) => {
                        self.stopped = Some((prepared.summary.id, refused));
                        self.more = true;
                        return;
                    }
                },
            };
            self.reports.push(self.reporter.report(&prepared, receipt.as_ref()));
            if begun.elapsed() > PATIENCE && self.prepared.len() > 0 {
                self.more = true;
                return;
            }
        }
    }
}
