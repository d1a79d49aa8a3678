//! Bodies of a destination's own making: Go templates over a [`Message`].
//!
//! The language is Go's `text/template` (<https://pkg.go.dev/text/template>), by gotmpl; the fields are ours and, beside them, those of
//! Coroot's webhook, so that its templates can be pasted: `docs/templates.md` lists them all, and a test holds it to that. A body declared
//! [`Body::Json`] is always valid JSON of the author's own shape, whatever an alert says (`splice`). A run is bounded in time and memory
//! (`instrument`, `function`); it is still work, and belongs off the threads that must not wait.

mod coroot;
mod function;
mod instrument;
mod named;
mod program;
mod sample;
mod setting;
mod splice;
#[cfg(test)]
mod tests;
mod value;
mod view;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::program::Program;
use self::view::{Extent, View};
use super::message::Message;

pub use named::{NAMED, Named};
pub use setting::{Setting, Settings, Templates};

/// Bytes of one text within a template.
const VALUE_MAX: usize = 64 * 1024;
/// Bytes of a result.
const RESULT_MAX: usize = 64 * 1024;
/// Why a text or a result is none.
const TOO_LARGE: &str = "a text or the result is longer than 64 KiB: show less";

/// What a template makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// JSON: valid whatever the values are.
    Json,
    /// Anything else: values stand as they are.
    Text,
}

impl Body {
    /// The word for it in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
        }
    }

    /// How it is sent where a destination does not say.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

/// What a message is about, and so which template is for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum About {
    /// An incident.
    Incident,
    /// A change.
    Change,
}

/// A compiled template.
#[derive(Clone)]
pub struct Template {
    program: Program,
    source: Arc<str>,
    body: Body,
    content_type: Arc<str>,
}

/// A body, ready to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rendered {
    /// The bytes.
    pub body: Vec<u8>,
    /// What they are.
    pub content_type: String,
}

/// Why a template cannot be saved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The line of the template, from 1, where that is known.
    pub line: Option<usize>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Template {
    /// Compiles a template.
    ///
    /// # Errors
    /// What is wrong with it, and in which line. That it compiles does not mean that it works: [`try_out`](Self::try_out).
    pub fn parse(source: &str, body: Body) -> Result<Self, Problem> {
        Self::parse_as(source, Some(body))
    }

    /// The same, for JSON where the template looks like that.
    fn parse_as(source: &str, body: Option<Body>) -> Result<Self, Problem> {
        let (program, looks) = Program::compile(source)?;
        let body = body.unwrap_or(looks);
        Ok(Self { program, source: source.into(), body, content_type: body.content_type().into() })
    }

    /// The same template, sent as this.
    fn sent_as(self, content_type: &str) -> Self {
        Self { content_type: content_type.into(), ..self }
    }

    /// What it makes.
    pub const fn body(&self) -> Body {
        self.body
    }

    /// Renders messages of every kind that there is, with and without what may be missing, and with texts that only a careful template
    /// survives: what would fail on an ordinary day is refused before it is saved.
    ///
    /// # Errors
    /// What went wrong, in which line, with which message.
    pub fn try_out(&self, about: About) -> Result<(), Problem> {
        for (name, message) in sample::of(about) {
            self.attempt(&message, "dlv_sample", Extent::Whole).map_err(|failure| {
                let Failure { line, message, .. } = failure;
                Problem { line, message: format!("{message} (tried with {name})") }
            })?;
        }
        Ok(())
    }

    /// The body for a message; `id` is that of the delivery, the same over all its attempts. Where it gets too long by what a tool said
    /// besides (`custom_details`), it is made without that, and `.notes` says so.
    ///
    /// # Errors
    /// Why there is none, in a sentence: a later attempt would fail the same way.
    pub fn render(&self, message: &Message, id: &str) -> Result<Rendered, String> {
        let whole = self.attempt(message, id, Extent::Whole);
        let made = match whole {
            Err(failure) if failure.too_large => self.attempt(message, id, Extent::WithoutDetails),
            made => made,
        };
        let body = made.map_err(|failure| failure.to_string())?.into_bytes();
        Ok(Rendered { body, content_type: self.content_type.to_string() })
    }

    fn attempt(&self, message: &Message, id: &str, extent: Extent) -> Result<String, Failure> {
        self.program.run(View::of(message, id, extent), self.body)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("source", &self.source).field("body", &self.body).finish_non_exhaustive()
    }
}

/// Templates are the same when they are written and sent the same.
impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        (&self.source, self.body, &self.content_type) == (&other.source, other.body, &other.content_type)
    }
}

impl Eq for Template {}

impl Problem {
    fn of(message: impl Into<String>) -> Self {
        Self { line: None, message: message.into() }
    }

    fn at(line: usize, message: impl Into<String>) -> Self {
        Self { line: Some(line), message: message.into() }
    }
}

/// `line 3: what is wrong`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Why a run came to nothing.
#[derive(Debug)]
struct Failure {
    line: Option<usize>,
    message: String,
    /// It might not with less to say.
    too_large: bool,
}

impl Failure {
    fn of(message: impl Into<String>) -> Self {
        Self { line: None, message: message.into(), too_large: false }
    }

    fn at(line: usize, message: impl Into<String>) -> Self {
        Self { line: Some(line), ..Self::of(message) }
    }

    fn too_large() -> Self {
        Self { too_large: true, ..Self::of(TOO_LARGE) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "the template failed in its line {line}: {}", self.message),
            None => write!(f, "the template failed: {}", self.message),
        }
    }
}
