//! What is done to the store of a server from outside.

use std::fs;
use std::process::Command;
use std::time::Duration;

use callbox::id;
use callbox::time::{Clock, Timestamp};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, RunQueryDsl, SqliteConnection};

use super::{Kind, Server};

impl Server {
    /// Ends the server and returns the bytes of its SQLite file after a checkpoint and a VACUUM.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn vacuumed_size(mut self) -> anyhow::Result<u64> {
        self.stop();
        let path = self.folder.path().join("callbox.db");
        let mut conn = SqliteConnection::establish(&path.to_string_lossy())?;
        diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut conn)?;
        diesel::sql_query("VACUUM").execute(&mut conn)?;
        diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut conn)?;
        drop(conn);
        Ok(fs::metadata(&path)?.len())
    }

    /// Lets what a bulk load left behind be written, so that the next figures are not about that.
    ///
    /// # Errors
    /// The database is gone.
    pub async fn settle(&self) -> anyhow::Result<()> {
        if let (Kind::Postgres, Some(database)) = (self.kind, &self.database) {
            let mut conn = PgConnection::establish(database)?;
            diesel::sql_query("VACUUM ANALYZE").execute(&mut conn)?;
            diesel::sql_query("CHECKPOINT").execute(&mut conn)?;
        }
        Command::new("sync").status()?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(())
    }

    /// Adds requests of a hundred days ago, each with an event: what retention removes.
    ///
    /// # Errors
    /// The database refuses.
    pub fn plant(&self, rows: i64) -> anyhow::Result<()> {
        let now = Clock::System.now();
        let first = id::floor(now) - id::floor(Timestamp(100 * 86_400_000_000));
        let (numbers, body) = match self.kind {
            Kind::Postgres => {
                (format!("generate_series({first}, {first} + {rows} - 1) AS n(i)"), "decode(repeat('61', 630), 'hex')")
            }
            _ => {
                let numbers = format!(
                    "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {first} + {rows} - 1)"
                );
                (format!("({numbers} SELECT i FROM n)"), "zeroblob(630)")
            }
        };
        let sql = format!(
            "INSERT INTO requests (id, tenant_id, integration_id, route, verdict, status, received_at, headers, query, message, \
             first_event_id, body) SELECT i, 'ten_1', 'int_1', '/v2/enqueue', 'accepted', 202, 0, \
             '[[\"content-type\",\"application/json\"]]', '', 'Event processed', i, {body} FROM {numbers}; \
             INSERT INTO events (id, tenant_id, request_id, integration_id, action, dedup_key, outcome, severity, summary, source, \
             received_at) SELECT i, 'ten_1', i, 'int_1', 'trigger', 'k', 'unmatched', 'error', \
             'The disk of a database server is nearly full', 'db-1.example.com', 0 FROM {numbers}"
        );
        match (self.kind, &self.database) {
            (Kind::Postgres, Some(database)) => PgConnection::establish(database)?.batch_execute(&sql)?,
            _ => {
                let path = self.folder.path().join("callbox.db");
                let mut conn = SqliteConnection::establish(&path.to_string_lossy())?;
                conn.batch_execute(&format!("PRAGMA busy_timeout = 5000; {sql}"))?;
            }
        }
        Ok(())
    }
}
