//! Reads the whole configuration in one go.

mod outbound;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use diesel::prelude::*;

use super::schema::{api_tokens, config_version, credentials, integrations, services};
use super::{Conn, Result};
use crate::ingest::snapshot::{Credential, CredentialKind, Integration, Policy, Service, Snapshot, Timers, Token};
use crate::provider::{self, Compiled, Provider, Registry, Resolves};
use crate::secret::reference::References;
use crate::secret::{Cell, CredentialHash, Sealer};
use crate::signature::Scheme;
use crate::time::Timestamp;

/// Seconds until an incident resolves by itself where its tool never says so, or repeats it while it lasts.
pub const AUTO_RESOLVE_DEFAULT: i64 = 24 * 3600;

#[derive(Queryable, Selectable)]
#[diesel(table_name = integrations)]
struct IntegrationRow {
    id: String,
    tenant_id: String,
    service_id: String,
    kind: String,
    name: String,
    policy: Option<String>,
    enabled: i32,
    rate_limit_per_minute: i64,
    auto_resolve_after: Option<i64>,
    acknowledge_timeout: Option<i64>,
    remind_after: Option<i64>,
    native_body_limit: Option<i64>,
    options: String,
    deleted_at: Option<i64>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = credentials)]
struct CredentialRow {
    id: String,
    integration_id: String,
    kind: String,
    hash: Option<String>,
    sealed: String,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
}

/// The present `config_version`.
///
/// # Errors
/// The query failed.
pub fn version(conn: &mut Conn) -> Result<i64> {
    Ok(config_version::table.select(config_version::version).first(conn)?)
}

/// Tells every process that the configuration has changed; inside the transaction that changes it.
///
/// # Errors
/// The update failed.
pub fn bump(conn: &mut Conn) -> Result<()> {
    diesel::update(config_version::table).set(config_version::version.eq(config_version::version + 1)).execute(conn)?;
    Ok(())
}

/// Reads everything. Secrets are opened here; one that does not open shuts its integration, not the service.
///
/// # Errors
/// A query failed.
pub fn load(conn: &mut Conn, sealer: &Sealer, tools: &Registry, references: &References) -> Result<Snapshot> {
    let mut snapshot = Snapshot { version: version(conn)?, ..Snapshot::default() };
    let mut live: HashMap<String, Vec<CredentialRow>> = HashMap::new();
    let rows = credentials::table.select(CredentialRow::as_select()).order(credentials::id.desc()).load(conn)?;
    for row in rows {
        live.entry(row.integration_id.clone()).or_default().push(row);
    }
    load_services(conn, &mut snapshot)?;
    outbound::load(conn, sealer, references, &mut snapshot)?;
    for row in integrations::table.select(IntegrationRow::as_select()).load(conn)? {
        let own = live.remove(&row.id).unwrap_or_default();
        let tells = snapshot.tells(&row.tenant_id);
        add(&mut snapshot, Arc::new(Integration { tells, ..integration(row, own, sealer, tools) }));
    }
    load_tokens(conn, &mut snapshot)?;
    Ok(snapshot)
}

fn load_services(conn: &mut Conn, snapshot: &mut Snapshot) -> Result<()> {
    let rows: Vec<(String, String, String)> =
        services::table.select((services::id, services::tenant_id, services::name)).load(conn)?;
    for (id, tenant_id, name) in rows {
        let id: Arc<str> = id.into();
        let service = Service { id: Arc::clone(&id), tenant_id: tenant_id.into(), name, api_integration: None };
        snapshot.services.insert(id, service);
    }
    Ok(())
}

fn add(snapshot: &mut Snapshot, integration: Arc<Integration>) {
    for credential in &integration.credentials {
        let Some(hash) = credential.hash else { continue };
        let table = match credential.kind {
            CredentialKind::Hook => &mut snapshot.hooks,
            CredentialKind::Key => &mut snapshot.keys,
            CredentialKind::Secret => continue,
        };
        table.insert(hash, Arc::clone(&integration));
    }
    if integration.kind == provider::OWN {
        snapshot.own.insert(Arc::clone(&integration.tenant_id), Arc::clone(&integration));
    }
    if integration.kind == provider::API
        && let Some(service) = snapshot.services.get_mut(&integration.service_id)
    {
        service.api_integration = Some(Arc::clone(&integration.id));
    }
    snapshot.integrations.insert(Arc::clone(&integration.id), integration);
}

fn integration(row: IntegrationRow, rows: Vec<CredentialRow>, sealer: &Sealer, tools: &Registry) -> Integration {
    let provider = tools.of_stored(&row.kind);
    if tools.is_lost(&row.kind) && row.deleted_at.is_none() {
        tracing::error!(integration = %row.id, r#type = %row.kind, "there is no tool of this type; its alerts are read by guesses");
    }
    let mut sealed_shut = false;
    let credentials: Vec<Arc<Credential>> = rows
        .into_iter()
        .filter_map(|row| {
            let credential = credential(row, sealer)?;
            sealed_shut |= credential.kind == CredentialKind::Secret && credential.secret.is_none();
            Some(Arc::new(credential))
        })
        .collect();
    let signed = credentials.iter().any(|credential| credential.kind == CredentialKind::Secret);
    let chosen = row.policy.as_deref().and_then(Policy::parse);
    // A secret that is set is enforced on every type.
    let policy = if signed { Policy::Signature } else { chosen.unwrap_or(Policy::Hook) };
    let (options, scheme) = options(provider, &row);
    Integration {
        id: row.id.into(),
        tenant_id: row.tenant_id.into(),
        service_id: row.service_id.into(),
        name: row.name,
        provider,
        enabled: row.enabled != 0,
        deleted: row.deleted_at.is_some(),
        policy,
        scheme,
        published: provider.published(&options),
        options,
        rate_limit_per_minute: u32::try_from(row.rate_limit_per_minute).unwrap_or(0),
        timers: Timers {
            auto_resolve_after: row.auto_resolve_after.map_or_else(|| auto_resolve_default(&row.kind, provider), positive),
            made_up_after: row.auto_resolve_after.map_or(Some(AUTO_RESOLVE_DEFAULT), positive),
            acknowledge_timeout: row.acknowledge_timeout.and_then(positive),
            remind_after: row.remind_after.and_then(positive),
        },
        kind: row.kind,
        native_body_limit: row.native_body_limit.and_then(|limit| usize::try_from(limit).ok()),
        credentials,
        sealed_shut,
        tells: false,
    }
}

/// Options as compiled when they were saved; what no longer compiles (an older release saved it) counts as none.
fn options(provider: &'static dyn Provider, row: &IntegrationRow) -> (Compiled, Scheme) {
    let options = serde_json::from_str(&row.options).ok().and_then(|value| match provider.compile(&value) {
        Ok(compiled) => Some(compiled),
        Err(problems) => {
            tracing::error!(integration = %row.id, ?problems, "an integration's options no longer compile; it goes on without");
            None
        }
    });
    let options = options.unwrap_or(Compiled::none());
    let scheme = provider.scheme(&options);
    (options, scheme)
}

fn credential(row: CredentialRow, sealer: &Sealer) -> Option<Credential> {
    let kind = CredentialKind::parse(&row.kind)?;
    let secret = match kind {
        CredentialKind::Secret => {
            let cell = Cell { table: "credentials", row: &row.id, column: "sealed" };
            sealer.open(cell, &row.sealed).inspect_err(|_| {
                tracing::error!(integration = %row.integration_id, credential = %row.id, "a signature secret does not open");
            })
        }
        .ok(),
        CredentialKind::Hook | CredentialKind::Key => None,
    };
    Some(Credential {
        kind,
        hash: row.hash.as_deref().and_then(CredentialHash::from_hex),
        secret,
        expires_at: row.expires_at.map(Timestamp),
        last_used: AtomicI64::new(row.last_used_at.unwrap_or(0)),
        last_used_written: AtomicI64::new(row.last_used_at.unwrap_or(0)),
        id: row.id,
    })
}

const fn positive(seconds: i64) -> Option<i64> {
    if seconds > 0 { Some(seconds) } else { None }
}

/// Where a tool never resolves, or repeats while it fires, silence means that it is over; our own incidents have ends of their own.
pub fn auto_resolve_default(kind: &str, provider: &dyn Provider) -> Option<i64> {
    if kind == provider::OWN {
        return None;
    }
    match provider.meta().resolves {
        Resolves::Never | Resolves::Repeats => Some(AUTO_RESOLVE_DEFAULT),
        Resolves::OnTransition => None,
    }
}

fn load_tokens(conn: &mut Conn, snapshot: &mut Snapshot) -> Result<()> {
    type Row = (String, String, String, String, String, Option<i64>, Option<i64>);
    let rows: Vec<Row> = api_tokens::table
        .filter(api_tokens::revoked_at.is_null())
        .select((
            api_tokens::id,
            api_tokens::tenant_id,
            api_tokens::name,
            api_tokens::hash,
            api_tokens::scopes,
            api_tokens::expires_at,
            api_tokens::last_used_at,
        ))
        .load(conn)?;
    for (id, tenant_id, name, hash, scopes, expires_at, last_used_at) in rows {
        let Some(hash) = CredentialHash::from_hex(&hash) else { continue };
        let scopes = serde_json::from_str(&scopes).unwrap_or_default();
        let last_used = Arc::new(AtomicI64::new(last_used_at.unwrap_or(0)));
        let last_used_written = Arc::new(AtomicI64::new(last_used_at.unwrap_or(0)));
        let expires_at = expires_at.map(Timestamp);
        snapshot
            .tokens
            .insert(hash, Token { id, tenant_id: tenant_id.into(), name, scopes, expires_at, last_used, last_used_written });
    }
    Ok(())
}
