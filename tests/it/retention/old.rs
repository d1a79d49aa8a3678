//! Rows from long ago.

use callbox::id::{self, Kind};
use callbox::time::{Clock, Timestamp};

use crate::support::Database;

/// Characters of an identifier that hold its prefix and its time.
const DATED: usize = 14;

fn dated(kind: Kind, days: i64) -> String {
    let at: Timestamp = Clock::System.now().plus_seconds(-days * 86_400);
    id::floor(kind, at)[..DATED].to_owned()
}

/// Requests of so many days ago with bodies of so many bytes, each with an event of its own.
pub fn plant(database: &Database, rows: i64, days: i64, body: usize) {
    let (request, event) = (dated(Kind::Request, days), dated(Kind::Event, days));
    let (numbers, number, bytes) = if database.is_postgres() {
        (format!("generate_series(1, {rows}) AS n(i)"), "lpad(i::text, 16, '0')", format!("decode(repeat('61', {body}), 'hex')"))
    } else {
        let numbers =
            format!("(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) SELECT i FROM n)");
        (numbers, "printf('%016d', i)", format!("zeroblob({body})"))
    };
    database.execute(&format!(
        "INSERT INTO requests (id, tenant_id, integration_id, route, verdict, status, received_at, headers, query, message, \
         first_event_id, last_event_id, body) SELECT '{request}' || {number}, 'ten_1', 'int_1', '/v2/enqueue', 'accepted', 202, 0, \
         '[[\"content-type\",\"application/json\"],[\"user-agent\",\"a monitoring tool of long ago\"]]', '', 'Event processed', \
         '{event}' || {number}, '{event}' || {number}, {bytes} FROM {numbers}; \
         INSERT INTO events (id, tenant_id, request_id, integration_id, action, dedup_key, outcome, severity, summary, source, \
         received_at) SELECT '{event}' || {number}, 'ten_1', '{request}' || {number}, 'int_1', 'trigger', 'k', 'unmatched', 'error', \
         'The disk of a database server is nearly full', 'db-1.example.com', 0 FROM {numbers};"
    ));
}

/// The identifier that [`age`] makes of `id`.
pub fn aged(id: &str, days: i64) -> String {
    let kinds = [Kind::Request, Kind::Event, Kind::Incident, Kind::Outbox];
    let kind = kinds.into_iter().find(|kind| id.starts_with(kind.prefix())).unwrap_or_else(|| panic!("{id}"));
    let at = id::made_at(id).unwrap().plus_seconds(-days * 86_400);
    format!("{}{}", &id::floor(kind, at)[..DATED], &id[DATED..])
}

/// Makes everything in the database so many days older; no service may run on it.
pub fn age(database: &Database, days: i64) {
    let ids = [
        ("requests", "id"),
        ("requests", "first_event_id"),
        ("requests", "last_event_id"),
        ("events", "id"),
        ("events", "request_id"),
        ("events", "incident_id"),
        ("events", "previous_event_id"),
        ("incidents", "id"),
        ("incidents", "previous_incident_id"),
        ("incidents", "last_event_id"),
        ("tombstones", "incident_id"),
        ("outbox", "id"),
        ("outbox", "event_id"),
        ("outbox", "incident_id"),
    ];
    let mut statements = String::new();
    for (table, column) in ids {
        for id in database.cells(&format!("SELECT DISTINCT {column} AS cell FROM {table} WHERE {column} IS NOT NULL")) {
            let aged = aged(&id, days);
            statements.push_str(&format!("UPDATE {table} SET {column} = '{aged}' WHERE {column} = '{id}';"));
        }
    }
    let times =
        [("incidents", "resolved_at"), ("incidents", "last_seen"), ("tombstones", "updated_at"), ("tombstones", "resolved_at")];
    for (table, column) in times {
        statements.push_str(&format!("UPDATE {table} SET {column} = {column} - {};", days * 86_400_000_000));
    }
    database.execute(&statements);
}
