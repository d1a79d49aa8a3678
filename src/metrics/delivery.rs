//! What goes out, how late, and what stands in its way. The name of a destination is a label: an administrator gives it.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::delivery::breaker::State;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabels {
    destination: String,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DestinationLabel {
    destination: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct WhyLabel {
    why: &'static str,
}

/// The numbers of delivery.
#[derive(Debug)]
pub struct Delivery {
    deliveries: Family<ResultLabels, Counter>,
    latency_seconds: Histogram,
    breaker_state: Family<DestinationLabel, Gauge>,
    skipped: Family<DestinationLabel, Counter>,
    held: Family<WhyLabel, Counter>,
    deduped: Counter,
    unrouted: Counter,
    deadletters: Gauge,
    oldest_seconds: Gauge<f64, AtomicU64>,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            deliveries: Family::default(),
            latency_seconds: Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0]),
            breaker_state: Family::default(),
            skipped: Family::default(),
            held: Family::default(),
            deduped: Counter::default(),
            unrouted: Counter::default(),
            deadletters: Gauge::default(),
            oldest_seconds: Gauge::default(),
        }
    }
}

impl Delivery {
    /// Puts them on the page.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("deliveries", "Attempts to deliver, by destination and what came of them", self.deliveries.clone());
        registry.register("delivery_latency_seconds", "Time from what happened to its delivery", self.latency_seconds.clone());
        registry.register(
            "breaker_state",
            "Whether a destination is left alone: 0 closed, 1 half open, 2 open",
            self.breaker_state.clone(),
        );
        registry.register("deliveries_skipped", "Deliveries put off because a breaker was open", self.skipped.clone());
        registry.register("deliveries_held", "Messages put off by a rule, by why", self.held.clone());
        registry.register("deliveries_deduped", "Pages put off by a dedupe window", self.deduped.clone());
        registry.register("unrouted", "Incidents of which no rule told anybody", self.unrouted.clone());
        registry.register("deadletters", "Deliveries that were given up and are still kept", self.deadletters.clone());
        registry.register(
            "oldest_undelivered_seconds",
            "Age of the oldest delivery that has not come to its end",
            self.oldest_seconds.clone(),
        );
    }

    /// An attempt came to `result`: delivered, later or dead.
    pub fn attempted(&self, destination: &str, result: &'static str) {
        self.deliveries.get_or_create(&ResultLabels { destination: destination.to_owned(), result }).inc();
    }

    /// Something was delivered so long after it happened.
    pub fn delivered_after(&self, late: Duration) {
        self.latency_seconds.observe(late.as_secs_f64());
    }

    /// Where a breaker stands.
    pub fn breaker(&self, destination: &str, state: State) {
        let state = match state {
            State::Closed => 0,
            State::HalfOpen => 1,
            State::Open => 2,
        };
        self.breaker_state.get_or_create(&DestinationLabel { destination: destination.to_owned() }).set(state);
    }

    /// So many deliveries were put off because a breaker is open.
    pub fn skipped(&self, destination: &str, deliveries: usize) {
        if deliveries > 0 {
            self.skipped.get_or_create(&DestinationLabel { destination: destination.to_owned() }).inc_by(deliveries as u64);
        }
    }

    /// So many messages were put off by rules: quiet, dedupe or limit.
    pub fn held(&self, why: &'static str, messages: u64) {
        self.held.get_or_create(&WhyLabel { why }).inc_by(messages);
        if why == "dedupe" {
            self.deduped.inc_by(messages);
        }
    }

    /// Nobody is told of an incident.
    pub fn unrouted(&self) {
        self.unrouted.inc();
    }

    /// What has not been delivered: given up, and the age of the oldest that has not.
    pub fn waiting(&self, dead: i64, oldest: Duration) {
        self.deadletters.set(dead);
        self.oldest_seconds.set(oldest.as_secs_f64());
    }
}
