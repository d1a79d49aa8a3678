//! `callbox doctor`: looks at settings and database the way a start would, and says what it found.

use std::fmt;

use super::{keep, store_settings};
use crate::config::{Config, Database};
use crate::http::tls::Certificate;
use crate::secret::Sealer;
use crate::store::{self, Backend, Conn, Store};

/// One check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What was looked at.
    what: &'static str,
    state: State,
    /// What was seen.
    says: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Good,
    Worth,
    Bad,
}

impl Finding {
    const fn new(what: &'static str, state: State, says: String) -> Self {
        Self { what, state, says }
    }

    /// For programs: what was looked at, `ok`, `note` or `failed`, and what was seen.
    pub fn to_json(&self) -> serde_json::Value {
        let status = match self.state {
            State::Good => "ok",
            State::Worth => "note",
            State::Bad => "failed",
        };
        serde_json::json!({ "check": self.what, "status": status, "message": self.says })
    }

    /// Whether a service would not start, or not keep its promise.
    pub fn failed(&self) -> bool {
        self.state == State::Bad
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.state {
            State::Good => "ok  ",
            State::Worth => "note",
            State::Bad => "FAIL",
        };
        write!(f, "{mark}  {:<12} {}", self.what, self.says)
    }
}

/// Examines everything; stops at the first thing that the rest needs.
pub fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::new("settings", State::Good, "readable, and every one is known".to_owned())];
    findings.extend(config.warnings.iter().map(|warning| Finding::new("settings", State::Worth, warning.clone())));
    findings.push(tls(config));
    findings.extend(recipes(config));
    match store(config, &mut findings) {
        Ok(()) => {}
        Err(error) => findings.push(Finding::new("database", State::Bad, error.to_string())),
    }
    findings
}

fn recipes(config: &Config) -> Option<Finding> {
    let folder = config.providers.recipes.as_ref()?;
    Some(match super::recipes::load(config) {
        Ok(_) => Finding::new("recipes", State::Good, format!("those in {} are sound", folder.display())),
        Err(error) => Finding::new("recipes", State::Bad, error.to_string()),
    })
}

fn tls(config: &Config) -> Finding {
    match (&config.server.tls_cert, &config.server.tls_key) {
        (Some(chain), Some(key)) => match Certificate::open(chain, key) {
            Ok(_) => Finding::new("tls", State::Good, "certificate and key work together".to_owned()),
            Err(error) => Finding::new("tls", State::Bad, error.to_string()),
        },
        _ => Finding::new(
            "tls",
            State::Worth,
            "off: PagerDuty's Python and JavaScript clients refuse plain HTTP (set server.tls_cert and tls_key, or use a proxy)"
                .to_owned(),
        ),
    }
}

fn store(config: &Config, findings: &mut Vec<Finding>) -> store::Result<()> {
    if let Database::Sqlite(path) = &config.store.database
        && !path.exists()
    {
        let says = format!("{} does not exist yet: the first start makes it", path.display());
        findings.push(Finding::new("database", State::Worth, says));
        return Ok(());
    }
    let settings = store_settings(config)?;
    let backend = settings.backend;
    let store = Store::open(settings)?;
    let mut conn = store.writer()?;
    findings.push(Finding::new("database", State::Good, "reachable, and its schema is up to date".to_owned()));
    findings.push(master_key(config, &mut conn));
    if backend == Backend::Postgres {
        findings.push(standby(&mut conn)?);
    }
    Ok(())
}

fn master_key(config: &Config, conn: &mut Conn) -> Finding {
    let beside = match &config.store.database {
        Database::Sqlite(path) => keep::read(&keep::beside(path, ".key")).ok().flatten(),
        Database::Postgres(_) => None,
    };
    let Some(text) = config.secrets.master_key.clone().or(beside) else {
        return Finding::new("master key", State::Bad, "none: set CALLBOX_MASTER_KEY or CALLBOX_MASTER_KEY_FILE".to_owned());
    };
    let checked = Sealer::from_text(&text).map_err(|error| error.to_string());
    match checked.and_then(|sealer| store::facts::check_master_key(conn, &sealer).map_err(|error| error.to_string())) {
        Ok(()) => Finding::new("master key", State::Good, "opens what this database has sealed".to_owned()),
        Err(error) => Finding::new("master key", State::Bad, error),
    }
}

fn standby(conn: &mut Conn) -> store::Result<Finding> {
    Ok(if store::conn::has_synchronous_standby(conn)? {
        Finding::new("standby", State::Good, "synchronous: what was accepted survives a failover".to_owned())
    } else {
        Finding::new(
            "standby",
            State::Worth,
            "no synchronous standby: what was accepted survives a crash of the server, not a failover to another one".to_owned(),
        )
    })
}
