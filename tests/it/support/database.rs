//! A database of its own for each test: a SQLite file in a temporary folder (inside `CALLBOX_TEST_DATABASES` where that is set), or a
//! PostgreSQL database on the cluster named by `CALLBOX_TEST_POSTGRES`. Gone when the value is dropped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use diesel::connection::SimpleConnection as _;
use diesel::sql_types::Text;
use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query};
use tempfile::TempDir;

use super::{secrets, skip};

/// Makes `mod NAME { sqlite, postgres }` of each `async fn NAME(database: Database)`: the same test on both databases.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name($crate::support::Database::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(database) = $crate::support::Database::postgres() {
                    super::$name(database).await;
                }
            }
        }
    )+};
}

/// A fresh, empty database.
pub struct Database {
    url: String,
    kind: Kind,
}

enum Kind {
    Sqlite { folder: TempDir },
    Postgres { cluster: String, name: String },
}

/// One row of one text column.
#[derive(QueryableByName)]
struct Cell {
    #[diesel(sql_type = Text)]
    cell: String,
}

impl Database {
    /// A SQLite file that does not exist yet.
    pub fn sqlite() -> Self {
        let parent = std::env::var_os("CALLBOX_TEST_DATABASES").map_or_else(std::env::temp_dir, PathBuf::from);
        Self::sqlite_in(&parent)
    }

    /// A SQLite file that does not exist yet, in a folder inside `parent`.
    pub fn sqlite_in(parent: &Path) -> Self {
        let folder = TempDir::with_prefix_in("callbox-test-", parent).unwrap();
        let url = format!("sqlite:{}", folder.path().join("callbox.db").display());
        Self { url, kind: Kind::Sqlite { folder } }
    }

    /// An empty database on the test cluster; `None`, said loudly, where there is no cluster.
    pub fn postgres() -> Option<Self> {
        match std::env::var("CALLBOX_TEST_POSTGRES") {
            Ok(cluster) => Some(Self::postgres_on(&cluster)),
            Err(_) => {
                skip("CALLBOX_TEST_POSTGRES is not set (scripts/test sets it; or: scripts/postgres start)");
                None
            }
        }
    }

    /// An empty database on the cluster with the DSN `cluster`.
    pub fn postgres_on(cluster: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("callbox_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::establish(cluster).expect("the test cluster is reachable");
        connection.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        if let Some(password) = url::Url::parse(cluster).unwrap().password() {
            secrets::remember(password);
        }
        let (server, _) = cluster.rsplit_once('/').expect("a DSN names its database");
        Self { url: format!("{server}/{name}"), kind: Kind::Postgres { cluster: cluster.to_owned(), name } }
    }

    /// What `callbox serve --database` takes.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether this is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self.kind, Kind::Postgres { .. })
    }

    /// Runs a query of one text column named `cell` and returns its rows. On SQLite it reads a copy of the file and its log: the
    /// service holds the original locked, and opening that would repair what a test of a crash wants to see untouched.
    pub fn cells(&self, query: &str) -> Vec<String> {
        let rows: Vec<Cell> = match &self.kind {
            Kind::Postgres { .. } => sql_query(query).load(&mut PgConnection::establish(&self.url).unwrap()).unwrap(),
            Kind::Sqlite { folder } => {
                let copy = TempDir::with_prefix("callbox-copy-").unwrap();
                for file in ["callbox.db", "callbox.db-wal"] {
                    let from = folder.path().join(file);
                    if from.exists() {
                        std::fs::copy(from, copy.path().join(file)).unwrap();
                    }
                }
                let path = copy.path().join("callbox.db").display().to_string();
                sql_query(query).load(&mut SqliteConnection::establish(&path).unwrap()).unwrap()
            }
        };
        rows.into_iter().map(|row| row.cell).collect()
    }

    /// What has been noted for the outside world, or is already on its way to a destination that is told everything: the event, and the
    /// number of the incident it is about.
    pub fn noted(&self) -> Vec<String> {
        self.cells(
            "SELECT event || ' ' || incident_id AS cell FROM outbox WHERE incident_id IS NOT NULL \
             UNION ALL SELECT event || ' ' || incident_id FROM deliveries WHERE incident_id IS NOT NULL",
        )
    }

    /// Runs statements; on SQLite no service may have the file open.
    pub fn execute(&self, statements: &str) {
        match &self.kind {
            Kind::Postgres { .. } => PgConnection::establish(&self.url).unwrap().batch_execute(statements).unwrap(),
            Kind::Sqlite { folder } => {
                let path = folder.path().join("callbox.db").display().to_string();
                SqliteConnection::establish(&path).unwrap().batch_execute(statements).unwrap();
            }
        }
    }

    /// The SQLite file; `None` on PostgreSQL.
    pub fn file(&self) -> Option<PathBuf> {
        match &self.kind {
            Kind::Sqlite { folder } => Some(folder.path().join("callbox.db")),
            Kind::Postgres { .. } => None,
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Kind::Postgres { cluster, name } = &self.kind {
            // A test may have stopped its cluster; then there is nothing to tidy up.
            if let Ok(mut connection) = PgConnection::establish(cluster) {
                let _ = connection.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
            }
        }
    }
}
