//! Where retention reads and writes.
//!
//! On SQLite it reads beside the writer and writes in turn with it. On PostgreSQL it has a connection of its own, which holds the
//! lock of the one node that removes: whoever loses the connection loses both.

use std::time::{Duration, Instant};

use crate::app::App;
use crate::store::{self, Backend, Conn, Result, StoreError};

/// How often a node that does not remove asks whether it may.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// The connection of the node that removes, on PostgreSQL.
#[derive(Default)]
pub(super) struct Hands {
    conn: Option<Conn>,
    asked: Option<Instant>,
}

impl Hands {
    /// Whether this process is the one that removes.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub(super) async fn may(&mut self, app: &App) -> Result<bool> {
        if app.store.backend() == Backend::Sqlite || self.conn.is_some() {
            return Ok(true);
        }
        if self.asked.is_some_and(|asked| asked.elapsed() < ASK_AGAIN) {
            return Ok(false);
        }
        self.asked = Some(Instant::now());
        let store = app.store.clone();
        self.conn = blocking(move || {
            let mut conn = store.writer()?;
            Ok(store::retention::claim(&mut conn)?.then_some(conn))
        })
        .await?;
        Ok(self.conn.is_some())
    }

    /// Runs a query.
    ///
    /// # Errors
    /// What it says.
    pub(super) async fn read<T: Send + 'static>(
        &mut self,
        app: &App,
        query: impl FnOnce(&mut Conn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match app.store.backend() {
            Backend::Sqlite => app.store.read(query).await,
            Backend::Postgres => self.on_own(query).await,
        }
    }

    /// Runs `work` in a transaction that may write.
    ///
    /// # Errors
    /// What it says.
    pub(super) async fn write<T: Send + 'static>(
        &mut self,
        app: &App,
        work: impl FnOnce(&mut Conn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match app.store.backend() {
            // Nothing that is open is touched, nor what a lane remembers of it.
            Backend::Sqlite => app.committer.tidy(work).await,
            Backend::Postgres => self.on_own(|conn| conn.transaction_immediate(work)).await,
        }
    }

    async fn on_own<T: Send + 'static>(&mut self, work: impl FnOnce(&mut Conn) -> Result<T> + Send + 'static) -> Result<T> {
        let Some(mut conn) = self.conn.take() else {
            return Err(StoreError::Environment("the connection that removes is gone".into()));
        };
        let (conn, result) = blocking(move || {
            let result = work(&mut conn);
            Ok((conn, result))
        })
        .await?;
        // A connection that may be broken is given up, and the lock with it.
        if !matches!(result, Err(StoreError::Environment(_))) {
            self.conn = Some(conn);
        }
        result
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::Environment("retention was abandoned".into())),
    }
}
