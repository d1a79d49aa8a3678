//! Destinations as the API shows them: never with a secret.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::draft::MASK;
use crate::app::App;
use crate::delivery::breaker;
use crate::delivery::channel;
use crate::delivery::destination::Settings;
use crate::duration;
use crate::http::actions;
use crate::http::manage::time;
use crate::secret::reference::References;
use crate::secret::{Sealer, Secret};
use crate::store::destinations::Destination;
use crate::store::outbox::Breaker;
use crate::store::outbox::read::{self, Queue};
use crate::store::signing_secrets::SigningSecret;
use crate::store::{self, Conn};
use crate::time::{SECOND, Timestamp};

/// A destination, and all that is shown with it.
pub struct Loaded {
    /// The row.
    pub row: Destination,
    signing: Vec<SigningSecret>,
    breaker: Breaker,
    queue: Queue,
}

/// Loads what is shown with these destinations; a fixed number of queries, however many they are.
///
/// # Errors
/// A query failed.
pub fn load(conn: &mut Conn, tenant_id: &str, rows: Vec<Destination>) -> store::Result<Vec<Loaded>> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let mut signing: HashMap<String, Vec<SigningSecret>> = HashMap::new();
    for secret in store::signing_secrets::of_all(conn, tenant_id, &ids)? {
        signing.entry(secret.destination_id.clone()).or_default().push(secret);
    }
    let named: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut queues = read::queues(conn, &named)?;
    let known = read::breakers(conn, &named)?.into_iter().map(|breaker| (breaker.destination_id.clone(), breaker));
    let mut breakers: HashMap<String, Breaker> = known.collect();
    let loaded = rows.into_iter().map(|row| Loaded {
        signing: signing.remove(&row.id).unwrap_or_default(),
        breaker: breakers.remove(&row.id).unwrap_or_default(),
        queue: queues.remove(&row.id).unwrap_or_default(),
        row,
    });
    Ok(loaded.collect())
}

/// As [`load`], for one.
///
/// # Errors
/// A query failed.
pub fn load_one(conn: &mut Conn, row: Destination) -> store::Result<Loaded> {
    let tenant_id = row.tenant_id.clone();
    let loaded = load(conn, &tenant_id, vec![row])?;
    loaded.into_iter().next().ok_or_else(|| store::StoreError::Data("a destination went missing".into()))
}

/// The settings alone: what the audit log records. Holds no secret.
pub fn settings(sealer: &Sealer, row: &Destination) -> Value {
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| json!({}));
    let breaker = breaker::Settings::default();
    let mut view = json!({
        "id": row.id,
        "kind": row.kind,
        "name": row.name,
        "options": json(&row.options),
        "templates": json(&row.templates),
        "include": row.include,
        "enabled": row.enabled != 0,
        "disabled_why": row.disabled_why,
        "default": row.is_default != 0,
        "breaker_failures": row.breaker_failures.unwrap_or_else(|| breaker.failures.into()),
        "breaker_rest": duration::print(row.breaker_rest.unwrap_or_else(|| breaker.rest.as_secs().cast_signed())),
        "rate_limit_per_minute": row.rate_per_minute.unwrap_or(0),
    });
    if let Some(map) = view.as_object_mut() {
        map.extend(secrets(&row.kind, row.open(sealer).ok().as_ref()));
    }
    view
}

/// What may be seen of the secrets; all null where they do not open.
fn secrets(kind: &str, settings: Option<&Settings>) -> Map<String, Value> {
    let headers = settings.map(|settings| {
        settings.headers.iter().map(|(name, value)| (name.clone(), shown(value))).collect::<Map<String, Value>>()
    });
    let basic_auth = settings.and_then(|settings| settings.basic_auth.as_ref());
    let view = json!({
        "url": settings.map(|settings| url(kind, &settings.url)),
        "token": settings.and_then(|settings| settings.token.as_ref()).map(shown),
        "headers": headers,
        "basic_auth": basic_auth.map(|(user, password)| json!({"user": user, "password": shown(password)})),
    });
    match view {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A mask; what only names a secret is none.
fn shown(value: &Secret) -> Value {
    if names_only(value.expose()) { value.expose().into() } else { MASK.into() }
}

/// A URL without what in it is secret; null where there is none.
fn url(kind: &str, url: &Secret) -> Value {
    match (url.expose(), channel::by_kind(kind)) {
        ("", _) => Value::Null,
        (whole, _) if names_only(whole) => whole.into(),
        // Braces are not part of a URL; they are shown as they were written.
        (whole, Some(channel)) => channel.masked_url(whole).replace("$%7B", "${").replace("%7D", "}").into(),
        (_, None) => MASK.into(),
    }
}

/// Whether a text is nothing but the name of another.
fn names_only(text: &str) -> bool {
    let variable = |text: &str| text.starts_with("${") && text.find('}').is_some_and(|end| end + 1 == text.len());
    References::is_file(text) || (References::is_one(text) && variable(text))
}

/// The whole destination.
pub fn destination(app: &App, loaded: &Loaded) -> Value {
    let (row, now) = (&loaded.row, app.clock.now());
    let mut view = settings(&app.sealer, row);
    let Some(map) = view.as_object_mut() else { return view };
    let live = loaded.signing.iter().filter(|secret| secret.live(now)).map(signing_secret);
    map.insert("signing_secrets".into(), live.collect::<Vec<_>>().into());
    let snapshot = app.directory.snapshot();
    let problem = snapshot.destinations.get(row.id.as_str()).and_then(|destination| destination.way.as_ref().err());
    map.insert("problem".into(), problem.map(|why| format!("{why}; what is meant for it waits")).into());
    map.extend(standing(loaded, now));
    map.extend(buttons(app, loaded, now));
    map.insert("created_by".into(), row.created_by.clone().into());
    map.insert("created_at".into(), time(Some(row.created_at)));
    map.insert("updated_at".into(), time(Some(row.updated_at)));
    view
}

/// How its receiver is doing, and what waits for it.
fn standing(loaded: &Loaded, now: Timestamp) -> Map<String, Value> {
    let (kept, queue) = (&loaded.breaker, &loaded.queue);
    let breaker = breaker::Breaker {
        failures: u32::try_from(kept.failures).unwrap_or(0),
        open_until: kept.open_until.map(Timestamp),
        probing_until: kept.probing_until.map(Timestamp),
        opened_at: kept.opened_at.map(Timestamp),
    };
    let age = queue.oldest.map(|at| (now.0 - at).max(0) / SECOND);
    let view = json!({
        "breaker": {
            "state": breaker.state(now).as_str(),
            "failures": kept.failures,
            "opened_at": time(kept.opened_at),
            "retry_at": time(kept.open_until),
            "skipped": kept.skipped,
        },
        "waiting": {
            "deliveries": queue.deliveries,
            "held": queue.held,
            "oldest_at": time(queue.oldest),
            "oldest_seconds": age,
        },
        "last_delivered_at": time(kept.delivered_at),
        "last_failed_at": time(kept.failed_at),
    });
    match view {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Where presses of buttons come, for kinds whose messages may have any, and what they lack.
fn buttons(app: &App, loaded: &Loaded, now: Timestamp) -> Map<String, Value> {
    let row = &loaded.row;
    let may = channel::by_kind(&row.kind).is_some_and(|channel| channel.buttons_signed_by().is_some());
    let url = may.then(|| format!("{}{}", app.public_url(), actions::PATH.replace("{id}", &row.id)));
    let options: Map<String, Value> = serde_json::from_str(&row.options).unwrap_or_default();
    let wanted = may && options.get("buttons") == Some(&Value::Bool(true));
    let unsigned = !loaded.signing.iter().any(|secret| secret.live(now));
    let warning = "messages have no buttons: set signing_secret to the signing secret of the app, and the app's interactivity URL to \
                   actions_url";
    let warnings: Vec<&str> = (wanted && unsigned).then_some(warning).into_iter().collect();
    Map::from_iter([("actions_url".to_owned(), url.into()), ("warnings".to_owned(), warnings.into())])
}

fn signing_secret(secret: &SigningSecret) -> Value {
    json!({"id": secret.id, "created_at": time(Some(secret.created_at)), "expires_at": time(secret.expires_at)})
}

/// A view with the signing secret that was just made: shown once.
pub fn with_secret(mut view: Value, secret: Option<Secret>) -> Value {
    if let (Some(secret), Some(map)) = (secret, view.as_object_mut()) {
        map.insert("signing_secret".into(), secret.expose().into());
    }
    view
}
