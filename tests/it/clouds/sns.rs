//! Amazon SNS: its signatures, its certificates, its handshakes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use callbox::time::{Clock, Timestamp};
use serde_json::{Value, json};

use super::{Key, Server, expired, has_openssl};
use crate::support::api::Integration;
use crate::support::{Api, Callbox, Database};

on_both!(messages_are_signed_by_sns, nothing_forged_gets_through, subscriptions_are_confirmed_where_they_are_named);

const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:alerts";

struct Bench {
    service: Callbox,
    server: Server,
    key: Key,
    api: Api,
    integration: Integration,
}

impl Bench {
    async fn new(database: &Database, options: Value) -> Option<Self> {
        if !has_openssl() {
            return None;
        }
        let server = Server::start().await;
        let key = Key::rsa("2048");
        server.put("/SimpleNotificationService-1.pem", key.certificate());
        let service = Callbox::start_with(database, server.options()).await;
        let api = service.api();
        let fields = json!({"type": "sns", "name": "alarms", "rate_limit_per_minute": 0, "options": options});
        let integration = api.integration_from(fields).await;
        Some(Self { service, server, key, api, integration })
    }

    fn url(&self) -> String {
        format!("{}/SimpleNotificationService-1.pem", self.server.origin)
    }

    /// A message of the topic's, not signed yet.
    fn message(&self, id: &str, state: &str, at: Timestamp) -> Value {
        let alarm = json!({
            "AlarmName": "cpu", "AlarmArn": "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:cpu", "NewStateValue": state,
            "NewStateReason": "97 > 90", "StateChangeTime": at.to_string()
        });
        json!({
            "Type": "Notification", "MessageId": id, "TopicArn": TOPIC, "Subject": "ALARM: cpu", "Message": alarm.to_string(),
            "Timestamp": at.to_string(), "SigningCertURL": self.url(), "UnsubscribeURL": format!("{}/?Action=Unsubscribe", self.server.origin)
        })
    }

    fn signed(&self, message: &Value, version: &str) -> Value {
        sign(&self.key, message, version)
    }

    async fn post(&self, body: &Value) -> u16 {
        self.api.send(&self.integration.path, body).await.status
    }
}

/// The message with SNS's signature: the fields of its type in their order, each a line with its name and one with its value.
fn sign(key: &Key, message: &Value, version: &str) -> Value {
    let names: &[&str] = if message["Type"] == "Notification" {
        &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    } else {
        &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    };
    let line = |name: &&str| message[*name].as_str().map(|value| format!("{name}\n{value}\n"));
    let text: String = names.iter().filter_map(line).collect();
    let hash = if version == "1" { "sha1" } else { "sha256" };
    let mut signed = message.clone();
    signed["SignatureVersion"] = version.into();
    signed["Signature"] = STANDARD.encode(key.sign(hash, text.as_bytes())).into();
    signed
}

fn with(message: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut message = message.clone();
    message[name] = value.into();
    message
}

async fn messages_are_signed_by_sns(database: Database) {
    let Some(bench) = Bench::new(&database, json!({"topics": [TOPIC]})).await else { return };
    let now = Clock::System.now();
    let alarm = bench.signed(&bench.message("m1", "ALARM", now.plus_seconds(-60)), "1");
    assert_eq!(bench.post(&alarm).await, 200);
    let bare = with(&bench.message("m2", "OK", now), "Subject", Value::Null);
    assert_eq!(bench.post(&json!({"Records": [{"Sns": bench.signed(&bare, "2")}]})).await, 200);
    assert_eq!(bench.server.asked(), ["/SimpleNotificationService-1.pem"], "fetched once");
    let incidents = bench.api.incidents(&bench.integration).await;
    assert_eq!((incidents.len(), &incidents[0]["status"]), (1, &json!("resolved")));
    // SNS delivers again, and so may somebody who has seen a message: what is beside the signed fields does not make it another.
    for again in [alarm.clone(), with(&alarm, "UnsubscribeURL", "https://evil.test/")] {
        assert_eq!(bench.post(&again).await, 200);
    }
    assert_eq!(bench.api.events(&bench.integration).await.len(), 2);
    let verdicts: Vec<Value> = bench.api.requests(&bench.integration).await.iter().map(|row| row["verdict"].clone()).collect();
    assert_eq!(verdicts, ["duplicate", "duplicate", "accepted", "accepted"]);
}

async fn nothing_forged_gets_through(database: Database) {
    let Some(bench) = Bench::new(&database, json!({"topics": [TOPIC]})).await else { return };
    let now = Clock::System.now();
    let message = bench.message("m1", "ALARM", now);
    let good = bench.signed(&message, "2");
    let place = |path: &str| format!("{}{path}", bench.server.origin);
    let key = Key::rsa("2048");
    bench.server.put("/other.pem", key.certificate());
    let short = Key::rsa("1024");
    bench.server.put("/short.pem", short.certificate());
    let curve = Key::new(&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    bench.server.put("/curve.pem", curve.certificate());
    bench.server.put("/expired.pem", expired(&bench.key));
    bench.server.put("/junk.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    bench.server.put("/long.pem", vec![b'x'; 100_000]);
    let at = |path: &str, key: &Key| sign(key, &with(&message, "SigningCertURL", place(path)), "2");
    let mut bit = STANDARD.decode(good["Signature"].as_str().unwrap()).unwrap();
    bit[100] ^= 1;
    let elsewhere = |url: &str| with(&good, "SigningCertURL", url);
    let forged = [
        ("not signed", message.clone()),
        ("no SNS message", json!({"AlarmName": "cpu", "NewStateValue": "ALARM", "AlarmArn": "a"})),
        ("beside a signed one", json!({"Records": [{"Sns": good}, {"Sns": with(&good, "MessageId", "m2")}]})),
        ("one bit of the signature", with(&good, "Signature", STANDARD.encode(&bit))),
        ("one byte of the message", with(&good, "Message", message["Message"].as_str().unwrap().replace("97", "98"))),
        ("without its subject", with(&good, "Subject", Value::Null)),
        ("another id", with(&good, "MessageId", "m2")),
        ("the other version", with(&good, "SignatureVersion", "1")),
        ("by another key", at("/SimpleNotificationService-1.pem", &key)),
        ("for another key", at("/other.pem", &bench.key)),
        ("a key of 1024 bits", at("/short.pem", &short)),
        ("a key of a curve", at("/curve.pem", &curve)),
        ("an expired certificate", at("/expired.pem", &bench.key)),
        ("no certificate", at("/junk.pem", &bench.key)),
        ("no certificate, and long", at("/long.pem", &bench.key)),
        ("nothing there", at("/missing.pem", &bench.key)),
        ("another topic", bench.signed(&with(&message, "TopicArn", "arn:aws:sns:eu-west-1:999999999999:alerts"), "2")),
        ("two hours old", bench.signed(&bench.message("m3", "ALARM", now.plus_seconds(-7_200)), "2")),
        ("of the future", bench.signed(&bench.message("m4", "ALARM", now.plus_seconds(600)), "2")),
        ("a host that looks alike", elsewhere("https://sns.us-east-1.amazonaws.com.evil.test/a.pem")),
        ("a bucket", elsewhere("https://s3.amazonaws.com/sns/a.pem")),
        ("a bucket's own host", elsewhere("https://sns.s3.amazonaws.com.evil.test/a.pem")),
        ("plain HTTP", elsewhere("http://sns.us-east-1.amazonaws.com/a.pem")),
        ("another port", elsewhere("https://sns.us-east-1.amazonaws.com:8443/a.pem")),
        ("another server of this machine", elsewhere("http://127.0.0.1:1/a.pem")),
    ];
    for (what, body) in &forged {
        assert_eq!(bench.post(body).await, 401, "{what}");
    }
    assert_eq!(bench.api.events(&bench.integration).await.len(), 0, "what was refused has done nothing");
    let asked = bench.server.asked();
    let mut once = asked.clone();
    once.sort();
    once.dedup();
    assert_eq!((asked.len(), once.len()), (8, 8), "each address is asked for once, whatever comes back: {asked:?}");
    // The owner reads why, and explain says the same without a single request to the outside.
    let question = json!({"integration_id": bench.integration.id, "body": serde_json::to_string(&forged[4].1).unwrap()});
    let trace = bench.api.post("/api/v1/explain/sns", &question).await.body;
    assert_eq!((&trace["published"]["holds"], &trace["verdict"]), (&json!(false), &json!("unauthorized")), "{trace}");
    assert!(trace["published"]["problem"].as_str().unwrap().contains("does not match"), "{trace}");
    let question =
        json!({"integration_id": bench.integration.id, "body": serde_json::to_string(&at("/new.pem", &bench.key)).unwrap()});
    let trace = bench.api.post("/api/v1/explain/sns", &question).await.body;
    assert_eq!(
        (&trace["published"]["holds"], &trace["published"]["keys"][0]),
        (&Value::Null, &json!(place("/new.pem"))),
        "{trace}"
    );
    assert!(bench.server.asked().is_empty());
    assert_eq!(bench.post(&good).await, 200, "and the right one");
    drop(bench.service);
}

async fn subscriptions_are_confirmed_where_they_are_named(database: Database) {
    let Some(bench) = Bench::new(&database, json!({"topics": [TOPIC]})).await else { return };
    bench.server.put("/", "<ConfirmSubscriptionResponse/>");
    let now = Clock::System.now();
    let asks = |id: &str, kind: &str, topic: &str, origin: &str| {
        let visit = format!("{origin}/?Action=ConfirmSubscription&TopicArn={topic}&Token=t-{id}");
        json!({
            "Type": kind, "MessageId": id, "TopicArn": topic, "Token": format!("t-{id}"), "Message": "You have chosen…",
            "SubscribeURL": visit, "Timestamp": now.to_string(), "SigningCertURL": bench.url()
        })
    };
    let here = bench.server.origin.clone();
    let confirmation = "SubscriptionConfirmation";
    let other = "arn:aws:sns:eu-west-1:999999999999:alerts";
    assert_eq!(bench.post(&asks("c1", confirmation, TOPIC, &here)).await, 401, "not signed");
    let forged = sign(&Key::rsa("2048"), &asks("c2", confirmation, TOPIC, &here), "2");
    assert_eq!(bench.post(&forged).await, 401, "by another key");
    for (id, kind, topic, origin) in [
        ("c3", confirmation, other, here.as_str()),
        ("c4", confirmation, TOPIC, "http://169.254.169.254"),
        ("c5", confirmation, TOPIC, "https://sns.us-east-1.amazonaws.com.evil.test"),
        ("c6", "UnsubscribeConfirmation", TOPIC, here.as_str()),
    ] {
        assert_eq!(bench.post(&bench.signed(&asks(id, kind, topic, origin), "2")).await, 200, "{id}");
    }
    let visited = |asked: Vec<String>| asked.into_iter().filter(|target| target.starts_with("/?")).collect::<Vec<_>>();
    assert!(visited(bench.server.asked()).is_empty(), "nothing of this was visited");
    assert_eq!(bench.post(&bench.signed(&asks("c7", confirmation, TOPIC, &here), "1")).await, 200);
    assert_eq!(visited(bench.server.asked()), [format!("/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t-c7")]);
    let rows = bench.api.requests(&bench.integration).await;
    let told: Vec<(&str, &str)> = rows
        .iter()
        .filter(|row| row["verdict"] == "handshake")
        .map(|row| (row["verdict"].as_str().unwrap(), row["message"].as_str().unwrap()))
        .collect();
    assert_eq!(told.len(), 5, "{rows:?}");
    assert!(told[0].1.ends_with("was confirmed"), "{told:?}");
    assert!(told[1].1.contains("does not deliver here any longer"), "{told:?}");
    assert!(told[4].1.contains("waits"), "{told:?}");
    // What cannot be visited now is asked for again by SNS.
    bench.server.files.lock().unwrap().remove("/");
    assert_eq!(bench.post(&bench.signed(&asks("c8", confirmation, TOPIC, &here), "2")).await, 503);
}
