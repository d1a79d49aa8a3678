//! Integrations as the API shows them. Keys and URLs are opened only for those who may see them.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use serde_json::{Map, Value, json};

use super::time;
use crate::app::App;
use crate::duration;
use crate::http::auth::{Caller, Scope};
use crate::ingest::snapshot::{CredentialKind, Snapshot};
use crate::provider::{Registry, Setup};
use crate::secret::Secret;
use crate::store::credentials::Credential;
use crate::store::integrations::Integration;
use crate::store::{self, Conn};
use crate::time::Timestamp;

/// How the keys begin that we guess because nothing in a payload identifies the alert, and those of payloads not understood.
const GUESSED: &str = "auto:";
const UNMAPPED: &str = "unmapped:";

/// An integration, and all that is shown with it.
pub struct Loaded {
    /// The row.
    pub row: Integration,
    credentials: Vec<Credential>,
    guessed: i64,
    unmapped: i64,
}

/// Loads what is shown with these integrations; a fixed number of queries, however many they are.
///
/// # Errors
/// A query failed.
pub fn load(conn: &mut Conn, tenant_id: &str, rows: Vec<Integration>) -> store::Result<Vec<Loaded>> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let mut credentials: HashMap<String, Vec<Credential>> = HashMap::new();
    for credential in store::credentials::of_all(conn, tenant_id, &ids)? {
        credentials.entry(credential.integration_id.clone()).or_default().push(credential);
    }
    let guessed = store::integrations::open_with_prefix(conn, tenant_id, &ids, GUESSED)?;
    let unmapped = store::integrations::open_with_prefix(conn, tenant_id, &ids, UNMAPPED)?;
    let of = |counts: &HashMap<String, i64>, id: &str| counts.get(id).copied().unwrap_or(0);
    Ok(rows
        .into_iter()
        .map(|row| Loaded {
            credentials: credentials.remove(&row.id).unwrap_or_default(),
            guessed: of(&guessed, &row.id),
            unmapped: of(&unmapped, &row.id),
            row,
        })
        .collect())
}

/// As [`load`], for one.
///
/// # Errors
/// A query failed.
pub fn load_one(conn: &mut Conn, row: Integration) -> store::Result<Loaded> {
    let tenant_id = row.tenant_id.clone();
    let loaded = load(conn, &tenant_id, vec![row])?;
    loaded.into_iter().next().ok_or_else(|| store::StoreError::Data("an integration went missing".into()))
}

/// The settings alone: what the audit log records. Holds no secret.
pub fn settings(tools: &Registry, row: &Integration) -> Value {
    let provider = tools.of_stored(&row.kind);
    let options: Value = serde_json::from_str(&row.options).unwrap_or_else(|_| json!({}));
    let auto_resolve = row.auto_resolve_after.or(store::snapshot::auto_resolve_default(&row.kind, provider)).unwrap_or(0);
    json!({
        "id": row.id,
        "type": row.kind,
        "name": row.name,
        "service_id": row.service_id,
        "policy": row.policy.as_deref().unwrap_or("hook"),
        "enabled": row.enabled != 0,
        "rate_limit_per_minute": row.rate_limit_per_minute,
        "auto_resolve_after": duration::print(auto_resolve),
        "acknowledge_timeout": duration::print(row.acknowledge_timeout.unwrap_or(0)),
        "remind_after": duration::print(row.remind_after.unwrap_or(0)),
        "native_body_limit": row.native_body_limit,
        "options": options,
    })
}

/// The whole integration, as `caller` may see it.
pub fn integration(app: &App, caller: &Caller, loaded: &Loaded) -> Value {
    let now = app.clock.now();
    let snapshot = app.directory.snapshot();
    let mut view = settings(app.tools, &loaded.row);
    let Some(map) = view.as_object_mut() else { return view };
    if loaded.has_secret() {
        map.insert("policy".into(), "signature".into());
    }
    for (name, kind) in [("hooks", CredentialKind::Hook), ("keys", CredentialKind::Key), ("secrets", CredentialKind::Secret)] {
        let live: Vec<Value> = loaded.live(kind, now).map(|credential| credential_view(credential, &snapshot)).collect();
        map.insert(name.into(), live.into());
    }
    let mut warnings = loaded.warnings(&snapshot);
    if app.tools.is_lost(&loaded.row.kind) {
        warnings.push(format!(
            "there is no tool of type {:?}: put its recipe back into the folder of recipes; until then its alerts are read by guesses",
            loaded.row.kind
        ));
    }
    let shows = caller.may(Scope::IntegrationsWrite) && !loaded.row.built_in();
    let opened = if shows { open(app, loaded, now, &mut warnings) } else { None };
    add_opened(app, loaded, opened, map);
    map.insert("warnings".into(), warnings.into());
    map.insert("built_in".into(), loaded.row.built_in().into());
    map.insert("created_by".into(), loaded.row.created_by.clone().into());
    map.insert("created_at".into(), time(Some(loaded.row.created_at)));
    map.insert("updated_at".into(), time(Some(loaded.row.updated_at)));
    view
}

impl Loaded {
    /// Whether a signature secret is set.
    pub fn has_secret(&self) -> bool {
        self.credentials.iter().any(|credential| credential.kind == CredentialKind::Secret.as_str())
    }

    /// The live credentials of a kind, newest first.
    fn live(&self, kind: CredentialKind, now: Timestamp) -> impl Iterator<Item = &Credential> {
        self.credentials.iter().filter(move |credential| credential.kind == kind.as_str() && credential.live(now))
    }

    fn warnings(&self, snapshot: &Snapshot) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.guessed > 0 {
            warnings.push(format!(
                "{} open incidents have guessed keys: nothing in their payload identifies the alert, so a resolve may not find them",
                self.guessed
            ));
        }
        if self.unmapped > 0 {
            warnings.push(format!("{} open incidents show payloads that were not understood", self.unmapped));
        }
        if snapshot.integrations.get(self.row.id.as_str()).is_some_and(|integration| integration.sealed_shut) {
            warnings.push(
                "a signature secret does not open with this master key; requests are answered 503 until it is set anew".into(),
            );
        }
        warnings
    }
}

/// A credential without its value. Memory knows better than the store when it was last used.
fn credential_view(credential: &Credential, snapshot: &Snapshot) -> Value {
    let in_memory = snapshot
        .integrations
        .get(credential.integration_id.as_str())
        .and_then(|integration| integration.credentials.iter().find(|same| same.id == credential.id))
        .map(|same| same.last_used.load(Ordering::Relaxed))
        .filter(|at| *at > 0);
    json!({
        "id": credential.id,
        "created_at": time(Some(credential.created_at)),
        "expires_at": time(credential.expires_at),
        "last_used_at": time(credential.last_used_at.max(in_memory)),
    })
}

/// The newest hook and key.
fn open(app: &App, loaded: &Loaded, now: Timestamp, warnings: &mut Vec<String>) -> Option<(Secret, Secret)> {
    let newest = |kind| loaded.live(kind, now).next().map(|credential| credential.open(&app.sealer));
    match (newest(CredentialKind::Hook)?, newest(CredentialKind::Key)?) {
        (Ok(hook), Ok(key)) => Some((hook, key)),
        _ => {
            warnings.push("the hook or key does not open with this master key; rotate it".into());
            None
        }
    }
}

fn add_opened(app: &App, loaded: &Loaded, opened: Option<(Secret, Secret)>, map: &mut Map<String, Value>) {
    let Some((hook, key)) = opened else {
        for name in ["key", "url", "setup"] {
            map.insert(name.into(), Value::Null);
        }
        return;
    };
    let row = &loaded.row;
    let base = format!("{}/api/integrations/{}", app.public_url(), row.kind);
    let url = format!("{base}?integrationId={}", hook.expose());
    let setup = Setup {
        name: &row.name,
        url: &url,
        base_url: &format!("{base}/{}", hook.expose()),
        origin: app.public_url(),
        key: key.expose(),
        signed: loaded.has_secret(),
        key_required: row.policy.as_deref() == Some("key") && !loaded.has_secret(),
    };
    map.insert("setup".into(), app.tools.of_stored(&row.kind).meta().setup(&setup).into());
    map.insert("key".into(), key.expose().into());
    map.insert("url".into(), url.into());
}
