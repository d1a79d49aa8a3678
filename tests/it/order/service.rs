//! A service in this process, whose clock the test moves, and a sender of Alertmanager's bodies.

use callbox::app::{self, Running};
use callbox::config::{Config, Flags};
use callbox::time::{Clock, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::callbox::{ADMIN_TOKEN, MASTER_KEY};
use crate::support::{Api, Database, Integration};

/// What the clock shows at first.
const START: Timestamp = Timestamp::from_seconds(1_750_000_000);

/// The moment `seconds` after [`START`], some minutes back so that no test runs ahead of the clock.
pub fn start(seconds: i64) -> String {
    START.plus_seconds(seconds - 600).to_string()
}

/// A running service.
pub struct Service {
    /// The clock that it goes by.
    pub clock: Clock,
    /// A client with every scope.
    pub api: Api,
    running: Option<Running>,
    _folder: TempDir,
}

impl Service {
    /// Starts it.
    pub async fn start(database: &Database) -> Self {
        let folder = TempDir::with_prefix("callbox-home-").unwrap();
        let environment = [
            ("CALLBOX_LISTEN", "127.0.0.1:0"),
            ("CALLBOX_DATABASE", database.url()),
            ("CALLBOX_ADMIN_TOKEN", ADMIN_TOKEN),
            ("CALLBOX_MASTER_KEY", MASTER_KEY),
            // Two cores are shared by many tests: slow is not wrong here.
            ("CALLBOX_LIMITS_ANSWER_WITHIN", "10s"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::load(None, environment.into_iter(), &Flags::default()).unwrap();
        let clock = Clock::manual(START);
        let running = app::start(config, clock.clone()).await.unwrap();
        let api = Api::new(&format!("http://{}", running.address), ADMIN_TOKEN, None);
        api.destination("somebody").await;
        Self { clock, api, running: Some(running), _folder: folder }
    }

    /// Stops it, as a signal does.
    pub async fn stop(mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    /// The moment `seconds` after what the clock shows.
    pub fn now(&self, seconds: i64) -> String {
        self.clock.now().plus_seconds(seconds).to_string()
    }

    /// A sender of its own for an integration of type `kind`.
    pub async fn sender(&self, kind: &str) -> Sender {
        self.sender_from(json!({"type": kind, "name": "a tool", "rate_limit_per_minute": 0})).await
    }

    /// As [`Service::sender`], for an integration of these fields.
    pub async fn sender_from(&self, fields: Value) -> Sender {
        Sender { api: self.api.clone(), integration: self.api.integration_from(fields).await }
    }

    /// How often the outside world was paged for an incident.
    pub fn pages(&self, database: &Database, incident_id: &str) -> usize {
        let page = format!("incident.triggered {}", callbox::id::number(incident_id));
        database.noted().into_iter().filter(|noted| *noted == page).count()
    }
}

/// One alert as Alertmanager tells it.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Its fingerprint.
    pub key: String,
    /// `labels.severity`.
    pub severity: &'static str,
    /// `annotations.summary`.
    pub summary: String,
    /// `startsAt`.
    pub starts_at: String,
}

impl Alert {
    /// A critical one.
    pub fn new(key: &str, starts_at: String) -> Self {
        Self { key: key.to_owned(), severity: "critical", summary: "the disk is full".to_owned(), starts_at }
    }

    /// Its next episode.
    pub fn starting(&self, starts_at: String) -> Self {
        Self { starts_at, ..self.clone() }
    }

    fn body(&self, status: &str) -> Value {
        json!({
            "status": status,
            "labels": {"alertname": "DiskFull", "instance": "db-1:9100", "disk": self.key, "severity": self.severity},
            "annotations": {"summary": self.summary},
            "startsAt": self.starts_at,
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.com/graph",
            "fingerprint": self.key,
        })
    }
}

/// Posts to one integration.
pub struct Sender {
    api: Api,
    /// The integration.
    pub integration: Integration,
}

impl Sender {
    /// Posts one notification with these alerts and their states; the outcome of each.
    pub async fn post(&self, alerts: &[(&Alert, &str)]) -> Vec<String> {
        let alerts: Vec<Value> = alerts.iter().map(|(alert, status)| alert.body(status)).collect();
        let body = json!({
            "version": "4", "groupKey": "{}:{alertname=\"DiskFull\"}", "truncatedAlerts": 0, "status": "firing",
            "receiver": "callbox", "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
            "externalURL": "http://alertmanager.example.com", "alerts": alerts,
        });
        self.post_json(&self.integration.path, &body).await
    }

    /// Posts a body to a path; the outcome of each of its events.
    pub async fn post_json(&self, path: &str, body: &Value) -> Vec<String> {
        let answer = self.api.send(path, body).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        let events = answer.body["events"].as_array().expect("a native answer lists its events");
        events.iter().map(|event| event["outcome"].as_str().unwrap().to_owned()).collect()
    }

    /// Posts a firing alert.
    pub async fn fires(&self, alert: &Alert) -> String {
        self.post(&[(alert, "firing")]).await.remove(0)
    }

    /// Posts a resolved alert.
    pub async fn resolves(&self, alert: &Alert) -> String {
        self.post(&[(alert, "resolved")]).await.remove(0)
    }

    /// The incidents of an alert, newest first.
    pub async fn incidents(&self, key: &str) -> Vec<Value> {
        let key: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
        self.api.all(&format!("/api/v1/incidents?integration_id={}&dedup_key={key}", self.integration.id)).await
    }

    /// The newest incident of an alert.
    pub async fn incident(&self, key: &str) -> Value {
        self.incidents(key).await.first().unwrap_or_else(|| panic!("no incident of {key}")).clone()
    }
}
