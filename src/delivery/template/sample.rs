//! Messages on which a template is tried before it is saved: of every kind, with and without what may be missing, and with texts that
//! break what only works on nice ones.

use serde_json::value::RawValue;

use super::About;
use crate::delivery::message::{Change, Details, Incident, Message, Named, Occasion};
use crate::event::{Image, Link, Severity, Urgency};
use crate::incident::Status;

/// Quotes, a line break, a backslash, a tab, a template, a surrogate pair.
const AWKWARD: &str = "Checkout says \"500\"\nC:\\logs\\{{ .Secret }}\t✗ 🔥 </script> 'x'";
const AT: &str = "2026-01-02T03:04:05.000000Z";

/// The samples, each with what it is.
pub(super) fn of(about: About) -> Vec<(&'static str, Message)> {
    match about {
        About::Incident => incidents(),
        About::Change => changes(),
    }
}

/// The incident that stands for a destination that somebody tries.
pub(super) fn test(message: &Message) -> Incident {
    let base = incident();
    Incident {
        id: "inc_test".to_owned(),
        number: 0,
        title: message.title().to_owned(),
        urgency: Urgency::Low,
        severity: Severity::Info,
        service: named("svc_test", "Test", None),
        integration: named("int_test", "Callbox", Some("callbox")),
        dedup_key: "test".to_owned(),
        source: "callbox".to_owned(),
        first_seen: message.timestamp.clone(),
        last_seen: message.timestamp.clone(),
        ..base
    }
}

fn incidents() -> Vec<(&'static str, Message)> {
    let resolved = || Incident {
        status: Status::Resolved,
        acknowledged_at: Some(AT.to_owned()),
        acknowledged_by: Some("someone@example.com".to_owned()),
        resolved_at: Some(AT.to_owned()),
        resolved_by: Some("event".to_owned()),
        ..full()
    };
    let acknowledged = Incident { status: Status::Acknowledged, resolved_at: None, resolved_by: None, ..resolved() };
    let about = |event, incident| Message { incident: Some(incident), ..message(event) };
    vec![
        ("an incident that was triggered, without details", about(Occasion::Triggered, incident())),
        ("an incident that was triggered, with details", about(Occasion::Triggered, full())),
        ("an incident with an awkward title", about(Occasion::Triggered, Incident { title: AWKWARD.to_owned(), ..full() })),
        ("an incident of Coroot's", about(Occasion::Triggered, coroot(COROOT_INCIDENT))),
        ("an alert of Coroot's", about(Occasion::Triggered, coroot(COROOT_ALERT))),
        ("an incident that was acknowledged", about(Occasion::Acknowledged, acknowledged)),
        ("an incident that was resolved", about(Occasion::Resolved, resolved())),
        ("an incident that got worse", about(Occasion::Updated, full())),
        ("an incident that is still open", about(Occasion::OpenFor, full())),
        ("an incident that nobody acknowledged", about(Occasion::UnacknowledgedFor, full())),
        ("a test of the destination", message(Occasion::Test)),
    ]
}

fn changes() -> Vec<(&'static str, Message)> {
    let about = |change| Message { change: Some(change), ..message(Occasion::Change) };
    let details = |json: &str| serde_json::from_str(json).ok();
    let awkward = Change { summary: AWKWARD.to_owned(), source: Some(AWKWARD.to_owned()), ..change() };
    let links = vec![Link { href: "https://ci.example/builds/7".to_owned(), text: Some("Build 7".to_owned()) }];
    let coroot = Change {
        integration: named("int_1", "production", Some("coroot")),
        source: Some("c1:shop:Deployment:cart".to_owned()),
        custom_details: details(COROOT_DEPLOYMENT),
        ..change()
    };
    vec![
        ("a change, without details", about(change())),
        ("a change with details", about(Change { custom_details: details(DETAILS), links, ..change() })),
        ("a change with an awkward summary", about(awkward)),
        ("a deployment of Coroot's", about(coroot)),
    ]
}

const DETAILS: &str =
    r#"{"region": "eu-1", "value": 97.5, "labels": {"job": "api"}, "firing": true, "note": null, "version": "2.4.0"}"#;
const COROOT_INCIDENT: &str = r#"{"status": "WARNING", "application": "c1:shop:Deployment:cart", "reports": [
    {"name": "SLO", "check": "Latency", "message": "the error budget burns 20 times too fast"},
    {"name": "Net", "check": "Round trips", "message": "2 upstreams answer slowly"}
], "url": "https://coroot.example/p/x1/incidents?incident=k7f3q", "rca_summary": "A missing index"}"#;
const COROOT_ALERT: &str = r#"{"status": "WARNING", "project_name": "production", "application": "c1:shop:Deployment:cart",
    "rule_name": "Low disk space", "severity": "warning", "summary": "12% free on /dev/sda1",
    "details": [{"name": "Mount", "value": "/var"}], "url": "https://coroot.example/p/x1/alerts?alert=al9"}"#;
const COROOT_DEPLOYMENT: &str = r#"{"status": "Deployed", "application": "c1:shop:Deployment:cart", "version": "9f8e7d: cart:v2.4.0",
    "summary": ["Availability: 99.9%", "CPU usage: +21%"], "url": "https://coroot.example/p/x1/app/cart/Deployments#9f8e7d:1"}"#;

fn message(event: Occasion) -> Message {
    Message { event, timestamp: AT.to_owned(), incident: None, change: None, notes: Vec::new(), hops: 0 }
}

/// With nothing that may be missing.
fn incident() -> Incident {
    Incident {
        id: "inc_1".to_owned(),
        number: 1,
        title: "Checkout answers 500".to_owned(),
        status: Status::Triggered,
        urgency: Urgency::High,
        severity: Severity::Critical,
        service: named("svc_1", "Shop", None),
        integration: named("int_1", "production", None),
        dedup_key: "checkout-500".to_owned(),
        source: "web-1".to_owned(),
        component: None,
        group: None,
        class: None,
        event_count: 1,
        first_seen: AT.to_owned(),
        last_seen: AT.to_owned(),
        acknowledged_at: None,
        acknowledged_by: None,
        resolved_at: None,
        resolved_by: None,
        assignee: None,
        url: None,
        details: None,
    }
}

fn change() -> Change {
    Change {
        id: "chg_1".to_owned(),
        summary: "Deployed checkout 2.4.0".to_owned(),
        source: None,
        service: named("svc_1", "Shop", None),
        integration: named("int_1", "ci", None),
        timestamp: AT.to_owned(),
        custom_details: None,
        links: Vec::new(),
    }
}

/// With all of it.
fn full() -> Incident {
    let href = || "https://prometheus.example/graph".to_owned();
    Incident {
        severity: Severity::Warning,
        urgency: Urgency::Low,
        integration: named("int_1", "production", Some("alertmanager")),
        component: Some("checkout".to_owned()),
        group: Some("web".to_owned()),
        class: Some("http".to_owned()),
        event_count: 3,
        url: Some("https://callbox.example/incidents/inc_1".to_owned()),
        details: Some(Details {
            custom_details: RawValue::from_string(DETAILS.to_owned()).ok(),
            links: vec![Link { href: href(), text: None }, Link { href: href(), text: Some("Graph".to_owned()) }],
            images: vec![Image { src: "https://example.com/graph.png".to_owned(), href: None, alt: Some("Graph".to_owned()) }],
            client: Some("Prometheus".to_owned()),
            client_url: Some(href()),
        }),
        ..incident()
    }
}

fn coroot(details: &str) -> Incident {
    Incident {
        title: "c1:shop:Deployment:cart: the error budget burns 20 times too fast (and 1 more)".to_owned(),
        integration: named("int_1", "production", Some("coroot")),
        source: "c1:shop:Deployment:cart".to_owned(),
        details: Some(Details { custom_details: RawValue::from_string(details.to_owned()).ok(), ..Details::default() }),
        ..full()
    }
}

fn named(id: &str, name: &str, kind: Option<&str>) -> Named {
    Named { id: id.to_owned(), name: name.to_owned(), kind: kind.map(str::to_owned) }
}
