//! Buttons under a message in Slack: what comes when one is pressed, signed by other people's code, and what hostile people send.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{destination_from, send, sender, start};
use crate::support::raw::{self, Reply};
use crate::support::receiver::Receiver;
use crate::support::tool::find;
use crate::support::{Callbox, Database, eventually, secrets};

on_both!(a_button_acknowledges_and_resolves);
on_both!(whoever_cannot_sign_presses_nothing);
on_both!(what_was_told_elsewhere_cannot_be_pressed);
on_both!(a_link_says_how_to_see_an_incident_and_nothing_else);

const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// Python's HMAC of what Slack signs.
fn signature(secret: &str, at: i64, body: &[u8]) -> Option<String> {
    const CODE: &str = "import hmac, hashlib, os, sys\n\
        signed = b'v0:' + os.environ['AT'].encode() + b':' + sys.stdin.buffer.read()\n\
        print('v0=' + hmac.new(os.environ['SECRET'].encode(), signed, hashlib.sha256).hexdigest())";
    let mut command = Command::new(find("python3")?);
    command.args(["-c", CODE]).env("SECRET", secret).env("AT", at.to_string());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(body).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A press as Slack sends one.
fn press(button: &str, incident: &str, whispers_to: &str) -> Vec<u8> {
    let payload = json!({
        "type": "block_actions", "user": {"id": "U1", "username": "ann"}, "team": {"id": "T1"}, "response_url": whispers_to,
        "actions": [{"type": "button", "action_id": button, "value": incident, "action_ts": "1.2"}],
    });
    url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish().into_bytes()
}

/// Posts a body to a destination's actions with these header fields.
async fn posted(service: &Callbox, destination: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let target = format!("/api/v1/destinations/{destination}/actions");
    let all: Vec<(&str, &str)> = [("Content-Type", "application/x-www-form-urlencoded")].iter().chain(headers).copied().collect();
    raw::send(service.address(), &raw::request("POST", &target, &all, body)).await
}

/// The same, signed as Slack does.
async fn pressed(service: &Callbox, destination: &str, body: &[u8]) -> Reply {
    let at = now();
    let signature = signature(SECRET, at, body).unwrap();
    let headers = [("X-Slack-Request-Timestamp", at.to_string()), ("X-Slack-Signature", signature)];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    posted(service, destination, &headers, body).await
}

/// A destination of Slack's with buttons; its id.
async fn slack(service: &Callbox, name: &str, receiver: &Receiver) -> String {
    secrets::remember(SECRET);
    let fields = json!({"name": name, "kind": "slack", "url": receiver.url(), "signing_secret": SECRET});
    destination_from(service, fields).await
}

/// The incident with this key, and once it was told at `receiver` for the `count`th time.
async fn incident(service: &Callbox, key: &str) -> Value {
    let found = service.api().get(&format!("/api/v1/incidents?dedup_key={key}")).await.body;
    found["items"][0].clone()
}

async fn a_button_acknowledges_and_resolves(database: Database) {
    if find("python3").is_none() {
        return;
    }
    let service = start(&database).await;
    let (receiver, whispers) = (Receiver::start().await, Receiver::start().await);
    let id = slack(&service, "chat", &receiver).await;
    let seen = service.api().get(&format!("/api/v1/destinations/{id}")).await.body;
    let url = format!("{}/api/v1/destinations/{id}/actions", service.base());
    assert_eq!((&seen["actions_url"], &seen["warnings"]), (&json!(url), &json!([])));
    let fields =
        json!({"name": "unsigned", "kind": "slack", "url": receiver.url(), "options": {"buttons": true}, "no_rule": true});
    let unsigned = service.api().post("/api/v1/destinations", &fields).await.body;
    assert!(unsigned["warnings"][0].as_str().unwrap().contains("signing_secret"), "{unsigned}");
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    let message = receiver.wait(1).await[0].json().to_string();
    let known = incident(&service, "disk").await;
    let incident_id = known["id"].as_str().unwrap();
    for part in ["callbox_acknowledge", "callbox_resolve", incident_id] {
        assert!(message.contains(part), "{part}: {message}");
    }

    let acknowledge = press("callbox_acknowledge", incident_id, &whispers.url());
    let answer = pressed(&service, &id, &acknowledge).await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b""[..]));
    let state = incident(&service, "disk").await;
    assert_eq!(
        (&state["status"], &state["acknowledged_by"]),
        (&json!("acknowledged"), &json!("ann in Slack")),
        "done when answered"
    );
    // Slack sends again what was not answered in time.
    let mut quickest = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        let answer = pressed(&service, &id, &acknowledge).await;
        quickest = quickest.min(begun.elapsed());
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b""[..]));
    }
    assert!(quickest < Duration::from_secs(1), "{quickest:?}");
    let events = service.api().get(&format!("/api/v1/incidents/{incident_id}/events")).await.body;
    let acts: Vec<&str> = events["items"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(acts, ["acknowledge", "trigger"], "a press that comes twice is one");

    // The link under a message tells of itself too, and wants nothing.
    let answer = pressed(&service, &id, &press("callbox_open", incident_id, &whispers.url())).await;
    assert_eq!((answer.status, whispers.count()), (200, 0));

    assert_eq!(pressed(&service, &id, &press("callbox_resolve", incident_id, &whispers.url())).await.status, 200);
    assert_eq!(incident(&service, "disk").await["status"], "resolved");
    let late = pressed(&service, &id, &acknowledge).await;
    let said = late.json();
    assert_eq!((late.status, &said["response_type"], &said["replace_original"]), (200, &json!("ephemeral"), &json!(false)));
    assert_eq!(said["text"], format!("Nothing to do: incident #{} is resolved already, by ann in Slack.", known["number"]));
    assert_eq!(whispers.wait(1).await[0].json(), said, "and where Slack wants to be told");

    let audit = service.api().get("/api/v1/audit").await.body;
    let acts: Vec<(&str, &str)> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["object_id"] == incident_id)
        .map(|entry| (entry["action"].as_str().unwrap(), entry["actor"].as_str().unwrap()))
        .collect();
    assert_eq!(acts, [("incident.resolved", "ann in Slack"), ("incident.acknowledged", "ann in Slack")]);
    receiver.wait(3).await;
}

/// What is wrong, where it is sent, and with which header fields.
type Case<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>);

async fn whoever_cannot_sign_presses_nothing(database: Database) {
    if find("python3").is_none() {
        return;
    }
    let service = start(&database).await;
    let receiver = Receiver::start().await;
    let id = slack(&service, "chat", &receiver).await;
    let plain = destination_from(&service, json!({"name": "plain", "kind": "slack", "url": receiver.url()})).await;
    let hub =
        destination_from(&service, json!({"name": "hub", "kind": "webhook", "url": receiver.url(), "signing_secret": SECRET}))
            .await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "disk").await;
    receiver.wait(3).await;
    let known = incident(&service, "disk").await;
    let body = press("callbox_resolve", known["id"].as_str().unwrap(), "");
    let at = now();
    let (right, old) = (signature(SECRET, at, &body).unwrap(), signature(SECRET, at - 301, &body).unwrap());
    let (wrong, early) = (signature("another secret", at, &body).unwrap(), signature(SECRET, at + 400, &body).unwrap());
    let (now_at, old_at, early_at) = (at.to_string(), (at - 301).to_string(), (at + 400).to_string());
    let (stamp, sign) = ("X-Slack-Request-Timestamp", "X-Slack-Signature");
    let nobody = "dst_00000000000000000000000000";
    let cases: [Case<'_>; 12] = [
        ("unsigned", &id, vec![]),
        ("without a time", &id, vec![(sign, &right)]),
        ("without a signature", &id, vec![(stamp, &now_at)]),
        ("by another secret", &id, vec![(stamp, &now_at), (sign, &wrong)]),
        ("of five minutes ago", &id, vec![(stamp, &old_at), (sign, &old)]),
        ("of the future", &id, vec![(stamp, &early_at), (sign, &early)]),
        ("an old signature with a new time", &id, vec![(stamp, &now_at), (sign, &old)]),
        ("two times", &id, vec![(stamp, &now_at), (stamp, &old_at), (sign, &right)]),
        ("two signatures, both wrong", &id, vec![(stamp, &now_at), (sign, &wrong), (sign, &old)]),
        ("to nobody", nobody, vec![(stamp, &now_at), (sign, &right)]),
        ("to one without a secret", &plain, vec![(stamp, &now_at), (sign, &right)]),
        ("to another kind with the same secret", &hub, vec![(stamp, &now_at), (sign, &right)]),
    ];
    let mut answers = std::collections::BTreeSet::new();
    for (case, destination, headers) in &cases {
        let answer = posted(&service, destination, headers, &body).await;
        assert_eq!(answer.status, 401, "{case}: {}", String::from_utf8_lossy(&answer.body));
        let mut said = answer.json();
        said["error"]["request_id"] = Value::Null;
        answers.insert(said.to_string());
    }
    assert_eq!(answers.len(), 1, "what is at the path does not show: {answers:?}");
    // What was signed is what counts: another body under the same signature does not.
    let forged = press("callbox_acknowledge", known["id"].as_str().unwrap(), "");
    assert_eq!(posted(&service, &id, &[(stamp, &now_at), (sign, &right)], &forged).await.status, 401);
    assert_eq!(incident(&service, "disk").await["status"], "triggered");
    let huge = vec![b'a'; 300 * 1024];
    assert_eq!(posted(&service, &id, &[(stamp, &now_at), (sign, &right)], &huge).await.status, 413);
    let got = raw::send(service.address(), &raw::request("GET", &format!("/api/v1/destinations/{id}/actions"), &[], b"")).await;
    assert_eq!(got.status, 405);
    // Junk that is signed wants nothing.
    for junk in [&b""[..], b"payload=%7B", b"payload=[]", b"a=b"] {
        assert_eq!(pressed(&service, &id, junk).await.status, 200);
    }
    // Whoever fails too often is told to wait; who can sign is not held up by that.
    let mut last = 401;
    for _ in 0..60 {
        last = posted(&service, &id, &[], &body).await.status;
    }
    assert_eq!(last, 429);
    assert_eq!(posted(&service, &id, &[(stamp, &now_at), (sign, &right)], &body).await.status, 200);
    assert_eq!(incident(&service, "disk").await["status"], "resolved");
}

async fn what_was_told_elsewhere_cannot_be_pressed(database: Database) {
    if find("python3").is_none() {
        return;
    }
    let service = start(&database).await;
    let (here, there) = (Receiver::start().await, Receiver::start().await);
    let id = slack(&service, "here", &here).await;
    let fields = json!({"name": "there", "kind": "slack", "url": there.url(), "signing_secret": SECRET, "no_rule": true});
    let other = destination_from(&service, fields).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "mine").await;
    send(&service, &tool, "trigger", "theirs").await;
    here.wait(2).await;
    let (mine, theirs) = (incident(&service, "mine").await, incident(&service, "theirs").await);
    let whispers = Receiver::start().await;
    let resolve = |incident: &Value| press("callbox_resolve", incident["id"].as_str().unwrap(), &whispers.url());
    let unknown = "Callbox does not know this incident any more, or never told of it here.";
    let said = pressed(&service, &other, &resolve(&mine)).await;
    assert_eq!((said.status, &said.json()["text"]), (200, &json!(unknown)), "told elsewhere");
    for id_of_nothing in ["inc_00000000000000000000000000", "inc_x", "", "1 OR 1=1"] {
        let said = pressed(&service, &id, &press("callbox_resolve", id_of_nothing, &whispers.url())).await;
        assert_eq!((said.status, &said.json()["text"]), (200, &json!(unknown)), "{id_of_nothing:?}");
    }
    assert_eq!(incident(&service, "mine").await["status"], "triggered");
    // An incident that turns out to be another tenant's.
    service.kill();
    database.execute("UPDATE incidents SET tenant_id = 'ten_other' WHERE dedup_key = 'theirs'");
    let service = start(&database).await;
    let said = pressed(&service, &id, &resolve(&theirs)).await;
    assert_eq!((said.status, &said.json()["text"]), (200, &json!(unknown)));
    let cells = database.cells("SELECT status AS cell FROM incidents WHERE dedup_key = 'theirs'");
    assert_eq!(cells, ["triggered"]);
    // Nobody reaches a destination that is deleted.
    let gone = service.api().delete(&format!("/api/v1/destinations/{id}?pending=drop")).await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    assert_eq!(pressed(&service, &id, &resolve(&mine)).await.status, 401);
    eventually(async || if whispers.count() == 6 { Ok(()) } else { Err(format!("{} whispers", whispers.count())) }).await;
}

async fn a_link_says_how_to_see_an_incident_and_nothing_else(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::start().await;
    super::destination(&service, "ops", &receiver).await;
    let tool = sender(&service).await;
    send(&service, &tool, "trigger", "a-secret-host").await;
    let link = receiver.wait(1).await[0].json()["incident"]["url"].as_str().unwrap().to_owned();
    let path = link.strip_prefix(&service.base()).unwrap();
    let get = async |path: &str| raw::send(service.address(), &raw::request("GET", path, &[], b"")).await;
    let page = get(path).await;
    let html = String::from_utf8(page.body.clone()).unwrap();
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")), "{html}");
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert!(html.contains(&format!("callbox incident show {}", path.rsplit('/').next().unwrap())), "{html}");
    assert!(!html.contains("a-secret-host") && !html.contains("<script"), "{html}");
    // Whether there is such an incident does not show.
    let other = "inc_00000000000000000000000000";
    let same = get(&format!("/incidents/{other}")).await;
    assert_eq!(
        (same.status, String::from_utf8(same.body).unwrap().replace(other, "")),
        (200, html.replace(path.rsplit('/').next().unwrap(), ""))
    );
    for wrong in ["/incidents/inc_%3Cscript%3E", "/incidents/12", "/incidents/"] {
        assert_eq!(get(wrong).await.status, 404, "{wrong}");
    }
}
