//! Connections that many share.

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::r2d2::{ManageConnection, Pool, PooledConnection, R2D2Connection as _};
use tokio::sync::{Semaphore, oneshot};

use super::{Backend, Conn, Result, Settings, StoreError, conn};

/// How long a caller waits for a connection.
const CHECKOUT: Duration = Duration::from_secs(2);
/// How long a start waits for the first one: a busy database may take its time, and it has answered already.
const START: Duration = Duration::from_secs(30);

/// What is done with a connection, or where there is none. A box, because the code around it is the same for all of them.
pub type Work = Box<dyn FnOnce(Result<&mut Conn>) + Send>;

/// What pooled connections are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// To read; on SQLite they can do nothing else, for everything that writes goes through one thread.
    Read,
    /// To write, on PostgreSQL.
    Write,
}

/// Opens pooled connections.
#[derive(Debug)]
pub struct Manager {
    settings: Settings,
    purpose: Purpose,
}

impl ManageConnection for Manager {
    type Connection = Conn;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> std::result::Result<Conn, Self::Error> {
        let opened = match self.purpose {
            Purpose::Read => conn::connect(&self.settings),
            Purpose::Write => conn::writer(&self.settings),
        };
        let mut conn = opened
            .map_err(|error| diesel::r2d2::Error::ConnectionError(diesel::ConnectionError::BadConnection(error.to_string())))?;
        if let Conn::Sqlite(conn) = &mut conn {
            conn.batch_execute("PRAGMA query_only = ON; PRAGMA cache_size = -8192;").map_err(diesel::r2d2::Error::QueryError)?;
        }
        Ok(conn)
    }

    fn is_valid(&self, conn: &mut Conn) -> std::result::Result<(), Self::Error> {
        conn.run("SELECT 1")
            .map_err(|error| diesel::r2d2::Error::ConnectionError(diesel::ConnectionError::BadConnection(error.to_string())))
    }

    /// One whose transaction nobody ended must not come to the next: its user panicked, or was told so late that it could not tell.
    fn has_broken(&self, conn: &mut Conn) -> bool {
        std::thread::panicking()
            || match conn {
                Conn::Sqlite(conn) => conn.is_broken(),
                Conn::Pg(conn) => conn.is_broken(),
            }
    }
}

/// A pool, and a gate before it.
#[derive(Clone)]
pub struct Shared {
    pool: Pool<Manager>,
    /// Awaited before a blocking thread is taken, so that waiting for a connection costs a future and not a thread.
    gate: Arc<Semaphore>,
}

impl Shared {
    /// Opens no connection yet.
    pub fn new(settings: &Settings, purpose: Purpose) -> Self {
        let size = settings.pool_size.max(1);
        let pool = Pool::builder()
            .max_size(size)
            .min_idle(Some(u32::from(purpose == Purpose::Read)))
            .connection_timeout(CHECKOUT)
            .test_on_check_out(settings.backend == Backend::Postgres)
            .build_unchecked(Manager { settings: settings.clone(), purpose });
        Self { pool, gate: Arc::new(Semaphore::new(size as usize)) }
    }

    /// Waits for the first connection.
    ///
    /// # Errors
    /// There is none in good time.
    pub fn open(self) -> Result<Self> {
        drop(self.pool.get_timeout(START).map_err(|error| StoreError::unavailable(&error))?);
        Ok(self)
    }

    /// A connection, for code that may block.
    ///
    /// # Errors
    /// None was to be had in time.
    pub fn get(&self) -> Result<PooledConnection<Manager>> {
        self.pool.get().map_err(|error| StoreError::unavailable(&error))
    }

    /// Runs `work` on a connection, off the async threads.
    ///
    /// # Errors
    /// What `work` says, or that no connection was to be had in time.
    pub async fn run<T, E>(&self, work: impl FnOnce(&mut Conn) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, receiver) = oneshot::channel();
        let work = move |conn: Result<&mut Conn>| {
            let _ = reply.send(conn.map_err(E::from).and_then(work));
        };
        self.lend(Box::new(work)).await;
        receiver.await.unwrap_or_else(|_| Err(StoreError::Environment("a query was abandoned".into()).into()))
    }

    /// Runs `work` with a connection, off the async threads, or tells it why there is none.
    pub async fn lend(&self, work: Work) {
        let permit = match tokio::time::timeout(CHECKOUT, Arc::clone(&self.gate).acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            _ => return work(Err(StoreError::Environment("no database connection became free in time".into()))),
        };
        let shared = self.clone();
        let run = move || {
            let _permit = permit;
            match shared.get() {
                Ok(mut conn) => work(Ok(&mut conn)),
                Err(error) => work(Err(error)),
            }
        };
        // Whoever waits for what a panic ended hears of it by its own way.
        let _ = tokio::task::spawn_blocking(run).await;
    }
}
