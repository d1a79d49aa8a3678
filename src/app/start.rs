//! Starting, serving and stopping.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use anyhow::Context;
use tokio::task::JoinHandle;

use super::keep::{self, Kept};
use super::retain::{self, Gauge};
use super::{App, recipes, tick};
use crate::config::{Config, Database};
use crate::http::body::Bodies;
use crate::http::server::{self, Face};
use crate::http::tls::Certificate;
use crate::ingest::commit::{Committer, Settings as Committing};
use crate::ingest::directory::Directory;
use crate::ingest::keys::Documents;
use crate::ingest::limit::{Limits, Shield};
use crate::ingest::own::Watch;
use crate::ingest::queue;
use crate::ingest::refusals::Refusals;
use crate::ingest::timers::Timers;
use crate::metrics::Metrics;
use crate::net::{Client, Guard, Plain};
use crate::outbox::{self, Outbox};
use crate::provider::Registry;
use crate::secret::{CredentialHash, Sealer, Secret};
use crate::store::{self, Settings, Store};
use crate::time::Clock;

/// Within this a key is fetched, or a subscription confirmed: the sender waits (SNS for 15 s).
const OUTBOUND_DEADLINE: Duration = Duration::from_secs(5);
/// Bytes of an answer: certificates and sets of keys have a few thousand.
const OUTBOUND_MOST: usize = 16 * 1024;

/// A service that is up.
pub struct Running {
    /// Its parts.
    pub app: Arc<App>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it listens for operators, when that is another place.
    pub admin_address: Option<SocketAddr>,
    servers: Vec<(ServerHandle, JoinHandle<std::io::Result<()>>)>,
    ticking: JoinHandle<()>,
    retaining: JoinHandle<()>,
    delivering: Option<outbox::Running>,
    grace: Duration,
    _kept: Kept,
}

/// As [`store_settings`], for a command: a URL that cannot be used is the caller's mistake.
///
/// # Errors
/// [`crate::cli::failure::Usage`].
pub fn open_store(config: &Config) -> anyhow::Result<Settings> {
    store_settings(config).map_err(|error| crate::cli::failure::usage(error.to_string()))
}

/// The database's settings from ours.
///
/// # Errors
/// The URL cannot be used.
pub fn store_settings(config: &Config) -> store::Result<Settings> {
    let mut settings = match &config.store.database {
        Database::Sqlite(path) => Settings::parse(&format!("sqlite:{}", path.display()))?,
        Database::Postgres(url) => Settings::parse(url.expose())?,
    };
    settings.pool_size = config.store.pool_size;
    settings.allow_unsafe = config.store.allow_unsafe;
    Ok(settings)
}

/// Starts everything; the listeners open after the first snapshot.
///
/// # Errors
/// The store, the master key, TLS or an address cannot be used; the text says which and what to do.
pub async fn start(config: Config, clock: Clock) -> anyhow::Result<Running> {
    // The certificate first: what is wrong with it should not leave files behind.
    let certificate = match (&config.server.tls_cert, &config.server.tls_key) {
        (Some(chain), Some(key)) => Some(Certificate::open(chain, key)?),
        _ => None,
    };
    let kept = keep::keep(&config)?;
    let (app, config, kept) = tokio::task::spawn_blocking(move || build(&config, clock, &kept).map(|app| (app, config, kept)))
        .await
        .context("starting was abandoned")??;
    let face = if config.server.admin_listen.is_some() { Face::Senders } else { Face::All };
    let mut servers = Vec::new();
    let mut open = |face, address| -> anyhow::Result<SocketAddr> {
        let (server, bound) = server::listen(&app, &config, face, address, certificate.as_ref())
            .with_context(|| format!("cannot listen on {address}"))?;
        servers.push((server.handle(), tokio::spawn(server)));
        Ok(bound)
    };
    let address = open(face, config.server.listen)?;
    let admin_address = config.server.admin_listen.map(|address| open(Face::Operators, address)).transpose()?;
    app.set_public_url(config.server.public_url.as_deref(), address, certificate.is_some());
    let ticking = tokio::spawn(tick::tick(Arc::clone(&app), certificate));
    let gauge = Gauge::of(&config.store.database);
    let retaining = tokio::spawn(retain::retain(Arc::clone(&app), config.retention.clone(), gauge));
    let guard = Guard::new(&config.outbound.allow);
    let delivering = match Client::new(guard, Plain::Inside, config.delivery.timeout, OUTBOUND_MOST) {
        Ok(client) => Some(outbox::start(&app, config.delivery.clone(), client).await?),
        // Said already, where the other client was made.
        Err(_) => None,
    };
    tracing::info!(address = %address, "listening");
    if let Some(address) = admin_address {
        tracing::info!(address = %address, "listening for operators");
    }
    Ok(Running {
        app,
        address,
        admin_address,
        servers,
        ticking,
        retaining,
        delivering,
        grace: config.shutdown.grace,
        _kept: kept,
    })
}

fn build(config: &Config, clock: Clock, kept: &Kept) -> anyhow::Result<Arc<App>> {
    let tools = recipes::load(config)?;
    let store = Store::open(open_store(config)?)?;
    let mut conn = store.writer()?;
    let sealer = Sealer::from_text(&master_key(kept, &config.store.database, &mut conn)?)?;
    store::facts::check_master_key(&mut conn, &sealer)?;
    store::numbered::join(&mut conn)?;
    let default_tenant: Arc<str> = store::tenants::ensure_default(&mut conn, clock.now())?.into();
    let mut admin_token = config.secrets.admin_token.clone();
    if let (None, Database::Sqlite(path)) = (&admin_token, &config.store.database) {
        admin_token = token_beside(&mut conn, path, &default_tenant, &clock)?;
    }
    drop(conn);
    let parts = Parts { store, sealer, clock, default_tenant, admin_token, tools };
    let app = assemble(parts, config)?;
    resume(&app)?;
    Ok(Arc::new(app))
}

/// The key that was found, or on the first start on a SQLite file a new one.
fn master_key(kept: &Kept, database: &Database, conn: &mut store::Conn) -> anyhow::Result<Secret> {
    match (&kept.master_key, database) {
        (Some(master_key), _) => Ok(master_key.clone()),
        (None, Database::Sqlite(path)) => keep::first_master_key(path, store::facts::has_master_key(conn)?),
        (None, Database::Postgres(_)) => anyhow::bail!("no master key"),
    }
}

/// What a service is assembled from.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// Seals and opens secrets.
    pub sealer: Sealer,
    /// The time.
    pub clock: Clock,
    /// The id of the default tenant.
    pub default_tenant: Arc<str>,
    /// The administrator's token from the settings.
    pub admin_token: Option<Secret>,
    /// Every tool that there is.
    pub tools: &'static Registry,
}

/// Puts a service together; nothing listens yet.
///
/// # Errors
/// The configuration cannot be read, or a thread cannot be started.
pub fn assemble(parts: Parts, config: &Config) -> anyhow::Result<App> {
    let Parts { store, sealer, clock, default_tenant, admin_token, tools } = parts;
    let metrics = Arc::new(Metrics::new());
    let limits = &config.limits;
    let settings = Committing {
        lanes: config.store.lanes,
        limits: queue::Limits { requests: limits.queue_requests, bytes: limits.queue_bytes },
        answer_within: limits.answer_within,
        max_wait: limits.max_wait,
    };
    let outbound = Client::new(Guard::new(&config.outbound.allow), Plain::Inside, OUTBOUND_DEADLINE, OUTBOUND_MOST);
    if let Err(failure) = &outbound {
        tracing::warn!(%failure, "nothing outside can be reached: signatures by published keys cannot be checked");
    }
    let references = Arc::new(config.outbound.references());
    Ok(App {
        committer: Committer::start(store.clone(), settings, &metrics)?,
        directory: Directory::open(store.clone(), sealer.clone(), tools, Arc::clone(&references))?,
        references,
        tools,
        store,
        sealer,
        clock,
        public_url: std::sync::OnceLock::new(),
        limits: Limits::default(),
        shield: Shield::default(),
        refusals: Refusals::default(),
        watch: Watch::default(),
        timers: Timers::default(),
        outbox: Outbox::default(),
        metrics,
        default_tenant,
        admin_token: admin_token.map(|token| CredentialHash::of(token.expose())),
        bodies: Bodies::new(limits.body_timeout, limits.body_budget, limits.answer_within),
        native_body: limits.native_body,
        rate_per_minute: limits.rate_per_minute,
        disk: retain::Status::default(),
        documents: Documents::new(outbound.clone()),
        outbound,
        sns_origins: config.providers.sns_origins.clone(),
        told_kept: config.retention.deliveries,
        trusted_proxies: config.server.trusted_proxies.clone(),
    })
}

/// On SQLite a first start needs no settings: without any token, an administrator's is written beside the file.
fn token_beside(
    conn: &mut store::Conn,
    database: &std::path::Path,
    tenant_id: &str,
    clock: &Clock,
) -> anyhow::Result<Option<Secret>> {
    let path = keep::beside(database, ".token");
    if !store::tokens::any_live(conn, tenant_id, clock.now())? {
        let token = store::tokens::create_admin(conn, tenant_id, "first administrator", clock.now())?;
        keep::write(&path, &token)?;
        tracing::info!(path = %path.display(), "an administrator's token was written");
    }
    Ok(None)
}

/// Takes up what was left open about ourselves.
fn resume(app: &App) -> store::Result<()> {
    let snapshot = app.directory.snapshot();
    for (tenant_id, own) in &snapshot.own {
        let id = own.id.to_string();
        for prefix in ["limited:", "store:"] {
            let keys = app.store.read_now(|conn| store::ingest::open_keys_like(conn, &id, prefix))?;
            keys.into_iter().for_each(|key| app.watch.resume(tenant_id, key));
        }
    }
    Ok(())
}

impl Running {
    /// Stops accepting, answers and commits what is in flight, writes what was put off.
    pub async fn stop(self) {
        // First of all, so that nothing stands in the way of what is in flight.
        self.retaining.abort();
        let stopping: Vec<_> = self.servers.iter().map(|(handle, _)| handle.stop(true)).collect();
        let stopped = async {
            for stop in stopping {
                stop.await;
            }
            for (_, server) in self.servers {
                let _ = server.await;
            }
        };
        if tokio::time::timeout(self.grace, stopped).await.is_err() {
            tracing::warn!("requests were still in flight when the grace time ended");
        }
        if let Some(delivering) = self.delivering {
            delivering.stop().await;
        }
        self.ticking.abort();
        let _ = self.ticking.await;
        tick::flush(&self.app, true).await;
        let app = self.app;
        let _ = tokio::task::spawn_blocking(move || app.committer.close()).await;
    }
}

/// Serves until SIGTERM or SIGINT; a second signal ends it at once.
///
/// # Errors
/// As [`start`].
pub async fn serve(config: Config, ready: impl AsyncFnOnce(&Running) -> anyhow::Result<()>) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let running = start(config, Clock::System).await?;
    ready(&running).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    tokio::select! {
        () = running.stop() => {}
        _ = terminate.recv() => anyhow::bail!("stopped by a second signal"),
        _ = interrupt.recv() => anyhow::bail!("stopped by a second signal"),
    }
    tracing::info!("stopped");
    Ok(())
}
