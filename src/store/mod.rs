//! What is kept: SQLite in the process, or PostgreSQL.
//!
//! Free query functions over one [`Conn`] enum, one file a table family; no repository traits, no copy per database. Only this
//! module speaks SQL. Who may write, and when, is not decided here: on SQLite one thread owns the writing connection
//! ([`crate::ingest::commit`]).

// The derive of `Conn` makes items that carry no documentation.
pub mod audit;
pub mod body;
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
mod pool;
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

pub use conn::Conn;
pub use error::StoreError;
pub use pool::{Purpose, Shared, Work};
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

/// A database, and the connections that are shared.
#[derive(Clone)]
pub struct Store {
    settings: Arc<Settings>,
    readers: Shared,
    /// `None` on SQLite, where one thread writes.
    writers: Option<Shared>,
}

impl Store {
    /// Connects, brings the schema up to date, and opens the pools.
    ///
    /// # Errors
    /// The database cannot be reached, is not durable (PostgreSQL with `fsync`, `full_page_writes` or `synchronous_commit` off,
    /// unless allowed), or a migration failed.
    pub fn open(settings: Settings) -> Result<Self> {
        conn::create_private(&settings);
        let mut first = conn::writer(&settings)?;
        conn::migrate(&mut first)?;
        conn::check_durable(&mut first, &settings)?;
        let readers = Shared::new(&settings, Purpose::Read).open()?;
        let writers = (settings.backend == Backend::Postgres).then(|| Shared::new(&settings, Purpose::Write));
        Ok(Self { settings: Arc::new(settings), readers, writers })
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

    /// Connections that may write, where many may at a time: on PostgreSQL.
    pub fn writers(&self) -> Option<&Shared> {
        self.writers.as_ref()
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
        self.readers.run(query).await
    }

    /// As [`Store::read`], for code that may block: start-up, commands, timers.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn read_now<T, E: From<StoreError>>(&self, query: impl FnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E> {
        query(&mut *self.readers.get()?)
    }
}
