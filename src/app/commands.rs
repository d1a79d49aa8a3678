//! What the commands do that run where the service runs: serve, migrate, doctor, the first token.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use futures_util::FutureExt as _;

use super::{App, Running, keep, open_store, start};
use crate::cli::connect::DEV_FILE;
use crate::cli::failure::usage;
use crate::cli::local::{DatabaseArgs, DoctorArgs, ServeArgs};
use crate::cli::output::Output;
use crate::config::{self, Config, Database, Flags, LogFormat};
use crate::ingest::snapshot::CredentialKind;
use crate::secret::{CredentialHash, Secret};
use crate::store::{self, Store};
use crate::telemetry;
use crate::time::Clock;

/// The name of the integration that `serve --dev` makes.
const DEMO: &str = "demo";

/// Runs the service until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting; a wrong setting is exit code 2.
pub fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let mut config = load(args.config.as_deref(), &args.flags())?;
    if args.dev {
        if let Database::Postgres(_) = config.store.database {
            return Err(usage("--dev is for SQLite; PostgreSQL needs the settings of a real service"));
        }
        if !config.server.listen.ip().is_loopback() {
            return Err(usage("--dev listens on loopback only"));
        }
        config.log.format = LogFormat::Text;
        config.log.level = tracing::Level::WARN;
    }
    telemetry::init(&config.log)?;
    config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let database = config.store.database.clone();
    let welcome = async move |running: &Running| {
        if args.dev { welcome(running, &database).await } else { Ok(()) }
    };
    // Boxed: a runtime has three ways to wait, and each would be compiled with a copy of the service.
    runtime()?.block_on(start::serve(config, welcome).boxed_local())
}

fn load(file: Option<&Path>, flags: &Flags) -> anyhow::Result<Config> {
    let file = file.filter(|file| !file.as_os_str().is_empty());
    Config::load(file, config::environment(), flags).map_err(|error| usage(error.to_string()))
}

/// The HTTP library brings threads of its own for requests; these are for the rest.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

/// What `--dev` prints: a curl that opens an incident at once, and what to do next.
async fn welcome(running: &Running, database: &Database) -> anyhow::Result<()> {
    let Database::Sqlite(path) = database else { return Ok(()) };
    let app = &running.app;
    let token = administrator(app, path).await?;
    let key = demo_key(app).await?;
    let url = app.public_url();
    let file = path.parent().map_or_else(|| PathBuf::from(DEV_FILE), |folder| folder.join(DEV_FILE));
    let text = serde_json::json!({"url": url, "token": token.expose()}).to_string();
    keep::write(&file, &Secret::new(text))?;
    let key = key.expose();
    let text = format!(
        "Callbox listens on {url}, and keeps everything in {}.\n\n\
         Open an incident:\n\n  \
         curl -sS {url}/v2/enqueue -d '{{\"routing_key\":\"{key}\",\"event_action\":\"trigger\",\"dedup_key\":\"demo-1\",\
         \"payload\":{{\"summary\":\"The disk of db1 is 95% full\",\"source\":\"db1\",\"severity\":\"critical\"}}}}'\n\n\
         See it, in a second terminal in this folder:\n\n  callbox incident list\n\n\
         Close it:\n\n  \
         curl -sS {url}/v2/enqueue -d '{{\"routing_key\":\"{key}\",\"event_action\":\"resolve\",\"dedup_key\":\"demo-1\"}}'\n\n\
         Point a real tool at it:\n\n  callbox integration create alertmanager --name prod\n",
        path.display()
    );
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("cannot print")
}

/// The administrator's token: the one beside the database, or a new one where that file is gone or its token does not hold any more.
async fn administrator(app: &Arc<App>, database: &Path) -> anyhow::Result<Secret> {
    let path = keep::beside(database, ".token");
    let (tenant_id, now) = (app.default_tenant.to_string(), app.clock.now());
    let holds = |token: &Secret| app.directory.snapshot().token(&CredentialHash::of(token.expose()), now).is_some();
    if let Some(token) = keep::read(&path)?.filter(holds) {
        return Ok(token);
    }
    let make = move |conn: &mut store::Conn| store::tokens::create_admin(conn, &tenant_id, "serve --dev", now);
    let store = app.store.clone();
    let token = tokio::task::spawn_blocking(move || store.writer().and_then(|mut conn| make(&mut conn)))
        .await
        .context("making a token was abandoned")??;
    app.directory.refresh().await?;
    keep::write(&path, &token)?;
    Ok(token)
}

/// The routing key of the demo integration, which is made once.
async fn demo_key(app: &Arc<App>) -> anyhow::Result<Secret> {
    let (tenant_id, sealer, now) = (app.default_tenant.to_string(), app.sealer.clone(), app.clock.now());
    let key = app
        .committer
        .write(move |conn| {
            let id = match store::integrations::find_by_name(conn, &tenant_id, DEMO)? {
                Some(integration) => integration.id,
                None => store::integrations::create_demo(conn, &sealer, &tenant_id, DEMO, now)?,
            };
            let owner = store::credentials::Owner { tenant_id: &tenant_id, integration_id: &id };
            let live = store::credentials::of(conn, owner)?;
            let key = live.iter().find(|have| have.kind == CredentialKind::Key.as_str() && have.live(now));
            key.map(|key| key.open(&sealer)).transpose()
        })
        .await?;
    app.directory.refresh().await?;
    key.ok_or_else(|| anyhow!("the integration `{DEMO}` has no live key"))
}

/// Brings the schema of the database up to date. Returns which it was, without its password.
///
/// # Errors
/// The settings are wrong, the database cannot be opened, or a migration fails.
pub fn migrate(args: &DatabaseArgs) -> anyhow::Result<String> {
    let config = load(args.config.as_deref(), &args.flags())?;
    Store::open(open_store(&config)?)?;
    Ok(shown(&config.store.database))
}

/// A database as people know it: the file, or host and name.
fn shown(database: &Database) -> String {
    match database {
        Database::Sqlite(path) => path.display().to_string(),
        Database::Postgres(secret) => match url::Url::parse(secret.expose()) {
            Ok(url) => format!("PostgreSQL {}{}", url.host_str().unwrap_or_default(), url.path()),
            Err(_) => "PostgreSQL".to_owned(),
        },
    }
}

/// Makes a token with every scope straight in the database, for the first access to a new installation.
///
/// # Errors
/// The settings are wrong, or the database cannot be opened or written.
pub fn create_admin_token(args: &DatabaseArgs, name: &str) -> anyhow::Result<Secret> {
    let config = load(args.config.as_deref(), &args.flags())?;
    let store = Store::open(open_store(&config)?)?;
    let mut conn = store.writer()?;
    let now = Clock::System.now();
    let tenant_id = store::tenants::ensure_default(&mut conn, now)?;
    Ok(store::tokens::create_admin(&mut conn, &tenant_id, name, now)?)
}

/// Checks settings and database, and prints what it finds.
///
/// # Errors
/// At least one check failed.
pub fn doctor(args: &DoctorArgs, out: &Output) -> anyhow::Result<()> {
    let config = load(args.database.config.as_deref(), &args.database.flags())?;
    let findings = super::doctor::examine(&config);
    if out.is_json() {
        let checks: Vec<serde_json::Value> = findings.iter().map(super::doctor::Finding::to_json).collect();
        out.json(&serde_json::json!({ "checks": checks }))?;
    } else {
        findings.iter().try_for_each(|finding| out.text(&finding.to_string()))?;
    }
    let failed = findings.iter().filter(|finding| finding.failed()).count();
    if failed > 0 { Err(anyhow!("{failed} of {} checks failed", findings.len())) } else { Ok(()) }
}
