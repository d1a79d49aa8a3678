//! What the outside world is told: an event about an incident or a change, with everything that a channel or a template may show.
//!
//! The serialised form is the body of the generic webhook (contract, section 6): templates see the same names.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event::{Image, Link, Severity, Urgency};
use crate::incident::Status;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Occasion {
    /// A page.
    Triggered,
    /// Somebody acknowledged.
    Acknowledged,
    /// It is over.
    Resolved,
    /// Its severity rose without a page.
    Updated,
    /// It has been open for as long as a rule says.
    OpenFor,
    /// Nobody has acknowledged it for as long as a rule says.
    UnacknowledgedFor,
    /// A change was made.
    Change,
    /// Somebody tries the destination.
    Test,
}

impl Occasion {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Triggered,
        Self::Acknowledged,
        Self::Resolved,
        Self::Updated,
        Self::OpenFor,
        Self::UnacknowledgedFor,
        Self::Change,
        Self::Test,
    ];

    /// The word for it in rules and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Triggered => "incident.triggered",
            Self::Acknowledged => "incident.acknowledged",
            Self::Resolved => "incident.resolved",
            Self::Updated => "incident.updated",
            Self::OpenFor => "incident.open_for",
            Self::UnacknowledgedFor => "incident.unacknowledged_for",
            Self::Change => "change.created",
            Self::Test => "test",
        }
    }

    /// Reads exactly that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|occasion| occasion.as_str() == word)
    }
}

impl<'de> Deserialize<'de> for Occasion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Self::parse(&word).ok_or_else(|| D::Error::custom(format!("{word:?} is no event type")))
    }
}

impl Serialize for Occasion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What the outside world is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// What happened.
    pub event: Occasion,
    /// When it was told, RFC 3339.
    pub timestamp: String,
    /// The incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<Incident>,
    /// The change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// What the receiver should know besides: a condition that failed, repeats that were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Through how many Callboxes it came before this one.
    #[serde(default, skip_serializing_if = "is_none")]
    pub hops: u8,
}

/// The header field that says through how many Callboxes something came, for those that it goes to.
pub const HOPS: &str = "callbox-hops";
/// How many that may be. More than anybody means: destinations lead in a circle.
pub const HOPS_MAX: u8 = 3;

fn is_none(hops: &u8) -> bool {
    *hops == 0
}

/// Something with an id and a name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Named {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type, where it has one.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// An incident as the outside world sees it. Times are RFC 3339.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: String,
    /// Its number.
    pub number: i64,
    /// The newest summary.
    pub title: String,
    /// Where it stands.
    pub status: Status,
    /// How soon somebody must look.
    pub urgency: Urgency,
    /// The worst severity so far.
    pub severity: Severity,
    /// The service it belongs to.
    pub service: Named,
    /// The integration that it came by.
    pub integration: Named,
    /// The key.
    pub dedup_key: String,
    /// What is affected.
    pub source: String,
    /// The part of it.
    pub component: Option<String>,
    /// Its group.
    pub group: Option<String>,
    /// The class of the event.
    pub class: Option<String>,
    /// Triggers so far.
    pub event_count: i64,
    /// When the first trigger was received.
    pub first_seen: String,
    /// When the newest was.
    pub last_seen: String,
    /// When it was acknowledged.
    pub acknowledged_at: Option<String>,
    /// By whom.
    pub acknowledged_by: Option<String>,
    /// When it was resolved.
    pub resolved_at: Option<String>,
    /// By whom.
    pub resolved_by: Option<String>,
    /// Nobody: Callbox has no rota. There, because receivers of other systems' webhooks read it.
    pub assignee: Option<String>,
    /// Where people see it.
    pub url: Option<String>,
    /// What the tool said besides; only where the destination includes it, and never stored.
    #[serde(flatten, skip_deserializing)]
    pub details: Option<Details>,
}

/// What a tool said besides. It may hold what not everybody should see, so it leaves the house only where a destination says so.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Details {
    /// Anything.
    pub custom_details: Option<Box<RawValue>>,
    /// Links.
    pub links: Vec<Link>,
    /// Images.
    pub images: Vec<Image>,
    /// The tool.
    pub client: Option<String>,
    /// A link to it.
    pub client_url: Option<String>,
}

/// A change as the outside world sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Change {
    /// Its id.
    pub id: String,
    /// What was changed.
    pub summary: String,
    /// Where.
    pub source: Option<String>,
    /// The service it belongs to.
    pub service: Named,
    /// The integration that it came by.
    pub integration: Named,
    /// When it was made, or received; RFC 3339.
    pub timestamp: String,
    /// Anything else that the tool said.
    pub custom_details: Option<Value>,
    /// Links.
    pub links: Vec<Link>,
}

impl Message {
    /// What it is about, in a line: the incident's title or the change's summary.
    pub fn title(&self) -> &str {
        match (&self.incident, &self.change) {
            (Some(incident), _) => &incident.title,
            (None, Some(change)) => &change.summary,
            (None, None) => "A test of this destination by Callbox",
        }
    }

    /// What happened, in a word for people.
    pub fn heading(&self) -> &'static str {
        match self.event {
            Occasion::Triggered => "Triggered",
            Occasion::Acknowledged => "Acknowledged",
            Occasion::Resolved => "Resolved",
            Occasion::Updated => "Worse",
            Occasion::OpenFor => "Still open",
            Occasion::UnacknowledgedFor => "Not acknowledged",
            Occasion::Change => "Change",
            Occasion::Test => "Test",
        }
    }

    /// All of it in plain text: what every channel can fall back to. A line each: what happened and to what, where, the notes, the link.
    pub fn plain(&self) -> String {
        let mut lines = vec![format!("{}: {}", self.heading(), self.title())];
        if let Some(incident) = &self.incident {
            lines.push(format!("{} on {} ({})", incident.severity.as_str(), incident.source, incident.service.name));
            lines.extend(incident.url.clone());
        }
        if let Some(change) = &self.change {
            lines.push(format!("{} ({})", change.source.as_deref().unwrap_or(&change.integration.name), change.service.name));
        }
        lines.extend(self.notes.iter().cloned());
        lines.join("\n")
    }
}
