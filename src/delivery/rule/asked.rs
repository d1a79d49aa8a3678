//! What a rule tells of: `incident.triggered`, `incident.open_for:30m`.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::{fields, write};
use crate::delivery::message::Occasion;
use crate::duration::SpanError;

/// Something that a rule tells of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Asked {
    /// What happens.
    pub occasion: Occasion,
    /// How long it must have lasted: there for [`Occasion::OpenFor`] and [`Occasion::UnacknowledgedFor`], and for no other.
    pub after: Option<Duration>,
}

impl Asked {
    /// What a rule tells of that says nothing: an incident from its page to its end. Changes are told where they are asked for.
    pub const DEFAULT: [Self; 4] = [
        Self::of(Occasion::Triggered),
        Self::of(Occasion::Acknowledged),
        Self::of(Occasion::Resolved),
        Self::of(Occasion::Updated),
    ];

    const fn of(occasion: Occasion) -> Self {
        Self { occasion, after: None }
    }

    /// Reads `"incident.open_for:30m"` or `{"event": "incident.open_for", "after": "30m"}`.
    ///
    /// # Errors
    /// What it must be.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let (word, after) = match value {
            Value::String(text) => text.split_once(':').map_or((text.as_str(), None), |(word, after)| (word, Some(after))),
            Value::Object(map) if map.iter().all(|(key, value)| (key == "event" || key == "after") && value.is_string()) => {
                let text = |name| map.get(name).and_then(Value::as_str);
                (text("event").unwrap_or_default(), text("after"))
            }
            _ => return Err(Self::form()),
        };
        let occasion = Occasion::parse(word).filter(|occasion| *occasion != Occasion::Test).ok_or_else(Self::form)?;
        let after = after.map(|after| after.parse().map(fields::length).map_err(|error: SpanError| error.to_string()));
        let waits = matches!(occasion, Occasion::OpenFor | Occasion::UnacknowledgedFor);
        match after.transpose()?.filter(|after| !after.is_zero()) {
            None if waits => Err(format!("needs a duration: write {word}:30m")),
            Some(_) if !waits => Err(format!("{word} takes no duration")),
            after => Ok(Self { occasion, after }),
        }
    }

    fn form() -> String {
        let words: Vec<&str> =
            Occasion::ALL.into_iter().filter(|occasion| *occasion != Occasion::Test).map(Occasion::as_str).collect();
        format!(
            "must be one of {}; open_for and unacknowledged_for with a duration, like incident.open_for:30m",
            words.join(", ")
        )
    }
}

/// As it is written in a rule: `incident.triggered`, `incident.open_for:30m`.
impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.occasion.as_str())?;
        match self.after {
            Some(after) => write!(f, ":{}", write::span(after)),
            None => Ok(()),
        }
    }
}
