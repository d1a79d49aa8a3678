//! Numbers for operators, in the OpenMetrics text format.
//!
//! Owns names, help texts and buckets. Labels are `&'static str`: what a sender controls cannot become one, so that the number
//! of series stays what the program's own lists make it. A [`Metrics`] is a value; nothing is global.

mod delivery;
mod retention;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use delivery::Delivery;
pub use retention::Retention;

/// The media type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    verdict: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabel {
    route: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EventLabels {
    r#type: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TypeLabel {
    r#type: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct VerdictLabel {
    verdict: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ClassLabel {
    class: &'static str,
}

type Seconds = Gauge<f64, AtomicU64>;

/// All numbers, and the registry that prints them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabel, Histogram, fn() -> Histogram>,
    refusals: Family<VerdictLabel, Counter>,
    events: Family<EventLabels, Counter>,
    unmatched: Family<TypeLabel, Counter>,
    commit_seconds: Histogram,
    /// The sum of the above in nanoseconds, which the histogram does not tell.
    committing: AtomicU64,
    batch_requests: Histogram,
    queue_requests: Gauge,
    queue_bytes: Gauge,
    queue_oldest_seconds: Seconds,
    store_errors: Family<ClassLabel, Counter>,
    snapshot_age_seconds: Seconds,
    /// What goes out.
    pub delivery: Delivery,
    /// What retention does.
    pub retention: Retention,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All numbers at zero.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("callbox"),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(seconds),
            refusals: Family::default(),
            events: Family::default(),
            unmatched: Family::default(),
            commit_seconds: seconds(),
            committing: AtomicU64::new(0),
            batch_requests: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
            queue_requests: Gauge::default(),
            queue_bytes: Gauge::default(),
            queue_oldest_seconds: Seconds::default(),
            store_errors: Family::default(),
            snapshot_age_seconds: Seconds::default(),
            delivery: Delivery::default(),
            retention: Retention::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let Self { registry, .. } = self;
        registry.register("requests", "Requests answered, by route and verdict", self.requests.clone());
        registry.register("request_seconds", "Time from a request's head to its answer", self.request_seconds.clone());
        registry.register("refusals", "Requests refused, by verdict", self.refusals.clone());
        registry.register("events", "Events stored, by the type of integration and outcome", self.events.clone());
        registry.register("unmatched", "Acknowledges and resolves of keys that were not open", self.unmatched.clone());
        registry.register("commit_seconds", "Time of a transaction that stores requests", self.commit_seconds.clone());
        registry.register("batch_requests", "Requests stored in one transaction", self.batch_requests.clone());
        registry.register("queue_requests", "Requests that wait to be stored", self.queue_requests.clone());
        registry.register("queue_bytes", "Bytes of the requests that wait to be stored", self.queue_bytes.clone());
        registry.register("queue_oldest_seconds", "Age of the oldest request that waits", self.queue_oldest_seconds.clone());
        registry.register("store_errors", "Errors of the database, by class", self.store_errors.clone());
        registry.register(
            "snapshot_age_seconds",
            "Time since the configuration was confirmed",
            self.snapshot_age_seconds.clone(),
        );
        self.delivery.register(registry);
        self.retention.register(registry);
    }

    /// A request was answered. `route` is the pattern, never the path; `took` runs from its head to its answer.
    pub fn request(&self, route: &'static str, verdict: &'static str, took: Duration) {
        self.requests.get_or_create(&RequestLabels { route, verdict }).inc();
        self.request_seconds.get_or_create(&RouteLabel { route }).observe(took.as_secs_f64());
    }

    /// A request was refused.
    pub fn refusal(&self, verdict: &'static str) {
        self.refusals.get_or_create(&VerdictLabel { verdict }).inc();
    }

    /// An event was stored. `kind` is the type of its integration; the outcome `unmatched` is counted by type as well.
    pub fn event(&self, kind: &'static str, outcome: &'static str) {
        self.events.get_or_create(&EventLabels { r#type: kind, outcome }).inc();
        if outcome == "unmatched" {
            self.unmatched.get_or_create(&TypeLabel { r#type: kind }).inc();
        }
    }

    /// A transaction with `requests` requests took so long.
    pub fn commit(&self, took: Duration, requests: usize) {
        self.commit_seconds.observe(took.as_secs_f64());
        self.committing.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.batch_requests.observe(requests as f64);
    }

    /// The time that all transactions that store requests took together.
    pub fn committing(&self) -> Duration {
        Duration::from_nanos(self.committing.load(Ordering::Relaxed))
    }

    /// What waits to be stored; the age is measured when this is called, so call it before [`Metrics::render`].
    pub fn queue(&self, requests: usize, bytes: usize, oldest: Duration) {
        self.queue_requests.set(i64::try_from(requests).unwrap_or(i64::MAX));
        self.queue_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.queue_oldest_seconds.set(oldest.as_secs_f64());
    }

    /// The database failed with an error of `class`.
    pub fn store_error(&self, class: &'static str) {
        self.store_errors.get_or_create(&ClassLabel { class }).inc();
    }

    /// How long ago the configuration was confirmed; call it before [`Metrics::render`].
    pub fn snapshot_age(&self, age: Duration) {
        self.snapshot_age_seconds.set(age.as_secs_f64());
    }

    /// All numbers as text of [`CONTENT_TYPE`].
    pub fn render(&self) -> String {
        let mut page = String::new();
        // Writing to a String does not fail.
        let _ = text::encode(&mut page, &self.registry);
        page
    }
}

/// Half a millisecond to ten seconds, close together around the deadlines of senders.
fn seconds() -> Histogram {
    Histogram::new([0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.8, 1.0, 2.5, 5.0, 10.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_on_the_page() {
        let metrics = Metrics::new();
        metrics.request("/v2/enqueue", "accepted", Duration::from_millis(3));
        metrics.request("/v2/enqueue", "accepted", Duration::from_secs(2));
        metrics.refusal("limited");
        metrics.event("grafana", "opened");
        metrics.event("grafana", "unmatched");
        metrics.commit(Duration::from_millis(1), 64);
        assert_eq!(metrics.committing(), Duration::from_millis(1));
        metrics.queue(7, 4096, Duration::from_millis(1500));
        metrics.store_error("environment");
        metrics.snapshot_age(Duration::from_secs(1));
        metrics.retention.removed("events", 200);
        metrics.retention.dropped(3);
        metrics.retention.lag("events", 60.0);
        metrics.retention.held("requests", 4096);
        metrics.retention.ran(crate::time::Timestamp::from_seconds(1_800_000_000));
        metrics.retention.disk(1 << 30, true);
        let page = metrics.render();
        for line in [
            "callbox_requests_total{route=\"/v2/enqueue\",verdict=\"accepted\"} 2",
            "callbox_request_seconds_bucket{le=\"0.005\",route=\"/v2/enqueue\"} 1",
            "callbox_request_seconds_count{route=\"/v2/enqueue\"} 2",
            "callbox_refusals_total{verdict=\"limited\"} 1",
            "callbox_events_total{type=\"grafana\",outcome=\"opened\"} 1",
            "callbox_unmatched_total{type=\"grafana\"} 1",
            "callbox_commit_seconds_count 1",
            "callbox_batch_requests_bucket{le=\"64.0\"} 1",
            "callbox_queue_requests 7",
            "callbox_queue_bytes 4096",
            "callbox_queue_oldest_seconds 1.5",
            "callbox_store_errors_total{class=\"environment\"} 1",
            "callbox_snapshot_age_seconds 1.0",
            "callbox_retention_rows_total{table=\"events\"} 200",
            "callbox_retention_bodies_total 3",
            "callbox_retention_lag_seconds{table=\"events\"} 60.0",
            "callbox_retention_held_bytes{table=\"requests\"} 4096",
            "callbox_retention_last_run_timestamp_seconds 1800000000",
            "callbox_disk_room_bytes 1073741824",
            "callbox_disk_above_high_water 1",
        ] {
            assert!(page.lines().any(|have| have == line), "{line} is missing in\n{page}");
        }
        assert!(page.ends_with("# EOF\n"));
    }

    #[test]
    fn each_value_counts_for_itself() {
        let (one, other) = (Metrics::new(), Metrics::new());
        one.refusal("limited");
        assert!(!other.render().contains("limited"));
    }
}
