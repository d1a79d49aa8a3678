//! What is sent: one shape of request a workload, for each server that can take it.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Alerts in one request of the group workloads.
pub const GROUP: u64 = 50;
/// Keys that the workloads of repeats draw from.
pub const KEYS: u64 = 1_000;

/// A traffic pattern.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, clap::ValueEnum)]
pub enum Workload {
    /// Every trigger has a key of its own.
    Unique,
    /// Triggers over 1,000 keys: nearly all repeat an open incident.
    Duplicate,
    /// Each connection fires a key and resolves it with its next request.
    FireResolve,
    /// One request with 50 alerts, all new.
    GroupNew,
    /// One request with 50 alerts of 1,000 keys.
    GroupRepeat,
    /// A signed body of no particular tool, read by a JSONPath mapping.
    Signed,
    /// Five tools' bodies over 100 integrations.
    Mix,
    /// Fills a store: like unique, with keys that can be found again.
    #[value(skip)]
    Fill,
    /// The same with 50 in one request: how a large store is filled soon.
    #[value(skip)]
    FillGroup,
    /// Repeats, one a request, 1,000 keys spread evenly over all that was filled in by groups.
    #[value(skip)]
    Spread,
}

impl Workload {
    /// What the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unique => "unique",
            Self::Duplicate => "duplicate",
            Self::FireResolve => "fire-resolve",
            Self::GroupNew => "group-new",
            Self::GroupRepeat => "group-repeat",
            Self::Signed => "signed",
            Self::Mix => "mix",
            Self::Fill => "fill",
            Self::FillGroup => "fill-group",
            Self::Spread => "spread",
        }
    }

    /// Alerts that one request carries.
    pub fn alerts(self) -> u64 {
        if matches!(self, Self::GroupNew | Self::GroupRepeat | Self::FillGroup) { GROUP } else { 1 }
    }

    /// Whether Alertmanager has a counterpart.
    pub fn has_peer(self) -> bool {
        !matches!(self, Self::Signed | Self::Mix)
    }
}

/// Where requests of one integration go.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    /// The provider's type.
    pub kind: String,
    /// Path and query.
    pub path: String,
    /// The routing key.
    pub key: String,
    /// The secret that bodies are signed with.
    pub secret: Option<String>,
}

/// The integrations of a Callbox, by what the workloads need.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// Takes Events API v2 bodies.
    pub events: Endpoint,
    /// Takes Alertmanager's webhook bodies.
    pub groups: Endpoint,
    /// Takes signed, mapped bodies.
    pub signed: Endpoint,
    /// For the mix.
    pub mix: Vec<Endpoint>,
}

/// Who is sent to.
#[derive(Clone, Debug)]
pub enum Target {
    /// Callbox.
    Callbox(Box<Endpoints>),
    /// Alertmanager's own API.
    Alertmanager,
}

/// Makes requests. Shared by all connections; keys do not repeat between runs.
pub struct Generator {
    workload: Workload,
    target: Target,
    nonce: String,
    sequence: AtomicU64,
    /// Keys that were filled in before.
    filled: u64,
    /// RFC 3339: now, a minute ago (when all alerts began), in an hour.
    now: String,
    past: String,
    future: String,
}

impl Generator {
    /// A generator whose new keys nobody has used before.
    pub fn new(workload: Workload, target: Target) -> Self {
        Self::after(workload, target, 0)
    }

    /// A generator for a store into which so many keys were filled.
    pub fn after(workload: Workload, target: Target, filled: u64) -> Self {
        let now = jiff::Timestamp::now();
        let at = |seconds: i64| (now + jiff::SignedDuration::from_secs(seconds)).to_string();
        let nonce = format!("{:x}", now.as_microsecond());
        Self { workload, target, nonce, filled, sequence: AtomicU64::new(0), now: at(0), past: at(-60), future: at(3600) }
    }

    /// Writes the whole request, `turn` being how many its connection has sent.
    pub fn request(&self, connection: usize, turn: u64, out: &mut Vec<u8>, body: &mut String) {
        body.clear();
        let mut path = "/v2/enqueue";
        let mut signature = None;
        let (key, n, resolve) = self.next(connection, turn);
        match (&self.target, self.workload) {
            (Target::Alertmanager, workload) => {
                path = "/api/v2/alerts";
                body.push('[');
                self.alerts(workload, &key, n, resolve, body);
                body.push(']');
            }
            (
                Target::Callbox(endpoints),
                workload @ (Workload::GroupNew | Workload::GroupRepeat | Workload::FillGroup | Workload::Spread),
            ) => {
                path = &endpoints.groups.path;
                self.webhook(workload, &key, n, body);
            }
            (Target::Callbox(endpoints), Workload::Signed) => {
                path = &endpoints.signed.path;
                job(&key, n, resolve, body);
                signature = endpoints.signed.secret.as_deref().map(|secret| sign(secret, body.as_bytes()));
            }
            (Target::Callbox(endpoints), Workload::Mix) => {
                let mix = &endpoints.mix;
                let endpoint = mix.get(usize::try_from(n).unwrap_or(0) % mix.len().max(1));
                if let Some(endpoint) = endpoint {
                    path = &endpoint.path;
                    self.tool(endpoint, &key, n, body);
                    signature = endpoint.secret.as_deref().map(|secret| sign(secret, body.as_bytes()));
                }
            }
            (Target::Callbox(endpoints), _) => native(&endpoints.events.key, &key, n, resolve, body),
        }
        out.clear();
        let mut head = String::with_capacity(256);
        let _ = write!(
            head,
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: callbox-load/1\r\naccept: */*\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n",
            body.len()
        );
        if let Some(signature) = signature {
            let _ = write!(head, "x-signature: sha256={signature}\r\n");
        }
        head.push_str("\r\n");
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(body.as_bytes());
    }

    /// The key of the next request, its number, and whether it resolves.
    fn next(&self, connection: usize, turn: u64) -> (String, u64, bool) {
        match self.workload {
            Workload::Duplicate => {
                let n = self.scattered();
                (format!("dup-{n}"), n, false)
            }
            Workload::Fill => {
                let n = self.filled + self.sequence.fetch_add(1, Ordering::Relaxed);
                (format!("fill-{n}"), n, false)
            }
            Workload::FillGroup => (String::new(), self.filled + self.sequence.fetch_add(GROUP, Ordering::Relaxed), false),
            Workload::Spread => {
                let n = self.scattered() * self.filled / KEYS;
                (format!("fill-{n}"), n, false)
            }
            Workload::FireResolve => {
                let n = turn / 2;
                (format!("{}-{connection}-{n}", self.nonce), n, turn % 2 == 1)
            }
            _ => {
                let n = self.sequence.fetch_add(1, Ordering::Relaxed);
                (format!("{}-{n}", self.nonce), n, false)
            }
        }
    }

    /// One of the 1,000 keys, in no order.
    fn scattered(&self) -> u64 {
        let n = self.sequence.fetch_add(1, Ordering::Relaxed);
        (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % KEYS
    }

    fn alerts(&self, workload: Workload, key: &str, n: u64, resolve: bool, out: &mut String) {
        for member in 0..workload.alerts() {
            if member > 0 {
                out.push(',');
            }
            match workload {
                Workload::GroupNew => self.alert(&format!("{key}-{member}"), n + member, resolve, out),
                Workload::GroupRepeat => {
                    let n = self.scattered();
                    self.alert(&format!("group-dup-{n}"), n, resolve, out);
                }
                Workload::FillGroup => self.alert(&format!("fill-{}", n + member), n + member, resolve, out),
                _ => self.alert(key, n, resolve, out),
            }
        }
    }

    /// One alert as Prometheus sends it and Alertmanager hands it on.
    fn alert(&self, key: &str, n: u64, resolve: bool, out: &mut String) {
        let (status, end) = if resolve { ("resolved", &self.now) } else { ("firing", &self.future) };
        let (host, cluster) = (n % 500, n % 20);
        let _ = write!(
            out,
            r#"{{"labels":{{"alertname":"HighCPU{cluster}","instance":"host-{host}.eu-west-1.example.net","severity":"critical","service":"web","environment":"production","key":"{key}"}},"annotations":{{"summary":"CPU load on host-{host} has been above 95 percent for ten minutes","description":"load average 9.75, 124 MB free, cluster web-{cluster}, owner team-platform","runbook_url":"https://runbooks.example.net/cpu"}},"startsAt":"{start}","endsAt":"{end}","generatorURL":"https://prometheus.example.net/graph?g0.expr=cpu{n}""#,
            start = self.past,
        );
        if matches!(self.target, Target::Callbox(_)) {
            let _ = write!(out, r#","status":"{status}","fingerprint":"{key}""#);
        }
        out.push('}');
    }

    /// The body of Alertmanager's `webhook_configs`.
    fn webhook(&self, workload: Workload, key: &str, n: u64, out: &mut String) {
        out.push_str(
            r#"{"version":"4","groupKey":"{}:{environment=\"production\"}","truncatedAlerts":0,"status":"firing","receiver":"callbox","groupLabels":{"environment":"production"},"commonLabels":{"environment":"production","severity":"critical"},"commonAnnotations":{},"externalURL":"https://alertmanager.example.net","alerts":["#,
        );
        self.alerts(workload, key, n, false, out);
        out.push_str("]}");
    }

    /// What the mix sends to an integration of this type.
    fn tool(&self, endpoint: &Endpoint, key: &str, n: u64, out: &mut String) {
        match endpoint.kind.as_str() {
            "alertmanager" => self.webhook(Workload::Mix, key, n, out),
            "grafana" => {
                out.push_str(r#"{"receiver":"callbox","status":"firing","orgId":1,"title":"[FIRING:1] HighCPU","state":"alerting","groupKey":"{}:{alertname=\"HighCPU\"}","groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"https://grafana.example.net/","version":"1","truncatedAlerts":0,"alerts":["#);
                self.alerts(Workload::Mix, key, n, false, out);
                out.push_str("]}");
            }
            "datadog" => {
                let _ = write!(
                    out,
                    r#"{{"alert_id":"{n}","alert_cycle_key":"{key}","alert_title":"CPU is high on host-{n}","alert_transition":"Triggered","alert_type":"error","alert_priority":"P2","alert_query":"avg(last_5m):avg:system.cpu.user{{*}} by {{host}} > 90","alert_scope":"host:host-{n},env:prod","hostname":"host-{n}","event_msg":"CPU was above 90 percent for five minutes.","event_title":"[P2] [Triggered] CPU is high","link":"https://app.datadoghq.example/monitors/{n}","tags":"env:prod,host:host-{n}"}}"#
                );
            }
            "webhook" => job(key, n, false, out),
            _ => native(&endpoint.key, key, n, false, out),
        }
    }
}

/// An Events API v2 trigger or resolve of some 630 bytes.
fn native(routing_key: &str, key: &str, n: u64, resolve: bool, out: &mut String) {
    let action = if resolve { "resolve" } else { "trigger" };
    let (host, cluster) = (n % 500, n % 20);
    let _ = write!(
        out,
        r#"{{"routing_key":"{routing_key}","event_action":"{action}","dedup_key":"{key}","payload":{{"summary":"CPU load on host-{host} has been above 95 percent for ten minutes","source":"host-{host}.eu-west-1.example.net","severity":"critical","component":"web","group":"cluster-{cluster}","class":"cpu","custom_details":{{"load_average":9.75,"free_memory_mb":124,"owner":"team-platform","environment":"production","region":"eu-west-1","threshold":"95 percent for ten minutes"}}}},"client":"Example monitoring","client_url":"https://monitoring.example.net/alerts/{n}","links":[{{"href":"https://runbooks.example.net/cpu","text":"Runbook"}}]}}"#
    );
}

/// The body of no particular tool that the mapped integrations read.
fn job(key: &str, n: u64, resolve: bool, out: &mut String) {
    let state = if resolve { "done" } else { "failed" };
    let _ = write!(
        out,
        r#"{{"job":{{"id":"{key}","name":"backup of database {n}","state":"{state}","host":{{"name":"host-{n}.eu-west-1.example.net","rack":12}}}},"level":"critical","attempt":3,"log":"pg_dump: error: connection to server at 10.0.0.7 failed: Connection refused. Is the server running on that host and accepting connections?","started":"2026-01-02T03:04:05Z","owner":"team-platform","labels":["nightly","database","critical"]}}"#
    );
}

/// The mapping by which those bodies are read.
pub fn mapping() -> serde_json::Value {
    serde_json::json!({
        "summaryField": "job.name", "severityField": "$.level", "dedupKeyField": "job.id", "sourceField": "$.job.host.name",
        "actionField": "job.state", "triggerValues": ["failed"], "resolveValues": ["done"],
    })
}

fn sign(secret: &str, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}
