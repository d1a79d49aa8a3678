//! The list of all settings: name, variable, and how a text becomes the value. A new one is a line here, a field, and its
//! default with an explanation in `config.default.toml`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::{Config, Database, Delivery, Limits, Log, LogFormat, Outbound, Providers, Secrets, Server, Shutdown, Store, values};
use crate::retention::Policy;
use crate::secret::Secret;

/// One setting.
pub(super) struct Setting {
    /// `server.listen`.
    pub(super) key: &'static str,
    /// A variable besides the one made of section and key.
    pub(super) short_variable: Option<&'static str>,
    /// Whether an empty text means "not set".
    pub(super) optional: bool,
    /// Whether `<key>_file` names a file that holds the value.
    pub(super) may_be_in_file: bool,
    /// Puts the value where it belongs.
    pub(super) set: fn(&mut Config, &str) -> Result<(), String>,
}

impl Setting {
    /// Every variable that sets it, without the `_FILE` ones.
    pub(super) fn variables(&self) -> impl Iterator<Item = String> {
        let long = format!("CALLBOX_{}", self.key.replace('.', "_").to_ascii_uppercase());
        self.short_variable.map(str::to_owned).into_iter().chain([long])
    }

    const fn short(mut self, variable: &'static str) -> Self {
        self.short_variable = Some(variable);
        self
    }

    const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    const fn secret(mut self) -> Self {
        self.may_be_in_file = true;
        self
    }
}

const fn setting(key: &'static str, set: fn(&mut Config, &str) -> Result<(), String>) -> Setting {
    Setting { key, short_variable: None, optional: false, may_be_in_file: false, set }
}

fn put<T>(slot: &mut T, value: Result<T, String>) -> Result<(), String> {
    *slot = value?;
    Ok(())
}

const KIB: usize = 1 << 10;
const GIB: usize = 1 << 30;
/// What an integration's own limit may be at most, too.
const NATIVE_BODY_MAX: usize = 64 << 20;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// All settings, in the order of the reference.
pub(super) static SETTINGS: &[Setting] = &[
    setting("server.listen", |c, v| put(&mut c.server.listen, values::address(v))).short("CALLBOX_LISTEN"),
    setting("server.admin_listen", |c, v| put(&mut c.server.admin_listen, values::address(v).map(Some))).optional(),
    setting("server.public_url", |c, v| put(&mut c.server.public_url, values::public_url(v).map(Some)))
        .short("CALLBOX_PUBLIC_URL")
        .optional(),
    setting("server.trusted_proxies", |c, v| put(&mut c.server.trusted_proxies, values::networks(v))),
    setting("server.max_connections", |c, v| put(&mut c.server.max_connections, values::number(v, 1..=1_000_000))),
    setting("server.workers", |c, v| put(&mut c.server.workers, values::number(v, 0..=1024))),
    setting("server.tls_cert", |c, v| put(&mut c.server.tls_cert, values::path(v).map(Some)))
        .short("CALLBOX_TLS_CERT")
        .optional(),
    setting("server.tls_key", |c, v| put(&mut c.server.tls_key, values::path(v).map(Some))).short("CALLBOX_TLS_KEY").optional(),
    setting("store.database", |c, v| put(&mut c.store.database, values::database(v))).short("CALLBOX_DATABASE").secret(),
    setting("store.pool_size", |c, v| put(&mut c.store.pool_size, values::number(v, 1..=1000))),
    setting("store.lanes", |c, v| put(&mut c.store.lanes, values::number(v, 0..=64))),
    setting("store.unsafe", |c, v| put(&mut c.store.allow_unsafe, values::boolean(v))),
    setting("secrets.admin_token", |c, v| put(&mut c.secrets.admin_token, Ok(Some(Secret::new(v)))))
        .short("CALLBOX_ADMIN_TOKEN")
        .optional()
        .secret(),
    setting("secrets.master_key", |c, v| put(&mut c.secrets.master_key, values::master_key(v).map(Some)))
        .short("CALLBOX_MASTER_KEY")
        .optional()
        .secret(),
    setting("limits.native_body", |c, v| put(&mut c.limits.native_body, values::size(v, KIB..=NATIVE_BODY_MAX))),
    setting("limits.queue_bytes", |c, v| put(&mut c.limits.queue_bytes, values::size(v, KIB..=64 * GIB))),
    setting("limits.queue_requests", |c, v| put(&mut c.limits.queue_requests, values::number(v, 1..=10_000_000))),
    setting("limits.body_budget", |c, v| put(&mut c.limits.body_budget, values::size(v, KIB..=64 * GIB))),
    setting("limits.rate_per_minute", |c, v| put(&mut c.limits.rate_per_minute, values::number(v, 0..=10_000_000))),
    setting("limits.header_timeout", |c, v| put(&mut c.limits.header_timeout, values::duration(v, MINUTE))),
    setting("limits.body_timeout", |c, v| put(&mut c.limits.body_timeout, values::duration(v, HOUR))),
    setting("limits.answer_within", |c, v| put(&mut c.limits.answer_within, values::duration(v, MINUTE))),
    setting("limits.max_wait", |c, v| put(&mut c.limits.max_wait, values::duration(v, MINUTE))),
    setting("retention.ledger", |c, v| put(&mut c.retention.ledger, values::age(v))),
    setting("retention.refused", |c, v| put(&mut c.retention.refused, values::age(v))),
    setting("retention.events", |c, v| put(&mut c.retention.events, values::age(v))),
    setting("retention.incidents", |c, v| put(&mut c.retention.incidents, values::age(v))),
    setting("retention.changes", |c, v| put(&mut c.retention.changes, values::age(v))),
    setting("retention.audit", |c, v| put(&mut c.retention.audit, values::age(v))),
    setting("retention.deliveries", |c, v| put(&mut c.retention.deliveries, values::age(v))),
    setting("retention.undelivered", |c, v| put(&mut c.retention.undelivered, values::finite_age(v))),
    setting("retention.ledger_bytes", |c, v| put(&mut c.retention.ledger_bytes, values::bytes(v))),
    setting("retention.events_bytes", |c, v| put(&mut c.retention.events_bytes, values::bytes(v))),
    setting("retention.disk_high_water", |c, v| put(&mut c.retention.disk_high_water, values::high_water(v))),
    setting("shutdown.grace", |c, v| put(&mut c.shutdown.grace, values::duration(v, HOUR))),
    setting("outbound.allow", |c, v| put(&mut c.outbound.allow, values::networks(v))).short("CALLBOX_OUTBOUND_ALLOW"),
    setting("outbound.secrets_env", |c, v| put(&mut c.outbound.secrets_env, values::variables(v))),
    setting("outbound.secrets_dir", |c, v| put(&mut c.outbound.secrets_dir, values::path(v).map(Some))).optional(),
    setting("delivery.concurrency", |c, v| put(&mut c.delivery.concurrency, values::number(v, 1..=1_000))),
    setting("delivery.timeout", |c, v| put(&mut c.delivery.timeout, values::duration(v, MINUTE))),
    setting("delivery.lease", |c, v| put(&mut c.delivery.lease, values::duration(v, HOUR))),
    setting("delivery.confirm_gone", |c, v| put(&mut c.delivery.confirm_gone, values::duration(v, HOUR))),
    setting("providers.recipes", |c, v| put(&mut c.providers.recipes, values::path(v).map(Some))).optional(),
    setting("providers.sns_origins", |c, v| put(&mut c.providers.sns_origins, values::origins(v))),
    setting("log.format", |c, v| put(&mut c.log.format, values::log_format(v))),
    setting("log.level", |c, v| put(&mut c.log.level, values::log_level(v))),
];

/// Settings before any default is read: nothing here survives, because the defaults' file names every required setting.
pub(super) fn blank() -> Config {
    Config {
        server: Server {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            admin_listen: None,
            public_url: None,
            trusted_proxies: Vec::new(),
            max_connections: 0,
            workers: 0,
            tls_cert: None,
            tls_key: None,
        },
        store: Store { database: Database::Sqlite(PathBuf::new()), pool_size: 0, lanes: 0, allow_unsafe: false },
        secrets: Secrets::default(),
        limits: Limits {
            native_body: 0,
            queue_bytes: 0,
            queue_requests: 0,
            body_budget: 0,
            rate_per_minute: 0,
            header_timeout: Duration::ZERO,
            body_timeout: Duration::ZERO,
            answer_within: Duration::ZERO,
            max_wait: Duration::ZERO,
        },
        retention: Policy::default(),
        shutdown: Shutdown { grace: Duration::ZERO },
        outbound: Outbound::default(),
        delivery: Delivery::default(),
        providers: Providers::default(),
        log: Log { format: LogFormat::Json, level: tracing::Level::INFO },
        warnings: Vec::new(),
    }
}
