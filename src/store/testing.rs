//! Databases for tests: a fresh SQLite file, and a fresh PostgreSQL database where `CALLBOX_TEST_POSTGRES` is a DSN.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::{Conn, Settings, Store};
use crate::id::Kind;
use crate::secret::{Sealer, Secret};
use crate::time::Timestamp;

/// The DSN of a PostgreSQL server on which tests may create databases.
pub const POSTGRES: &str = "CALLBOX_TEST_POSTGRES";
/// The folder in which SQLite files are made; the system's own for temporary files where it is not set.
const FOLDER: &str = "CALLBOX_TEST_DATABASES";

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
        _ if std::env::var("CI").is_ok_and(|ci| ci == "true") => panic!("{POSTGRES} is not set: in CI nothing is skipped"),
        _ => eprintln!("SKIPPED on PostgreSQL: set {POSTGRES} to a DSN to test there too"),
    }
    all
}

/// A fresh SQLite file.
pub fn sqlite() -> Database {
    let parent = std::env::var_os(FOLDER).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent).unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    let store = Store::open(Settings::parse(&url).unwrap()).unwrap();
    Database { store, _keep: Keep::File { _folder: folder } }
}

fn postgres(dsn: &str) -> Database {
    let name = crate::id::new(Kind::Tenant).replace("ten_", "callbox_test_");
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

/// A number as it would have been made at `at`.
pub fn number_at(at: Timestamp) -> i64 {
    static NEXT: AtomicI64 = AtomicI64::new(0);
    // So many fit into one millisecond.
    crate::id::floor(at) + NEXT.fetch_add(1, Ordering::Relaxed) % (1 << 21)
}

/// Whose rows are planted.
#[derive(Clone, Debug)]
pub struct Place {
    pub tenant_id: String,
    pub service_id: String,
    pub integration_id: String,
}

/// A ledger row with this body, and the events between these ids.
pub fn plant_request(conn: &mut Conn, place: &Place, bytes: &[u8], events: &[String]) -> String {
    use super::schema::requests::dsl::*;
    let new = crate::id::new(Kind::Request);
    diesel::insert_into(requests)
        .values((
            id.eq(crate::id::number(&new)),
            tenant_id.eq(&place.tenant_id),
            integration_id.eq(&place.integration_id),
            route.eq("/api/integrations/{type}"),
            verdict.eq("accepted"),
            status.eq(202),
            received_at.eq(1_000_000),
            headers.eq(r#"[["content-type","application/json"]]"#),
            query.eq("[]"),
            body.eq(bytes),
            message.eq("100% Fine"),
            first_event_id.eq(events.first().map(|event| crate::id::number(event))),
            last_event_id.eq(events.get(1..).and_then(|rest| rest.last()).map(|event| crate::id::number(event))),
        ))
        .execute(conn)
        .unwrap();
    new
}

/// An event of an incident.
pub fn plant_event(conn: &mut Conn, place: &Place, incident: Option<&str>, previous: Option<&str>, what: &str) -> String {
    use super::schema::events::dsl::*;
    let new = crate::id::new(Kind::Event);
    diesel::insert_into(events)
        .values((
            id.eq(crate::id::number(&new)),
            tenant_id.eq(&place.tenant_id),
            integration_id.eq(&place.integration_id),
            incident_id.eq(incident.map(crate::id::number)),
            previous_event_id.eq(previous.map(crate::id::number)),
            action.eq("trigger"),
            dedup_key.eq("db-1/cpi"),
            outcome.eq(what),
            severity.eq("error"),
            summary.eq("disk"),
            source.eq("db-1"),
            received_at.eq(1_000_000),
        ))
        .execute(conn)
        .unwrap();
    new
}

/// An incident; `open` or resolved.
pub fn plant_incident(conn: &mut Conn, place: &Place, key: &str, open: bool, last_event: &str) -> String {
    use super::schema::incidents::dsl::*;
    let new = crate::id::new(Kind::Incident);
    diesel::insert_into(incidents)
        .values((
            (id.eq(crate::id::number(&new)), tenant_id.eq(&place.tenant_id), number.eq(7), service_id.eq(&place.service_id)),
            (integration_id.eq(&place.integration_id), dedup_key.eq(key), open_key.eq(open.then_some(key))),
            (status.eq(if open { "triggered" } else { "resolved" }), title.eq(format!("Title of {key} 50%"))),
            (first_summary.eq("first"), severity.eq("critical"), source.eq("db-1"), event_count.eq(1)),
            shown.eq(r#"{"custom_details":{"a":1},"links":[{"href":"https://example.com"}]}"#),
            (first_seen.eq(1_000_000), last_seen.eq(2_000_000), last_event_id.eq(crate::id::number(last_event))),
        ))
        .execute(conn)
        .unwrap();
    new
}

/// A change event.
pub fn plant_change(conn: &mut Conn, place: &Place) -> String {
    use super::schema::changes::dsl::*;
    let new = crate::id::new(Kind::Change);
    diesel::insert_into(changes)
        .values((
            id.eq(crate::id::number(&new)),
            tenant_id.eq(&place.tenant_id),
            integration_id.eq(&place.integration_id),
            service_id.eq(&place.service_id),
            summary.eq("deployed"),
            details.eq(r#"{"custom_details":{"build":1},"links":[]}"#),
            received_at.eq(1_000_000),
        ))
        .execute(conn)
        .unwrap();
    new
}

/// A webhook destination.
pub fn plant_destination(conn: &mut Conn, tenant: &str, called: &str) -> super::destinations::Destination {
    let settings = crate::delivery::destination::Settings {
        url: Secret::new("https://hooks.example/one"),
        token: None,
        headers: Vec::new(),
        basic_auth: None,
    };
    let mut row = super::destinations::Destination {
        id: crate::id::new(Kind::Destination),
        tenant_id: tenant.to_owned(),
        name: called.to_owned(),
        live_name: Some(called.to_owned()),
        kind: "webhook".to_owned(),
        sealed: String::new(),
        options: "{}".to_owned(),
        templates: "{}".to_owned(),
        include: "summary".to_owned(),
        enabled: 1,
        disabled_why: None,
        is_default: 0,
        breaker_failures: None,
        breaker_rest: None,
        rate_per_minute: None,
        created_by: "test".to_owned(),
        created_at: 1,
        updated_at: 1,
        deleted_at: None,
    };
    row.seal(&sealer(), &settings).unwrap();
    super::destinations::insert(conn, &row).unwrap();
    row
}

/// A rule that tells a destination everything.
pub fn plant_rule(conn: &mut Conn, tenant: &str, called: &str, destination: &str) -> super::rules::Rule {
    let rule = crate::delivery::rule::Rule::everything(called, vec![destination.to_owned()]);
    let row = super::rules::Rule {
        id: crate::id::new(Kind::Rule),
        tenant_id: tenant.to_owned(),
        name: called.to_owned(),
        live_name: Some(called.to_owned()),
        definition: serde_json::Value::Object(rule.to_json()).to_string(),
        enabled: 1,
        made_for: None,
        created_by: "test".to_owned(),
        created_at: 1,
        updated_at: 1,
        deleted_at: None,
    };
    super::rules::insert(conn, &row).unwrap();
    row
}

/// A delivery to a destination; finished, or still to be made.
pub fn plant_delivery(conn: &mut Conn, tenant: &str, destination: &str, finished: bool) -> String {
    use super::schema::deliveries::dsl::*;
    let new = crate::id::new(Kind::Delivery);
    diesel::insert_into(deliveries)
        .values((
            (id.eq(crate::id::number(&new)), tenant_id.eq(tenant), destination_id.eq(destination), subject.eq(&new)),
            (event.eq("incident.triggered"), status.eq(if finished { "delivered" } else { "pending" }), message.eq("{}")),
            (attempts.eq(0), failures.eq(0), created_at.eq(1), tried_since.eq(1), finished_at.eq(finished.then_some(5))),
        ))
        .execute(conn)
        .unwrap();
    new
}
