//! The servers that are measured: started on free loopback ports, made ready, stopped.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use diesel::{Connection, PgConnection, RunQueryDsl, SqliteConnection};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Usage;
use crate::workload::{Endpoint, Endpoints, Target, mapping};

const TOKEN: &str = "an-admin-token-that-only-the-benchmark-uses";
const MASTER_KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
/// Integrations that the mix is spread over.
const MIX: usize = 100;

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

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `callbox`, built with the feature `bench`.
    pub callbox: PathBuf,
    /// The DSN of a PostgreSQL cluster in which databases can be made.
    pub postgres: Option<String>,
    /// Where databases lie.
    pub folder: PathBuf,
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
    pub async fn start_with(
        kind: Kind,
        programs: &Programs,
        environment: &[(&'static str, &'static str)],
    ) -> anyhow::Result<Self> {
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
        let mut server = Self { kind, address, target, started_in: Duration::ZERO, child, database, postmaster, folder };
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
    pub async fn restart(&mut self, programs: &Programs) -> anyhow::Result<()> {
        self.stop();
        self.address = free_address()?;
        let database = self.database.clone().context("only Callbox is restarted")?;
        let begun = Instant::now();
        self.child = callbox(programs, &self.address, &database, &[])?;
        self.ready(begun).await
    }

    async fn ready(&mut self, begun: Instant) -> anyhow::Result<()> {
        let path = if self.kind == Kind::Alertmanager { "/-/ready" } else { "/readyz" };
        let client = client()?;
        while begun.elapsed() < Duration::from_secs(30) {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended: {status}", self.kind.name());
            }
            let answer = client.get(format!("http://{}{path}", self.address)).send().await;
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

    /// Makes the integrations that the workloads post to, none of them limited.
    async fn provision(&self) -> anyhow::Result<Target> {
        let mut mix = Vec::new();
        for number in 0..MIX {
            let kind = ["events", "alertmanager", "grafana", "datadog", "webhook"].get(number % 5).copied().unwrap_or("events");
            mix.push(self.integration(kind, &format!("mix-{number}"), false).await?);
        }
        Ok(Target::Callbox(Box::new(Endpoints {
            events: self.integration("events", "events", false).await?,
            groups: self.integration("alertmanager", "groups", false).await?,
            signed: self.integration("webhook", "signed", true).await?,
            mix,
        })))
    }

    /// Makes one integration without a rate limit.
    ///
    /// # Errors
    /// The service refuses.
    pub async fn integration(&self, kind: &str, name: &str, signed: bool) -> anyhow::Result<Endpoint> {
        let mut fields = json!({"type": kind, "name": name, "rate_limit_per_minute": 0});
        if let Some(map) = fields.as_object_mut() {
            if kind == "webhook" {
                map.insert("options".into(), json!({"mapping": mapping()}));
            }
            if signed {
                map.insert("generate_secret".into(), true.into());
            }
        }
        let answer = client()?
            .post(format!("http://{}/api/v1/integrations", self.address))
            .bearer_auth(TOKEN)
            .json(&fields)
            .send()
            .await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        ensure!(status.is_success(), "creating {kind}: {status} {body}");
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let url = url::Url::parse(&text("url").context("no URL")?)?;
        let path = if kind == "events" {
            "/v2/enqueue".to_owned()
        } else {
            format!("{}?{}", url.path(), url.query().unwrap_or_default())
        };
        Ok(Endpoint { kind: kind.to_owned(), path, key: text("key").context("no key")?, secret: text("signature_secret") })
    }

    /// Reads a page of incidents, as an operator's client would.
    ///
    /// # Errors
    /// The service does not answer 200.
    pub async fn page(&self, cursor: Option<&str>) -> anyhow::Result<Option<String>> {
        let mut url = url::Url::parse(&format!("http://{}/api/v1/incidents?limit=100", self.address))?;
        if let Some(cursor) = cursor {
            url.query_pairs_mut().append_pair("cursor", cursor);
        }
        let body: Value = client()?.get(url).bearer_auth(TOKEN).send().await?.error_for_status()?.json().await?;
        Ok(body.get("next").and_then(Value::as_str).map(str::to_owned))
    }

    /// Ends the server and returns the bytes of its SQLite file after a checkpoint and a VACUUM.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn vacuumed_size(mut self) -> anyhow::Result<u64> {
        self.stop();
        let path = self.folder.path().join("callbox.db");
        let mut conn = SqliteConnection::establish(&path.to_string_lossy())?;
        diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut conn)?;
        diesel::sql_query("VACUUM").execute(&mut conn)?;
        diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut conn)?;
        drop(conn);
        Ok(fs::metadata(&path)?.len())
    }

    /// Lets what a bulk load left behind be written, so that the next figures are not about that.
    ///
    /// # Errors
    /// The database is gone.
    pub async fn settle(&self) -> anyhow::Result<()> {
        if let (Kind::Postgres, Some(database)) = (self.kind, &self.database) {
            let mut conn = PgConnection::establish(database)?;
            diesel::sql_query("VACUUM ANALYZE").execute(&mut conn)?;
            diesel::sql_query("CHECKPOINT").execute(&mut conn)?;
        }
        Command::new("sync").status()?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(())
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

fn client() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?)
}

fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

fn callbox(programs: &Programs, address: &str, database: &str, environment: &[(&str, &str)]) -> anyhow::Result<Child> {
    let mut command = Command::new(&programs.callbox);
    command.args(["serve", "--listen", address, "--database", database]).env_clear();
    command.env("CALLBOX_ADMIN_TOKEN", TOKEN).env("CALLBOX_MASTER_KEY", MASTER_KEY);
    command.envs(environment.iter().copied());
    // Logging is on, a line a request as by default; what is not measured is a disk full of them.
    let log = if std::env::var_os("CALLBOX_BENCH_LOG").is_some() { Stdio::inherit() } else { Stdio::null() };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().with_context(|| programs.callbox.display().to_string())
}

fn alertmanager(folder: &Path, address: &str) -> anyhow::Result<Child> {
    let config = folder.join("alertmanager.yml");
    fs::write(
        &config,
        "route:\n  receiver: none\n  group_by: [alertname]\n  group_wait: 30s\n  group_interval: 5m\n  repeat_interval: 12h\nreceivers:\n  - name: none\n",
    )?;
    Command::new("prometheus-alertmanager")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", folder.join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .args(["--cluster.listen-address=", "--log.level=warn"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("prometheus-alertmanager (scripts/setup-tests installs it)")
}

/// A new database, and the process id of the cluster's first process.
fn fresh_database(cluster: &str) -> anyhow::Result<(String, u32)> {
    #[derive(diesel::QueryableByName)]
    struct Backend {
        #[diesel(sql_type = diesel::sql_types::Integer)]
        pid: i32,
    }
    let mut conn = PgConnection::establish(cluster)?;
    let name = format!("bench_{}", jiff::Timestamp::now().as_microsecond());
    diesel::sql_query(format!("CREATE DATABASE {name}")).execute(&mut conn)?;
    let backend: Backend = diesel::sql_query("SELECT pg_backend_pid() AS pid").get_result(&mut conn)?;
    let stat = fs::read_to_string(format!("/proc/{}/stat", backend.pid))?;
    let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
    let mut url = url::Url::parse(cluster)?;
    url.set_path(&name);
    Ok((url.into(), parent.context("the parent of a backend")?))
}
