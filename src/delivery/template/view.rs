//! What a template sees: the message under our names (those of the contract), and, beside them, Coroot's.
//!
//! Every name is always there: what an incident does not have is an empty text, an empty list or an empty object, so that a template that
//! rendered once renders always. What a tool itself said (`custom_details`) is as it came.

use std::borrow::Cow;
use std::io;

use gotmpl::Value;
use serde_json::Value as Json;

use super::value::{self, Written, list, map, optional, text};
use super::{coroot, sample};
use crate::delivery::message::{Change, Details, Incident, Message, Named};
use crate::event::{Image, Link};

/// Bytes of `custom_details`, as JSON, that a template gets to see.
const DETAILS_MAX: usize = 256 * 1024;
/// What the notes say where it does not.
const LEFT_OUT: &str = "The details that the tool sent are left out: they are too large for this destination's template";

/// How much of a message is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Extent {
    /// All that there is.
    Whole,
    /// All but `custom_details`.
    WithoutDetails,
}

/// The values of one run.
pub(super) struct View {
    /// What `.` is.
    pub(super) root: Value,
    /// What `json` writes for them.
    pub(super) written: Written,
}

impl View {
    /// What there is to see of a message, in the delivery with this id.
    pub(super) fn of(message: &Message, id: &str, extent: Extent) -> Self {
        let message = shown(message, extent);
        let mut written = Written::default();
        let notes = list(message.notes.iter().map(|note| text(note)));
        let event = text(message.event.as_str());
        let timestamp = text(&message.timestamp);
        let mut whole = vec![("event", event.clone()), ("timestamp", timestamp.clone()), ("notes", notes.clone())];
        let mut root = vec![
            ("event", event),
            ("timestamp", timestamp),
            ("notes", notes),
            ("id", text(id)),
            ("heading", text(message.heading())),
            ("title", text(message.title())),
            ("text", text(&message.plain())),
        ];
        let mut tell = |name, seen: Value, written: &mut Written| {
            whole.push((name, seen.clone()));
            let message = written.with(map(whole.drain(..)), &*message);
            [(name, seen), ("message", message)]
        };
        let root = if let Some(change) = &message.change {
            let seen = of_change(change, &mut written);
            root.extend(tell("change", seen, &mut written));
            let document = coroot::of_change(change, &mut root, &mut written);
            written.with(map(root), &document)
        } else {
            let incident = message.incident.as_ref().map_or_else(|| Cow::Owned(sample::test(&message)), Cow::Borrowed);
            let details = custom_details(&incident);
            let seen = of_incident(&incident, details.as_ref(), &mut written);
            root.extend(tell("incident", seen, &mut written));
            let document = coroot::of_incident(&incident, details.as_ref(), &mut root, &mut written);
            written.with(map(root), &document)
        };
        Self { root, written }
    }
}

/// The message without what is too large to be shown.
fn shown(message: &Message, extent: Extent) -> Cow<'_, Message> {
    let details = message.incident.as_ref().and_then(|incident| incident.details.as_ref()?.custom_details.as_ref());
    let of_incident = details.map_or(0, |details| details.get().len());
    let of_change = message.change.as_ref().and_then(|change| change.custom_details.as_ref()).map_or(0, length);
    let size = of_incident.max(of_change);
    if size == 0 || (extent == Extent::Whole && size <= DETAILS_MAX) {
        return Cow::Borrowed(message);
    }
    let mut message = message.clone();
    if let Some(details) = message.incident.as_mut().and_then(|incident| incident.details.as_mut()) {
        details.custom_details = None;
    }
    if let Some(change) = &mut message.change {
        change.custom_details = None;
    }
    message.notes.push(LEFT_OUT.to_owned());
    Cow::Owned(message)
}

/// Its length as JSON; more than may be shown where it is more than that.
fn length(json: &Json) -> usize {
    struct Counter(usize);
    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            if self.0 > DETAILS_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, json) {
        Ok(()) => counter.0,
        Err(_) => usize::MAX,
    }
}

fn custom_details(incident: &Incident) -> Option<Json> {
    let raw = incident.details.as_ref()?.custom_details.as_ref()?;
    serde_json::from_str(raw.get()).ok()
}

fn of_incident(incident: &Incident, details: Option<&Json>, written: &mut Written) -> Value {
    let said = incident.details.as_ref();
    let members = [
        ("id", text(&incident.id)),
        ("number", Value::Int(incident.number)),
        ("title", text(&incident.title)),
        ("status", text(incident.status.as_str())),
        ("urgency", text(incident.urgency.as_str())),
        ("severity", text(incident.severity.as_str())),
        ("service", named(&incident.service, written)),
        ("integration", named(&incident.integration, written)),
        ("dedup_key", text(&incident.dedup_key)),
        ("source", text(&incident.source)),
        ("component", optional(incident.component.as_deref())),
        ("group", optional(incident.group.as_deref())),
        ("class", optional(incident.class.as_deref())),
        ("event_count", Value::Int(incident.event_count)),
        ("first_seen", text(&incident.first_seen)),
        ("last_seen", text(&incident.last_seen)),
        ("acknowledged_at", optional(incident.acknowledged_at.as_deref())),
        ("acknowledged_by", optional(incident.acknowledged_by.as_deref())),
        ("resolved_at", optional(incident.resolved_at.as_deref())),
        ("resolved_by", optional(incident.resolved_by.as_deref())),
        ("assignee", optional(incident.assignee.as_deref())),
        ("url", optional(incident.url.as_deref())),
        ("custom_details", of_details(details, said, written)),
        ("links", links(said.map_or(&[], |said| &said.links), written)),
        ("images", images(said.map_or(&[], |said| &said.images), written)),
        ("client", optional(said.and_then(|said| said.client.as_deref()))),
        ("client_url", optional(said.and_then(|said| said.client_url.as_deref()))),
    ];
    written.with(map(members), incident)
}

/// In the order in which the tool wrote them; an empty object where there are none.
fn of_details(details: Option<&Json>, said: Option<&Details>, written: &mut Written) -> Value {
    match (details, said.and_then(|said| said.custom_details.as_ref())) {
        (Some(details), Some(raw)) => written.with(value::of_json(details), raw),
        _ => map([]),
    }
}

fn of_change(change: &Change, written: &mut Written) -> Value {
    let members = [
        ("id", text(&change.id)),
        ("summary", text(&change.summary)),
        ("source", optional(change.source.as_deref())),
        ("service", named(&change.service, written)),
        ("integration", named(&change.integration, written)),
        ("timestamp", text(&change.timestamp)),
        ("custom_details", change.custom_details.as_ref().map_or_else(|| map([]), value::of_json)),
        ("links", links(&change.links, written)),
    ];
    written.with(map(members), change)
}

fn named(named: &Named, written: &mut Written) -> Value {
    let members = [("id", text(&named.id)), ("name", text(&named.name)), ("type", optional(named.kind.as_deref()))];
    written.with(map(members), named)
}

fn links(links: &[Link], written: &mut Written) -> Value {
    let shown = links.iter().map(|link| {
        let members = [("href", text(&link.href)), ("text", optional(link.text.as_deref()))];
        written.with(map(members), link)
    });
    list(shown.collect::<Vec<_>>())
}

fn images(images: &[Image], written: &mut Written) -> Value {
    let shown = images.iter().map(|image| {
        let members =
            [("src", text(&image.src)), ("href", optional(image.href.as_deref())), ("alt", optional(image.alt.as_deref()))];
        written.with(map(members), image)
    });
    list(shown.collect::<Vec<_>>())
}
