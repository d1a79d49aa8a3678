//! Templates with the syntax and the names of those on Coroot's page on webhooks, in other words.

use serde_json::json;

use super::*;
use crate::delivery::message::Named;
use crate::event::Severity;
use crate::incident::Status;

/// For five receivers: of an incident, of a deployment, of an alert.
const TEMPLATES: [(&str, [&str; 3], Option<&str>); 5] = [
    (
        "plain",
        [
            include_str!("coroot/plain.incident.tmpl"),
            include_str!("coroot/plain.deployment.tmpl"),
            include_str!("coroot/plain.alert.tmpl"),
        ],
        None,
    ),
    (
        "json",
        [
            include_str!("coroot/json.incident.tmpl"),
            include_str!("coroot/json.deployment.tmpl"),
            include_str!("coroot/json.alert.tmpl"),
        ],
        Some(""),
    ),
    (
        "telegram",
        [
            include_str!("coroot/telegram.incident.tmpl"),
            include_str!("coroot/telegram.deployment.tmpl"),
            include_str!("coroot/telegram.alert.tmpl"),
        ],
        Some("/text"),
    ),
    (
        "mattermost",
        [
            include_str!("coroot/mattermost.incident.tmpl"),
            include_str!("coroot/mattermost.deployment.tmpl"),
            include_str!("coroot/mattermost.alert.tmpl"),
        ],
        Some("/text"),
    ),
    (
        "discord",
        [
            include_str!("coroot/discord.incident.tmpl"),
            include_str!("coroot/discord.deployment.tmpl"),
            include_str!("coroot/discord.alert.tmpl"),
        ],
        Some("/content"),
    ),
];

const INCIDENT: &str = r#"{"status":"WARNING","application":"default:Deployment:app1","reports":[{"name":"SLO","check":"Latency","message":"the error budget burns 20x too fast"},{"name":"Net","check":"Network round-trip time (RTT)","message":"2 upstream services are \"far\" away"}],"url":"http://127.0.0.1:8080/p/x0xwl4jz/app/default:Deployment:app1?incident=123ab456"}"#;
const DEPLOYMENT: &str = r#"{"status":"Deployed","application":"default:Deployment:app1","version":"123ab456: app:v1.8.2","summary":["💔 Availability: 87% (objective: 99%)","🎉 Memory: the leak is gone"],"url":"http://127.0.0.1:8080/p/x0xwl4jz/app/default:Deployment:app1/Deployments#123ab456:123"}"#;
const ALERT: &str = r#"{"status":"WARNING","project_name":"production","application":"default:Deployment:app1","rule_name":"Low disk space","severity":"warning","summary":"12% is free on /dev/sda1","details":[{"name":"Log pattern","value":"ERROR: no space left"}],"url":"http://127.0.0.1:8080/p/x0xwl4jz/alerts?alert=abc123"}"#;

fn by_coroot() -> Named {
    Named { id: "int_1".to_owned(), name: "coroot".to_owned(), kind: Some("coroot".to_owned()) }
}

/// The incident that Callbox makes of this body of Coroot's.
fn incident(body: &str) -> Message {
    page(|incident| {
        incident.title = "default:Deployment:app1: the error budget burns 20x too fast (and 1 more)".to_owned();
        incident.source = "default:Deployment:app1".to_owned();
        incident.severity = Severity::Warning;
        incident.integration = by_coroot();
        incident.class = Some("Latency".to_owned());
        incident.details = details(&serde_json::from_str(body).unwrap());
    })
}

fn deployment(body: &str) -> Message {
    change(|change| {
        change.integration = by_coroot();
        change.source = Some("default:Deployment:app1".to_owned());
        change.custom_details = serde_json::from_str(body).ok();
    })
}

fn resolved(mut message: Message) -> Message {
    let incident = message.incident.as_mut().unwrap();
    incident.status = Status::Resolved;
    incident.resolved_by = Some("event".to_owned());
    message
}

#[test]
fn the_documents_come_out_as_they_came_in() {
    assert_eq!(text("{{ json . }}", &incident(INCIDENT)).unwrap(), INCIDENT);
    assert_eq!(text("{{ json . }}", &deployment(DEPLOYMENT)).unwrap(), DEPLOYMENT);
    assert_eq!(text("{{ json . }}", &incident(ALERT)).unwrap(), ALERT);
    assert_eq!(rendered("{{ json . }}", Body::Json, &incident(INCIDENT)).unwrap(), INCIDENT);
    let with_a_cause =
        INCIDENT.replace("\"url\"", "\"team\":\"shop\",\"url\"").replace("456\"}", "456\",\"rca_summary\":\"An index is gone\"}");
    let told: Json = serde_json::from_str(&text("{{ json . }}", &incident(&with_a_cause)).unwrap()).unwrap();
    assert_eq!((&told["rca_summary"], told.get("rca_remediations"), told.get("team")), (&json!("An index is gone"), None, None));
}

/// The text that a receiver shows.
fn shown(source: &str, at: Option<&str>, message: &Message) -> String {
    let template = Template::parse_as(source, None).unwrap();
    let body = template.render(message, "dlv_1").unwrap().body;
    match at {
        None => {
            assert_eq!(template.body(), Body::Text);
            String::from_utf8(body).unwrap()
        }
        Some(at) => {
            assert_eq!(template.body(), Body::Json, "{source}");
            let body: Json = serde_json::from_slice(&body).unwrap();
            body.pointer(at).and_then(Json::as_str).unwrap_or_else(|| panic!("{body}")).to_owned()
        }
    }
}

#[test]
fn all_templates_work_for_all_that_happens() {
    for (receiver, sources, _) in TEMPLATES {
        for (source, about) in sources.iter().zip([About::Incident, About::Change, About::Incident]) {
            let template = Template::parse_as(source, None).unwrap_or_else(|problem| panic!("{receiver}: {problem}"));
            template.try_out(about).unwrap_or_else(|problem| panic!("{receiver}: {problem}\n{source}"));
        }
    }
}

#[test]
fn they_say_what_happened_link_and_list() {
    for (receiver, [of_incident, of_deployment, of_alert], at) in
        TEMPLATES.into_iter().filter(|(receiver, ..)| *receiver != "json")
    {
        let firing = shown(of_incident, at, &incident(INCIDENT));
        assert!(firing.contains("WARNING: ") && firing.contains("misses its objectives\n• "), "{receiver}: {firing}");
        assert!(firing.contains(" / Latency: the error budget burns 20x too fast\n• "), "{receiver}: {firing}");
        assert!(firing.contains("2 upstream services are \"far\" away"), "{receiver}: {firing}");
        assert!(firing.contains("app1@default") && firing.contains("?incident=123ab456"), "{receiver}: {firing}");
        let over = shown(of_incident, at, &resolved(incident(INCIDENT)));
        assert!(over.contains(": over") && !over.contains("objectives") && !over.contains('•'), "{receiver}: {over}");
        let deployed = shown(of_deployment, at, &deployment(DEPLOYMENT));
        assert!(deployed.contains("Deployed\n") && deployed.contains("123ab456: app:v1.8.2\n"), "{receiver}: {deployed}");
        assert!(deployed.contains("\n• 💔 Availability: 87% (objective: 99%)\n• 🎉 Memory"), "{receiver}: {deployed}");
        let alert = shown(of_alert, at, &incident(ALERT));
        assert!(alert.contains("[WARNING] ") && alert.contains("Low disk space"), "{receiver}: {alert}");
        assert!(alert.contains("12% is free on /dev/sda1\n• Log pattern: ERROR: no space left\n"), "{receiver}: {alert}");
        let over = shown(of_alert, at, &resolved(incident(ALERT)));
        assert!(over.contains("[OVER] "), "{receiver}: {over}");
    }
    let [plain, ..] = TEMPLATES;
    let said = shown(plain.1[0], None, &incident(INCIDENT));
    assert_eq!(said.lines().nth(1), Some("WARNING: app1@default misses its objectives"));
}

#[test]
fn what_came_from_elsewhere_is_told_in_the_same_terms() {
    let message = page(|incident| incident.severity = Severity::Critical);
    let told = json("{{ json . }}", &message).unwrap();
    let expected = json!({
        "status": "CRITICAL",
        "application": "Shop:alertmanager:web-1",
        "reports": [{"name": "checkout", "check": "http", "message": "Checkout answers 500"}],
        "url": "https://callbox.example/incidents/inc_1?incident=inc_1"
    });
    assert_eq!(told, expected);
    let over = json("{{ json . }}", &resolved(message)).unwrap();
    assert_eq!((&over["status"], &over["reports"]), (&json!("OK"), &Json::Null));
    let said = text("{{ .ProjectName }}|{{ .RuleName }}|{{ .Severity }}|{{ .Summary }}|{{ .Details }}", &page(|_| {}));
    assert_eq!(said.unwrap(), "Shop|http|warning|Checkout answers 500|[]");
    let told = json("{{ json . }}", &change(|_| {})).unwrap();
    let expected = json!({
        "status": "Deployed",
        "application": "Shop:Service:Shop",
        "version": "2.4.0",
        "summary": ["Deployed checkout 2.4.0"],
        "url": "https://ci.example/builds/7"
    });
    assert_eq!(told, expected);
}

#[test]
fn without_its_details_an_incident_of_coroots_is_told_by_what_is_left() {
    let mut message = incident(INCIDENT);
    message.incident.as_mut().unwrap().details = None;
    let told = json("{{ json . }}", &message).unwrap();
    assert_eq!(told["application"], "default:Deployment:app1");
    assert_eq!(told["reports"][0]["message"], "the error budget burns 20x too fast (and 1 more)");
    assert_eq!(told["reports"][0]["check"], "Latency");
    assert_eq!(text("{{ .Application.Kind }}/{{ .Application.Name }}", &message).unwrap(), "Deployment/app1");
}

#[test]
fn applications_are_read_as_coroot_reads_them() {
    let parts = |whole: &str| {
        let message = page(|incident| {
            incident.integration = by_coroot();
            incident.details = details(&json!({"status": "WARNING", "application": whole}));
        });
        text("{{ with .Application }}{{ .Namespace }}|{{ .Kind }}|{{ .Name }}{{ end }}|{{ .Application }}", &message).unwrap()
    };
    assert_eq!(parts("default:Deployment:app1"), "default|Deployment|app1|default:Deployment:app1");
    assert_eq!(parts("c1:default:Deployment:app1"), "default|Deployment|app1|c1:default:Deployment:app1");
    assert_eq!(parts("c1:default:Deployment:app:1"), "default|Deployment|app:1|c1:default:Deployment:app:1");
    assert_eq!(
        parts("external:ExternalService:db.example:5432"),
        "external|ExternalService|db.example:5432|external:ExternalService:db.example:5432"
    );
    assert_eq!(parts("app1"), "||app1|app1");
    let message = page(|incident| {
        incident.integration = by_coroot();
        incident.details = details(&json!({"application": {"Namespace": "shop", "Kind": "Deployment", "Name": "cart"}}));
    });
    assert_eq!(text("{{ .Application }}", &message).unwrap(), "shop:Deployment:cart");
}

#[test]
fn what_coroot_says_in_a_strange_shape_is_passed_over() {
    for said in [
        json!(null),
        json!([1]),
        json!("x"),
        json!({"reports": {"a": 1}, "summary": 7, "details": "x", "url": 5, "application": []}),
    ] {
        let message = page(|incident| {
            incident.integration = by_coroot();
            incident.details = details(&said);
        });
        assert!(json("{{ json . }}", &message).is_ok(), "{said}");
        let message = change(|change| {
            change.integration = by_coroot();
            change.custom_details = Some(said.clone());
        });
        assert!(json("{{ json . }}", &message).is_ok(), "{said}");
    }
}
