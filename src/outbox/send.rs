//! One attempt: the message is rendered, sent, and what came back is judged.

use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

use super::mail::{self, Sent};
use super::shown::{excerpt, shown};
use super::turn::{Done, End, Work};
use crate::delivery::channel::{Channel, Letter, Parcel, Sending, Target, webhook};
use crate::delivery::destination::Destination;
use crate::delivery::message::{HOPS, HOPS_MAX, Message};
use crate::delivery::retry::{Answer, Policy, Verdict};
use crate::net::Client;
use crate::secret::Secret;
use crate::store::outbox::Attempt;
use crate::time::{Clock, Timestamp};

/// What an attempt needs to know besides its work.
pub struct Way<'a> {
    /// The way out.
    pub client: &'a Client,
    /// The destination, as it is now.
    pub destination: &'a Destination,
    /// How stubbornly its rule tries.
    pub policy: &'a Policy,
    /// The time.
    pub clock: &'a Clock,
    /// How long a mail may take.
    pub timeout: Duration,
    /// From 0 to 1.
    pub random: f64,
}

/// What came back of one request.
struct Back {
    answer: Answer,
    body: Vec<u8>,
    error: Option<String>,
    /// Whether it may have arrived all the same.
    in_doubt: bool,
}

impl Way<'_> {
    /// Tries a delivery: in its rich form; where that is refused, and was to change an earlier message, as a new one; and at last as plain
    /// text.
    pub async fn attempt(&self, work: Work) -> Done {
        let now = self.clock.now();
        let (channel, target) = match self.destination.open(now) {
            Ok(open) => open,
            Err(why) => {
                let end = End::Later { at: now.plus_seconds(30), failed: false, why: why.to_owned() };
                return Done { work, attempts: Vec::new(), end, in_doubt: false };
            }
        };
        if work.message.hops >= HOPS_MAX {
            let end = End::Dead(format!(
                "it came through {} Callboxes before this one, so destinations lead in a circle: delete the one that leads back",
                work.message.hops
            ));
            return Done { work, attempts: Vec::new(), end, in_doubt: false };
        }
        let remembered: Option<Value> = work.thread.remembered.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let (mut attempts, mut in_doubt) = (Vec::new(), false);
        let letter = |remembered| Letter { id: &work.delivery.id, message: &work.message, now, remembered };
        let mut verdict = None;
        for form in [Form::Rich, Form::New, Form::Plain] {
            let sending = match form {
                Form::Rich => made(self.destination, channel, &target, &letter(remembered.as_ref())).await.map(Some),
                Form::New if remembered.is_some() => {
                    channel.parcel(&target, &letter(None)).map(|sending| Some(marked(sending, &work.message)))
                }
                Form::New => Ok(None),
                Form::Plain => Ok(channel.plain(&target, &letter(None)).map(|sending| marked(sending, &work.message))),
            };
            let sending = match sending {
                Ok(Some(sending)) => sending,
                Ok(None) => continue,
                Err(why) => {
                    let end = End::Dead(format!("it cannot be said there: {why}"));
                    return Done { work, attempts, end, in_doubt };
                }
            };
            let number = work.delivery.attempts.saturating_add(i32::try_from(attempts.len()).unwrap_or(0)).saturating_add(1);
            let (judged, back, attempt) = self.once(channel, &target, &sending, &work, number).await;
            attempts.push(attempt);
            in_doubt |= back.in_doubt;
            let refused = judged == Verdict::Refused;
            verdict = Some((judged, back));
            if !refused {
                break;
            }
        }
        let end = match verdict {
            Some((verdict, back)) => self.end(channel, &target, &work, verdict, &back),
            None => End::Dead("there is nothing to send".to_owned()),
        };
        Done { work, attempts, end, in_doubt }
    }

    async fn once(
        &self,
        channel: &'static dyn Channel,
        target: &Target,
        sending: &Sending,
        work: &Work,
        number: i32,
    ) -> (Verdict, Back, Attempt) {
        let (started_at, clock) = (self.clock.now(), Instant::now());
        let back = match sending {
            Sending::Http(parcel) => self.post(parcel).await,
            // In the terms of HTTP, which the policy judges.
            Sending::Mail(mail) => match mail::send(self.client, mail, self.timeout).await {
                Sent::Taken => Back { answer: Answer::Status(250, None), body: Vec::new(), error: None, in_doubt: false },
                Sent::Later(why) => Back { answer: Answer::None, body: Vec::new(), error: Some(why), in_doubt: false },
                Sent::Refused(why) => {
                    Back { answer: Answer::Status(400, None), body: Vec::new(), error: Some(why), in_doubt: false }
                }
            },
        };
        let back = amounts_to(channel, target, back);
        let now = self.clock.now();
        let verdict = self.policy.judge(&back.answer, now);
        let attempt = Attempt {
            delivery_id: work.delivery.id.clone(),
            number,
            started_at: started_at.0,
            took: i64::try_from(clock.elapsed().as_micros()).unwrap_or(i64::MAX),
            result: match verdict {
                Verdict::Delivered => "delivered",
                Verdict::Later { .. } => "later",
                Verdict::Refused => "refused",
                Verdict::Gone => "gone",
            },
            status: match back.answer {
                Answer::Status(status, _) => Some(status),
                Answer::None => None,
            },
            error: back.error.clone(),
            request: shown(channel, target, sending).to_string(),
            answer: excerpt(target, sending, &back.body),
        };
        (verdict, back, attempt)
    }

    async fn post(&self, parcel: &Parcel) -> Back {
        let failed = |error: String| Back { answer: Answer::None, body: Vec::new(), error: Some(error), in_doubt: false };
        let Ok(url) = Url::parse(parcel.url.expose()) else { return failed("the URL cannot be read".to_owned()) };
        let Ok(method) = Method::from_bytes(parcel.method.as_bytes()) else {
            return failed("there is no such method".to_owned());
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &parcel.headers {
            match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value.expose())) {
                (Ok(name), Ok(mut value)) => {
                    value.set_sensitive(true);
                    headers.append(name, value);
                }
                _ => return failed(format!("the header {name:?} cannot be sent")),
            }
        }
        match self.client.send(method, &url, headers, parcel.body.clone()).await {
            Ok(answer) => {
                let after = answer.headers.get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
                Back { answer: Answer::Status(answer.status, after), body: answer.body, error: None, in_doubt: false }
            }
            Err(failure) => Back { in_doubt: failure.may_have_arrived(), ..failed(failure.to_string()) },
        }
    }

    /// What the last answer means for the delivery.
    fn end(&self, channel: &'static dyn Channel, target: &Target, work: &Work, verdict: Verdict, back: &Back) -> End {
        let why = match (&back.answer, &back.error) {
            (_, Some(error)) => error.clone(),
            (Answer::Status(status, _), None) => format!("it answered {status}"),
            (Answer::None, None) => "it did not answer".to_owned(),
        };
        match verdict {
            Verdict::Delivered => End::Delivered(channel.remember(target, &back.body).map(|remembered| remembered.to_string())),
            Verdict::Refused => End::Dead(why),
            Verdict::Gone => End::Gone(why),
            Verdict::Later { after, failed } => {
                let failures = u32::try_from(work.delivery.failures).unwrap_or(0).saturating_add(u32::from(failed));
                let since = Timestamp(work.delivery.tried_since);
                match self.policy.next(since, failures, after, self.random, self.clock.now()) {
                    Some(at) => End::Later { at, failed, why },
                    None => End::Dead(format!("{why}; it was tried for as long as its rule says")),
                }
            }
        }
    }
}

/// A letter as its channel makes it, or as the destination's own template does.
///
/// # Errors
/// It cannot be said there: a sentence that names no secret.
pub async fn made(
    destination: &Destination,
    channel: &'static dyn Channel,
    target: &Target,
    letter: &Letter<'_>,
) -> Result<Sending, String> {
    let templates = &destination.templates;
    let template = if letter.message.change.is_some() { &templates.change } else { &templates.incident };
    let Some(template) = template.clone() else {
        return channel.parcel(target, letter).map(|sending| marked(sending, letter.message));
    };
    let (message, id) = (letter.message.clone(), letter.id.to_owned());
    let rendered = tokio::task::spawn_blocking(move || template.render(&message, &id)).await;
    let rendered = rendered.map_err(|_| "its template was abandoned".to_owned())??;
    Ok(marked(webhook::sealed(target, letter, rendered.body, &rendered.content_type).into(), letter.message))
}

/// What is sent to what may be another Callbox says how many it has come through.
fn marked(mut sending: Sending, message: &Message) -> Sending {
    if let Sending::Http(parcel) = &mut sending {
        parcel.headers.push((HOPS.to_owned(), Secret::new(message.hops.saturating_add(1).to_string())));
    }
    sending
}

/// The forms in which a delivery is tried.
#[derive(Clone, Copy)]
enum Form {
    Rich,
    New,
    Plain,
}

/// An answer as its vendor means it.
fn amounts_to(channel: &'static dyn Channel, target: &Target, back: Back) -> Back {
    let Answer::Status(status, header) = back.answer else { return back };
    let status = channel.status(target, status, &back.body);
    let after = channel.retry_after(&back.body).or(header);
    Back { answer: Answer::Status(status, after), ..back }
}
