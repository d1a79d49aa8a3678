//! The templates that ship with Callbox, read by the providers of the systems whose bodies they make.

use serde_json::json;

use super::*;
use crate::delivery::message::Occasion;
use crate::event::{Action, Severity, Urgency};
use crate::incident::Status;
use crate::provider::{Headers, Item, Normalised, Registry, Request};
use crate::time::Timestamp;

/// What the provider of this type makes of what the template of this name makes of a message.
fn read(name: &str, kind: &str, message: &Message) -> Normalised {
    let settings = json!({"incident": {"name": name}, "change": {"name": "coroot"}});
    let settings = Settings::from_json(settings.as_object().unwrap()).unwrap();
    let template = settings.compile().unwrap();
    let rendered = template.of(message).unwrap().render(message, "dlv_1").unwrap();
    assert_eq!(rendered.content_type, "application/json");
    let parsed = crate::json::parse(&rendered.body).unwrap();
    let provider = Registry::built_in().tools().find(|tool| tool.meta().kind == kind).unwrap();
    let options = provider.compile(&Json::Null).unwrap();
    let request = Request {
        body: &rendered.body,
        json: Some(&parsed.value),
        headers: &Headers::default(),
        query: &[],
        subpath: "",
        received_at: Timestamp::from_seconds(1_767_326_645),
        options: &options,
    };
    provider.normalise(&request).unwrap_or_else(|unmapped| panic!("{name}: {unmapped:?}\n{}", parsed.value))
}

/// The one event, its action, key and severity; `None` where it reports nothing.
fn event(normalised: &Normalised) -> Option<(Action, String, Severity)> {
    let opens = normalised.items.iter().map(|item| match item {
        Item::Event(mapped) => Some(&**mapped),
        Item::Ignored { .. } => None,
        Item::Unmapped { at, why } => panic!("{at}: {why}"),
    });
    let said = opens.flatten().chain(&normalised.if_open).map(|mapped| &mapped.event).collect::<Vec<_>>();
    assert!(said.len() < 2);
    said.first().map(|event| (event.action, event.dedup_key.as_str().to_owned(), event.severity))
}

fn told(event: Occasion, status: Status, severity: Severity) -> Message {
    let mut message = page(|incident| {
        incident.status = status;
        incident.severity = severity;
        incident.urgency = if severity >= Severity::Error { Urgency::High } else { Urgency::Low };
        incident.title = "Disk \"full\"\non C:\\".to_owned();
    });
    message.event = event;
    message
}

const LIFE: [(Occasion, Status); 6] = [
    (Occasion::Triggered, Status::Triggered),
    (Occasion::Updated, Status::Triggered),
    (Occasion::OpenFor, Status::Acknowledged),
    (Occasion::UnacknowledgedFor, Status::Triggered),
    (Occasion::Acknowledged, Status::Acknowledged),
    (Occasion::Resolved, Status::Resolved),
];

/// What each says of a life: trigger, update, still open, unacknowledged, acknowledge, resolve.
const READ: [(&str, &str, [Option<Action>; 6]); 5] = {
    const T: Option<Action> = Some(Action::Trigger);
    const A: Option<Action> = Some(Action::Acknowledge);
    const R: Option<Action> = Some(Action::Resolve);
    [
        ("opsknight", "opsknight", [T, T, A, T, A, R]),
        ("pagerduty-v3", "pagerduty", [T, T, T, T, A, R]),
        // Neither knows an acknowledgement, and neither takes it for anything else.
        ("pilot", "pilot", [T, T, T, T, None, R]),
        ("exosphere", "exosphere", [T, T, T, T, None, R]),
        // Coroot knows none either, and says again where the incident stands.
        ("coroot", "coroot", [T, T, T, T, T, R]),
    ]
};

#[test]
fn what_they_send_is_read_as_what_it_was() {
    for (name, kind, expected) in READ {
        let life = LIFE.map(|(occasion, status)| event(&read(name, kind, &told(occasion, status, Severity::Critical))));
        let actions = life.clone().map(|said| said.map(|(action, ..)| action));
        assert_eq!(actions, expected, "{name}");
        let keys: std::collections::BTreeSet<_> = life.iter().flatten().map(|(_, key, _)| key.clone()).collect();
        assert_eq!(keys.len(), 1, "{name}: one key from the page to its end: {keys:?}");
        let mut other = told(Occasion::Triggered, Status::Triggered, Severity::Critical);
        let incident = other.incident.as_mut().unwrap();
        (incident.id, incident.number) = ("inc_2".to_owned(), 2);
        let (_, key, _) = event(&read(name, kind, &other)).unwrap();
        assert!(!keys.contains(&key), "{name}: two incidents are two: {key}");
    }
}

#[test]
fn a_test_is_no_incident_there() {
    let test = Message {
        event: Occasion::Test,
        timestamp: page(|_| {}).timestamp,
        incident: None,
        change: None,
        notes: Vec::new(),
        hops: 0,
    };
    for (name, kind, _) in READ.into_iter().filter(|(name, ..)| *name != "coroot") {
        assert_eq!(event(&read(name, kind, &test)), None, "{name}");
    }
    let (action, _, severity) = event(&read("coroot", "coroot", &test)).unwrap();
    assert_eq!((action, severity), (Action::Trigger, Severity::Info), "as Coroot's own test is");
}

#[test]
fn how_bad_it_is_survives_where_there_are_words_for_it() {
    use Severity::{Critical, Error, Info, Warning};
    for (name, kind, read_as) in [
        ("pagerduty-v3", "pagerduty", [Critical, Error, Warning, Info]),
        ("opsknight", "opsknight", [Critical, Critical, Error, Info]),
        ("coroot", "coroot", [Critical, Critical, Warning, Info]),
    ] {
        let said = [Critical, Error, Warning, Info]
            .map(|severity| event(&read(name, kind, &told(Occasion::Triggered, Status::Triggered, severity))).unwrap().2);
        assert_eq!(said, read_as, "{name}");
    }
    let late = told(Occasion::OpenFor, Status::Triggered, Critical);
    assert_eq!(event(&read("exosphere", "exosphere", &late)).unwrap().2, Warning);
}

#[test]
fn an_incident_of_coroots_keeps_its_key_and_a_deployment_is_a_change() {
    let coroot = sample::of(About::Incident).into_iter().find(|(name, _)| *name == "an incident of Coroot's").unwrap().1;
    let (action, key, _) = event(&read("coroot", "coroot", &coroot)).unwrap();
    assert_eq!((action, key.as_str()), (Action::Trigger, "incident:k7f3q"));
    let deployment = read("coroot", "coroot", &change(|_| {}));
    assert_eq!(deployment.changes.len(), 1);
    assert!(deployment.changes[0].summary.contains("2.4.0"), "{:?}", deployment.changes);
}

#[test]
fn they_say_what_their_documents_say() {
    let message = told(Occasion::Acknowledged, Status::Acknowledged, Severity::Warning);
    let body = |name: &str| json(Named::by_name(name).unwrap().source(About::Incident).unwrap(), &message).unwrap();
    let opsknight = body("opsknight");
    let incident = &opsknight["incident"];
    assert_eq!((&incident["status"], &incident["urgency"]), (&json!("ACKNOWLEDGED"), &json!("MEDIUM")));
    assert_eq!(incident["title"], "Disk \"full\"\non C:\\");
    assert_eq!(
        (&incident["timestamps"]["resolved"], &opsknight["event"]["type"]),
        (&Json::Null, &json!("incident.acknowledged"))
    );
    assert!(incident["description"].as_str().unwrap().contains("\"region\": \"eu-1\""), "{incident}");
    let open = told(Occasion::Triggered, Status::Triggered, Severity::Critical);
    let open = json(Named::by_name("opsknight").unwrap().source(About::Incident).unwrap(), &open).unwrap();
    assert_eq!((&open["incident"]["status"], &open["incident"]["urgency"]), (&json!("OPEN"), &json!("HIGH")));
    let data = &body("pagerduty-v3")["event"]["data"];
    assert_eq!(
        (&data["priority"]["summary"], &data["status"], &data["number"]),
        (&json!("P3"), &json!("acknowledged"), &json!(1))
    );
}

#[test]
fn every_one_compiles_and_works_on_every_sample() {
    for named in NAMED {
        for about in [About::Incident, About::Change] {
            let Some(source) = named.source(about) else { continue };
            let template = Template::parse(source, Body::Json).unwrap_or_else(|problem| panic!("{}: {problem}", named.name));
            template.try_out(about).unwrap_or_else(|problem| panic!("{}: {problem}", named.name));
        }
    }
}
