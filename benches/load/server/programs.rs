//! The programs, and how each is started.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use diesel::{Connection, PgConnection, RunQueryDsl};

/// The administrator's token of the services.
pub(super) const TOKEN: &str = "an-admin-token-that-only-the-benchmark-uses";
const MASTER_KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

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

pub(super) fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

pub(super) fn callbox(programs: &Programs, address: &str, database: &str, environment: &[(&str, &str)]) -> anyhow::Result<Child> {
    let mut command = Command::new(&programs.callbox);
    command.args(["serve", "--listen", address, "--database", database]).env_clear();
    command.env("CALLBOX_ADMIN_TOKEN", TOKEN).env("CALLBOX_MASTER_KEY", MASTER_KEY);
    command.envs(environment.iter().copied());
    // Logging is on, a line a request as by default; what is not measured is a disk full of them.
    let log = if std::env::var_os("CALLBOX_BENCH_LOG").is_some() { Stdio::inherit() } else { Stdio::null() };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().with_context(|| programs.callbox.display().to_string())
}

pub(super) fn alertmanager(folder: &Path, address: &str) -> anyhow::Result<Child> {
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
pub(super) fn fresh_database(cluster: &str) -> anyhow::Result<(String, u32)> {
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
