//! How the ingest routes answer: the one map from what became of a request to status, body and headers (contract section 2).

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::{Value, json};

use crate::event::{Invalid, v1, v2};
use crate::ingest::inbound::{Done, Route};
use crate::ingest::refusal::{Reason, Refusal};

/// Seconds after which a request that met an unavailable store may come again.
const RETRY_UNAVAILABLE: u64 = 1;
/// Seconds after which an address that failed too often may try again.
const RETRY_SHIELDED: u64 = 60;

/// The status of a refusal on its route.
pub fn status(route: Route, refusal: &Refusal) -> u16 {
    let pagerduty = matches!(route, Route::V1 | Route::V2 | Route::Change);
    match &refusal.reason {
        Reason::Invalid(_) | Reason::NotJson | Reason::Empty | Reason::BadEncoding => 400,
        Reason::KeyMalformed(_) | Reason::UnknownKey if pagerduty => 400,
        Reason::KeyMalformed(_) | Reason::UnknownKey | Reason::Unauthorized(_) | Reason::Challenge => 401,
        Reason::Forbidden | Reason::Disabled => 403,
        Reason::UnknownHook | Reason::WrongType(_) => 404,
        Reason::MethodNotAllowed => 405,
        Reason::BodyTimeout => 408,
        Reason::TooLarge(_) if pagerduty => 400,
        Reason::TooLarge(_) => 413,
        Reason::UnknownEncoding => 415,
        // Version 1 says 403 where version 2 says 429: its clients wait on that, and on nothing else.
        Reason::Limited { .. } | Reason::Shielded if route == Route::V1 => 403,
        Reason::Limited { .. } => match &refusal.integration {
            Some(integration) if route == Route::Native => integration.meta().throttle_status,
            _ => 429,
        },
        Reason::Shielded => 429,
        Reason::Unavailable | Reason::KeyUnavailable(_) => 503,
    }
}

/// Renders what became of a request.
pub fn render(route: Route, id: &str, result: &Result<Done, Refusal>) -> HttpResponse {
    match result {
        Ok(done) => accepted(route, id, done),
        Err(refusal) => refused(route, id, refusal),
    }
}

fn builder(status: u16, id: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    response.insert_header((super::request_id::HEADER, id));
    response
}

fn accepted(route: Route, id: &str, done: &Done) -> HttpResponse {
    if let Some(reply) = &done.reply {
        let mut response = builder(reply.status, id);
        for (name, value) in &reply.headers {
            response.insert_header((*name, value.as_str()));
        }
        return response.content_type("application/json").body(reply.body.clone());
    }
    let mut response = builder(done.status, id);
    match (route, &done.dedup_key) {
        (Route::Native, _) => response.json(json!({
            "status": "success", "message": done.message, "request_id": id,
            "events": done.events.iter().map(|event| json!({
                "action": event.action, "dedup_key": event.dedup_key, "outcome": event.outcome,
            })).collect::<Vec<Value>>(),
        })),
        (Route::Change, _) | (_, None) => response.json(v2::change_accepted()),
        (Route::V1, Some(key)) => response.json(v1::accepted(key)),
        (Route::V2, Some(key)) => response.json(v2::accepted(key)),
        (Route::Api, Some(key)) => response.json(v2::accepted(key).with_request_id(id)),
    }
}

fn refused(route: Route, id: &str, refusal: &Refusal) -> HttpResponse {
    let status = status(route, refusal);
    let mut response = builder(status, id);
    match &refusal.reason {
        Reason::Limited { per_minute, wait } => {
            let seconds = wait.as_millis().div_ceil(1000).max(1).to_string();
            response.insert_header(("ratelimit-limit", per_minute.to_string()));
            response.insert_header(("ratelimit-remaining", "0"));
            response.insert_header(("ratelimit-reset", seconds.as_str()));
            response.insert_header((RETRY_AFTER, seconds));
        }
        Reason::Shielded => drop(response.insert_header((RETRY_AFTER, RETRY_SHIELDED.to_string()))),
        Reason::Unavailable | Reason::KeyUnavailable(_) => {
            response.insert_header((RETRY_AFTER, RETRY_UNAVAILABLE.to_string()));
        }
        Reason::MethodNotAllowed => drop(response.insert_header((ALLOW, "POST, PUT"))),
        // Basic authentication is sent only to who asks for it.
        Reason::Unauthorized(_) | Reason::Challenge => {
            response.insert_header((WWW_AUTHENTICATE, "Basic realm=\"callbox\""));
        }
        // What is left of the body is not read: nothing more can come on this connection.
        Reason::TooLarge(_) | Reason::BodyTimeout => drop(response.force_close()),
        _ => {}
    }
    match route {
        Route::Native => response.json(json!({"status": "error", "message": message(&refusal.reason), "request_id": id})),
        Route::Api => events_api(&mut response, &refusal.reason, Some(id)),
        Route::V1 | Route::V2 | Route::Change => pagerduty(&mut response, route, &refusal.reason),
    }
}

/// PagerDuty's bodies, word for word.
fn pagerduty(response: &mut HttpResponseBuilder, route: Route, reason: &Reason) -> HttpResponse {
    let first = route == Route::V1;
    match reason {
        Reason::Invalid(invalid) | Reason::KeyMalformed(invalid) if first => response.json(v1::invalid(invalid)),
        Reason::Invalid(invalid) | Reason::KeyMalformed(invalid) => response.json(v2::invalid(invalid)),
        Reason::UnknownKey if first => response.json(v1::unknown_key()),
        Reason::UnknownKey => response.json(v2::unknown_key()),
        Reason::NotJson | Reason::Empty | Reason::BadEncoding if first => response.json(v1::unrecognised()),
        Reason::NotJson | Reason::Empty | Reason::BadEncoding => response.json(v2::unrecognised()),
        Reason::Limited { .. } | Reason::Shielded => response.json(v2::throttled()),
        Reason::TooLarge(limit) => {
            let problem = Cow::Owned(format!("the event is larger than {limit} bytes"));
            response.json(v2::invalid(&Invalid { problems: vec![problem] }))
        }
        other => events_api(response, other, None),
    }
}

/// The same envelope for what PagerDuty has no words for.
fn events_api(response: &mut HttpResponseBuilder, reason: &Reason, id: Option<&str>) -> HttpResponse {
    let body = |status: &str, message: &str, errors: Value| {
        let mut body = json!({"status": status, "message": message, "errors": errors});
        if let (Some(id), Some(map)) = (id, body.as_object_mut()) {
            map.insert("request_id".into(), id.into());
        }
        body
    };
    let said = message(reason);
    let body = match reason {
        Reason::Invalid(invalid) => body("invalid event", "Event object is invalid", json!(invalid.problems)),
        Reason::NotJson | Reason::Empty => {
            body("Unrecognized object", "Event object format is unrecognized", json!(["JSON parse error"]))
        }
        Reason::KeyMalformed(_) | Reason::UnknownKey => {
            body("unauthorized", "Invalid routing key or token", json!(["Invalid routing key"]))
        }
        Reason::Limited { .. } | Reason::Shielded => {
            body("throttle exceeded", "Requests for this service are arriving too quickly.  Please retry later.", json!([said]))
        }
        _ => body("error", &said, json!([said])),
    };
    response.json(body)
}

/// What a sender may know. Missing and wrong credentials read the same.
fn message(reason: &Reason) -> Cow<'static, str> {
    match reason {
        Reason::Unauthorized(_) | Reason::Challenge => {
            "the request does not carry a valid credential for this integration".into()
        }
        Reason::KeyUnavailable(_) => "what proves the sender cannot be had now; send again".into(),
        Reason::UnknownHook => "no such integration".into(),
        Reason::Disabled => "this integration is disabled".into(),
        other => other.to_string().into(),
    }
}
