//! Which database, and how it is reached.

use super::{Result, StoreError};

/// The two databases.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    /// SQLite, in the process, in one file.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// Which database, and how it is reached. `Debug` prints no password.
#[derive(Clone)]
pub struct Settings {
    /// Which of the two.
    pub backend: Backend,
    /// The file's path, or the PostgreSQL connection URL.
    pub target: String,
    /// Connections for reading, and on PostgreSQL as many again for writing.
    pub pool_size: u32,
    /// Accept a PostgreSQL that may lose committed data (`store.unsafe`).
    pub allow_unsafe: bool,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("backend", &self.backend).field("pool_size", &self.pool_size).finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads `sqlite:PATH`, or `postgres://…`. Anything else is refused: a typing error must not create an empty database.
    ///
    /// # Errors
    /// An unknown scheme, an empty path, or TLS demanded of a build that has none.
    pub fn parse(url: &str) -> Result<Self> {
        let (backend, target) = if let Some(path) = url.strip_prefix("sqlite:") {
            (Backend::Sqlite, path.strip_prefix("//").unwrap_or(path))
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            (Backend::Postgres, url)
        } else {
            return Err(StoreError::Refused("the database must be `sqlite:PATH` or `postgres://…`".into()));
        };
        if target.is_empty() {
            return Err(StoreError::Refused("the database `sqlite:` names no file".into()));
        }
        if backend == Backend::Postgres && demands_tls(target) && !cfg!(feature = "postgres-tls") {
            return Err(StoreError::Refused(
                "the database URL demands TLS (sslmode), and this build has no TLS to PostgreSQL; \
                 build with `--no-default-features --features postgres-tls`"
                    .into(),
            ));
        }
        Ok(Self { backend, target: target.to_owned(), pool_size: 4, allow_unsafe: false })
    }
}

fn demands_tls(url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').any(|pair| matches!(pair, "sslmode=require" | "sslmode=verify-ca" | "sslmode=verify-full" | "requiressl=1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_by_its_scheme() {
        assert_eq!(Settings::parse("sqlite:callbox.db").unwrap().target, "callbox.db");
        assert_eq!(Settings::parse("sqlite:///var/lib/callbox.db").unwrap().target, "/var/lib/callbox.db");
        assert_eq!(Settings::parse("postgres://u@h/d").unwrap().backend, Backend::Postgres);
        for bad in ["callbox.db", "mysql://x", "sqlite:", ""] {
            assert!(matches!(Settings::parse(bad), Err(StoreError::Refused(_))), "{bad}");
        }
    }

    #[cfg(not(feature = "postgres-tls"))]
    #[test]
    fn tls_that_the_build_lacks_is_refused_in_words() {
        let error = Settings::parse("postgres://u:hush@h/d?sslmode=verify-full").unwrap_err().to_string();
        assert!(error.contains("postgres-tls") && !error.contains("hush"), "{error}");
    }
}
