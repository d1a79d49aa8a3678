//! Explain and post agree in every field but ids, times and generated keys: over every fixture, over what other projects publish,
//! and over ten thousand bodies that nobody sends. And explain leaves nothing behind.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callbox::app::Running;
use callbox::ingest::explain::{self, Question};
use callbox::ingest::fold::CATCH_ALL_OTHER;
use callbox::ingest::native::{self, Found};
use callbox::ingest::submission::Verdict;
use callbox::provider::Registry;
use callbox::time::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::callbox::{ADMIN_TOKEN, program};
use crate::support::raw::{self, Reply};
use crate::support::tool::repository;
use crate::support::{Api, Callbox, Database, Integration};
use mutate::{Random, mutated};
use sample::{Sample, fixtures, payloads};

mod compare;
mod mutate;
mod request;
mod sample;
mod service;

on_both!(over_every_fixture_and_payload, over_mutated_bodies, leaves_nothing_behind, refuses_what_a_post_refuses);

async fn over_every_fixture_and_payload(database: Database) {
    let (running, api) = service::service(&database).await;
    let mut integrations: HashMap<String, Integration> = HashMap::new();
    for sample in fixtures().into_iter().chain(payloads()) {
        let needs = sample.needs();
        if !integrations.contains_key(&needs) {
            let name = format!("{} {}", sample.kind, integrations.len());
            integrations.insert(needs.clone(), service::integration(&api, &sample, &name).await);
        }
        let integration = &integrations[&needs];
        let said = explained(&api, &sample, Some(integration)).await;
        let reply = posted(&running, &sample, integration).await;
        agree(&api, &sample, &said, &reply).await;
        changes_agree(&api, &sample, integration, &said, &reply).await;
        // What opened is met the second time.
        let again = explained(&api, &sample, Some(integration)).await;
        for (before, after) in said["events"].as_array().unwrap().iter().zip(again["events"].as_array().unwrap()) {
            if before["outcome"] == "opened" {
                assert_ne!(after["outcome"], "opened", "{}: {after}", sample.name);
            }
        }
    }
    running.stop().await;
}

async fn explained(api: &Api, sample: &Sample, integration: Option<&Integration>) -> Value {
    let mut query: HashMap<&str, Vec<&str>> = HashMap::new();
    sample.query.iter().for_each(|(name, value)| query.entry(name).or_default().push(value));
    let headers: HashMap<&str, &str> = sample.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut body = json!({
        "method": sample.method, "headers": headers, "query": query, "body_base64": STANDARD.encode(&sample.body),
    });
    if !sample.subpath.is_empty() {
        body["subpath"] = sample.subpath.clone().into();
    }
    match integration {
        Some(integration) => body["integration_id"] = integration.id.clone().into(),
        None if !sample.options.is_null() => body["options"] = sample.options.clone(),
        None => {}
    }
    let answer = api.post(&format!("/api/v1/explain/{}", sample.kind), &body).await;
    assert_eq!(answer.status, 200, "{}: {}", sample.name, answer.body);
    answer.body
}

async fn posted(running: &Running, sample: &Sample, integration: &Integration) -> Reply {
    let mut target = format!("/api/integrations/{}/{}", sample.kind, integration.hook);
    if !sample.subpath.is_empty() {
        target.push_str(&format!("/{}", sample.subpath));
    }
    if !sample.query.is_empty() {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&sample.query).finish();
        target.push_str(&format!("?{query}"));
    }
    let headers: Vec<(&str, &str)> = sample.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    raw::send(&running.address.to_string(), &raw::request(&sample.method, &target, &headers, &sample.body)).await
}

async fn agree(api: &Api, sample: &Sample, said: &Value, reply: &Reply) {
    let (case, answer) = (&sample.name, reply.json());
    if said["verdict"] == "invalid" {
        assert_eq!(reply.status, 400, "{case}: {answer}");
        return;
    }
    assert!((200..300).contains(&reply.status), "{case}: explain said {said}, the post {} {answer}", reply.status);
    let row = api.get(&format!("/api/v1/requests/{}", reply.header("x-request-id").unwrap())).await.body;
    assert_eq!((&said["verdict"], &said["message"]), (&row["verdict"], &row["message"]), "{case}");
    let rows = row["events"].as_array().unwrap();
    match said["verdict"].as_str() {
        // The answer is what the tool needs, and says nothing of ours.
        Some("handshake") => return assert!(rows.is_empty(), "{case}: {row}"),
        Some("duplicate") => return assert!(rows.is_empty() && answer["events"] == json!([]), "{case}: {answer}"),
        _ => assert_eq!(said["message"], answer["message"], "{case}"),
    }
    assert_eq!(rows.len(), answer["events"].as_array().unwrap().len(), "{case}: {answer}");
    compare::events(case, said, rows);
    for (event, id) in compare::opened(said, rows) {
        compare::incident(case, event, &api.get(&format!("/api/v1/incidents/{id}")).await.body);
    }
}

async fn changes_agree(api: &Api, sample: &Sample, integration: &Integration, said: &Value, reply: &Reply) {
    let request = reply.header("x-request-id").unwrap_or_default();
    let all = api.all(&format!("/api/v1/changes?integration_id={}", integration.id)).await;
    let mut rows: Vec<&Value> = all.iter().filter(|change| change["request_id"] == request).collect();
    rows.reverse();
    let said = said["changes"].as_array().unwrap();
    assert_eq!(said.len(), rows.len(), "{}: {rows:?}", sample.name);
    for (said, did) in said.iter().zip(rows) {
        for field in ["summary", "source", "custom_details"] {
            assert_eq!(said[field], did[field], "{}: {field} of the change", sample.name);
        }
        let links = if said["links"].is_null() { json!([]) } else { said["links"].clone() };
        assert_eq!(links, did["links"], "{}: links of the change", sample.name);
    }
}

/// Bodies on each database, together ten thousand; PostgreSQL commits slower, and says the same.
const ON_SQLITE: usize = 7_000;
const ON_POSTGRES: usize = 3_000;
/// Senders at once, each with integrations of its own: what one does changes nothing of what another is told.
const SENDERS: usize = 4;
/// The samples of one tool, or two.
const FEW: usize = 16;
/// How often time goes on while they send, and by how much: beyond the guard of an episode.
const ROUNDS: usize = 10;
const ROUND_SECONDS: i64 = 11;

/// Explained and then posted by the same functions that the routes call, without the sockets in between.
async fn over_mutated_bodies(database: Database) {
    let bodies = if database.is_postgres() { ON_POSTGRES } else { ON_SQLITE };
    let started = Instant::now();
    let (running, api) = service::service(&database).await;
    let running = Arc::new(running);
    let samples: Arc<Vec<Sample>> = Arc::new(fixtures().into_iter().chain(payloads()).collect());
    let barrier = Arc::new(Barrier::new(SENDERS));
    let mut senders = JoinSet::new();
    for number in 0..SENDERS {
        let mut known = HashMap::new();
        for sample in samples.iter() {
            if !known.contains_key(&sample.needs()) {
                let integration = service::integration(&api, sample, &format!("{number} {}", known.len())).await;
                let found = service::found(&running, sample.kind, &integration).await;
                known.insert(sample.needs(), (integration, found));
            }
        }
        let sender = Sender { running: Arc::clone(&running), samples: Arc::clone(&samples), known, expected: HashMap::new() };
        senders.spawn(sender.run(number, bodies.div_ceil(SENDERS), Arc::clone(&barrier)));
    }
    let (mut compared, mut seen) = (0, HashSet::new());
    while let Some(sender) = senders.join_next().await {
        let sender = sender.unwrap();
        seen.extend(sender.expected.values().flat_map(|(_, said)| traits(said)));
        compared += sender.rows_agree(&api).await;
    }
    let wanted = ["opened", "updated", "escalated", "acknowledged", "resolved", "unmatched", "stale", "unmapped"];
    for wanted in wanted.into_iter().chain(["implied", "shared"]) {
        assert!(seen.contains(wanted), "no event was {wanted}: the mutations have lost it; seen: {seen:?}");
    }
    assert!(compared > bodies / 2, "only {compared} events of {bodies} bodies: the mutations destroy too much");
    eprintln!("{bodies} bodies, {compared} events, {:?}", started.elapsed());
}

/// What makes an event special: its outcome, that it was only implied, that it shares the one catch-all of too many.
fn traits(said: &Value) -> impl Iterator<Item = String> {
    let implied = (said["implied"] == true).then(|| "implied".to_owned());
    let shared = (said["dedup_key"] == CATCH_ALL_OTHER).then(|| "shared".to_owned());
    [said["outcome"].as_str().map(str::to_owned), implied, shared].into_iter().flatten()
}

struct Sender {
    running: Arc<Running>,
    samples: Arc<Vec<Sample>>,
    known: HashMap<String, (Integration, Found)>,
    /// What was said of each event, by its id.
    expected: HashMap<String, (String, Value)>,
}

impl Sender {
    async fn run(mut self, number: usize, bodies: usize, barrier: Arc<Barrier>) -> Self {
        let mut random = Random(number as u64);
        for round in 0..ROUNDS {
            barrier.wait().await;
            let at = service::now().plus_seconds(ROUND_SECONDS * i64::try_from(round).unwrap());
            for n in 0..bodies.div_ceil(ROUNDS) {
                let samples = Arc::clone(&self.samples);
                // One in four is of the first few, so that one integration has more catch-alls than it may have open.
                let among = if n % 4 == 0 { FEW.min(samples.len()) } else { samples.len() };
                let mut sample = samples[random.below(among)].clone();
                sample.body = mutated(&sample.body, &mut random);
                sample.name = format!("sender {number}, round {round}, body {n}, from {}", sample.name);
                self.one(&sample, at).await;
            }
        }
        self
    }

    async fn one(&mut self, sample: &Sample, at: Timestamp) {
        let (_, found) = &self.known[&sample.needs()];
        let case = format!("{}: {}", sample.name, String::from_utf8_lossy(&sample.body[..sample.body.len().min(4_000)]));
        let inbound = service::inbound(sample, at);
        let question = Question {
            provider: Registry::built_in().by_type(sample.kind).unwrap(),
            integration: Some(Arc::clone(&found.integration)),
            options: None,
            inbound: inbound.clone(),
            unread: None,
            sees_destinations: true,
        };
        let explanation = explain::explain(&self.running.app, question).await.unwrap();
        let done = match native::accept(&self.running.app, found, &inbound).await {
            Ok(done) => done,
            Err(refusal) => {
                assert_eq!((explanation.verdict, Verdict::Invalid), (refusal.verdict, refusal.verdict), "{case}");
                return;
            }
        };
        assert_eq!((Some(explanation.verdict), &explanation.message), (done.verdict, &done.message), "{case}");
        let said = explain::to_json(&explanation);
        let events = said["events"].as_array().unwrap();
        if explanation.verdict == Verdict::Duplicate {
            // What it says is shown, and nothing that it did.
            assert!(done.events.is_empty() && events.iter().all(|event| event["outcome"].is_null()), "{case}: {said}");
            return;
        }
        assert_eq!(events.len(), done.events.len(), "{case}: {said}");
        for (said, did) in events.iter().zip(&done.events) {
            assert_eq!(said["outcome"], did.outcome.as_str(), "{case}: {said}");
            self.expected.insert(did.id.clone(), (sample.name.clone(), said.clone()));
        }
        let rows: Vec<Value> = done.events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
        for (event, id) in compare::opened(&said, &rows) {
            compare::incident(&case, event, &service::incident(&self.running, id));
        }
    }

    /// Compares what was said with the rows of all events; how many there are.
    async fn rows_agree(mut self, api: &Api) -> usize {
        let mut compared = 0;
        for (integration, _) in self.known.values() {
            for row in api.events(integration).await {
                let (case, said) = self.expected.remove(row["id"].as_str().unwrap()).expect("every event was told of");
                compare::events(&case, &json!({"events": [said]}), &[row]);
                compared += 1;
            }
        }
        assert!(self.expected.is_empty(), "told of, and not stored: {:?}", self.expected);
        compared
    }
}

/// Everything that a request may change, counted.
fn state(database: &Database) -> String {
    let tables =
        ["requests", "refusals", "events", "incidents", "tombstones", "changes", "outbox", "seen_deliveries", "replays", "audit"];
    let counts = tables.map(|table| format!("(SELECT count(*) FROM {table})")).join(" || ' ' || ");
    let open = "(SELECT coalesce(sum(event_count), 0) FROM incidents)";
    let used = "(SELECT count(*) FROM credentials WHERE last_used_at IS NOT NULL)";
    let [state] = &database.cells(&format!("SELECT {counts} || ' ' || {open} || ' ' || {used} AS cell"))[..] else { panic!() };
    state.clone()
}

async fn leaves_nothing_behind(database: Database) {
    let (running, api) = service::service(&database).await;
    let samples = fixtures();
    let trigger = samples.iter().find(|sample| sample.name == "alertmanager/trigger").unwrap();
    let limited = json!({"type": "alertmanager", "name": "limited", "policy": "key", "rate_limit_per_minute": 2});
    let limited = api.integration_from(limited).await;
    let mut signed = trigger.clone();
    signed.headers.push(("x-api-key".to_owned(), limited.key.clone()));
    assert_eq!(posted(&running, &signed, &limited).await.status, 202, "opens what the explanations meet");
    flushed().await;
    let before = state(&database);
    let used = last_used(&running, &limited);
    for sample in &samples {
        explained(&api, sample, None).await;
    }
    running.app.clock.advance(5);
    for _ in 0..10 {
        let said = explained(&api, &signed, Some(&limited)).await;
        assert_eq!(said["credential"]["holds"], true, "{said}");
        assert_eq!(said["events"][0]["outcome"], "updated", "{said}");
    }
    assert_eq!(last_used(&running, &limited), used, "an explanation uses no credential");
    flushed().await;
    assert_eq!(state(&database), before);
    assert_eq!(posted(&running, &signed, &limited).await.status, 202, "the explanations were not counted as requests");
    assert_eq!(posted(&running, &signed, &limited).await.status, 503, "the limit itself holds");
    running.stop().await;
}

/// Until everything that is written lazily, every second, had its turn.
async fn flushed() {
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
}

fn last_used(running: &Running, integration: &Integration) -> Vec<i64> {
    let snapshot = running.app.directory.snapshot();
    let credentials = snapshot.integrations[integration.id.as_str()].credentials.iter();
    credentials.map(|credential| credential.last_used.load(std::sync::atomic::Ordering::Relaxed)).collect()
}

async fn refuses_what_a_post_refuses(database: Database) {
    let (running, api) = service::service(&database).await;
    let trigger = fixtures().into_iter().find(|sample| sample.name == "webhook/trigger").unwrap();
    let of = async |fields: Value| {
        let mut all = json!({"type": "webhook", "rate_limit_per_minute": 0});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        api.integration_from(all).await
    };
    let plain = of(json!({"name": "plain"})).await;
    let keyed = of(json!({"name": "keyed", "policy": "key"})).await;
    let signed = of(json!({"name": "signed", "signature_secret": "a secret of sixteen letters or more"})).await;
    let disabled = of(json!({"name": "disabled"})).await;
    let patched = api.patch(&format!("/api/v1/integrations/{}", disabled.id), &json!({"enabled": false})).await;
    assert_eq!(patched.status, 200, "{}", patched.body);
    let empty = Sample { body: b" \n".to_vec(), ..trigger.clone() };
    let other = Sample { kind: "grafana", ..trigger.clone() };
    let cases = [
        (&plain, &empty, "invalid", 400),
        (&keyed, &trigger, "unauthorized", 401),
        (&keyed, &empty, "unauthorized", 401),
        (&signed, &trigger, "unauthorized", 401),
        (&disabled, &trigger, "disabled", 403),
        (&disabled, &empty, "disabled", 403),
        (&plain, &other, "wrong_type", 404),
    ];
    for (integration, sample, verdict, status) in cases {
        let said = explained(&api, sample, Some(integration)).await;
        assert_eq!(said["verdict"], verdict, "{said}");
        assert!(said["events"].as_array().unwrap().iter().all(|event| event["outcome"].is_null()), "{said}");
        let reply = posted(&running, sample, integration).await;
        assert_eq!(reply.status, status, "{verdict}: {}", reply.json());
    }
    repeated_delivery(&running, &api, &signed, &trigger).await;
    running.stop().await;
}

/// A delivery that the sender guarantees to be the same (Standard Webhooks) has its effect once, and explain knows.
async fn repeated_delivery(running: &Running, api: &Api, integration: &Integration, trigger: &Sample) {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let at = service::now().seconds();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"a secret of sixteen letters or more").unwrap();
    mac.update(format!("msg_1.{at}.").as_bytes());
    mac.update(&trigger.body);
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let mut sample = trigger.clone();
    for (name, value) in
        [("webhook-id", "msg_1"), ("webhook-timestamp", at.to_string().as_str()), ("webhook-signature", signature.as_str())]
    {
        sample.headers.push((name.to_owned(), value.to_owned()));
    }
    for verdict in ["accepted", "duplicate"] {
        let said = explained(api, &sample, Some(integration)).await;
        assert_eq!(said["verdict"], verdict, "{said}");
        let reply = posted(running, &sample, integration).await;
        assert_eq!(reply.status, 202, "{}", reply.json());
        assert_eq!(said["message"], reply.json()["message"]);
        let did = reply.json()["events"].as_array().map_or(0, Vec::len);
        let acting = said["events"].as_array().unwrap().iter().filter(|event| !event["outcome"].is_null()).count();
        assert_eq!(acting, did, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_names_where_each_field_came_from() {
    let database = Database::sqlite();
    let service = Callbox::start(&database).await;
    let mut command = std::process::Command::new(program());
    command
        .args(["explain", "alertmanager", "--file", "fixtures/alertmanager/trigger.http"])
        .current_dir(repository())
        .env("CALLBOX_URL", service.base())
        .env("CALLBOX_TOKEN", ADMIN_TOKEN);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    let golden: Value =
        serde_json::from_slice(&std::fs::read(repository().join("fixtures/alertmanager/trigger.json")).unwrap()).unwrap();
    let items = golden["items"].as_array().unwrap();
    let events: Vec<&str> = shown.split("\nevent ").skip(1).collect();
    assert_eq!(events.len(), items.len(), "{shown}");
    for (text, item) in events.iter().zip(items) {
        let (event, origin) = (&item["event"]["event"], &item["event"]["origin"]);
        assert!(text.lines().next().unwrap().ends_with(origin["at"].as_str().unwrap()), "{text}");
        for (title, field) in
            [("action", "action"), ("key", "dedup_key"), ("summary", "summary"), ("source", "source"), ("severity", "severity")]
        {
            let line =
                text.lines().find(|line| line.split_whitespace().next() == Some(title)).unwrap_or_else(|| panic!("{text}"));
            for part in [&event[field], &origin[field]] {
                assert!(line.contains(part.as_str().unwrap()), "{title}: {part} is not in {line:?}");
            }
        }
    }
    assert!(shown.contains("labels.severity") && shown.contains("annotations."), "{shown}");
}
