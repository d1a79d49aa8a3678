//! `POST /rules/{id}/test`: what a rule would make of an event. Nothing is sent, and nothing is written.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use crate::app::App;
use crate::delivery::message::Occasion;
use crate::delivery::rule::Asked;
use crate::error::ApiError;
use crate::event::{Action, DedupKey, Event, Severity, v2};
use crate::http::auth::{Caller, Scope};
use crate::http::manage::fields::Fields;
use crate::http::manage::id_of;
use crate::id::{self, Kind};
use crate::incident::{self, Actor, Arrival, KeyState, Report, Status};
use crate::ingest::snapshot::{Snapshot, StoredRule};
use crate::outbox::message::Context;
use crate::outbox::rehearsal::{self, Subject};
use crate::provider::Clock;
use crate::store::incidents::{self, Incident};
use crate::store::ingest::{IncidentRow, Key};
use crate::store::{Conn, changes};
use crate::time::Timestamp;

/// What a rule is tried with.
struct Asking {
    event: Option<String>,
    incident_id: Option<String>,
    alert: Option<Event>,
    integration_id: Option<String>,
    service_id: Option<String>,
}

/// `POST /rules/{id}/test`. The fields, none of them required but `dry_run`:
///
/// - `dry_run`: true, because the test of a rule sends nothing;
/// - `event`: what happens, in the words of rules: `incident.triggered` unless the rest says more;
/// - `incident_id`: to this incident, as it stands; or `alert`: to one that this event (as `/api/events` takes it) would open, at
///   `integration_id` and `service_id`, those that the rule names unless given. Without either, to one that is made up.
pub async fn test(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::DestinationsRead)?;
    let id = id_of(Kind::Rule, &path)?;
    let (snapshot, now) = (app.directory.snapshot(), app.clock.now());
    let rules = snapshot.rules.get(&caller.tenant_id).into_iter().flatten();
    let rule = rules.into_iter().find(|rule| *rule.id == *id).cloned().ok_or(ApiError::NotFound)?;
    let asking = Asking::read(Fields::read(&request, payload).await?, now)?;
    if asking.incident_id.is_some() {
        caller.need(Scope::IncidentsRead)?;
    }
    let (read_at, public_url) = (Arc::clone(&snapshot), app.public_url().to_owned());
    let work = move |conn: &mut Conn| {
        let context = Context { snapshot: &read_at, public_url: &public_url };
        let subject = asking.subject(conn, &caller, &read_at, &rule, now)?;
        Ok::<_, ApiError>(rehearsal::rehearse(conn, &context, rule, subject, now)?)
    };
    let rehearsal = app.store.read(work).await?;
    Ok(HttpResponse::Ok().json(rehearsal.render(&snapshot).await))
}

impl Asking {
    fn read(mut fields: Fields, now: Timestamp) -> Result<Self, ApiError> {
        if !fields.boolean("dry_run").flatten().unwrap_or(false) {
            fields.problem("dry_run", "must be true: the test of a rule sends nothing; POST /destinations/{id}/test sends");
        }
        let event = fields.text("event", 100).flatten();
        let incident_id = fields.text("incident_id", 64).flatten();
        let alert = fields.object("alert").flatten();
        if incident_id.is_some() && alert.is_some() {
            fields.problem("alert", "give either incident_id or alert");
        }
        let alert = alert.as_ref().and_then(|alert| read_alert(&mut fields, alert, now));
        let integration_id = fields.text("integration_id", 64).flatten();
        let service_id = fields.text("service_id", 64).flatten();
        fields.finish()?;
        Ok(Self { event, incident_id, alert, integration_id, service_id })
    }

    /// What happens, and to what.
    fn subject(
        self,
        conn: &mut Conn,
        caller: &Caller,
        snapshot: &Snapshot,
        rule: &StoredRule,
        now: Timestamp,
    ) -> Result<(Asked, Subject), ApiError> {
        let stored = match &self.incident_id {
            Some(id) => {
                let id = id_of(Kind::Incident, id).map_err(|_| ApiError::field("incident_id", "there is no such incident"))?;
                let found = incidents::find(conn, &caller.tenant_id, &id)?;
                Some(found.ok_or_else(|| ApiError::field("incident_id", "there is no such incident"))?)
            }
            None => None,
        };
        let asked = self.asked(rule, stored.as_ref())?;
        let (integration_id, service_id) = self.place(caller, snapshot, rule)?;
        Ok((
            asked,
            match (stored, asked.occasion) {
                (Some(row), _) => Subject::Incident(Box::new(row)),
                (None, Occasion::Change) => Subject::Change(Box::new(self.change(integration_id, service_id, rule, now))),
                (None, occasion) => {
                    let event = self.event_of(rule);
                    Subject::Incident(Box::new(opened(caller, &event, integration_id, &service_id, occasion, now)?))
                }
            },
        ))
    }

    /// The event in the rule's own words, where it asks for it: an open_for without a time means the rule's first.
    fn asked(&self, rule: &StoredRule, stored: Option<&Incident>) -> Result<Asked, ApiError> {
        let word = self.event.clone().unwrap_or_else(|| {
            let by_status = stored.and_then(|row| match Status::parse(&row.status)? {
                Status::Triggered => None,
                Status::Acknowledged => Some(Occasion::Acknowledged),
                Status::Resolved => Some(Occasion::Resolved),
            });
            let by_alert = self.alert.as_ref().and_then(|alert| match alert.action {
                Action::Trigger => None,
                Action::Acknowledge => Some(Occasion::Acknowledged),
                Action::Resolve => Some(Occasion::Resolved),
            });
            let event = by_status.or(by_alert);
            event.unwrap_or(Occasion::Triggered).as_str().to_owned()
        });
        let mine = rule.rule.events.iter().find(|asked| asked.to_string() == word || asked.occasion.as_str() == word);
        let bare = word.split(':').next().unwrap_or_default();
        let known = Occasion::parse(bare).filter(|occasion| *occasion != Occasion::Test);
        mine.copied().or(known.map(|occasion| Asked { occasion, after: None })).ok_or_else(|| {
            let words = Occasion::ALL.into_iter().filter(|occasion| *occasion != Occasion::Test).map(Occasion::as_str);
            ApiError::field("event", format!("must be one of {}", words.collect::<Vec<_>>().join(", ")))
        })
    }

    /// Where a made-up incident belongs: as asked, or where the rule looks.
    fn place(&self, caller: &Caller, snapshot: &Snapshot, rule: &StoredRule) -> Result<(String, String), ApiError> {
        let asked = self.integration_id.as_ref().or(rule.rule.integrations.first());
        let found = asked.and_then(|id| snapshot.integrations.get(id.as_str()));
        let integration = found.filter(|found| found.tenant_id == caller.tenant_id);
        if let (Some(_), None) = (&self.integration_id, integration) {
            return Err(ApiError::field("integration_id", "there is no such integration"));
        }
        let asked = self.service_id.as_ref();
        if asked.is_some_and(|id| snapshot.services.get(id.as_str()).is_none_or(|found| found.tenant_id != caller.tenant_id)) {
            return Err(ApiError::field("service_id", "there is no such service"));
        }
        let of_integration = integration.map(|integration| integration.service_id.to_string());
        let service = asked.or(rule.rule.services.first()).cloned().or(of_integration);
        Ok((integration.map_or_else(String::new, |integration| integration.id.to_string()), service.unwrap_or_default()))
    }

    /// The alert, or one that is made up so that the rule's floor lets it pass.
    fn event_of(&self, rule: &StoredRule) -> Event {
        let summary = format!("Test of the rule {}: nothing is wrong", rule.rule.name);
        let severity = rule.rule.severity_floor.unwrap_or(Severity::Error);
        let key = DedupKey::hashed("test:", rule.id.as_bytes());
        match &self.alert {
            Some(alert) if alert.action == Action::Trigger => alert.clone(),
            Some(alert) => Event { action: Action::Trigger, summary: alert.summary.clone(), ..alert.clone() },
            None => Event::new(Action::Trigger, key, &summary, "callbox", severity),
        }
    }

    fn change(&self, integration_id: String, service_id: String, rule: &StoredRule, now: Timestamp) -> changes::Change {
        let event = self.event_of(rule);
        let details = serde_json::json!({"custom_details": event.custom_details, "links": event.links, "images": event.images});
        changes::Change {
            id: id::new(Kind::Change),
            integration_id,
            service_id,
            request_id: None,
            summary: event.summary,
            source: Some(event.source),
            details: details.to_string(),
            occurred_at: event.occurred_at.map(|at| at.0),
            received_at: now.0,
        }
    }
}

fn read_alert(fields: &mut Fields, alert: &Value, now: Timestamp) -> Option<Event> {
    let key = || Ok::<_, std::convert::Infallible>(DedupKey::hashed("test:", alert.to_string().as_bytes()));
    match v2::parse(alert, &[], None, v2::Mode::Api, now) {
        Ok(draft) => draft.into_event(key).ok(),
        Err(invalid) => {
            invalid.problems.iter().for_each(|problem| fields.problem("alert", problem.as_ref()));
            None
        }
    }
}

/// The incident that an event would open, where nothing is open, as it would be read.
fn opened(
    caller: &Caller,
    event: &Event,
    integration_id: String,
    service_id: &str,
    occasion: Occasion,
    now: Timestamp,
) -> Result<Incident, ApiError> {
    let mut state = KeyState::default();
    let arrival = Arrival { received_at: now, event_id: &id::new(Kind::Event), service_id, actor: Actor::Tool };
    incident::apply(&mut state, &Report::new(event, Clock::Arrival), &arrival, || id::new(Kind::Incident));
    let key = Key { integration_id: integration_id.into(), dedup_key: event.dedup_key.as_str().to_owned() };
    let opened = state.open.ok_or_else(|| ApiError::Internal("a trigger opened nothing".to_owned()))?;
    let mut row = IncidentRow::new(Arc::clone(&caller.tenant_id), key, opened, None).as_read();
    let by = || Some(caller.name.clone());
    match occasion {
        Occasion::Acknowledged => (row.acknowledged_at, row.acknowledged_by) = (Some(now.0), by()),
        Occasion::Resolved => (row.resolved_at, row.resolved_by) = (Some(now.0), by()),
        _ => {}
    }
    Ok(row)
}
