//! The servers that are measured: started on free loopback ports, made ready, stopped.

mod api;
mod programs;
mod store;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::process::Usage;
use crate::workload::Target;
use programs::{alertmanager, callbox, free_address, fresh_database};

pub use programs::Programs;

/// What is started.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Debian's Alertmanager, in memory.
    Alertmanager,
    /// Callbox on SQLite.
    Sqlite,
    /// Callbox on PostgreSQL.
    Postgres,
    /// Callbox whose committer answers at once: everything but the store.
    Bare,
}

impl Kind {
    /// What the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alertmanager => "Alertmanager",
            Self::Sqlite => "Callbox, SQLite",
            Self::Postgres => "Callbox, PostgreSQL",
            Self::Bare => "Callbox, bare",
        }
    }
}

/// A running server. Stopped when dropped.
pub struct Server {
    /// What it is.
    pub kind: Kind,
    /// Where it listens.
    pub address: String,
    /// Whom requests are made for.
    pub target: Target,
    /// From its start until it said that it is ready.
    pub started_in: Duration,
    child: Child,
    database: Option<String>,
    postmaster: Option<u32>,
    folder: TempDir,
    client: reqwest::Client,
}

impl Server {
    /// Starts a server on an empty store.
    ///
    /// # Errors
    /// It does not start or does not get ready.
    pub async fn start(kind: Kind, programs: &Programs) -> anyhow::Result<Self> {
        Self::start_with(kind, programs, &[]).await
    }

    /// The same with environment variables of its own.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(kind: Kind, programs: &Programs, environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix_in("callbox-bench-", &programs.folder)?;
        let address = free_address()?;
        let begun = Instant::now();
        let (child, database, postmaster) = match kind {
            Kind::Alertmanager => (alertmanager(folder.path(), &address)?, None, None),
            Kind::Postgres => {
                let cluster = programs.postgres.as_deref().context("no PostgreSQL cluster was given")?;
                let (database, postmaster) = fresh_database(cluster)?;
                (callbox(programs, &address, &database, environment)?, Some(database), Some(postmaster))
            }
            Kind::Sqlite | Kind::Bare => {
                let database = format!("sqlite:{}", folder.path().join("callbox.db").display());
                let bare: &[_] = &[("BENCH_BARE", "true")];
                let environment = if kind == Kind::Bare { bare } else { environment };
                (callbox(programs, &address, &database, environment)?, Some(database), None)
            }
        };
        let target = Target::Alertmanager;
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        let started_in = Duration::ZERO;
        let mut server = Self { kind, address, target, started_in, child, database, postmaster, folder, client };
        server.ready(begun).await?;
        if kind != Kind::Alertmanager {
            server.target = server.provision().await?;
        }
        Ok(server)
    }

    /// Stops the server and starts it again on the same store; how long that took is in `started_in`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn restart(&mut self, programs: &Programs, environment: &[(&str, &str)]) -> anyhow::Result<()> {
        self.stop();
        self.address = free_address()?;
        let database = self.database.clone().context("only Callbox is restarted")?;
        let begun = Instant::now();
        self.child = callbox(programs, &self.address, &database, environment)?;
        self.ready(begun).await
    }

    async fn ready(&mut self, begun: Instant) -> anyhow::Result<()> {
        let path = if self.kind == Kind::Alertmanager { "/-/ready" } else { "/readyz" };
        while begun.elapsed() < Duration::from_secs(30) {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended: {status}", self.kind.name());
            }
            let answer = self.client.get(format!("http://{}{path}", self.address)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                self.started_in = begun.elapsed();
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bail!("{} did not get ready", self.kind.name())
    }

    /// What the server and its database's processes have used so far.
    pub fn usage(&self) -> Usage {
        let roots: Vec<u32> = [self.child.id()].into_iter().chain(self.postmaster).collect();
        Usage::of(&roots)
    }

    /// Bytes of memory that the server holds, without its database's processes.
    pub fn own_memory(&self) -> u64 {
        Usage::of(&[self.child.id()]).memory
    }

    fn stop(&mut self) {
        // Ours alone, by its id; asked first, so that it ends as it would in service.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).stderr(Stdio::null()).status();
        let patience = Instant::now() + Duration::from_secs(10);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
