//! Settings: what there is, where a value came from, and everything that is wrong with them at once.
//!
//! Owns the order of precedence (flag, environment, file, default) and the checks. The defaults live in
//! `config.default.toml` and nowhere else. Nothing else in the program reads the environment.

mod layers;
mod settings;
mod values;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

pub use crate::outbox::Settings as Delivery;
use crate::retention::Policy;
use crate::secret::Secret;
use crate::secret::reference::References;

/// The default of every setting, with its explanation: the reference page.
pub const DEFAULT_FILE: &str = include_str!("config.default.toml");

/// All settings. The meaning of each is in [`DEFAULT_FILE`] under the same section and name.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Section `server`.
    pub server: Server,
    /// Section `store`.
    pub store: Store,
    /// Section `secrets`.
    pub secrets: Secrets,
    /// Section `limits`.
    pub limits: Limits,
    /// Section `retention`.
    pub retention: Policy,
    /// Section `shutdown`.
    pub shutdown: Shutdown,
    /// Section `outbound`.
    pub outbound: Outbound,
    /// Section `delivery`.
    pub delivery: Delivery,
    /// Section `providers`.
    pub providers: Providers,
    /// Section `log`.
    pub log: Log,
    /// What is not wrong but should be told at start: files with secrets that everybody on the machine can read.
    pub warnings: Vec<String>,
}

/// Where and how requests are taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// The public listener.
    pub listen: SocketAddr,
    /// A listener of its own for API, console and metrics.
    pub admin_listen: Option<SocketAddr>,
    /// What printed URLs begin with; no slash at the end.
    pub public_url: Option<String>,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections held at once.
    pub max_connections: usize,
    /// Threads that serve; 0 is one for each CPU.
    pub workers: usize,
    /// Certificate chain, PEM. Set exactly when `tls_key` is.
    pub tls_cert: Option<PathBuf>,
    /// Private key, PEM.
    pub tls_key: Option<PathBuf>,
}

/// Where things are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Store {
    /// The database.
    pub database: Database,
    /// Connections for reading.
    pub pool_size: u32,
    /// Transactions side by side on PostgreSQL.
    pub lanes: usize,
    /// Whether a database that may lose confirmed commits is accepted.
    pub allow_unsafe: bool,
}

/// A database.
#[derive(Clone, Debug, PartialEq)]
pub enum Database {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL URL; it may hold a password.
    Postgres(Secret),
}

/// Secrets of the service itself.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Secrets {
    /// A token with every scope.
    pub admin_token: Option<Secret>,
    /// The text of the key that seals stored secrets; checked to be one.
    pub master_key: Option<Secret>,
}

/// Bounds on what one sender, or all, can make the service hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Bytes of a decoded body on native routes.
    pub native_body: usize,
    /// Bytes that wait to be written.
    pub queue_bytes: usize,
    /// Requests that wait to be written.
    pub queue_requests: usize,
    /// Bytes of bodies in memory.
    pub body_budget: usize,
    /// Requests a minute for each integration; 0 is unlimited.
    pub rate_per_minute: u32,
    /// Time for a request's headers.
    pub header_timeout: Duration,
    /// Time for a request's body.
    pub body_timeout: Duration,
    /// Time to the answer.
    pub answer_within: Duration,
    /// Time in the queue.
    pub max_wait: Duration,
}

/// How the service stops.
#[derive(Clone, Debug, PartialEq)]
pub struct Shutdown {
    /// Time for requests in flight.
    pub grace: Duration,
}

impl Outbound {
    /// What the settings of destinations may name.
    pub fn references(&self) -> References {
        let listed = self.secrets_env.iter().map(|name| (name.clone(), self.secrets.get(name).cloned()));
        References::new(listed.collect(), self.secrets_dir.clone())
    }
}

/// What is reached outside.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Outbound {
    /// Networks that are not public and may be reached.
    pub allow: Vec<IpNet>,
    /// Environment variables that destinations may name.
    pub secrets_env: Vec<String>,
    /// A folder whose files they may name.
    pub secrets_dir: Option<PathBuf>,
    /// What of [`Outbound::secrets_env`] is set.
    pub secrets: HashMap<String, Secret>,
}

/// Where tools are described besides those that are built in.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Providers {
    /// A folder of recipes.
    pub recipes: Option<PathBuf>,
    /// Where SNS is besides Amazon's own.
    pub sns_origins: Vec<Url>,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// The form of a line.
    pub format: LogFormat,
    /// The least severe level shown.
    pub level: tracing::Level,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object.
    Json,
    /// For people.
    Text,
}

/// Command-line flags that are settings, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--listen`.
    pub listen: Option<String>,
    /// `--database`.
    pub database: Option<String>,
    /// `--tls-cert`.
    pub tls_cert: Option<String>,
    /// `--tls-key`.
    pub tls_key: Option<String>,
    /// `--admin-listen`.
    pub admin_listen: Option<String>,
    /// `--public-url`.
    pub public_url: Option<String>,
}

/// Everything that is wrong with the settings; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError {
    /// One item a problem.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with the settings. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where the value came from: a file's path, `CALLBOX_LISTEN`, `--listen`, or `settings` for several together.
    pub origin: String,
    /// The line in the file, from 1.
    pub line: Option<usize>,
    /// The setting, `server.listen`; empty where none can be named.
    pub key: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() && self.key != self.origin {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl Config {
    /// Reads the settings: `flags` before `env` before `file` before the defaults. Of `env` only names that begin with
    /// `CALLBOX_` count, and those that `outbound.secrets_env` lists; an empty value there is as good as none.
    ///
    /// # Errors
    /// Everything that is wrong: unknown settings, values that do not fit, files that cannot be read.
    pub fn load(file: Option<&Path>, env: impl Iterator<Item = (String, String)>, flags: &Flags) -> Result<Self, ConfigError> {
        let mut layers = layers::Layers::default();
        layers.add_file("the defaults", DEFAULT_FILE);
        if let Some(path) = file {
            layers.read_file(path);
        }
        let env: Vec<(String, String)> = env.collect();
        layers.add_environment(env.iter().cloned());
        layers.add_flags(flags);
        let (mut config, mut problems) = layers.finish(settings::blank());
        problems.extend(config.contradictions());
        let named = env.into_iter().filter(|(name, value)| config.outbound.secrets_env.contains(name) && !value.is_empty());
        config.outbound.secrets = named.map(|(name, value)| (name, Secret::new(value))).collect();
        config.server.public_url = config.server.public_url.map(|url| url.trim_end_matches('/').to_owned());
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
    }

    /// Settings that are fine by themselves and impossible together.
    fn contradictions(&self) -> Vec<Problem> {
        let (server, limits) = (&self.server, &self.limits);
        let rules = [
            (server.tls_cert.is_some() != server.tls_key.is_some(), "server.tls_cert", "TLS needs both tls_cert and tls_key"),
            (server.admin_listen == Some(server.listen), "server.admin_listen", "is the same as server.listen"),
            (limits.body_budget < limits.native_body, "limits.body_budget", "is less than limits.native_body"),
            (limits.queue_bytes < limits.native_body, "limits.queue_bytes", "is less than limits.native_body"),
        ];
        let broken = rules.into_iter().filter(|(broken, ..)| *broken);
        broken
            .map(|(_, key, message)| Problem {
                origin: "settings".to_owned(),
                line: None,
                key: key.to_owned(),
                message: message.to_owned(),
            })
            .collect()
    }
}

/// The process's environment as text; what is not UTF-8 is left out.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

#[cfg(test)]
mod tests;
