//! What would go out is shown before: by `explain`, which writes nothing, and with what is sent then.

use serde_json::{Value, json};

use super::{destination_from, send, sender, start};
use crate::support::receiver::Receiver;
use crate::support::{Callbox, Database, Integration, eventually};

on_both!(explain_shows_what_is_sent_then);
on_both!(explain_says_why_nobody_is_told);
on_both!(explain_knows_holds_steps_and_what_waits);
on_both!(a_rule_is_tried_without_telling_anybody);

/// What explain says of an event of this integration.
async fn explained(service: &Callbox, tool: &Integration, action: &str, key: &str, severity: &str) -> Value {
    let payload = json!({"summary": format!("{key} is in trouble"), "source": "db1", "severity": severity});
    let body = json!({"event_action": action, "dedup_key": key, "payload": payload});
    let answer = service.api().post("/api/v1/explain/events", &json!({"body": body, "integration_id": tool.id})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// A destination that no rule names.
async fn unknown(service: &Callbox, name: &str, receiver: &Receiver) -> String {
    destination_from(service, json!({"name": name, "kind": "webhook", "url": receiver.url(), "no_rule": true})).await
}

async fn rule(service: &Callbox, fields: Value) {
    let answer = service.api().post("/api/v1/rules", &fields).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
}

fn whys(said: &Value) -> Vec<&str> {
    said["untold"].as_array().unwrap().iter().map(|untold| untold["why"].as_str().unwrap()).collect()
}

/// A row count of everything that an explanation could leave behind.
fn rows(database: &Database) -> Vec<String> {
    let tables =
        ["events", "incidents", "outbox", "deliveries", "threads", "pages", "watches", "requests", "attempts", "breakers"];
    let counts: Vec<String> = tables.iter().map(|table| format!("SELECT '{table} ' || count(*) AS cell FROM {table}")).collect();
    database.cells(&counts.join(" UNION ALL "))
}

async fn explain_shows_what_is_sent_then(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::start().await;
    let url = format!("{}?token=hush-preview", receiver.url());
    crate::support::secrets::remember("hush-preview");
    let id = destination_from(&service, json!({"name": "ops", "kind": "webhook", "url": url, "include": "details"})).await;
    let tool = sender(&service).await;
    for (action, event) in
        [("trigger", "incident.triggered"), ("acknowledge", "incident.acknowledged"), ("resolve", "incident.resolved")]
    {
        let before = rows(&database);
        let said = explained(&service, &tool, action, "disk", "error").await;
        assert_eq!(rows(&database), before, "an explanation writes nothing");
        let [told] = said["deliveries"].as_array().unwrap().as_slice() else { panic!("{said:#}") };
        assert_eq!((&told["event"], &told["destination"]["id"], &told["dedup_key"]), (&json!(event), &json!(id), &json!("disk")));
        assert_eq!(
            (&told["rule"]["name"], &told["hold"], &told["waits"]),
            (&json!("everything → ops"), &Value::Null, &Value::Null)
        );
        let request = &told["request"];
        assert_eq!((&request["method"], &request["url"]), (&json!("POST"), &json!(format!("{}?token=***", receiver.url()))));
        let would: Value = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
        let count = receiver.count();
        send(&service, &tool, action, "disk").await;
        let sent = receiver.wait(count + 1).await[count].clone();
        eventually(async || {
            let done = service.api().get("/api/v1/deliveries?status=delivered").await.body["items"].as_array().unwrap().len();
            if done == count + 1 { Ok(()) } else { Err(format!("{done} are recorded")) }
        })
        .await;
        let mut is = sent.json();
        // An incident that is not there has neither id nor number, and what is later has another time.
        for field in
            ["id", "number", "url", "first_seen", "last_seen", "acknowledged_at", "resolved_at", "acknowledged_by", "resolved_by"]
        {
            is["incident"][field] = would["incident"][field].clone();
        }
        is["timestamp"] = would["timestamp"].clone();
        assert_eq!(is, would);
        let named: Vec<&str> = request["headers"].as_array().unwrap().iter().map(|header| header[0].as_str().unwrap()).collect();
        assert!(["webhook-id", "webhook-timestamp", "webhook-signature"].iter().all(|name| named.contains(name)), "{named:?}");
        assert!(named.iter().all(|name| sent.headers.contains_key(*name)), "{named:?}");
    }
    let reader = service.api().post("/api/v1/tokens", &json!({"name": "reader", "scopes": ["integrations:read"]})).await;
    let token = reader.body["token"].as_str().unwrap().to_owned();
    crate::support::secrets::remember(&token);
    let body = json!({"body": {"event_action": "trigger", "payload": {"summary": "x"}}, "integration_id": tool.id});
    let said = service.api().with_token(&token).post("/api/v1/explain/events", &body).await.body;
    assert_eq!(said["deliveries"], json!([]), "where messages go is not for who may read integrations alone");
    assert!(said["deliveries_note"].as_str().unwrap().contains("destinations:read"), "{said}");
}

async fn explain_says_why_nobody_is_told(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::start().await;
    let tool = sender(&service).await;
    let said = explained(&service, &tool, "trigger", "disk", "info").await;
    assert!(said["deliveries_note"].as_str().unwrap().contains("no destination"), "{said}");
    let id = unknown(&service, "ops", &receiver).await;
    let said = explained(&service, &tool, "trigger", "disk", "info").await;
    assert_eq!(whys(&said), ["no rule tells anybody of it, and no destination is the default"]);
    rule(&service, json!({"name": "bad", "destinations": [id], "severity_floor": "error"})).await;
    rule(&service, json!({"name": "web", "destinations": [id], "condition": "incident.source == 'web1'"})).await;
    rule(&service, json!({"name": "off", "destinations": [id], "enabled": false})).await;
    let said = explained(&service, &tool, "trigger", "disk", "info").await;
    assert_eq!(said["deliveries"], json!([]));
    let expected = [
        "it is less severe than error, the rule's severity_floor",
        "the rule's condition does not hold",
        "the rule is disabled",
        "no rule tells anybody of it, and no destination is the default",
    ];
    assert_eq!(whys(&said), expected);
    assert_eq!(said["untold"][0]["rule"]["name"], "bad");
    // What nobody was told of has no end to tell.
    send(&service, &tool, "trigger", "told").await;
    receiver.wait(1).await;
    let quiet = json!({"routing_key": tool.key, "event_action": "trigger", "dedup_key": "quiet",
        "payload": {"summary": "x", "source": "db1", "severity": "info"}});
    assert_eq!(service.api().send("/v2/enqueue", &quiet).await.status, 202);
    let said = explained(&service, &tool, "resolve", "quiet", "info").await;
    assert_eq!(whys(&said).last(), Some(&"nobody is to be told of it: nobody was told of its page"), "{said:#}");
    let said = explained(&service, &tool, "trigger", "told", "error").await;
    assert_eq!(said["deliveries_note"], "nothing would happen that anybody is told of");
    let body = json!({"body": {"event_action": "trigger", "payload": {"summary": "x"}}});
    let said = service.api().post("/api/v1/explain/events", &body).await.body;
    assert!(said["deliveries_note"].as_str().unwrap().contains("name an integration"), "{said}");
    // Nobody is told by a destination that is off.
    service.api().patch(&format!("/api/v1/destinations/{id}"), &json!({"enabled": false})).await;
    let said = explained(&service, &tool, "trigger", "new", "critical").await;
    assert_eq!((&said["deliveries"], whys(&said)[0]), (&json!([]), "it is disabled"), "{said:#}");
}

async fn explain_knows_holds_steps_and_what_waits(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::start().await;
    let (ops, boss) = (unknown(&service, "ops", &receiver).await, unknown(&service, "boss", &receiver).await);
    let now = jiff::Timestamp::now();
    let until = now + jiff::SignedDuration::from_secs(3600);
    let window = json!({"from": (now - jiff::SignedDuration::from_secs(60)).to_string(), "until": until.to_string()});
    rule(&service, json!({"name": "night", "destinations": [ops], "quiet_windows": [window], "severity_floor": "error"})).await;
    rule(
        &service,
        json!({"name": "chain", "destinations": [ops], "steps": [{"after": "10m", "destinations": [boss]}],
        "condition": "incident.severity == 'warning'"}),
    )
    .await;
    let tool = sender(&service).await;
    let said = explained(&service, &tool, "trigger", "disk", "error").await;
    let [held] = said["deliveries"].as_array().unwrap().as_slice() else { panic!("{said:#}") };
    assert_eq!((&held["hold"]["by"], &held["rule"]["name"]), (&json!("quiet"), &json!("night")));
    assert_eq!(held["hold"]["until"].as_str().unwrap()[..19], until.to_string()[..19]);
    assert!(held["request"]["body"].as_str().unwrap().contains("waited for the end of quiet hours"), "{held:#}");
    // What is on hold already is told of what follows at the end.
    send(&service, &tool, "trigger", "disk").await;
    eventually(async || {
        let said = explained(&service, &tool, "acknowledge", "disk", "error").await;
        let events: Vec<&str> = said["deliveries"].as_array().unwrap().iter().filter_map(|told| told["event"].as_str()).collect();
        let whole = events == ["incident.triggered", "incident.acknowledged"];
        if whole { Ok(()) } else { Err(format!("{said:#}")) }
    })
    .await;
    let said = explained(&service, &tool, "resolve", "disk", "error").await;
    assert_eq!(said["deliveries"], json!([]), "{said:#}");
    assert!(whys(&said).contains(&"it is over before its hold ends, and it was never told that it began"), "{said:#}");
    // Steps are told of as what lies ahead.
    let said = explained(&service, &tool, "trigger", "cpu", "warning").await;
    assert_eq!(said["deliveries"].as_array().unwrap().len(), 1, "{said:#}");
    let [step] = said["later"].as_array().unwrap().as_slice() else { panic!("{said:#}") };
    assert_eq!((&step["after"], &step["destination"]["name"]), (&json!("10m"), &json!("boss")));
}

/// What the test of a rule says.
async fn tried(service: &Callbox, rule: &str, fields: Value) -> Value {
    let mut body = json!({"dry_run": true});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let answer = service.api().post(&format!("/api/v1/rules/{rule}/test"), &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

async fn a_rule_is_tried_without_telling_anybody(database: Database) {
    let service = start(&database).await;
    let receiver = Receiver::start().await;
    let (ops, boss) = (unknown(&service, "ops", &receiver).await, unknown(&service, "boss", &receiver).await);
    let tool = sender(&service).await;
    let now = jiff::Timestamp::now();
    let window = json!({"from": (now - jiff::SignedDuration::from_secs(60)).to_string(), "until": (now + jiff::SignedDuration::from_secs(3600)).to_string()});
    let fields = json!({
        "name": "nights", "destinations": [ops], "steps": [{"after": "10m", "destinations": [boss]}], "severity_floor": "error",
        "condition": "incident.source.startsWith('db')", "quiet_windows": [window], "integrations": [tool.id],
        "events": ["incident.triggered", "incident.resolved", "incident.open_for:2h"],
    });
    let made = service.api().post("/api/v1/rules", &fields).await.body;
    let id = made["id"].as_str().unwrap();
    let before = rows(&database);

    let alert = |severity: &str, source: &str| json!({"alert": {"event_action": "trigger", "payload": {"summary": "The disk is full", "severity": severity, "source": source}}});
    let said = tried(&service, id, alert("critical", "db7")).await;
    assert_eq!(
        (&said["matches"], &said["why"], &said["event"]),
        (&json!(true), &Value::Null, &json!("incident.triggered")),
        "{said:#}"
    );
    assert_eq!((&said["condition"]["holds"], &said["holds"][0]["by"]), (&json!(true), &json!("quiet")), "{said:#}");
    let [at_once, later] = said["deliveries"].as_array().unwrap().as_slice() else { panic!("{said:#}") };
    assert_eq!((&at_once["destination"]["name"], &at_once["after"]), (&json!("ops"), &Value::Null));
    assert_eq!((&later["destination"]["name"], &later["after"]), (&json!("boss"), &json!("10m")));
    let body: Value = serde_json::from_str(at_once["request"]["body"].as_str().unwrap()).unwrap();
    assert_eq!((&body["incident"]["title"], &body["incident"]["severity"]), (&json!("The disk is full"), &json!("critical")));
    assert_eq!(body["incident"]["integration"]["id"], json!(tool.id), "where the rule looks");

    let said = tried(&service, id, alert("warning", "db7")).await;
    assert_eq!((&said["matches"], &said["deliveries"]), (&json!(false), &json!([])));
    assert!(said["why"].as_str().unwrap().contains("severity_floor"), "{said}");
    let said = tried(&service, id, alert("error", "web1")).await;
    assert_eq!((&said["why"], &said["condition"]["holds"]), (&json!("the rule's condition does not hold"), &json!(false)));
    let other = service.api().integration("events", "other").await;
    let mut elsewhere = alert("error", "db7");
    elsewhere["integration_id"] = json!(other.id);
    let said = tried(&service, id, elsewhere).await;
    assert_eq!(said["why"], "the rule is for other integrations");
    let said = tried(&service, id, json!({"event": "incident.acknowledged"})).await;
    assert_eq!(said["why"], "the rule does not ask for this event");
    let said = tried(&service, id, json!({"event": "incident.open_for", "alert": alert("error", "db7")["alert"]})).await;
    assert_eq!((&said["matches"], &said["event"]), (&json!(true), &json!("incident.open_for:2h")), "{said:#}");
    let mut resolve = alert("error", "db7");
    resolve["alert"]["event_action"] = json!("resolve");
    resolve["alert"]["dedup_key"] = json!("disk");
    let said = tried(&service, id, resolve).await;
    assert_eq!((&said["event"], &said["matches"]), (&json!("incident.resolved"), &json!(true)), "{said:#}");
    assert!(said["note"].as_str().unwrap().contains("to whom the page was told"));
    assert_eq!(rows(&database), before, "a test writes nothing");

    // A condition that cannot be evaluated delivers, and says so.
    let broken = json!({"name": "broken", "destinations": [ops], "condition": "incident.custom_details.team == 'web'"});
    let broken = service.api().post("/api/v1/rules", &broken).await.body;
    send(&service, &tool, "trigger", "disk").await;
    let incident = service.api().get("/api/v1/incidents").await.body["items"][0]["id"].clone();
    let said = tried(&service, broken["id"].as_str().unwrap(), json!({"incident_id": incident})).await;
    assert_eq!((&said["matches"], &said["condition"]["holds"]), (&json!(true), &Value::Null), "{said:#}");
    assert!(said["condition"]["error"].as_str().is_some_and(|error| !error.is_empty()), "{said:#}");
    let body = said["deliveries"][0]["request"]["body"].as_str().unwrap();
    assert!(body.contains("could not be evaluated") && body.contains(incident.as_str().unwrap()), "{body}");

    let refused =
        service.api().post(&format!("/api/v1/rules/{id}/test"), &json!({"event": "nothing", "incident_id": "inc_x"})).await;
    assert_eq!((refused.status, &refused.body["error"]["details"][0]["field"]), (400, &json!("dry_run")), "{}", refused.body);
    let refused = service.api().post(&format!("/api/v1/rules/{id}/test"), &json!({"dry_run": true, "event": "nothing"})).await;
    assert_eq!((refused.status, &refused.body["error"]["details"][0]["field"]), (400, &json!("event")), "{}", refused.body);
}
