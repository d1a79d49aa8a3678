//! The project's own cases of the PagerDuty routes: what most senders depend on, so that a clone on its own tests it too.
//!
//! Sources: PagerDuty's Events API v2 and v1 reference (<https://developer.pagerduty.com/docs/events-api-v2-overview>,
//! <https://developer.pagerduty.com/docs/events-api-v1-overview>); the texts of the errors are the ones the real service is seen
//! to answer. `$ROUTING_KEY` and `$ROUTING_KEY_2` stand for the keys of two integrations.

use serde_json::{Value, json};

const V2: &str = "/v2/enqueue";
const CHANGE: &str = "/v2/change/enqueue";
const V1: &str = "/generic/2010-04-15/create_event.json";

/// All cases.
pub fn all() -> Vec<Value> {
    [accepted(), tolerated(), refused(), keys(), shapes(), changes(), v1(), groups()].concat()
}

fn case(name: &str, path: &str, body: Value, status: u16, answer: Value) -> Value {
    let headers = json!({"Content-Type": "application/json"});
    json!({"name": name, "method": "POST", "path": path, "headers": headers, "body": body, "expect": {"status": status, "json_subset": answer}})
}

fn with_headers(mut case: Value, headers: Value) -> Value {
    case["headers"] = headers;
    case
}

/// `base` with the fields of `changes` put over it, objects merged, `null` removing.
fn with(mut base: Value, changes: Value) -> Value {
    for (name, change) in changes.as_object().unwrap() {
        match change {
            Value::Null => drop(base.as_object_mut().unwrap().remove(name)),
            Value::Object(_) if base[name].is_object() => base[name] = with(base[name].clone(), change.clone()),
            _ => base[name] = change.clone(),
        }
    }
    base
}

fn trigger() -> Value {
    let payload = json!({"summary": "replica lag above 30 s", "source": "db-2.example.com", "severity": "warning"});
    json!({"routing_key": "$ROUTING_KEY", "event_action": "trigger", "payload": payload})
}

fn done(dedup_key: &str) -> Value {
    json!({"status": "success", "message": "Event processed", "dedup_key": dedup_key})
}

fn invalid(errors: &[&str]) -> Value {
    json!({"status": "invalid event", "message": "Event object is invalid", "errors": errors})
}

fn not_json() -> Value {
    json!({"status": "Unrecognized object", "message": "Event object format is unrecognized", "errors": ["JSON parse error"]})
}

fn accepted() -> Vec<Value> {
    vec![
        case("a trigger gets a key", V2, trigger(), 202, done("$NONEMPTY")),
        case("a trigger keeps its key", V2, with(trigger(), json!({"dedup_key": "lag/db-2"})), 202, done("lag/db-2")),
        case("a blank key is none", V2, with(trigger(), json!({"dedup_key": "  "})), 202, done("$NONEMPTY")),
        case("a key of 255", V2, with(trigger(), json!({"dedup_key": "$REPEAT(q,255)"})), 202, done("$REPEAT(q,255)")),
        case(
            "a summary of 1024",
            V2,
            with(trigger(), json!({"payload": {"summary": "$REPEAT(é,1024)"}})),
            202,
            done("$NONEMPTY"),
        ),
        case("severity info", V2, with(trigger(), json!({"payload": {"severity": "info"}})), 202, done("$NONEMPTY")),
        case("a time with an offset without colon", V2, timed("2024-02-29T23:59:59.999+0530"), 202, done("$NONEMPTY")),
        case("a time to the nanosecond", V2, timed("2024-02-29T23:59:59.123456789Z"), 202, done("$NONEMPTY")),
        case("an acknowledge of nothing", V2, act("acknowledge", "never seen"), 202, done("never seen")),
        case("a resolve of nothing", V2, act("resolve", "never seen"), 202, done("never seen")),
    ]
}

fn timed(at: &str) -> Value {
    with(trigger(), json!({"payload": {"timestamp": at}}))
}

fn act(action: &str, dedup_key: &str) -> Value {
    json!({"routing_key": "$ROUTING_KEY", "event_action": action, "dedup_key": dedup_key})
}

fn tolerated() -> Vec<Value> {
    let mut no_lists = trigger();
    no_lists["links"] = Value::Null;
    no_lists["images"] = Value::Null;
    vec![
        case("unknown fields", V2, with(trigger(), json!({"x": {"y": [1]}, "payload": {"z": 1}})), 202, done("$NONEMPTY")),
        case("details as text", V2, with(trigger(), json!({"payload": {"custom_details": "lag: 31 s"}})), 202, done("$NONEMPTY")),
        case("lists that are null", V2, no_lists, 202, done("$NONEMPTY")),
        case("a payload on a resolve", V2, with(act("resolve", "k"), json!({"payload": {"summary": ""}})), 202, done("k")),
        case("a slash at the end", "/v2/enqueue/", trigger(), 202, done("$NONEMPTY")),
        with_headers(case("no content type", V2, trigger(), 202, done("$NONEMPTY")), json!({})),
        with_headers(
            case("the content type of a bare curl", V2, trigger(), 202, done("$NONEMPTY")),
            json!({"Content-Type": "application/x-www-form-urlencoded"}),
        ),
        with_headers(
            case("a stray authorization", V2, trigger(), 202, done("$NONEMPTY")),
            json!({"Authorization": "Token token=None", "Content-Encoding": "identity"}),
        ),
        with_headers(
            case("the key in the header", V2, with(trigger(), json!({"routing_key": null})), 202, done("$NONEMPTY")),
            json!({"X-Routing-Key": "$ROUTING_KEY"}),
        ),
    ]
}

fn refused() -> Vec<Value> {
    const SEVERITIES: &str =
        "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')";
    let no_payload = with(trigger(), json!({"payload": null}));
    vec![
        case(
            "all errors at once",
            V2,
            json!({}),
            400,
            invalid(&["'routing_key' cannot be blank", "'event_action' is missing or blank"]),
        ),
        case("no payload", V2, no_payload, 400, invalid(&[])),
        case(
            "no source",
            V2,
            with(trigger(), json!({"payload": {"source": null}})),
            400,
            invalid(&["'payload.source' is missing or blank"]),
        ),
        case(
            "no severity",
            V2,
            with(trigger(), json!({"payload": {"severity": null}})),
            400,
            invalid(&["'payload.severity' is missing or blank"]),
        ),
        case(
            "severity in capitals",
            V2,
            with(trigger(), json!({"payload": {"severity": "Critical"}})),
            400,
            invalid(&[SEVERITIES]),
        ),
        case("an unknown action", V2, with(trigger(), json!({"event_action": "close"})), 400, invalid(&[])),
        case("a resolve without key", V2, with(act("resolve", ""), json!({"dedup_key": null})), 400, invalid(&[])),
        case(
            "a summary of 1025",
            V2,
            with(trigger(), json!({"payload": {"summary": "$REPEAT(a,1025)"}})),
            400,
            invalid(&["'summary' is too long (maiximum is 1024 characters)"]),
        ),
        case("a key of 256", V2, with(trigger(), json!({"dedup_key": "$REPEAT(q,256)"})), 400, invalid(&[])),
        case("a time in words", V2, timed("half past ten"), 400, invalid(&[])),
    ]
}

fn keys() -> Vec<Value> {
    let keyed = |key: &str| with(trigger(), json!({"routing_key": key}));
    let length = "Length of 'routing_key' is incorrect (should be 32 characters)";
    let letters = "'routing_key' cannot contain non-alphanumeric characters.";
    vec![
        case("a key too short", V2, keyed("abc"), 400, invalid(&[length])),
        case("a key with signs", V2, keyed("a-b"), 400, invalid(&[length, letters])),
        case("a key unknown", V2, keyed("$REPEAT(0,32)"), 400, json!({"errors": ["Invalid routing key"]})),
    ]
}

fn shapes() -> Vec<Value> {
    vec![
        case("cut JSON", V2, json!({"$raw": "{\"routing_key\""}), 400, not_json()),
        case("no body", V2, json!({"$raw": ""}), 400, json!({"status": "$NONEMPTY"})),
        case("a list", V2, json!([trigger()]), 400, json!({"status": "$NONEMPTY"})),
        case("a half surrogate", V2, json!({"$raw": "{\"routing_key\":\"\\udc00\"}"}), 400, json!({"status": "$NONEMPTY"})),
        case("over 512 KiB", V2, with(trigger(), json!({"x": "$REPEAT(x,600000)"})), 400, json!({"status": "$NONEMPTY"})),
        with_headers(
            case("an unknown encoding", V2, trigger(), 415, json!({"status": "$NONEMPTY"})),
            json!({"Content-Encoding": "br"}),
        ),
        case(
            "a key given twice",
            V2,
            json!({"$raw": "{\"routing_key\":\"$ROUTING_KEY\",\"routing_key\":\"$ROUTING_KEY_2\",\"event_action\":\"resolve\",\"dedup_key\":\"k\"}"}),
            400,
            json!({}),
        ),
        case("an unknown path", "/v2/enqueued", trigger(), 404, json!({})),
        json!({"name": "a wrong method", "method": "GET", "path": V2, "headers": {}, "body": null, "expect": {"status": 405, "json_subset": {}}}),
    ]
}

fn changes() -> Vec<Value> {
    let change = json!({"routing_key": "$ROUTING_KEY", "payload": {"summary": "release 7 to production"}});
    let done = json!({"status": "success", "message": "Change event processed"});
    vec![
        case("a change", CHANGE, change.clone(), 202, done.clone()),
        case(
            "a change with links and time",
            CHANGE,
            with(
                change.clone(),
                json!({"links": [{"href": "https://ci.example.com/7"}], "payload": {"timestamp": "2024-05-01T10:00:00.000001Z"}}),
            ),
            202,
            done,
        ),
        case(
            "a change without summary",
            CHANGE,
            with(change, json!({"payload": {"summary": null}})),
            400,
            json!({"status": "$NONEMPTY"}),
        ),
    ]
}

fn v1() -> Vec<Value> {
    let trigger = json!({"service_key": "$ROUTING_KEY", "event_type": "trigger", "description": "queue is stuck"});
    let done = |key: &str| json!({"status": "success", "message": "Event processed", "incident_key": key});
    vec![
        case("v1: a trigger gets a key", V1, trigger.clone(), 200, done("$NONEMPTY")),
        case("v1: a trigger keeps its key", V1, with(trigger.clone(), json!({"incident_key": "queue/7"})), 200, done("queue/7")),
        case(
            "v1: a resolve of nothing",
            V1,
            with(trigger.clone(), json!({"event_type": "resolve", "incident_key": "no"})),
            200,
            done("no"),
        ),
        case(
            "v1: an unknown type",
            V1,
            with(trigger.clone(), json!({"event_type": "close"})),
            400,
            invalid(&["event_type is invalid (must be one of: trigger acknowledge resolve)"]),
        ),
        case(
            "v1: no key",
            V1,
            with(trigger.clone(), json!({"service_key": null})),
            400,
            invalid(&["Service key can't be blank"]),
        ),
        case(
            "v1: a key too short",
            V1,
            with(trigger, json!({"service_key": "abc"})),
            400,
            invalid(&["Service key is the wrong length (should be 32 characters)"]),
        ),
        case(
            "v1: a body of v2",
            V1,
            self::trigger(),
            400,
            invalid(&["'event_type' is missing or blank", "Service key can't be blank"]),
        ),
    ]
}

/// The life of a key, and the other integration's key that must not touch it.
fn groups() -> Vec<Value> {
    let step = |name: &str, body: Value| {
        let mut case = case(name, V2, body, 202, done("life"));
        case["group"] = json!("a life");
        case
    };
    vec![
        step("life: trigger", with(trigger(), json!({"dedup_key": "life"}))),
        step("life: acknowledge", act("acknowledge", "life")),
        step("life: trigger again", with(trigger(), json!({"dedup_key": "life"}))),
        step("life: resolve by the other key", with(act("resolve", "life"), json!({"routing_key": "$ROUTING_KEY_2"}))),
        step("life: resolve", act("resolve", "life")),
        step("life: resolve again", act("resolve", "life")),
    ]
}
