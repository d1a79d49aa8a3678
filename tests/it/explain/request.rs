//! Whatever may be posted may be explained: any method, the path below an integration's URL, content encodings, large bodies; by the
//! API and by the command.

use std::io::Write as _;

use tempfile::TempDir;

use super::*;
use callbox::provider::fixture::Fixture;

on_both!(every_fixture_that_is_more_than_a_post, a_packed_body, a_large_body);

/// The program as a client of a service in this process.
async fn command(running: &Running, arguments: &[&str]) -> std::process::Output {
    let mut command = std::process::Command::new(program());
    command
        .args(["--output", "json", "explain"])
        .args(arguments)
        .current_dir(repository())
        .env("CALLBOX_URL", format!("http://{}", running.address))
        .env("CALLBOX_TOKEN", ADMIN_TOKEN);
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

/// What the command says of a file, as if it came to `integration`.
async fn said_of_file(running: &Running, kind: &str, file: &str, integration: &Integration) -> Value {
    let output = command(running, &[kind, "--file", file, "--integration", &integration.id]).await;
    assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A GET with everything in its query and a path below the integration's URL mean the same to the command, the API and the route.
async fn every_fixture_that_is_more_than_a_post(database: Database) {
    let (running, api) = service::service(&database).await;
    let mut seen = HashSet::new();
    let mut names = HashSet::new();
    for sample in fixtures().iter().filter(|sample| sample.method != "POST" || !sample.subpath.is_empty()) {
        if !names.insert(sample.name.clone()) {
            continue;
        }
        let integration = service::integration(&api, sample, &sample.name).await;
        let before = state(&database);
        let by_api = explained(&api, sample, Some(&integration)).await;
        let by_command = said_of_file(&running, sample.kind, &format!("fixtures/{}.http", sample.name), &integration).await;
        assert_eq!(by_command["verdict"], by_api["verdict"], "{}: {by_command}", sample.name);
        assert_eq!(by_command["message"], by_api["message"], "{}", sample.name);
        assert_eq!(by_command["events"], by_api["events"], "{}", sample.name);
        assert_eq!(state(&database), before, "{}: an explanation writes nothing", sample.name);
        let reply = posted(&running, sample, &integration).await;
        agree(&api, sample, &by_command, &reply).await;
        seen.insert(format!("{} {}", sample.method, sample.subpath));
    }
    assert!(seen.contains("GET ") && seen.contains("POST api/v2/alerts"), "{seen:?}");
    running.stop().await;
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn encoded(sample: &Sample, encoding: &str, body: Vec<u8>) -> Sample {
    let mut sample = Sample { body, ..sample.clone() };
    sample.headers.push(("content-encoding".to_owned(), encoding.to_owned()));
    sample
}

/// A trigger of the generic webhook that fills `size` bytes.
fn padded(trigger: &Sample, size: usize) -> Vec<u8> {
    let mut body = trigger.body.clone();
    body.resize(size.max(body.len()), b' ');
    body
}

const LIMIT: usize = 4_096;

async fn a_packed_body(database: Database) {
    let (running, api) = service::service(&database).await;
    let trigger = fixtures().into_iter().find(|sample| sample.name == "grafana/trigger").unwrap();
    let fields = json!({"type": "grafana", "name": "packed", "rate_limit_per_minute": 0, "native_body_limit": LIMIT * 4});
    let integration = api.integration_from(fields).await;
    let plain = explained(&api, &trigger, Some(&integration)).await;
    assert_eq!(plain["verdict"], "accepted", "{plain}");

    let packed = encoded(&trigger, "gzip", gzip(&trigger.body));
    let by_api = explained(&api, &packed, Some(&integration)).await;
    assert_eq!((&by_api["verdict"], &by_api["events"]), (&plain["verdict"], &plain["events"]), "{by_api}");
    let folder = TempDir::with_prefix("callbox-explain-").unwrap();
    let file = folder.path().join("packed.http");
    let headers = callbox::provider::Headers::new(packed.headers.iter().map(|(name, value)| (name.clone(), value)));
    let path = "/api/integrations/grafana".to_owned();
    let fixture = Fixture { method: "POST".to_owned(), path, query: Vec::new(), headers, body: packed.body.clone() };
    std::fs::write(&file, fixture.render()).unwrap();
    let by_command = said_of_file(&running, "grafana", file.to_str().unwrap(), &integration).await;
    assert_eq!(by_command["events"], plain["events"], "{by_command}");
    agree(&api, &packed, &by_api, &posted(&running, &packed, &integration).await).await;

    let bomb = gzip(&vec![b' '; 50_000_000]);
    let cases = [
        (encoded(&trigger, "gzip", gzip(&padded(&trigger, LIMIT * 4 + 1))), "too_large", 413),
        (encoded(&trigger, "gzip", bomb), "too_large", 413),
        (encoded(&trigger, "gzip", trigger.body.clone()), "invalid", 400),
        (encoded(&trigger, "br", trigger.body.clone()), "invalid", 415),
    ];
    for (sample, verdict, status) in cases {
        let said = explained(&api, &sample, Some(&integration)).await;
        assert_eq!(said["verdict"], verdict, "{said}");
        let limit = format!("{} bytes", LIMIT * 4);
        assert!(verdict != "too_large" || said["message"].as_str().unwrap().contains(&limit), "{said}");
        assert!(said["events"].as_array().unwrap().iter().all(|event| event["outcome"].is_null()), "{said}");
        assert_eq!(posted(&running, &sample, &integration).await.status, status, "{verdict}");
    }
    running.stop().await;
}

/// As large as the integration may send: more than other requests to the API may be.
async fn a_large_body(database: Database) {
    let (running, api) = service::service(&database).await;
    let trigger = fixtures().into_iter().find(|sample| sample.name == "grafana/trigger").unwrap();
    let largest = running.app.native_body;
    let integration = service::integration(&api, &trigger, "large").await;
    for (size, verdict, status) in [(largest, "accepted", 200..300), (largest + 1, "too_large", 413..414)] {
        let large = Sample { body: padded(&trigger, size), ..trigger.clone() };
        let said = explained(&api, &large, Some(&integration)).await;
        assert_eq!(said["verdict"], verdict, "{}", said["message"]);
        let reply = posted(&running, &large, &integration).await;
        assert!(status.contains(&reply.status), "{size} bytes: {}", reply.status);
    }
    let far = json!({"body_base64": STANDARD.encode(vec![b' '; largest * 2])});
    let answer = api.post("/api/v1/explain/grafana", &far).await;
    assert_eq!((answer.status, answer.body["error"]["code"].as_str()), (413, Some("too_large")), "{}", answer.body);

    for (fields, wrong) in [
        (json!({"method": "get"}), "method"),
        (json!({"subpath": "/api/v2/alerts"}), "subpath"),
        (json!({"subpath": 1}), "subpath"),
        (json!({"body_base64": "?"}), "body_base64"),
        (json!({"body": "{}", "body_base64": "e30="}), "body"),
    ] {
        let answer = api.post("/api/v1/explain/grafana", &fields).await;
        assert_eq!(answer.status, 400, "{fields}: {}", answer.body);
        assert_eq!(answer.body["error"]["details"][0]["field"], wrong, "{fields}: {}", answer.body);
    }
    let said = api.post("/api/v1/explain/grafana", &json!({"method": "DELETE", "body": "{}"})).await.body;
    assert_eq!((&said["verdict"], &said["message"]), (&json!("invalid"), &json!("the method is not allowed here")), "{said}");
    running.stop().await;
}
