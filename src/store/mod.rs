//! What is kept: SQLite in the process, or PostgreSQL.
//!
//! Free query functions over one [`Conn`] enum, one file a table family; no repository traits, no copy per database. Only this
//! module speaks SQL. Who may write, and when, is not decided here: on SQLite one thread owns the writing connection
//! ([`crate::ingest::commit`]).

// The derive of `Conn` makes items that carry no documentation.
pub mod audit;
pub mod changes;
#[allow(missing_docs)]
pub mod conn;
pub mod credentials;
pub mod destinations;
mod error;
pub mod events;
pub mod facts;
pub mod incidents;
pub mod ingest;
pub mod integrations;
pub mod numbered;
pub mod outbox;
pub mod page;
pub mod records;
pub mod refusals;
pub mod replays;
pub mod requests;
pub mod retention;
pub mod rules;
pub mod schema;
pub mod services;
mod settings;
pub mod signing_secrets;
pub mod snapshot;
pub mod stmt;
pub mod tenants;
#[cfg(test)]
#[allow(missing_docs)]
pub mod testing;
pub mod timers;
pub mod tokens;

use std::sync::Arc;
use std::time::Duration;

use diesel::r2d2::Pool;
use tokio::sync::Semaphore;

pub use conn::{Conn, Manager};
pub use error::StoreError;
pub use settings::{Backend, Settings};

/// The result of a query.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

#[diesel::declare_sql_function]
extern "SQL" {
    /// The text in lower case; on SQLite only ASCII letters change.
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;

    /// The first number, or, where that is NULL, the second.
    fn coalesce(
        first: diesel::sql_types::Nullable<diesel::sql_types::BigInt>,
        second: diesel::sql_types::Nullable<diesel::sql_types::BigInt>,
    ) -> diesel::sql_types::Nullable<diesel::sql_types::BigInt>;
}

/// How long a caller waits for a pooled connection.
const CHECKOUT: Duration = Duration::from_secs(2);

/// A database, and the pool that reads are served from.
#[derive(Clone)]
pub struct Store {
    settings: Arc<Settings>,
    pool: Pool<Manager>,
    /// Awaited before a blocking thread is taken, so that waiting for a connection costs a future and not a thread.
    gate: Arc<Semaphore>,
}

impl Store {
    /// Connects, brings the schema up to date, and opens the pool.
    ///
    /// # Errors
    /// The database cannot be reached, is not durable (PostgreSQL with `fsync`, `full_page_writes` or `synchronous_commit` off,
    /// unless allowed), or a migration failed.
    pub fn open(settings: Settings) -> Result<Self> {
        conn::create_private(&settings);
        let mut first = conn::writer(&settings)?;
        conn::migrate(&mut first)?;
        conn::check_durable(&mut first, &settings)?;
        let size = settings.pool_size.max(1);
        let pool = Pool::builder()
            .max_size(size)
            .min_idle(Some(1))
            .connection_timeout(CHECKOUT)
            .test_on_check_out(settings.backend == Backend::Postgres)
            .build(Manager::new(settings.clone()))
            .map_err(|error| StoreError::unavailable(&error))?;
        Ok(Self { settings: Arc::new(settings), pool, gate: Arc::new(Semaphore::new(size as usize)) })
    }

    /// Which database it is.
    pub fn backend(&self) -> Backend {
        self.settings.backend
    }

    /// A connection of one's own, which may write; for the threads that own one.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub fn writer(&self) -> Result<Conn> {
        conn::writer(&self.settings)
    }

    /// Runs a query on a pooled connection, off the async threads. On SQLite the connection cannot write.
    ///
    /// # Errors
    /// What the query says, or that no connection was to be had in time.
    pub async fn read<T, E>(&self, query: impl FnOnce(&mut Conn) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let permit = match tokio::time::timeout(CHECKOUT, Arc::clone(&self.gate).acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            _ => return Err(StoreError::Environment("no database connection became free in time".into()).into()),
        };
        let pool = self.pool.clone();
        let run = move || {
            let _permit = permit;
            let mut conn = pool.get().map_err(|error| StoreError::unavailable(&error))?;
            query(&mut conn)
        };
        match tokio::task::spawn_blocking(run).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Environment("a query was abandoned".into()).into()),
        }
    }

    /// As [`Store::read`], for code that may block: start-up, commands, timers.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn read_now<T, E: From<StoreError>>(&self, query: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
        let mut conn = self.pool.get().map_err(|error| StoreError::unavailable(&error))?;
        query(&mut conn)
    }
}
