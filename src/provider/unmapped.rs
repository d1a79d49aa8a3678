//! Stub.
use crate::event::*;
use serde_json::Value;
/// Stub.
pub fn event(tool: &str, _json: Option<&Value>, _body: &[u8], why: &str) -> Event {
    Event::new(Action::Trigger, DedupKey::hashed("unmapped:", b""), why, tool, Severity::Error)
}
