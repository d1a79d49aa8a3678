//! What can go wrong with a query, in the classes that decide what happens next.

use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::result::{DatabaseErrorKind, Error};

/// Why a query failed. Texts come from the database and are for the log; they reach no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database cannot promise anything now: I/O, busy, full, connection, timeout. Whoever waits gets 503.
    #[error("the database is not available: {0}")]
    Environment(String),
    /// This row can never be stored: constraint, encoding, range.
    #[error("the database refuses the data: {0}")]
    Data(String),
    /// Another writer was faster: load and apply again.
    #[error("another writer was faster: {0}")]
    Conflict(String),
    /// The settings or the database's own are not acceptable.
    #[error("{0}")]
    Refused(String),
}

impl StoreError {
    /// The class, as metrics show it.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Environment(_) => "environment",
            Self::Data(_) => "data",
            Self::Conflict(_) => "conflict",
            Self::Refused(_) => "refused",
        }
    }

    /// Runs `work`; a panic in it is [`StoreError::Data`], so that it stays with the one that met it. Whatever `work` could change
    /// must be thrown away then: a transaction around it, a memory of what was read.
    ///
    /// # Errors
    /// What `work` says, or that it panicked. The log says where.
    pub fn guard<T>(work: impl FnOnce() -> Result<T, Self>) -> Result<T, Self> {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Self::Data("a fault in Callbox itself".to_owned())))
    }

    /// A connection that could not be had.
    pub fn unavailable(error: &dyn std::fmt::Display) -> Self {
        Self::Environment(error.to_string())
    }
}

/// The texts of SQLite's result codes that speak of the machine and not of the data (sqlite3_errstr; diesel hands on no codes).
const SQLITE_ENVIRONMENT: [&str; 12] = [
    "database or disk is full",
    "disk I/O error",
    "attempt to write a readonly database",
    "database is locked",
    "database table is locked",
    "unable to open database file",
    "database disk image is malformed",
    "file is not a database",
    "out of memory",
    "locking protocol",
    "interrupted",
    "bad parameter or other API misuse",
];

/// Messages of PostgreSQL and libpq that speak of the server or the connection (classes 08, 53, 57, 58; diesel hands on no codes).
const POSTGRES_ENVIRONMENT: [&str; 22] = [
    "server closed the connection",
    "connection to server",
    "could not connect",
    "no connection to the server",
    "connection not open",
    "terminating connection",
    "SSL connection has been closed",
    "SSL SYSCALL error",
    "could not receive data",
    "could not send data",
    "the database system is",
    "No space left on device",
    "disk full",
    "could not extend file",
    "could not write",
    "could not open file",
    "could not fsync",
    "too many clients",
    "remaining connection slots",
    "out of shared memory",
    "canceling statement",
    "cannot execute",
];

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::Conflict(text),
            Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => Self::Conflict(text),
            Error::DatabaseError(
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand
                | DatabaseErrorKind::ReadOnlyTransaction,
                _,
            )
            | Error::BrokenTransactionManager => Self::Environment(text),
            Error::DatabaseError(..) if text.contains("deadlock detected") => Self::Conflict(text),
            Error::DatabaseError(DatabaseErrorKind::Unknown, _) => {
                let environment = SQLITE_ENVIRONMENT.iter().chain(&POSTGRES_ENVIRONMENT).any(|known| text.contains(known));
                if environment { Self::Environment(text) } else { Self::Data(text) }
            }
            Error::DatabaseError(..)
            | Error::SerializationError(_)
            | Error::DeserializationError(_)
            | Error::NotFound
            | Error::InvalidCString(_) => Self::Data(text),
            _ => Self::Environment(text),
        }
    }
}

impl From<diesel::ConnectionError> for StoreError {
    fn from(error: diesel::ConnectionError) -> Self {
        Self::Environment(error.to_string())
    }
}
