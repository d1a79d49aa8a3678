//! Databases for tests: a fresh SQLite file, and a fresh PostgreSQL database where `CALLBOX_TEST_POSTGRES` is a DSN.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};

use super::{Settings, Store};
use crate::id;
use crate::secret::{Sealer, Secret};

/// The DSN of a PostgreSQL server on which tests may create databases.
pub const POSTGRES: &str = "CALLBOX_TEST_POSTGRES";

/// A database that goes when it is dropped.
pub struct Database {
    /// The open store.
    pub store: Store,
    _keep: Keep,
}

enum Keep {
    File { _folder: tempfile::TempDir },
    Postgres { admin: String, name: String },
}

impl Drop for Keep {
    fn drop(&mut self) {
        let Self::Postgres { admin, name } = self else { return };
        if let Ok(mut conn) = PgConnection::establish(admin) {
            let _ = conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

/// A fresh database of each kind that can be had here; says loudly what it leaves out.
pub fn databases() -> Vec<Database> {
    let mut all = vec![sqlite()];
    match std::env::var(POSTGRES) {
        Ok(dsn) if !dsn.is_empty() => all.push(postgres(&dsn)),
        _ => eprintln!("SKIPPED on PostgreSQL: set {POSTGRES} to a DSN to test there too"),
    }
    all
}

/// A fresh SQLite file.
pub fn sqlite() -> Database {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let store = Store::open(Settings::parse(&url).unwrap()).unwrap();
    Database { store, _keep: Keep::File { _folder: folder } }
}

fn postgres(dsn: &str) -> Database {
    let name = id::new(id::Kind::Tenant).replace("ten_", "callbox_test_");
    PgConnection::establish(dsn).unwrap().batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
    let mut url = url::Url::parse(dsn).unwrap();
    url.set_path(&name);
    let mut settings = Settings::parse(url.as_str()).unwrap();
    settings.allow_unsafe = true;
    let keep = Keep::Postgres { admin: dsn.to_owned(), name };
    Database { store: Store::open(settings).unwrap(), _keep: keep }
}

/// A sealer with a key that is the same in every test.
pub fn sealer() -> Sealer {
    Sealer::from_text(&Secret::new("07".repeat(32))).unwrap()
}
