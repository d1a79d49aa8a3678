//! Why a credential did not hold, for the ledger and for explain: what the sender is never told.
//!
//! A refused request is looked into after it was answered, and only when it becomes a row of the ledger, of which there are ten a
//! minute: so nobody can make the service work by failing, nor learn anything from how long an answer takes.

use std::sync::Arc;

use super::inbound::{Inbound, Route};
use super::native;
use super::refusal::{Reason, Refusal};
use super::snapshot::{CredentialKind, Integration, Policy};
use crate::secret::{CredentialHash, Sealer, Secret};
use crate::signature::{self, Scheme, SignatureTrace, Suspects};
use crate::store::credentials::{self, Owner};
use crate::store::{Conn, Result};

/// Causes that are told of one request.
const TOLD_MAX: usize = 4;

/// What is needed to look into a refusal later.
pub struct Clue {
    integration: Arc<Integration>,
    inbound: Inbound,
}

impl Clue {
    /// Of a refusal over a credential whose integration is known; its owner can be told more than that.
    pub fn of(refusal: &Refusal, inbound: &Inbound) -> Option<Self> {
        let integration = refusal.integration.as_ref().filter(|integration| !integration.deleted)?;
        matches!(refusal.reason, Reason::Unauthorized(_) | Reason::UnknownKey)
            .then(|| Self { integration: Arc::clone(integration), inbound: inbound.clone() })
    }

    /// Why it was refused: the problem, then what likely causes it; empty when there is nothing to add.
    ///
    /// # Errors
    /// The credentials cannot be read.
    pub fn told(&self, conn: &mut Conn, sealer: &Sealer) -> Result<String> {
        let (integration, inbound) = (&self.integration, &self.inbound);
        let (problem, causes) = if integration.signed() {
            let trace = trace(integration, inbound, &suspects(conn, sealer, integration)?);
            let mut causes = trace.causes.into_iter();
            (causes.next().unwrap_or_default(), causes.collect())
        } else {
            key(integration, inbound)
        };
        let causes: Vec<String> = causes.into_iter().take(TOLD_MAX).collect();
        Ok(if causes.is_empty() { problem } else { format!("{problem}: {}", causes.join("; ")) })
    }
}

/// How the signature of a request was checked, and why it did not hold.
pub fn trace(integration: &Integration, inbound: &Inbound, suspects: &Suspects) -> SignatureTrace {
    let now = inbound.received_at;
    let secrets: Vec<Secret> = integration.secrets(now).into_iter().map(|(_, secret)| secret).collect();
    // Where the credential is a key in the body, only the generic signature counts.
    let scheme = if inbound.route == Route::Native { native::scheme(integration, inbound) } else { &Scheme::Generic };
    let expired = integration.credentials.iter().filter(|credential| !credential.live(now));
    let expired = expired.filter_map(|credential| credential.secret.clone()).collect();
    signature::explain(scheme, &inbound.headers, &inbound.body, &secrets, &Suspects { expired, ..suspects.clone() }, now)
}

/// What the sender may have taken for the signature secret. A hook or key that does not open is none.
///
/// # Errors
/// The credentials cannot be read.
pub fn suspects(conn: &mut Conn, sealer: &Sealer, integration: &Integration) -> Result<Suspects> {
    let owner = Owner { tenant_id: &integration.tenant_id, integration_id: &integration.id };
    let all = credentials::of(conn, owner)?;
    let of = |kind: CredentialKind| {
        all.iter()
            .filter(|credential| credential.kind == kind.as_str())
            .filter_map(|credential| credential.open(sealer).ok())
            .collect()
    };
    Ok(Suspects { hooks: of(CredentialKind::Hook), keys: of(CredentialKind::Key), expired: Vec::new() })
}

/// The same where the key is demanded: the problem, and what stands in its place.
pub fn key(integration: &Integration, inbound: &Inbound) -> (String, Vec<String>) {
    let problem = match native::authorise(integration, inbound) {
        Err(reason) => reason.to_string(),
        Ok(_) => return (String::new(), Vec::new()),
    };
    if integration.policy != Policy::Key {
        return (problem, Vec::new());
    }
    let presented = signature::presented_keys(&inbound.headers, &inbound.query, integration.meta().key_headers);
    let known = |text: &str| {
        let hash = CredentialHash::of(text);
        integration.credentials.iter().find(|credential| credential.hash.is_some_and(|have| have.matches(&hash)))
    };
    let mut causes: Vec<String> = presented
        .iter()
        .filter_map(|presented| {
            let what = match known(presented.key.expose())?.kind {
                CredentialKind::Key => "a key whose overlap is over: give the sender the present one",
                CredentialKind::Hook => "the token of the URL (integrationId), not the routing key",
                CredentialKind::Secret => return None,
            };
            Some(format!("`{}` holds {what}", presented.place))
        })
        .collect();
    if presented.is_empty() && inbound.headers.get("authorization").is_some() {
        causes.push("`authorization` is there, but neither as Bearer, as Basic nor as `Token token=`".to_owned());
    }
    (problem, causes)
}
