//! One message for one destination, past the outbox: for trying a destination, and for telling one without a service.
//!
//! The same attempts as a lane makes, by the same code; what waits between them is the caller's business.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::send::{Way, made};
use super::shown::shown;
use super::turn::{End, Work};
use crate::delivery::channel::Letter;
use crate::delivery::destination::Destination;
use crate::delivery::message::Message;
use crate::delivery::retry::Policy;
use crate::id::{self, Kind};
use crate::net::Client;
use crate::store::outbox::{Delivery, Thread};
use crate::time::{Clock, Timestamp};

/// The way out, as far as it is the same for every destination.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    /// The client.
    pub client: &'a Client,
    /// The time.
    pub clock: &'a Clock,
    /// How long a mail may take.
    pub timeout: Duration,
}

/// A message on its way to one destination; it keeps its id over all attempts.
pub struct Direct {
    destination: Arc<Destination>,
    work: Work,
}

/// What came of an attempt.
pub struct Tried {
    /// The message, for a further attempt.
    pub direct: Direct,
    /// `delivered`, `later`, `refused` or `gone`.
    pub result: &'static str,
    /// Why, where it was not delivered.
    pub reason: Option<String>,
    /// When to try again; only with `later`.
    pub again: Option<Timestamp>,
    /// What was sent and came back, as people may see it.
    pub exchanges: Vec<Value>,
}

impl Direct {
    /// `message` for `destination`.
    pub fn new(destination: Arc<Destination>, message: Message, now: Timestamp) -> Self {
        let work = work(&destination, message, now);
        Self { destination, work }
    }

    /// What a first attempt would send, as people may see it.
    ///
    /// # Errors
    /// It cannot be told that: a sentence that names no secret.
    pub async fn shown(&self, now: Timestamp) -> Result<Value, String> {
        let (channel, target) = self.destination.open(now)?;
        let letter = Letter { id: &self.work.delivery.id, message: &self.work.message, now, remembered: None };
        let sending = made(&self.destination, channel, &target, &letter).await?;
        Ok(shown(channel, &target, &sending))
    }

    /// Sends it.
    ///
    /// # Errors
    /// Nothing was sent, because the destination cannot be used: a sentence that names no secret.
    pub async fn attempt(self, line: Line<'_>) -> Result<Tried, String> {
        self.destination.open(line.clock.now())?;
        let policy = Policy::default();
        let done = self.way(line, &policy).attempt(self.work.clone()).await;
        let exchanges = done
            .attempts
            .iter()
            .map(|attempt| {
                let request: Value = serde_json::from_str(&attempt.request).unwrap_or_default();
                json!({
                    "request": request, "status": attempt.status, "error": attempt.error, "answer": attempt.answer,
                    "took": attempt.took as f64 / 1e6,
                })
            })
            .collect();
        let mut work = done.work;
        let made = i32::try_from(done.attempts.len()).unwrap_or(i32::MAX);
        work.delivery.attempts = work.delivery.attempts.saturating_add(made);
        let (result, reason, again) = match done.end {
            End::Delivered(_) => ("delivered", None, None),
            End::Later { at, failed, why } => {
                work.delivery.failures = work.delivery.failures.saturating_add(i32::from(failed));
                ("later", Some(why), Some(at))
            }
            End::Dead(why) => ("refused", Some(why), None),
            End::Gone(why) => ("gone", Some(why), None),
        };
        Ok(Tried { direct: Self { work, ..self }, result, reason, again, exchanges })
    }

    fn way<'a>(&'a self, line: Line<'a>, policy: &'a Policy) -> Way<'a> {
        let Line { client, clock, timeout } = line;
        Way { client, destination: &self.destination, policy, clock, timeout, random: 1.0 }
    }
}

fn work(destination: &Destination, message: Message, now: Timestamp) -> Work {
    let subject = message.incident.as_ref().map_or_else(String::new, |incident| incident.id.clone());
    let thread = Thread::new(&destination.tenant_id, &destination.id, &subject, None, None);
    let delivery = Delivery {
        id: id::new(Kind::Delivery),
        tenant_id: destination.tenant_id.to_string(),
        destination_id: destination.id.to_string(),
        subject,
        rule_id: None,
        incident_id: None,
        event_id: None,
        event: message.event.as_str().to_owned(),
        status: "pending".to_owned(),
        reason: None,
        message: String::new(),
        attempts: 0,
        failures: 0,
        created_at: now.0,
        tried_since: now.0,
        finished_at: None,
    };
    Work { thread, delivery, message }
}
