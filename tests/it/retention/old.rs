//! Rows from long ago.

use callbox::id::{self, Kind};
use callbox::time::{Clock, Timestamp};

use crate::support::Database;

/// What the numbers of a day are apart.
fn days(days: i64) -> i64 {
    id::floor(Timestamp(days * 86_400_000_000))
}

/// Requests of so many days ago with bodies of so many bytes, each with an event of its own.
pub fn plant(database: &Database, rows: i64, age: i64, body: usize) {
    let first = id::floor(Clock::System.now()) - days(age);
    let (numbers, bytes) = if database.is_postgres() {
        (format!("generate_series({first}, {first} + {rows} - 1) AS n(i)"), format!("decode(repeat('61', {body}), 'hex')"))
    } else {
        let numbers = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ";
        (format!("({numbers} {rows} - 1) SELECT {first} + i AS i FROM n)"), format!("zeroblob({body})"))
    };
    database.execute(&format!(
        "INSERT INTO requests (id, tenant_id, integration_id, route, verdict, status, received_at, headers, query, message, \
         first_event_id, body) SELECT i, 'ten_1', 'int_1', '/v2/enqueue', 'accepted', 202, 0, \
         '[[\"content-type\",\"application/json\"],[\"user-agent\",\"a monitoring tool of long ago\"]]', '', 'Event processed', \
         i, {bytes} FROM {numbers}; \
         INSERT INTO events (id, tenant_id, request_id, integration_id, action, dedup_key, outcome, severity, summary, source, \
         received_at) SELECT i, 'ten_1', i, 'int_1', 'trigger', 'k', 'unmatched', 'error', \
         'The disk of a database server is nearly full', 'db-1.example.com', 0 FROM {numbers};"
    ));
}

/// The identifier that [`age`] makes of `id`.
pub fn aged(id: &str, age: i64) -> String {
    let kind = if id.starts_with("req_") { Kind::Request } else { Kind::Incident };
    id::text(kind, id::number(id) - days(age))
}

/// Makes everything in the database so many days older; no service may run on it.
pub fn age(database: &Database, age: i64) {
    let numbers = [
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
        ("outbox", "event_id"),
        ("outbox", "incident_id"),
    ];
    let times =
        [("incidents", "resolved_at"), ("incidents", "last_seen"), ("tombstones", "updated_at"), ("tombstones", "resolved_at")];
    let older = |(table, column): (&str, &str), by: i64| format!("UPDATE {table} SET {column} = {column} - {by};");
    let numbers = numbers.map(|column| older(column, days(age))).concat();
    let times = times.map(|column| older(column, age * 86_400_000_000)).concat();
    database.execute(&format!("{numbers}{times}"));
}
