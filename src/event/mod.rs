//! What every payload becomes: an event in the terms of PagerDuty's Events API v2, or a change event.
//!
//! Owns the vocabulary (action, severity, dedup key) and its limits. Knows nothing of HTTP, tools or storage.

mod answer;
#[cfg(test)]
mod conformance;
mod text;
pub mod v1;
pub mod v2;
mod wire;

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use answer::Answer;
pub use text::{clip, without_nul};
pub use wire::{Draft, Provenance};

use crate::time::Timestamp;

/// Characters (not bytes) a summary may have; PagerDuty refuses longer ones.
pub const SUMMARY_MAX: usize = 1024;
/// Characters a dedup key may have.
pub const DEDUP_KEY_MAX: usize = 255;
/// Links, and images, that one incident keeps.
pub const LINKS_MAX: usize = 50;

/// What an event asks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Open an incident, or add to the open one.
    Trigger,
    /// Somebody has seen it.
    Acknowledge,
    /// It is over.
    Resolve,
}

impl Action {
    /// The wire word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
        }
    }

    /// Reads exactly the wire word: lower case, nothing around it.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "trigger" => Some(Self::Trigger),
            "acknowledge" => Some(Self::Acknowledge),
            "resolve" => Some(Self::Resolve),
            _ => None,
        }
    }
}

/// How bad it is, in PagerDuty's four words; ordered, `Info` lowest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing to do now.
    Info,
    /// Look at it in working hours.
    Warning,
    /// Something is broken.
    Error,
    /// Wake somebody.
    Critical,
}

impl Severity {
    /// All four, lowest first.
    pub const ALL: [Self; 4] = [Self::Info, Self::Warning, Self::Error, Self::Critical];

    /// The wire word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// Reads exactly one of the four words; case matters, as on PagerDuty.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == word)
    }

    /// `high` for critical and error, `low` for warning and info (PagerDuty's severity-based urgency).
    pub const fn urgency(self) -> Urgency {
        match self {
            Self::Critical | Self::Error => Urgency::High,
            Self::Warning | Self::Info => Urgency::Low,
        }
    }
}

/// Whether it may wait.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Urgency {
    /// It may.
    Low,
    /// It may not.
    High,
}

impl Urgency {
    /// The wire word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::High => "high",
        }
    }
}

/// What makes two events speak of the same problem: 1 to 255 characters, case-sensitive, without U+0000.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct DedupKey(String);

impl DedupKey {
    /// A key as a PagerDuty client sends it. U+0000 becomes U+FFFD, so that two keys never merge by losing it.
    ///
    /// # Errors
    /// Blank, or longer than 255 characters.
    pub fn strict(text: &str) -> Result<Self, KeyProblem> {
        if text.trim().is_empty() {
            return Err(KeyProblem::Blank);
        }
        if text.chars().count() > DEDUP_KEY_MAX {
            return Err(KeyProblem::TooLong);
        }
        Ok(Self(text.replace('\0', "\u{fffd}")))
    }

    /// A key as a tool's payload yields it: longer ones become `sha256:` and the hex hash of the whole. `None` when blank.
    pub fn lenient(text: &str) -> Option<Self> {
        match Self::strict(text) {
            Ok(key) => Some(key),
            Err(KeyProblem::Blank) => None,
            Err(KeyProblem::TooLong) => Some(Self(format!("sha256:{}", hex::encode(Sha256::digest(text))))),
        }
    }

    /// `prefix` and the first 16 hex digits of the SHA-256 of `material`.
    pub fn hashed(prefix: &str, material: &[u8]) -> Self {
        let mut digits = hex::encode(Sha256::digest(material));
        digits.truncate(16);
        Self(format!("{prefix}{digits}"))
    }

    /// 32 random hex digits, as PagerDuty generates for a trigger without a key.
    ///
    /// # Errors
    /// The system's random source failed.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0u8; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(hex::encode(bytes)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a dedup key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyProblem {
    /// Nothing but white space.
    Blank,
    /// More than [`DEDUP_KEY_MAX`] characters.
    TooLong,
}

/// A link shown with an incident.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// The target, as sent; whoever renders it decides whether it may become a link.
    pub href: String,
    /// What to show for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// An image shown with an incident.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Image {
    /// Where the image is.
    pub src: String,
    /// Where a click on it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub href: Option<String>,
    /// Its alternative text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
}

/// One thing a tool told us, in the terms of the Events API v2. Text is free of U+0000; `summary` has at most 1024 characters.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Event {
    /// What it asks for.
    pub action: Action,
    /// Which problem it is about.
    pub dedup_key: DedupKey,
    /// One line for a human. May be empty on acknowledge and resolve, which change nothing shown.
    pub summary: String,
    /// What is affected: a host, a monitor, a service.
    pub source: String,
    /// How bad it is.
    pub severity: Severity,
    /// Part of the source that is affected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// A logical group of components.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The class of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Anything else the tool said; any JSON, as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_details: Option<Value>,
    /// Links to show, in the order sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Images to show, in the order sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// The name of the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// A link to the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_url: Option<String>,
    /// When the tool says that it happened. Already `None` where the text could not be ordered by (see [`Timestamp::trusted`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// When the present firing began, for tools that repeat it while it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// When the firing ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// When the alert counts as over unless it is repeated by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Whether the dedup key is a guess of ours because nothing in the payload identifies the alert.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub key_guessed: bool,
}

impl Event {
    /// An event with the five fields that each has, and nothing else. Cleans `summary` and `source` of U+0000, clips the
    /// summary with `…`, and leaves the rest to the caller.
    pub fn new(action: Action, dedup_key: DedupKey, summary: &str, source: &str, severity: Severity) -> Self {
        Self {
            action,
            dedup_key,
            summary: clip(&without_nul(summary), SUMMARY_MAX).into_owned(),
            source: without_nul(source).into_owned(),
            severity,
            component: None,
            group: None,
            class: None,
            custom_details: None,
            links: Vec::new(),
            images: Vec::new(),
            client: None,
            client_url: None,
            occurred_at: None,
            starts_at: None,
            ends_at: None,
            expires_at: None,
            key_guessed: false,
        }
    }
}

/// Something that was done on purpose: a deployment, a feature flag. Shown beside incidents, never opens one.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ChangeEvent {
    /// One line for a human, at most 1024 characters.
    pub summary: String,
    /// What was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// Anything else the tool said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_details: Option<Value>,
    /// Links to show.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Images to show.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// Through how many Callboxes it came before this one.
    #[serde(skip)]
    pub hops: u8,
}

/// All that is wrong with an event, in PagerDuty's words; never empty.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", problems.join("; "))]
pub struct Invalid {
    /// One sentence a problem.
    pub problems: Vec<Cow<'static, str>>,
}
