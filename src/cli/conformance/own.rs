//! The test of this program: every tool in every scheme, on a service of its own.

use anyhow::Context;
use serde_json::{Value, json};

use super::body::Message;
use super::cases::{self, Expected, Material, Plan};
use super::door::{Door, Outcome, Row};
use super::keys;
use super::report::Report;
use crate::app::Private;
use crate::cli::Session;
use crate::cli::api::Api;
use crate::cli::connect::{Connection, Global};
use crate::cli::read::text;
use crate::provider::{Compiled, Headers, Registry};
use crate::secret::Secret;
use crate::signature::vectors::{self, Vector};
use crate::signature::{Scheme, check};
use crate::time::Timestamp;

/// Seconds for which an old secret goes on.
const OVERLAP: i64 = 60;
/// The secret of schemes for which there is no vector.
const SECRET: &str = "topsecret";

/// What is tested: a tool's type, the options of its integration, and its scheme.
struct Subject {
    kind: &'static str,
    options: Value,
    scheme: Scheme,
}

/// Every tool as it signs, and the schemes that it takes besides.
fn subjects(tools: &'static Registry) -> Vec<Subject> {
    let of = |kind: &'static str, scheme| Subject { kind, options: json!({}), scheme };
    let mut subjects: Vec<Subject> = tools.tools().map(|tool| of(tool.meta().kind, tool.scheme(&Compiled::none()))).collect();
    // A tool without a scheme of its own may sign by Standard Webhooks.
    subjects.push(of("webhook", Scheme::StandardWebhooks));
    let timed = json!({"timestampHeader": "X-Grafana-Alerting-Timestamp"});
    if let Some(tool) = tools.by_type("grafana")
        && let Ok(compiled) = tool.compile(&timed)
    {
        subjects.push(Subject { kind: "grafana", options: timed, scheme: tool.scheme(&compiled) });
    }
    subjects
}

/// Tests every tool, or the one of this type.
///
/// # Errors
/// The service does not start, or does not answer.
pub async fn run(global: &Global, only: Option<&str>) -> anyhow::Result<Report> {
    let service = Private::start(Timestamp::from_seconds(vectors::AT)).await?;
    let connection = Connection { url: service.url().parse()?, token: Some(service.token.clone()), roots: Vec::new() };
    let session = Session { api: Api::open(&connection)?, out: global.output() };
    let only = only.map(|only| service.tools().by_type(only).map_or(only, |tool| tool.meta().kind));
    let mut report = Report::default();
    if only.is_none() {
        report.rows.extend(published());
    }
    report.rows.extend(keys::rows(only));
    let mut doors = Vec::new();
    let wanted = subjects(service.tools()).into_iter().filter(|subject| only.is_none_or(|only| only == subject.kind));
    for (number, subject) in wanted.enumerate() {
        let mut door = open(&session, subject, number).await?;
        let now = service.clock.now();
        report.rows.extend(post_vectors(&session, &mut door).await?);
        let message = Message::samples(&door.kind).swap_remove(0);
        let (scheme, secret, key) = (door.scheme.clone(), door.secret.clone(), door.key.clone());
        let material = Material { scheme: &scheme, secret: &secret, key: &key, message: &message, now };
        for case in cases::all(&material)? {
            report.rows.push(door.try_case(&session, case).await?);
        }
        doors.push((door, message));
    }
    report.rows.extend(rotate(&session, &service, doors).await?);
    service.stop().await;
    report.rows.sort_by(|a, b| (&a.kind, &a.scheme).cmp(&(&b.kind, &b.scheme)));
    Ok(report)
}

/// Makes the integration.
async fn open(session: &Session, subject: Subject, number: usize) -> anyhow::Result<Door> {
    let is_own = |vector: &Vector| !vector.is_published() && subject.scheme.hmac().is_some_and(|hmac| vector.is_of(hmac));
    let own = vectors::all().into_iter().find(is_own);
    let secret = own.map_or(SECRET, |vector| vector.secret);
    let fields = json!({
        "type": subject.kind, "name": format!("{} {number}", subject.kind), "signature_secret": secret, "options": subject.options,
        "rate_limit_per_minute": 0,
    });
    let made = session.api.post(&["integrations"], &fields).await?;
    let timed = if subject.options.as_object().is_some_and(|options| !options.is_empty()) { ", with a timestamp" } else { "" };
    Ok(Door {
        kind: subject.kind.to_owned(),
        id: text(&made, "id"),
        named: format!("{}{timed}", subject.scheme.name()),
        scheme: subject.scheme,
        url: text(&made, "url").parse().context("the service printed no URL")?,
        key: Secret::new(text(&made, "key")),
        secret: Secret::new(secret),
        // One address each: the shield of one must not answer for another.
        from: Some(format!("192.0.2.{number}")),
        refusal: None,
    })
}

/// Posts what others have signed with the integration's secret.
async fn post_vectors(session: &Session, door: &mut Door) -> anyhow::Result<Vec<Row>> {
    let Some(hmac) = door.scheme.hmac().cloned() else { return Ok(Vec::new()) };
    let mut rows = Vec::new();
    let ours = vectors::all().into_iter().filter(|vector| !vector.is_published() && vector.is_of(&hmac));
    let mut seen = Vec::new();
    for vector in ours {
        let headers = vector.headers(&hmac);
        // Tools with the same scheme under other headers have the same vectors.
        if seen.contains(&headers) {
            continue;
        }
        seen.push(headers.clone());
        let (body, json) = (vector.body.as_bytes().to_vec(), ("content-type".to_owned(), "application/json".to_owned()));
        let message = Message { headers: vec![json], query: Vec::new(), body: body.clone() };
        let plan = Plan::Post { headers, body, message };
        let case = cases::Case { name: vector.case(), expected: Expected::Accepted, plan };
        rows.push(door.try_case(session, case).await?);
    }
    if rows.is_empty() {
        rows.push(door.row(
            "vectors",
            Outcome::Skipped,
            Expected::Accepted,
            "nobody else's signature is at hand for this scheme",
        ));
    }
    Ok(rows)
}

/// The vectors that vendors published, each at its own time.
fn published() -> Vec<Row> {
    let vectors = vectors::all().into_iter().filter(Vector::is_published);
    let rows = vectors.map(|vector| {
        let headers = Headers::new(vector.scheme.hmac().map(|hmac| vector.headers(hmac)).unwrap_or_default());
        let secret = [Secret::new(vector.secret)];
        let checked = check(&vector.scheme, &headers, vector.body.as_bytes(), &secret, Timestamp::from_seconds(vector.at));
        Row {
            kind: "(published)".to_owned(),
            scheme: vector.scheme.name().to_owned(),
            case: vector.source.to_owned(),
            outcome: if checked.is_ok() { Outcome::Held } else { Outcome::Failed },
            expected: "holds",
            came: checked.map_or_else(|why| why.to_string(), |_| "holds".to_owned()),
        }
    });
    rows.collect()
}

/// Rotates every secret; old and new hold together, and the old one ends.
async fn rotate(session: &Session, service: &Private, doors: Vec<(Door, Message)>) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let new = Secret::new("the secret after the rotation");
    let mut doors = doors;
    for (after, names) in [
        (false, ["rotated, old within overlap", "rotated, new"]),
        (true, ["rotated, old after overlap", "rotated, new after overlap"]),
    ] {
        if after {
            service.clock.advance(OVERLAP + 1);
        }
        for (door, message) in &mut doors {
            if !after {
                let fields = json!({"what": "secret", "signature_secret": new.expose(), "overlap": format!("{OVERLAP}s")});
                session.api.post(&["integrations", &door.id, "rotate"], &fields).await?;
            }
            let old = if after { Expected::Refused } else { Expected::Accepted };
            let (scheme, secret, key) = (door.scheme.clone(), door.secret.clone(), door.key.clone());
            let now = service.clock.now();
            let material = Material { scheme: &scheme, secret: &secret, key: &key, message, now };
            for (name, (by, expected)) in names.into_iter().zip([(&secret, old), (&new, Expected::Accepted)]) {
                rows.push(door.try_case(session, cases::by(&material, name, by, expected)).await?);
            }
        }
    }
    Ok(rows)
}
