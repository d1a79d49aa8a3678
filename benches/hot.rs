//! What one request costs, part by part: `cargo bench --bench hot`. Compare two runs on one machine, never two machines.

#![allow(clippy::expect_used, reason = "a benchmark that cannot be set up has nothing to say")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use serde_json::json;

use callbox::event::{Action, DedupKey, Event, Severity};
use callbox::incident::{self, Actor, Arrival, KeyState, Report};
use callbox::ingest::fold::Fold;
use callbox::ingest::snapshot::{Credential, CredentialKind, Integration, Policy, Snapshot, Timers};
use callbox::ingest::submission::{Ledger, Mode, Posted, Submission, Verdict};
use callbox::provider::fixture::Fixture;
use callbox::provider::path::Path;
use callbox::provider::{self, Clock, Compiled, Registry, Request};
use callbox::secret::{CredentialHash, Secret};
use callbox::signature::{self, GITHUB, Scheme};
use callbox::time::Timestamp;
use callbox::{id, json as body};

const NOW: Timestamp = Timestamp::from_seconds(1_767_322_845);

fn report(key: &str) -> Posted {
    let key = DedupKey::strict(key).expect("a valid key");
    let event = Event::new(Action::Trigger, key.clone(), "CPU load is above 95 percent", "db-1.example.net", Severity::Critical);
    Posted::report(key, Report::new(&event, Clock::Arrival))
}

/// Parsing and reading each provider's first fixture.
fn normalise(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("normalise");
    for provider in Registry::built_in().tools() {
        let kind = provider.meta().kind;
        let file = format!("{}/fixtures/{kind}/trigger.http", env!("CARGO_MANIFEST_DIR"));
        let Ok(bytes) = std::fs::read(&file) else { continue };
        let fixture = Fixture::parse(&bytes).expect("a fixture is a request");
        group.bench_function(kind, |bencher| {
            bencher.iter(|| {
                let parsed = body::parse_lenient(&fixture.body).ok();
                let request = Request {
                    body: &fixture.body,
                    json: parsed.as_ref().map(|parsed| &parsed.value),
                    headers: &fixture.headers,
                    query: &fixture.query,
                    subpath: fixture.subpath(),
                    received_at: NOW,
                    options: &Compiled::none(),
                };
                black_box(provider.normalise(&request).is_ok())
            });
        });
    }
    group.finish();
}

fn verify(criterion: &mut Criterion) {
    let secret = Secret::new("It's a Secret to Everybody");
    let text = "x".repeat(630);
    let scheme = Scheme::Hmac(GITHUB);
    let headers = signature::sign(&scheme, std::slice::from_ref(&secret), "msg_1", text.as_bytes(), NOW);
    let headers = provider::Headers::new(headers);
    criterion.bench_function("verify/hmac-sha256 over 630 bytes", |bencher| {
        bencher
            .iter(|| signature::check(&scheme, &headers, text.as_bytes(), std::slice::from_ref(&secret), NOW).expect("it holds"));
    });
}

fn apply(criterion: &mut Criterion) {
    let item = report("cpu/db-1");
    let callbox::ingest::submission::Effect::Report(trigger) = &item.effect else { return };
    let arrival = Arrival { received_at: NOW, event_id: "evt_1", service_id: "svc_1", actor: Actor::Tool };
    let mut open = KeyState::default();
    incident::apply(&mut open, trigger, &arrival, || id::new(id::Kind::Incident));
    criterion.bench_function("apply/opens", |bencher| {
        bencher.iter_batched_ref(
            KeyState::default,
            |state| incident::apply(state, trigger, &arrival, || id::new(id::Kind::Incident)),
            BatchSize::SmallInput,
        );
    });
    criterion
        .bench_function("apply/repeats", |bencher| bencher.iter(|| incident::apply(&mut open, trigger, &arrival, String::new)));
}

fn paths(criterion: &mut Criterion) {
    let document =
        json!({"job": {"host": {"name": "db-1"}, "tags": [{"k": "a", "v": "1"}, {"k": "b", "v": "2"}]}, "level": "critical"});
    for text in ["job.host.name", "$.job.host.name", "$.job.tags[?(@.k=='b')].v"] {
        let path = Path::compile(text).expect("a path");
        criterion.bench_function(&format!("path/{text}"), |bencher| bencher.iter(|| black_box(path.first(&document)).is_some()));
    }
}

fn integration(number: usize) -> (CredentialHash, Arc<Integration>) {
    let hash = CredentialHash::of(&format!("{number:032x}"));
    let provider = Registry::built_in().by_type("events").expect("a provider");
    let credential = Credential {
        id: format!("crd_{number}"),
        kind: CredentialKind::Key,
        hash: Some(hash),
        secret: None,
        expires_at: None,
        last_used: AtomicI64::new(0),
        last_used_written: AtomicI64::new(0),
    };
    let integration = Integration {
        id: Arc::from(format!("int_{number}")),
        tenant_id: Arc::from("ten_1"),
        service_id: Arc::from("svc_1"),
        kind: "events".to_owned(),
        name: format!("events {number}"),
        provider,
        enabled: true,
        deleted: false,
        policy: Policy::Hook,
        scheme: Scheme::Generic,
        published: None,
        options: Compiled::none(),
        rate_limit_per_minute: 0,
        timers: Timers::default(),
        native_body_limit: None,
        credentials: vec![Arc::new(credential)],
        sealed_shut: false,
        tells: false,
    };
    (hash, Arc::new(integration))
}

fn lookup(criterion: &mut Criterion) {
    let snapshot = Snapshot { keys: (0..1_000).map(integration).collect(), ..Snapshot::default() };
    criterion.bench_function("lookup/a key among 1,000, hash included", |bencher| {
        bencher.iter(|| {
            let hash = CredentialHash::of(black_box("000000000000000000000000000001f4"));
            black_box(snapshot.by_key(&hash, NOW)).is_some()
        });
    });
}

fn submission(number: usize, key: &str) -> Submission {
    let ledger = Ledger {
        id: format!("req_{number}"),
        route: "/v2/enqueue",
        verdict: Verdict::Accepted,
        status: 202,
        headers: String::new(),
        query: String::new(),
        target: None,
        body: Bytes::from_static(b"{}").into(),
        message: None,
    };
    Submission {
        tenant_id: Arc::from("ten_1"),
        integration_id: Arc::from("int_1"),
        service_id: Arc::from("svc_1"),
        received_at: NOW,
        actor: Actor::Tool,
        mode: Mode::Live,
        ledger: Some(ledger),
        items: vec![report(key)],
        changes: Vec::new(),
        delivery: None,
        tells: true,
    }
}

fn fold(criterion: &mut Criterion) {
    let unique: Vec<Submission> = (0..64).map(|number| submission(number, &format!("key-{number}"))).collect();
    let equal: Vec<Submission> = (0..64).map(|number| submission(number, "key")).collect();
    for (name, batch) in [("fold/64 new keys", unique), ("fold/64 times one key", equal)] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut fold = Fold::default();
                for submission in &batch {
                    let events = fold.items(submission, &submission.items, NOW);
                    fold.ledger(submission, &events, NOW);
                }
                black_box(fold.finish()).events.len()
            });
        });
    }
}

criterion_group!(benches, normalise, verify, apply, paths, lookup, fold);
criterion_main!(benches);
