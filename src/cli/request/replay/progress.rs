//! Many requests, step by step: what is done, where to go on, and the sum of it.

use std::time::Duration;

use anyhow::anyhow;
use serde_json::{Map, Value, json};

use super::difference::{DIFFERENCES, closing, differences};
use crate::cli::Session;
use crate::cli::read::{array, items, text};

/// Requests that one call replays: the API answers within seconds and says where to go on.
pub(super) const STEP: usize = 200;
/// Calls that may fail one after the other where the service cannot promise anything for the moment.
const TRIES: u32 = 5;
/// The pause before the next of them.
const PAUSE: Duration = Duration::from_secs(1);

/// What was replayed so far.
#[derive(Default)]
pub(super) struct Done {
    items: Vec<Value>,
    /// The last request that is done.
    pub(super) after: Option<String>,
    stopped: Value,
}

impl Done {
    /// Nothing yet, to go on after this request.
    pub(super) fn after(request: Option<String>) -> Self {
        Self { after: request, ..Self::default() }
    }

    /// Step by step until there are no more; what fails for the moment is tried again.
    ///
    /// # Errors
    /// What the API says, and how to go on.
    pub(super) async fn all(&mut self, session: &Session, fields: &Map<String, Value>) -> anyhow::Result<()> {
        let mut tries = 0;
        loop {
            let mut fields = fields.clone();
            fields.insert("after".to_owned(), json!(self.after));
            fields.insert("limit".to_owned(), STEP.into());
            let problem = match session.api.post(&["requests", "replay"], &Value::Object(fields)).await {
                Ok(answer) => {
                    let some = !items(&answer).is_empty();
                    self.take(session, &answer)?;
                    match (answer.get("next").is_some_and(Value::is_string), self.stopped.is_null()) {
                        (false, true) => return Ok(()),
                        (_, true) => None,
                        (_, false) => {
                            tries = if some { 0 } else { tries };
                            Some(anyhow!("stopped at {}: {}", text(&self.stopped, "request_id"), text(&self.stopped, "message")))
                        }
                    }
                }
                Err(failure) if failure.is_temporary() => Some(failure.into()),
                Err(failure) => return Err(failure.into()),
            };
            let Some(problem) = problem else {
                tries = 0;
                continue;
            };
            tries += 1;
            if tries >= TRIES {
                return Err(problem.context(self.how_to_go_on()));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn take(&mut self, session: &Session, answer: &Value) -> anyhow::Result<()> {
        self.items.extend(items(answer).iter().cloned());
        self.stopped = answer.get("stopped").cloned().unwrap_or_default();
        let Some(last) = items(answer).last() else { return Ok(()) };
        self.after = Some(text(last, "request_id"));
        if answer.get("next").is_some_and(Value::is_string) {
            let at = session.out.time(&text(last, "received_at"));
            session.out.note(&format!("{} requests done, up to {at}", self.items.len()))?;
        }
        Ok(())
    }

    fn how_to_go_on(&self) -> String {
        let after = self.after.as_ref().map_or_else(String::new, |after| format!(" and --after {after}"));
        let done = self.items.len();
        format!("{done} requests are done, the next is not; go on with the same command{after} (what is done is not done twice)")
    }

    /// Shows all of it.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn print(&self, session: &Session, dry_run: bool) -> anyhow::Result<()> {
        let out = &session.out;
        let effects = |wanted: &[&str]| -> usize {
            let events = self.items.iter().flat_map(|item| array(item, "events"));
            events.filter(|event| wanted.contains(&text(event, "effect").as_str())).count()
        };
        let skipped = self.items.iter().filter(|item| item.get("skipped").is_some_and(Value::is_string)).count();
        let (applied, unchanged, stale) = (effects(&["applied", "would_apply"]), effects(&["unchanged"]), effects(&["stale"]));
        if out.is_json() {
            let next = if self.stopped.is_null() { &None } else { &self.after };
            let counts = json!({
                "requests": self.items.len(), "skipped": skipped, "applied": applied, "unchanged": unchanged, "stale": stale,
            });
            let answer = json!({
                "dry_run": dry_run, "items": self.items, "counts": counts, "stopped": self.stopped, "next": next,
            });
            return out.json(&answer);
        }
        let mut rows = Vec::new();
        for item in &self.items {
            let place = [out.time(&text(item, "received_at")), text(item, "request_id")];
            rows.extend(differences(item).into_iter().map(|row| place.iter().cloned().chain(row).collect()));
        }
        let head: Vec<&str> = ["RECEIVED", "REQUEST"].into_iter().chain(DIFFERENCES).collect();
        out.table(&head, &rows, "no requests")?;
        if self.items.is_empty() {
            return Ok(());
        }
        let done = if dry_run { "nothing was done; events that would be applied" } else { "events applied" };
        let requests = self.items.len();
        out.text(&format!(
            "\n{requests} requests; {done}: {applied}, unchanged: {unchanged}, stale: {stale}; requests skipped: {skipped}"
        ))?;
        self.catch_alls().iter().try_for_each(|catch_all| out.text(&closing(catch_all, dry_run)))
    }

    /// How each catch-all incident stood at the end.
    fn catch_alls(&self) -> Vec<&Value> {
        let mut last: Vec<&Value> = Vec::new();
        for catch_all in self.items.iter().flat_map(|item| array(item, "catch_alls")) {
            last.retain(|known| known.get("incident_id") != catch_all.get("incident_id"));
            last.push(catch_all);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{Answer, Server};

    #[tokio::test]
    async fn many_go_on_after_the_last_that_is_done_and_try_again_what_fails_for_the_moment() {
        let page = |id: &str, next: &str, stopped: &str| {
            let item = format!(r#"{{"request_id":"{id}","events":[{{"effect":"applied"}}]}}"#);
            Answer::json(200, &format!(r#"{{"items":[{item}],"next":{next},"stopped":{stopped}}}"#))
        };
        let server = Server::start([
            page("req_1", "\"req_1\"", "null"),
            Answer::json(503, r#"{"error":{"code":"unavailable","message":"later"}}"#),
            page("req_2", "\"req_2\"", r#"{"request_id":"req_3","message":"the queue is full"}"#),
            page("req_3", "null", "null"),
        ]);
        let mut done = Done::default();
        done.all(&server.session(), &Map::new()).await.unwrap();
        let after: Vec<Value> = server.requests().iter().map(|seen| seen.json()["after"].clone()).collect();
        assert_eq!(after, [json!(null), json!("req_1"), json!("req_1"), json!("req_2")]);
        assert_eq!((done.items.len(), done.stopped), (3, Value::Null));
    }

    #[test]
    fn how_to_go_on_is_said() {
        let done = Done { items: vec![Value::Null], after: Some("req_7".into()), ..Done::default() };
        assert!(done.how_to_go_on().contains("1 requests are done") && done.how_to_go_on().contains("--after req_7"));
    }
}
