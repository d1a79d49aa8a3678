//! Rotation: a new hook, key or signature secret, while the present one goes on for a time.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::change::{self, audited};
use super::fields::Fields;
use super::integrations::{check_built_in, new_key, with_secret};
use super::view::{self, Loaded};
use super::{draft, id_of};
use crate::app::App;
use crate::duration;
use crate::error::ApiError;
use crate::http::auth::{Caller, Scope};
use crate::id::Kind;
use crate::ingest::snapshot::CredentialKind;
use crate::secret::{Sealer, Secret};
use crate::store::credentials::{self, Owner};
use crate::store::{Conn, integrations};
use crate::time::Timestamp;

/// Seconds an old credential may go on: 90 days.
pub(super) const OVERLAP_MAX: i64 = 90 * 86_400;

/// What a rotation is to do.
pub struct Rotation {
    /// `key`, `secret` or `hook`.
    pub kind: CredentialKind,
    /// Seconds for which the present value goes on.
    pub overlap: i64,
    /// The new value, where it is not to be generated.
    pub value: Option<Secret>,
}

impl Rotation {
    /// Reads the body of `POST /integrations/{id}/rotate`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(mut fields: Fields) -> Result<Self, ApiError> {
        let kind = fields.word("what", &["key", "secret", "hook"], CredentialKind::parse);
        let kind = fields.required("what", kind);
        let overlap = fields.duration("overlap", OVERLAP_MAX).flatten().unwrap_or(86_400);
        let imported = draft::key(&mut fields, "key");
        let pasted = fields.text("signature_secret", draft::SECRET_MAX).flatten().map(Secret::new);
        if imported.is_some() && kind != Some(CredentialKind::Key) {
            fields.problem("key", "goes with \"what\": \"key\" only");
        }
        if pasted.is_some() && kind != Some(CredentialKind::Secret) {
            fields.problem("signature_secret", "goes with \"what\": \"secret\" only");
        }
        fields.finish()?;
        let kind = kind.ok_or_else(|| ApiError::field("what", "is required"))?;
        Ok(Self { kind, overlap, value: imported.or(pasted) })
    }
}

/// `POST /integrations/{id}/rotate`
pub async fn rotate(
    app: web::Data<App>,
    caller: Caller,
    path: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    caller.need(Scope::IntegrationsWrite)?;
    let id = id_of(Kind::Integration, &path)?;
    let fields = Fields::read(&request, payload).await?;
    let (who, sealer, now) = (caller.clone(), app.sealer.clone(), app.clock.now());
    let work = move |conn: &mut Conn| replace(conn, &who, &sealer, &id, fields, now);
    let (loaded, generated) = change::commit(&app, work).await?;
    Ok(HttpResponse::Ok().json(with_secret(view::integration(&app, &caller, &loaded), generated)))
}

/// The rotated integration, and the signature secret where one was generated.
fn replace(
    conn: &mut Conn,
    caller: &Caller,
    sealer: &Sealer,
    id: &str,
    fields: Fields,
    now: Timestamp,
) -> Result<(Loaded, Option<Secret>), ApiError> {
    let mut row = integrations::find(conn, &caller.tenant_id, id)?.ok_or(ApiError::NotFound)?;
    let rotation = Rotation::read(fields)?;
    check_built_in(&row, None)?;
    let given = rotation.value.is_some();
    let value = match (rotation.kind, rotation.value) {
        (CredentialKind::Key, key) => new_key(conn, caller, key, now)?,
        (_, Some(value)) => value,
        (kind, None) => credentials::generate(kind)?,
    };
    let owner = Owner { tenant_id: &caller.tenant_id, integration_id: id };
    credentials::rotate(conn, sealer, owner, (rotation.kind, &value), rotation.overlap, now)?;
    integrations::update(conn, &row, now)?;
    row.updated_at = now.0;
    let what = rotation.kind.as_str();
    let after = json!({"name": row.name, "what": what, "overlap": duration::print(rotation.overlap), "given": given});
    audited(conn, caller, ("integration.rotated", id), (None, Some(&after)), now)?;
    let generated = (rotation.kind == CredentialKind::Secret && !given).then_some(value);
    Ok((view::load_one(conn, row)?, generated))
}
