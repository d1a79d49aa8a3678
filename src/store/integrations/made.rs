//! Integrations that nobody asked for: those that a service and a tenant have from the start, and the one to try things out with.

use super::{Integration, RATE_LIMIT_DEFAULT, insert};
use crate::ingest::snapshot::CredentialKind;
use crate::secret::Sealer;
use crate::store::credentials::{self, Owner};
use crate::store::{Conn, Result, StoreError, audit, services, snapshot, tenants};
use crate::time::Timestamp;
use crate::{id, provider};

/// Makes the integration of type `kind` that a service (`api`) or tenant (`callbox`) has without asking. It has no credentials,
/// and no living name, so that it takes none from people.
///
/// # Errors
/// The insert failed.
pub fn insert_built_in(conn: &mut Conn, tenant_id: &str, service_id: &str, kind: &str, now: Timestamp) -> Result<()> {
    insert(conn, &built_in(tenant_id, service_id, kind, now))
}

fn built_in(tenant_id: &str, service_id: &str, kind: &str, now: Timestamp) -> Integration {
    let rate_limit_per_minute = if kind == provider::OWN { 0 } else { RATE_LIMIT_DEFAULT };
    Integration {
        id: id::new(id::Kind::Integration),
        tenant_id: tenant_id.to_owned(),
        service_id: service_id.to_owned(),
        kind: kind.to_owned(),
        name: kind.to_owned(),
        live_name: None,
        policy: None,
        enabled: 1,
        rate_limit_per_minute,
        auto_resolve_after: None,
        acknowledge_timeout: None,
        remind_after: None,
        native_body_limit: None,
        options: "{}".to_owned(),
        created_by: tenants::SYSTEM.to_owned(),
        created_at: now.0,
        updated_at: now.0,
        deleted_at: None,
    }
}

/// Makes an integration of type `events` with a hook and a key, for somebody who tries the service out.
///
/// # Errors
/// The name is taken, or a statement failed.
pub fn create_demo(conn: &mut Conn, sealer: &Sealer, tenant_id: &str, name: &str, now: Timestamp) -> Result<String> {
    let service = services::by_id_or_name(conn, tenant_id, services::DEFAULT)?;
    let service = service.ok_or_else(|| StoreError::Refused("the tenant has no service `default`".to_owned()))?;
    let integration = Integration {
        kind: "events".to_owned(),
        name: name.to_owned(),
        live_name: Some(name.to_owned()),
        ..built_in(tenant_id, &service.id, "events", now)
    };
    insert(conn, &integration)?;
    let owner = Owner { tenant_id, integration_id: &integration.id };
    for kind in [CredentialKind::Hook, CredentialKind::Key] {
        credentials::add(conn, sealer, owner, kind, &credentials::generate(kind)?, now)?;
    }
    let after = serde_json::json!({"type": "events", "name": name});
    let record = audit::Record {
        tenant_id,
        actor: tenants::SYSTEM,
        action: "integration.created",
        object_type: "integration",
        object_id: &integration.id,
        before: None,
        after: Some(&after),
    };
    audit::record(conn, &record, now)?;
    snapshot::bump(conn)?;
    Ok(integration.id)
}
