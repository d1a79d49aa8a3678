//! Wiring: what every handler can reach.

use std::sync::Arc;

use crate::ingest::commit::Committer;
use crate::ingest::directory::Directory;
use crate::secret::{CredentialHash, Sealer};
use crate::store::Store;
use crate::time::Clock;

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
    /// The tenant called `default`.
    pub default_tenant: Arc<str>,
    /// The token with every scope that the environment gives, for the default tenant.
    pub admin_token: Option<CredentialHash>,
}
