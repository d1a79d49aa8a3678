//! From a credential to its integration, and what happens when there is none.

use std::net::IpAddr;
use std::sync::Arc;

use super::refusal::{Reason, Refusal};
use super::snapshot::{Credential, CredentialKind, Integration, Snapshot, Token};
use crate::app::App;
use crate::secret::CredentialHash;
use crate::time::Timestamp;

/// The integration of a hook or key; the caller must look whether it is a deleted one. One that is unknown in memory is looked up
/// once in the store; `None`: nobody has it.
///
/// # Errors
/// [`Reason::Shielded`] for an address that failed too often, [`Reason::Unavailable`] when the store could not be asked: what is
/// unknown is then uncertain.
pub async fn credential(
    app: &App,
    kind: CredentialKind,
    hash: &CredentialHash,
    peer: IpAddr,
) -> Result<Option<(Arc<Integration>, Arc<Credential>)>, Refusal> {
    let now = app.clock.now();
    let found = known(&app.directory.snapshot(), kind, hash, now);
    let gone = match found {
        Some((integration, _)) if integration.deleted => Some(integration),
        Some(found) => return Ok(Some(found)),
        None => None,
    };
    // What is deleted costs what is unknown costs, and counts as it does: nobody can tell the two apart.
    again(app, hash, peer).await.map_err(|refusal| of_deleted(refusal, gone.as_ref()))?;
    let found = known(&app.directory.snapshot(), kind, hash, now);
    if found.as_ref().is_none_or(|(integration, _)| integration.deleted) {
        app.shield.failed(peer);
    }
    Ok(found)
}

/// An address that is told to wait has still posted to what was deleted, and the owner should know.
fn of_deleted(refusal: Refusal, gone: Option<&Arc<Integration>>) -> Refusal {
    match gone {
        Some(integration) if refusal.reason == Reason::Shielded => Refusal::deleted(refusal.reason, integration),
        _ => refusal,
    }
}

/// An API token, looked up like a hook or key.
///
/// # Errors
/// As [`credential`].
pub async fn token(app: &App, hash: &CredentialHash, peer: IpAddr) -> Result<Option<Token>, Refusal> {
    let now = app.clock.now();
    if let Some(token) = app.directory.snapshot().token(hash, now) {
        return Ok(Some(token.clone()));
    }
    again(app, hash, peer).await?;
    Ok(app.directory.snapshot().token(hash, now).cloned())
}

fn known(
    snapshot: &Snapshot,
    kind: CredentialKind,
    hash: &CredentialHash,
    now: Timestamp,
) -> Option<(Arc<Integration>, Arc<Credential>)> {
    let (integration, credential) = match kind {
        CredentialKind::Hook => snapshot.by_hook(hash, now),
        CredentialKind::Key => snapshot.by_key(hash, now),
        CredentialKind::Secret => None,
    }?;
    Some((Arc::clone(integration), Arc::clone(credential)))
}

async fn again(app: &App, hash: &CredentialHash, peer: IpAddr) -> Result<(), Refusal> {
    if app.shield.is_up(peer) {
        return Err(Refusal::new(Reason::Shielded, None));
    }
    let asked = app.directory.look_again(hash).await;
    if asked.is_err() || !app.directory.confirmed() {
        return Err(Refusal::new(Reason::Unavailable, None));
    }
    Ok(())
}

/// Counts a refusal against its sender's address where it is one of a failed proof; an address that failed too often is told to
/// wait instead.
pub fn failed(app: &App, peer: IpAddr, refusal: Refusal) -> Refusal {
    if !refusal.reason.suspicious() {
        return refusal;
    }
    let up = app.shield.is_up(peer);
    app.shield.failed(peer);
    if up { Refusal { reason: Reason::Shielded, ..refusal } } else { refusal }
}
