//! Wiring: the parts of a running service, and what starts and stops them.

mod commands;
mod doctor;
mod keep;
mod private;
mod recipes;
pub mod retain;
mod start;
mod tick;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use ipnet::IpNet;
use url::Url;

use crate::duration::Span;
use crate::http::body::Bodies;
use crate::incident::Outcome;
use crate::ingest::commit::Committer;
use crate::ingest::directory::Directory;
use crate::ingest::keys::Documents;
use crate::ingest::limit::{Limits, Shield};
use crate::ingest::own::Watch;
use crate::ingest::refusals::Refusals;
use crate::ingest::submission::{Receipt, Refused, Submission};
use crate::ingest::timers::Timers;
use crate::metrics::Metrics;
use crate::net::{Client, Failure};
use crate::outbox::Outbox;
use crate::provider::Registry;
use crate::secret::reference::References;
use crate::secret::{CredentialHash, Sealer};
use crate::store::Store;
use crate::time::{Clock, Timestamp};

pub use commands::{create_admin_token, doctor, migrate, serve};
pub use keep::{Kept, keep};
pub use private::Private;
pub use recipes::read as read_recipe;
pub use start::{Parts, Running, assemble, open_store, start, store_settings};

/// The running service, shared by all handlers.
pub struct App {
    /// The database, for reading.
    pub store: Store,
    /// The way to write.
    pub committer: Committer,
    /// Every tool that there is.
    pub tools: &'static Registry,
    /// The configuration in memory.
    pub directory: Directory,
    /// Seals and opens secrets.
    pub sealer: Sealer,
    /// What secrets may name.
    pub references: Arc<References>,
    /// The time.
    pub clock: Clock,
    public_url: OnceLock<String>,
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
    /// The engine of delivery.
    pub outbox: Outbox,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// The tenant that the administrator's token speaks for, and that refusals of nobody are charged to.
    pub default_tenant: Arc<str>,
    /// The administrator's token from the settings.
    pub admin_token: Option<CredentialHash>,
    /// How bodies are read.
    pub bodies: Bodies,
    /// Bytes of a native body, where its integration does not say otherwise.
    pub native_body: usize,
    /// Requests a minute of a new integration.
    pub rate_per_minute: u32,
    /// What was last seen of the database's disk.
    pub disk: retain::Status,
    /// The way to the outside; without it, why there is none.
    pub outbound: Result<Client, Failure>,
    /// The keys of senders that publish theirs.
    pub documents: Documents,
    /// Where SNS is besides Amazon's own.
    pub sns_origins: Vec<Url>,
    /// For how long it is known what was told of incidents that are over.
    pub told_kept: Span,
    /// Proxies that are believed about who sent a request.
    pub trusted_proxies: Vec<IpNet>,
}

impl App {
    /// What printed URLs begin with, without a slash at the end; never taken from a request.
    pub fn public_url(&self) -> &str {
        self.public_url.get().map_or("", String::as_str)
    }

    /// Settles it, once: as set, or where the service listens.
    pub fn set_public_url(&self, set: Option<&str>, address: SocketAddr, tls: bool) {
        let scheme = if tls { "https" } else { "http" };
        let url = set.map_or_else(|| format!("{scheme}://{address}"), |url| url.trim_end_matches('/').to_owned());
        let _ = self.public_url.set(url);
    }

    /// Commits a submission, and notes what timers and metrics need of it.
    ///
    /// # Errors
    /// See [`Committer::submit`].
    pub async fn commit(&self, submission: Submission) -> Result<Receipt, Refused> {
        let integration = self.directory.snapshot().integrations.get(&submission.integration_id).cloned();
        let received_at = submission.received_at;
        let expires = submission.items.iter().filter_map(|item| item.expires_at()).min();
        let tells = submission.tells;
        let receipt = self.committer.submit(submission).await?;
        if tells {
            self.outbox.ring();
        }
        let soonest = integration.as_ref().and_then(|integration| integration.timers.shortest());
        let kind = integration.as_ref().map_or("", |integration| integration.meta().kind);
        for event in &receipt.events {
            self.metrics.event(kind, event.outcome.as_str());
            if matches!(event.outcome, Outcome::Opened | Outcome::Unmapped | Outcome::Acknowledged | Outcome::Quarantined) {
                soonest.into_iter().for_each(|after| self.timers.by(received_at.plus_seconds(after)));
            }
        }
        expires.into_iter().for_each(|at: Timestamp| self.timers.by(at.plus_seconds(crate::ingest::timers::EXPIRY_GRACE)));
        Ok(receipt)
    }

    /// Since when it is known of every incident what was told of it; of open ones it always is.
    pub fn told_since(&self) -> Timestamp {
        if self.told_kept.is_off() { Timestamp(0) } else { self.clock.now().plus_seconds(-self.told_kept.seconds()) }
    }

    /// The tenant of the administrator's token from the settings, if this is it.
    pub fn administrator(&self, hash: &CredentialHash) -> Option<Arc<str>> {
        self.admin_token.filter(|token| token.matches(hash)).map(|_| Arc::clone(&self.default_tenant))
    }
}
