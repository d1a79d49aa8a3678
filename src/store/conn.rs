//! One connection, of either database: how it is opened, prepared and migrated, and how it runs a transaction.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query, sql_types};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Backend, Result, Settings, StoreError};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The advisory lock under which a node migrates ("callbox" in ASCII): two that start together must not both.
const MIGRATION_LOCK: i64 = 0x0063_616c_6c62_6f78;

/// A connection to either database. The DSL runs on it as it is; statements that must differ match on it.
#[derive(diesel::MultiConnection)]
pub enum Conn {
    /// SQLite.
    Sqlite(SqliteConnection),
    /// PostgreSQL.
    Pg(PgConnection),
}

impl Conn {
    /// Runs `work` in one transaction that may write from its first statement (`BEGIN IMMEDIATE` on SQLite: a deferred one fails
    /// when it turns from reading to writing). Commits when `work` succeeds, rolls back when it does not.
    ///
    /// # Errors
    /// What `work` says; or the commit failed, and then nothing may be claimed of its outcome.
    pub fn transaction_immediate<T, E: From<StoreError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let begin = match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            Self::Pg(_) => "BEGIN",
        };
        self.run(begin)?;
        let result = work(self);
        match &result {
            Ok(_) => {
                if let Err(error) = self.run("COMMIT") {
                    let _ = self.run("ROLLBACK");
                    return Err(error.into());
                }
            }
            // A failed roll-back leaves a connection that its owner finds broken at the next BEGIN, and replaces.
            Err(_) => drop(self.run("ROLLBACK")),
        }
        result
    }

    /// Runs `work` so that its failure undoes only what it did; inside [`Conn::transaction_immediate`].
    ///
    /// # Errors
    /// What `work` says.
    pub fn savepoint<T, E: From<StoreError>>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        self.run("SAVEPOINT one")?;
        let result = work(self);
        match &result {
            Ok(_) => self.run("RELEASE SAVEPOINT one")?,
            Err(_) => self.run("ROLLBACK TO SAVEPOINT one; RELEASE SAVEPOINT one")?,
        }
        result
    }

    pub(crate) fn run(&mut self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(conn) => conn.batch_execute(sql)?,
            Self::Pg(conn) => conn.batch_execute(sql)?,
        }
        Ok(())
    }
}

/// Opens a connection that may write.
///
/// # Errors
/// The database cannot be reached.
pub fn writer(settings: &Settings) -> Result<Conn> {
    let mut conn = connect(settings)?;
    match &mut conn {
        Conn::Sqlite(_) => {}
        // Plans cached while the tables are empty stay until they are analysed; measured, these switches double the rate of a
        // fresh store and cost a full one nothing. There is then one good plan for each statement, so none is made anew; and what
        // such a plan is thought to cost must not have it compiled.
        Conn::Pg(conn) => conn.batch_execute(
            "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; \
             SET plan_cache_mode = force_generic_plan; SET jit = off;",
        )?,
    }
    Ok(conn)
}

/// Makes the file of a new SQLite database readable by its owner alone: it holds what tools said of your systems. The files beside it
/// (`-wal`, `-shm`) are made like it. A file that is there keeps its mode; one that cannot be made is the connection's to complain of.
pub fn create_private(settings: &Settings) {
    let plain = !settings.target.starts_with("file:") && settings.target != ":memory:";
    if settings.backend == Backend::Sqlite && plain {
        let mut new = std::fs::OpenOptions::new();
        new.create_new(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
        let _ = new.open(&settings.target);
    }
}

pub(super) fn connect(settings: &Settings) -> Result<Conn> {
    match settings.backend {
        Backend::Sqlite => {
            let mut conn = SqliteConnection::establish(&settings.target)?;
            // Pages of 8 KiB hold more rows than two of 4 KiB and take half as many writes: groups of new alerts gain 1.2 x. (A
            // file that is there keeps its own.) A log of 64 MiB instead of 4 gains 1.4 x for duplicates: the checkpointer begins it
            // anew there, and a commit at twice that. A bigger cache gains nothing, and SQLite walks all of it at a commit.
            conn.batch_execute(
                "PRAGMA busy_timeout = 5000; PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                 PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 16000; PRAGMA cache_size = -16384; \
                 PRAGMA temp_store = MEMORY;",
            )?;
            Ok(Conn::Sqlite(conn))
        }
        Backend::Postgres => {
            let mut conn = PgConnection::establish(&with_timeout(&settings.target))?;
            conn.batch_execute(
                "SET statement_timeout = '10s'; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s'; \
                 SET client_min_messages = warning;",
            )?;
            Ok(Conn::Pg(conn))
        }
    }
}

/// A server that does not answer must cost seconds, not the minutes that TCP would wait.
fn with_timeout(url: &str) -> String {
    if url.contains("connect_timeout=") {
        return url.to_owned();
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}connect_timeout=3&keepalives_idle=5&keepalives_interval=2&keepalives_count=3&tcp_user_timeout=5000")
}

/// Brings the schema up to date.
///
/// # Errors
/// A migration failed; the text names it.
pub fn migrate(conn: &mut Conn) -> Result<()> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        let text = format!("a migration failed: {error}");
        match StoreError::from(diesel::result::Error::QueryBuilderError(error)) {
            StoreError::Environment(_) => StoreError::Environment(text),
            _ => StoreError::Refused(text),
        }
    };
    match conn {
        Conn::Sqlite(conn) => drop(conn.run_pending_migrations(SQLITE).map_err(failed)?),
        Conn::Pg(conn) => {
            conn.batch_execute(&format!(
                "SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_advisory_lock({MIGRATION_LOCK})"
            ))?;
            let result = conn.run_pending_migrations(POSTGRES).map(drop).map_err(failed);
            conn.batch_execute(&format!("SELECT pg_advisory_unlock({MIGRATION_LOCK})"))?;
            result?;
        }
    }
    Ok(())
}

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = sql_types::Text)]
    name: String,
    #[diesel(sql_type = sql_types::Text)]
    setting: String,
}

/// Refuses a PostgreSQL that may lose what it has committed.
///
/// # Errors
/// Names the settings that are off.
pub fn check_durable(conn: &mut Conn, settings: &Settings) -> Result<()> {
    let Conn::Pg(conn) = conn else { return Ok(()) };
    let off: Vec<String> = sql_query(
        "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'",
    )
    .load::<Setting>(conn)?
    .into_iter()
    .map(|row| format!("{} = {}", row.name, row.setting))
    .collect();
    if off.is_empty() || settings.allow_unsafe {
        return Ok(());
    }
    Err(StoreError::Refused(format!(
        "this PostgreSQL may lose what it has committed ({}); turn that on, or set store.unsafe to accept it",
        off.join(", ")
    )))
}

/// Whether a standby confirms each commit, so that it survives a failover. Always true for SQLite, which has none to fail over to.
///
/// # Errors
/// The query failed.
pub fn has_synchronous_standby(conn: &mut Conn) -> Result<bool> {
    let Conn::Pg(conn) = conn else { return Ok(true) };
    let standby: Vec<Setting> = sql_query(
        "SELECT application_name AS name, sync_state AS setting FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')",
    )
    .load(conn)?;
    Ok(!standby.is_empty())
}

/// How long a broken connection's owner waits before it tries again: doubling from 100 ms to 2 s.
pub fn backoff(attempt: u32) -> Duration {
    Duration::from_millis(100_u64.saturating_mul(1 << attempt.min(5)).min(2000))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::store::Store;

    #[test]
    fn a_new_file_is_its_owners_alone_and_an_old_one_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
        let open = |name: &str| {
            let url = format!("sqlite:{}", folder.path().join(name).display());
            Store::open(Settings::parse(&url).unwrap()).unwrap()
        };
        let store = open("new.db");
        let _writer = store.writer().unwrap();
        assert_eq!([mode("new.db"), mode("new.db-wal"), mode("new.db-shm")], [0o600; 3]);
        let shared = folder.path().join("old.db");
        std::fs::write(&shared, "").unwrap();
        std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o640)).unwrap();
        open("old.db");
        assert_eq!(mode("old.db"), 0o640);
    }
}
