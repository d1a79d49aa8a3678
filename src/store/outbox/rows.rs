//! The rows, as they are read and written.

use std::collections::BTreeSet;

use diesel::prelude::*;

use crate::store::numbered::DeliveryId;
use crate::store::schema::{attempts, breakers, deliveries, threads, watches};

/// A delivery to make.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// `dlv_…`.
    pub id: String,
    /// The tenant.
    pub tenant_id: String,
    /// Where it goes.
    pub destination_id: String,
    /// What it is about: `inc_…` or `chg_…`.
    pub subject: String,
    /// The rule by which.
    pub rule_id: Option<String>,
    /// The incident's number.
    pub incident_id: Option<i64>,
    /// The number of the event that caused it.
    pub event_id: Option<i64>,
    /// What happened.
    pub event: &'static str,
    /// What is told, JSON.
    pub message: String,
    /// When it was made, in microseconds.
    pub created_at: i64,
}

/// A delivery, stored.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = deliveries)]
pub struct Delivery {
    /// `dlv_…`.
    #[diesel(deserialize_as = DeliveryId)]
    pub id: String,
    /// Its tenant.
    pub tenant_id: String,
    /// Where it goes.
    pub destination_id: String,
    /// What it is about: `inc_…` or `chg_…`.
    pub subject: String,
    /// The rule by which.
    pub rule_id: Option<String>,
    /// The incident's number.
    pub incident_id: Option<i64>,
    /// The number of the event that caused it.
    pub event_id: Option<i64>,
    /// What happened.
    pub event: String,
    /// `pending`, `retrying`, `delivered`, `dead` or `skipped`.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// What is told, JSON.
    pub message: String,
    /// Attempts so far.
    pub attempts: i32,
    /// Those that failed.
    pub failures: i32,
    /// When it was made, in microseconds.
    pub created_at: i64,
    /// From when its age counts.
    pub tried_since: i64,
    /// When it came to its end.
    pub finished_at: Option<i64>,
}

/// One subject at one destination.
#[derive(Queryable, Selectable, Clone, PartialEq, Eq, Debug)]
#[diesel(table_name = threads)]
pub struct Thread {
    /// The destination.
    pub destination_id: String,
    /// The subject.
    pub subject: String,
    /// The tenant.
    pub tenant_id: String,
    /// The incident's number.
    pub incident_id: Option<i64>,
    /// The route.
    pub rule_id: Option<String>,
    /// The event types that the route asked for.
    pub wants: String,
    /// When it is looked at.
    pub due_at: Option<i64>,
    /// Which worker has it.
    pub lease: Option<String>,
    /// Nothing is told before this.
    pub held_until: Option<i64>,
    /// Why.
    pub held_by: Option<String>,
    /// The status that the receiver knows.
    pub told_status: Option<String>,
    /// The severity that it knows.
    pub told_severity: Option<String>,
    /// 1: something was sent there of which it is not known whether it arrived.
    pub in_doubt: i32,
    /// What the channel keeps.
    pub remembered: Option<String>,
    /// When the row changed.
    pub updated_at: i64,
}

impl Thread {
    /// One of which nothing was told, and that has nothing to do. A change has no incident's number.
    pub fn new(tenant_id: &str, destination_id: &str, subject: &str, incident_id: Option<i64>, rule_id: Option<&str>) -> Self {
        Self {
            destination_id: destination_id.to_owned(),
            subject: subject.to_owned(),
            tenant_id: tenant_id.to_owned(),
            incident_id,
            rule_id: rule_id.map(str::to_owned),
            wants: String::new(),
            due_at: None,
            lease: None,
            held_until: None,
            held_by: None,
            told_status: None,
            told_severity: None,
            in_doubt: 0,
            remembered: None,
            updated_at: 0,
        }
    }
}

/// How a receiver is doing.
#[derive(Queryable, Selectable, Insertable, AsChangeset, Clone, PartialEq, Eq, Debug, Default)]
#[diesel(table_name = breakers, treat_none_as_null = true)]
pub struct Breaker {
    /// The destination.
    pub destination_id: String,
    /// Failures in a row.
    pub failures: i32,
    /// Open until then.
    pub open_until: Option<i64>,
    /// One delivery tries until then.
    pub probing_until: Option<i64>,
    /// It asked for time until then.
    pub paused_until: Option<i64>,
    /// When it last came back.
    pub recovered_at: Option<i64>,
    /// When it first said that it is gone.
    pub gone_at: Option<i64>,
    /// How far its limit is spent.
    pub paced_at: Option<i64>,
    /// Deliveries put off.
    pub skipped: i64,
    /// When it was left alone, if it is.
    pub opened_at: Option<i64>,
    /// When something last arrived, to about a second.
    pub delivered_at: Option<i64>,
    /// When something last did not.
    pub failed_at: Option<i64>,
}

/// When a rule last paged for a key.
#[derive(Clone, Debug)]
pub struct Page {
    /// The rule.
    pub rule_id: String,
    /// The integration.
    pub integration_id: String,
    /// The key.
    pub dedup_key: String,
    /// When.
    pub paged_at: i64,
}

/// An incident that a rule looks at again.
#[derive(Queryable, Selectable, Insertable, Clone, Debug)]
#[diesel(table_name = watches)]
pub struct Watch {
    /// The rule.
    pub rule_id: String,
    /// The incident's number.
    pub incident_id: i64,
    /// The tenant.
    pub tenant_id: String,
    /// Since when.
    pub started_at: i64,
    /// When next.
    pub due_at: i64,
    /// What was done so far, JSON.
    pub state: String,
}

impl Watch {
    /// What was done so far: the events that were told, as rules name them.
    pub fn done(&self) -> BTreeSet<String> {
        serde_json::from_str(&self.state).unwrap_or_default()
    }

    /// Notes what was done so far.
    pub fn set_done(&mut self, done: &BTreeSet<String>) {
        self.state = serde_json::to_string(done).unwrap_or_else(|_| "[]".to_owned());
    }
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The delivery.
    pub delivery_id: String,
    /// From 1.
    pub number: i32,
    /// When it began.
    pub started_at: i64,
    /// How long it took, in microseconds.
    pub took: i64,
    /// `delivered`, `later`, `refused` or `gone`.
    pub result: &'static str,
    /// The HTTP status.
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
    /// What was sent, masked; JSON.
    pub request: String,
    /// The beginning of what came back.
    pub answer: Option<String>,
}

/// One attempt, stored.
#[derive(Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = attempts)]
pub struct Attempted {
    /// From 1.
    pub number: i32,
    /// When it began.
    pub started_at: i64,
    /// How long it took, in microseconds.
    pub took: i64,
    /// What came of it.
    pub result: String,
    /// The HTTP status.
    pub status: Option<i32>,
    /// Why there was no answer.
    pub error: Option<String>,
    /// What was sent, masked; JSON.
    pub request: String,
    /// The beginning of what came back.
    pub answer: Option<String>,
}

/// What became of a delivery.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The delivery.
    pub id: String,
    /// Its status from now on.
    pub status: &'static str,
    /// Why.
    pub reason: Option<String>,
    /// Attempts so far.
    pub attempts: i32,
    /// Those that failed.
    pub failures: i32,
    /// When it came to its end.
    pub finished_at: Option<i64>,
}

/// A thread that is given back.
#[derive(Clone, Debug)]
pub struct Turned {
    /// The thread, as it is from now on.
    pub thread: Thread,
    /// The lease under which it was worked on.
    pub lease: String,
}
