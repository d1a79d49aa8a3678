//! Counters of refused requests.

use diesel::RunQueryDsl;

use super::stmt::{Bind, Column};
use super::{Conn, Result};
use crate::statement;

/// How often requests of an integration were refused with a verdict in a minute.
#[derive(Debug)]
pub struct Count<'a> {
    /// The tenant.
    pub tenant_id: &'a str,
    /// The integration; empty where none is known.
    pub integration_id: &'a str,
    /// The verdict.
    pub verdict: &'a str,
    /// Minutes since the epoch.
    pub minute: i64,
    /// How often.
    pub count: i64,
}

const CONFLICT: &str =
    ") ON CONFLICT (tenant_id, integration_id, verdict, minute) DO UPDATE SET count = refusals.count + excluded.count";

/// Adds to the counters.
///
/// # Errors
/// The statement failed.
pub fn add(conn: &mut Conn, counts: &[Count<'_>]) -> Result<()> {
    match conn {
        Conn::Sqlite(conn) => {
            for count in counts {
                let binds = vec![
                    Bind::Text(count.tenant_id),
                    Bind::Text(count.integration_id),
                    Bind::Text(count.verdict),
                    Bind::Int(count.minute),
                    Bind::Int(count.count),
                ];
                statement!(list "INSERT INTO refusals (tenant_id, integration_id, verdict, minute, count) VALUES (", binds, CONFLICT)
                    .execute(conn)?;
            }
        }
        Conn::Pg(conn) => {
            let columns = vec![
                Column::Text(counts.iter().map(|count| count.tenant_id).collect()),
                Column::Text(counts.iter().map(|count| count.integration_id).collect()),
                Column::Text(counts.iter().map(|count| count.verdict).collect()),
                Column::Int(counts.iter().map(|count| count.minute).collect()),
                Column::Int(counts.iter().map(|count| count.count).collect()),
            ];
            let head = "INSERT INTO refusals (tenant_id, integration_id, verdict, minute, count) SELECT * FROM unnest(";
            statement!(list head, columns, CONFLICT).execute(conn)?;
        }
    }
    Ok(())
}
