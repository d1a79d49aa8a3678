//! From a credential to its integration, and what happens when there is none.

use std::net::IpAddr;
use std::sync::Arc;

use super::refusal::{Reason, Refusal};
use super::snapshot::{Credential, CredentialKind, Integration, Snapshot, Token};
use crate::app::App;
use crate::secret::CredentialHash;
use crate::time::Timestamp;

/// The integration of a hook or key. One that is unknown in memory is looked up once in the store; `None`: nobody has it.
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
    if let Some(found) = known(&app.directory.snapshot(), kind, hash, now) {
        return Ok(Some(found));
    }
    again(app, hash, peer).await?;
    let found = known(&app.directory.snapshot(), kind, hash, now);
    if found.is_none() {
        app.shield.failed(peer);
    }
    Ok(found)
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
