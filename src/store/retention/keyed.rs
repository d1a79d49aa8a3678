//! Tables whose rows are known by something else than time: walked along their primary key, a few rows a transaction.

use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use super::{execute, load};
use crate::retention::Keyed;
use crate::store::{Conn, Result};
use crate::time::{SECOND, Timestamp};

/// What one step along a table did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Rows removed.
    pub removed: usize,
    /// The key of the last row that was looked at; `None`: there are no more.
    pub last: Option<String>,
}

#[derive(QueryableByName)]
struct Place {
    #[diesel(sql_type = Text)]
    place: String,
}

/// The columns of a table's primary key.
fn key(table: Keyed) -> &'static [&'static str] {
    match table {
        Keyed::SeenDeliveries => &["integration_id", "delivery_id", "body_hash"],
        Keyed::Tombstones => &["integration_id", "dedup_key"],
        Keyed::Refusals => &["tenant_id", "integration_id", "verdict", "minute"],
        Keyed::Audit | Keyed::Deliveries => &["id"],
        Keyed::Attempts => &["delivery_id", "number"],
        Keyed::Threads => &["destination_id", "subject"],
        Keyed::Pages => &["rule_id", "integration_id", "dedup_key"],
    }
}

/// Which rows may go.
fn may_go(table: Keyed, before: Timestamp) -> String {
    match table {
        Keyed::SeenDeliveries => format!("expires_at <= {}", before.0),
        Keyed::Tombstones => format!("incident_id IS NULL AND updated_at < {}", before.0),
        Keyed::Refusals => format!("minute < {}", before.0.div_euclid(60 * SECOND)),
        Keyed::Audit => format!("created_at < {}", before.0),
        Keyed::Deliveries => format!("finished_at < {}", before.0),
        // A delivery that is still tried shows all its attempts.
        Keyed::Attempts => format!(
            "started_at < {} AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = delivery_id AND d.finished_at IS NULL)",
            before.0
        ),
        // What is open is told the way that it was told before.
        Keyed::Threads => format!(
            "updated_at < {} AND due_at IS NULL AND held_until IS NULL \
             AND NOT EXISTS (SELECT 1 FROM incidents i WHERE i.id = threads.incident_id AND i.open_key IS NOT NULL)",
            before.0
        ),
        Keyed::Pages => format!("paged_at < {}", before.0),
    }
}

/// Looks at the next `limit` rows after the key `after` (as [`Swept::last`] gave it; empty: from the beginning), and removes those
/// that were over at `before`. Inside a transaction that may write: it looks at no more rows than it may remove.
///
/// # Errors
/// A statement failed.
pub fn sweep(conn: &mut Conn, table: Keyed, after: &str, before: Timestamp, limit: usize) -> Result<Swept> {
    let (name, columns) = (table.name(), key(table));
    let list = columns.join(", ");
    let place = match conn {
        Conn::Sqlite(_) => format!("json_array({list})"),
        Conn::Pg(_) => format!("json_build_array({list})::text"),
    };
    let from = if after.is_empty() { "$1 = ''".to_owned() } else { format!("({list}) > ({})", parts(conn, table, "$1")) };
    let last =
        format!("SELECT {place} AS place FROM {name} WHERE {from} ORDER BY {list} LIMIT 1 OFFSET {}", limit.saturating_sub(1));
    let last: Vec<Place> = load!(&mut *conn, last, after)?;
    let last = last.into_iter().next().map(|row| row.place);
    let to = match &last {
        Some(_) => format!("({list}) <= ({})", parts(conn, table, "$2")),
        None => "$2 = ''".to_owned(),
    };
    let sql = format!("DELETE FROM {name} WHERE {from} AND {to} AND {}", may_go(table, before));
    let removed = execute!(conn, sql, after, last.as_deref().unwrap_or_default())?;
    Ok(Swept { removed, last })
}

/// The columns of a key that is a JSON list in the placeholder `bind`.
fn parts(conn: &Conn, table: Keyed, bind: &str) -> String {
    let part = |(index, column): (usize, &&str)| match (conn, *column) {
        // As it is: a cast would keep SQLite from using this column of the index.
        (Conn::Sqlite(_), _) => format!("{bind}->>{index}"),
        (Conn::Pg(_), "minute" | "delivery_id" | "number") => format!("CAST({bind}::json->>{index} AS BIGINT)"),
        (Conn::Pg(_), "id") if table == Keyed::Deliveries => format!("CAST({bind}::json->>{index} AS BIGINT)"),
        (Conn::Pg(_), _) => format!("{bind}::json->>{index}"),
    };
    key(table).iter().enumerate().map(part).collect::<Vec<_>>().join(", ")
}
