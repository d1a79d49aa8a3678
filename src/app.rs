//! Wiring: the parts of a running service, and what starts and stops them.

use std::sync::Arc;

use crate::incident::Outcome;
use crate::ingest::commit::Committer;
use crate::ingest::directory::Directory;
use crate::ingest::limit::{Limits, Shield};
use crate::ingest::own::Watch;
use crate::ingest::refusals::Refusals;
use crate::ingest::submission::{Receipt, Refused, Submission};
use crate::ingest::timers::Timers;
use crate::metrics::Metrics;
use crate::secret::{CredentialHash, Sealer};
use crate::store::Store;
use crate::time::{Clock, Timestamp};

/// The running service, shared by all handlers.
pub struct App {
    /// The database, for reading.
    pub store: Store,
    /// The way to write.
    pub committer: Committer,
    /// The configuration in memory.
    pub directory: Directory,
    /// Seals and opens secrets.
    pub sealer: Sealer,
    /// The time.
    pub clock: Clock,
    /// What printed URLs begin with, without a slash at the end.
    pub public_url: String,
    /// Requests a minute of each integration.
    pub limits: Limits,
    /// Failures a minute of each address.
    pub shield: Shield,
    /// Refusals that wait to be written.
    pub refusals: Refusals,
    /// What we have raised about ourselves.
    pub watch: Watch,
    /// When the next timer runs out.
    pub timers: Timers,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// The tenant that the administrator's token speaks for, and that refusals of nobody are charged to.
    pub default_tenant: Arc<str>,
    /// The administrator's token from the settings.
    pub admin_token: Option<CredentialHash>,
}

impl App {
    /// Commits a submission, and notes what timers and metrics need of it.
    ///
    /// # Errors
    /// See [`Committer::submit`].
    pub async fn commit(&self, submission: Submission) -> Result<Receipt, Refused> {
        let integration = self.directory.snapshot().integrations.get(&submission.integration_id).cloned();
        let received_at = submission.received_at;
        let expires = submission.items.iter().filter_map(|item| item.expires_at()).min();
        let receipt = self.committer.submit(submission).await?;
        let soonest = integration.as_ref().and_then(|integration| integration.timers.shortest());
        let kind = integration.as_ref().map_or("", |integration| integration.meta().kind);
        for event in &receipt.events {
            self.metrics.event(kind, event.outcome);
            if matches!(event.outcome, Outcome::Opened | Outcome::Unmapped | Outcome::Acknowledged | Outcome::Quarantined) {
                soonest.into_iter().for_each(|after| self.timers.by(received_at.plus_seconds(after)));
            }
        }
        expires.into_iter().for_each(|at: Timestamp| self.timers.by(at.plus_seconds(crate::ingest::timers::EXPIRY_GRACE)));
        Ok(receipt)
    }

    /// The tenant of the administrator's token from the settings, if this is it.
    pub fn administrator(&self, hash: &CredentialHash) -> Option<Arc<str>> {
        self.admin_token.filter(|token| token.matches(hash)).map(|_| Arc::clone(&self.default_tenant))
    }
}
