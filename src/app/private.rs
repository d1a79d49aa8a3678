//! A service for as long as a command runs: on loopback, in a folder that goes with it, its clock moved by hand.

use anyhow::Context;
use tempfile::TempDir;

use super::{Running, start};
use crate::config::{self, Config, Flags};
use crate::ingest::snapshot::CredentialKind;
use crate::secret::Secret;
use crate::store::credentials::generate;
use crate::time::{Clock, Timestamp};

/// A running service that nobody else knows of.
pub struct Private {
    running: Running,
    /// Its clock.
    pub clock: Clock,
    /// A token with every scope.
    pub token: Secret,
    // Last, so that the files outlive what uses them.
    _folder: TempDir,
}

impl Private {
    /// Starts one whose clock stands at `at`. Of the environment only the folder of recipes counts.
    ///
    /// # Errors
    /// There is no room for its files, no free port, or a recipe is wrong.
    pub async fn start(at: Timestamp) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("callbox-").context("cannot make a folder for the private service")?;
        let token = generate(CredentialKind::Secret)?;
        let master_key = generate(CredentialKind::Secret)?;
        let settings = [
            ("CALLBOX_ADMIN_TOKEN", token.expose()),
            ("CALLBOX_MASTER_KEY", master_key.expose()),
            // Whoever asks is each sender in turn, and on a busy machine has patience.
            ("CALLBOX_SERVER_TRUSTED_PROXIES", "127.0.0.0/8"),
            ("CALLBOX_LIMITS_ANSWER_WITHIN", "8s"),
            ("CALLBOX_LIMITS_MAX_WAIT", "20s"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter();
        let recipes = config::environment().filter(|(name, _)| name.starts_with("CALLBOX_PROVIDERS_RECIPES"));
        let database = format!("sqlite:{}", folder.path().join("callbox.db").display());
        let flags = Flags { listen: Some("127.0.0.1:0".to_owned()), database: Some(database), ..Flags::default() };
        let config = Config::load(None, settings.chain(recipes), &flags)?;
        let clock = Clock::manual(at);
        let running = start(config, clock.clone()).await?;
        Ok(Self { running, clock, token, _folder: folder })
    }

    /// Its base URL.
    pub fn url(&self) -> &str {
        self.running.app.public_url()
    }

    /// Every tool that it knows.
    pub fn tools(&self) -> &'static crate::provider::Registry {
        self.running.app.tools
    }

    /// Stops it and removes its files.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}
