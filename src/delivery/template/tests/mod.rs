//! Templates on what they were written for, on every sample, and on what would break or exploit them.

mod coroot;
mod docs;
mod hostile;
mod inject;
mod language;
mod named;
mod settings;
mod view;
mod work;

use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::*;
use crate::delivery::message::{Change, Details, Incident};

/// A sample with everything in it, after a change.
fn page(alter: impl FnOnce(&mut Incident)) -> Message {
    let full = sample::of(About::Incident).into_iter().find(|(name, _)| name.ends_with("with details"));
    let mut message = full.unwrap().1;
    alter(message.incident.as_mut().unwrap());
    message
}

fn titled(title: &str) -> Message {
    page(|incident| incident.title = title.to_owned())
}

fn change(alter: impl FnOnce(&mut Change)) -> Message {
    let full = sample::of(About::Change).into_iter().find(|(name, _)| name.ends_with("with details"));
    let mut message = full.unwrap().1;
    alter(message.change.as_mut().unwrap());
    message
}

/// What a tool said.
fn details(json: &Json) -> Option<Details> {
    Some(Details { custom_details: RawValue::from_string(json.to_string()).ok(), ..Details::default() })
}

fn text(source: &str, message: &Message) -> Result<String, String> {
    rendered(source, Body::Text, message)
}

fn json(source: &str, message: &Message) -> Result<Json, String> {
    rendered(source, Body::Json, message).map(|body| serde_json::from_str(&body).unwrap())
}

fn rendered(source: &str, body: Body, message: &Message) -> Result<String, String> {
    let template = Template::parse(source, body).map_err(|problem| problem.to_string())?;
    Ok(String::from_utf8(template.render(message, "dlv_1")?.body).unwrap())
}
