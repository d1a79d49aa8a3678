//! What would go out for what happens: the router's own plan over what is known now, rendered as it would be sent, and never written.

mod sight;

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::message::Context;
use super::plan::{self, Paces};
use super::router;
use super::send::made;
use super::shown::shown;
use crate::delivery::channel::Letter;
use crate::delivery::destination::Destination;
use crate::delivery::message::Message;
use crate::ingest::snapshot::StoredRule;
use crate::store::outbox::route::Notice;
use crate::store::{Conn, Result, changes, incidents};
use crate::time::Timestamp;
use sight::Sight;

/// Notices of which is shown what would come of them: a request may make thousands.
pub const NOTICES_MAX: usize = 100;

/// What would have happened.
#[derive(Debug, Default)]
pub struct Happened {
    /// What the outside world would have to be told, in order; each with an id of its own. At most [`NOTICES_MAX`].
    pub notices: Vec<Notice>,
    /// How many there are besides.
    pub more: usize,
    /// The incidents, as they would be then, by number.
    pub incidents: HashMap<i64, incidents::Incident>,
    /// The change events.
    pub changes: HashMap<i64, changes::Change>,
}

/// What would come of it, not rendered yet.
#[derive(Debug, Default)]
pub struct Preview {
    letters: Vec<Planned>,
    later: Vec<Value>,
    untold: Vec<Value>,
    more: usize,
}

/// What would come of it.
#[derive(Debug, Default, Serialize)]
pub struct Shown {
    /// One entry a message: to whom, by which rule, when, and the request.
    pub deliveries: Vec<Value>,
    /// Who would be told after some time, if nobody acknowledges or nothing arrives.
    pub later: Vec<Value>,
    /// Which rules do not tell of what, and who is not told, and why.
    pub untold: Vec<Value>,
    /// Things that happen of which nothing is shown here, because there are so many.
    #[serde(rename = "deliveries_more", skip_serializing_if = "is_zero")]
    pub more: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// One message to one destination.
#[derive(Debug)]
struct Planned {
    destination: Arc<Destination>,
    rule: Option<Arc<StoredRule>>,
    id: String,
    message: Message,
    remembered: Option<Value>,
    at: Timestamp,
    hold: Option<Value>,
    waits: Option<String>,
}

/// Plans what would go out at `now`. Limits of rules count as unspent. Reads, and writes nothing.
///
/// # Errors
/// A query failed.
pub fn plan(conn: &mut Conn, context: Context<'_>, happened: Happened, now: Timestamp) -> Result<Preview> {
    let Happened { notices, more, incidents, changes } = happened;
    let mut facts = router::facts(conn, context, &notices, (incidents, changes), now)?;
    facts.untold = Some(Vec::new());
    let planned = plan::plan(&notices, &mut facts, &mut Paces::new());
    let left = facts.untold.take().unwrap_or_default();
    let mut sight = Sight { facts: &facts, notices: &notices, preview: Preview { more, ..Preview::default() } };
    for thread in &planned.plan.threads {
        sight.thread(conn, thread, &planned.plan)?;
    }
    sight.later(&planned.plan);
    sight.untold(left, &planned.plan);
    Ok(sight.preview)
}

fn named(rule: &StoredRule) -> Value {
    json!({"id": &*rule.id, "name": rule.rule.name})
}

impl Preview {
    /// Renders every message as its destination would be sent it.
    pub async fn render(self) -> Shown {
        let mut deliveries = Vec::new();
        for planned in self.letters {
            deliveries.push(planned.render().await);
        }
        Shown { deliveries, later: self.later, untold: self.untold, more: self.more }
    }
}

impl Planned {
    async fn render(self) -> Value {
        let letter = Letter { id: &self.id, message: &self.message, now: self.at, remembered: self.remembered.as_ref() };
        let (request, problem) = rendered(&self.destination, &letter).await;
        let incident = self.message.incident.as_ref();
        json!({
            "destination": {"id": &*self.destination.id, "name": self.destination.name, "kind": self.destination.kind},
            "rule": self.rule.as_deref().map(named),
            "event": self.message.event,
            "dedup_key": incident.map(|incident| &incident.dedup_key),
            "at": self.at.to_string(),
            "hold": self.hold,
            "waits": self.waits,
            "request": request,
            "problem": problem,
        })
    }
}

/// What a letter looks like on its way to a destination, as people may see it; or why nothing can go there.
pub async fn rendered(destination: &Destination, letter: &Letter<'_>) -> (Option<Value>, Option<String>) {
    let (channel, target) = match destination.open(letter.now) {
        Ok(open) => open,
        Err(why) => return (None, Some(format!("{why}; what is meant for it waits"))),
    };
    match made(destination, channel, &target, letter).await {
        Ok(sending) => (Some(shown(channel, &target, &sending)), None),
        Err(why) => (None, Some(format!("it cannot be said there: {why}"))),
    }
}
