//! The envelope of a Pub/Sub push: <https://cloud.google.com/pubsub/docs/push#receive_push>.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use crate::provider::read;
use crate::time::Parsed;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A pushed message.
pub(super) struct Push<'a> {
    data: Option<Cow<'a, str>>,
    /// Its id, the same at every attempt to deliver it.
    pub(super) id: Option<String>,
    /// The subscription that pushes.
    pub(super) subscription: Option<Cow<'a, str>>,
    /// When it was published.
    pub(super) published_at: Option<Parsed>,
    /// Where its data is in the body.
    pub(super) at: &'static str,
}

impl<'a> Push<'a> {
    /// The message of a body that is a push.
    pub(super) fn of(body: &'a Value) -> Option<Self> {
        let message = body.get("message").filter(|message| message.is_object())?;
        let is_push = ["data", "messageId", "message_id"].iter().any(|name| message.get(*name).is_some());
        is_push.then(|| Self {
            data: message.get("data").and_then(read::scalar),
            id: read::owned(message, "messageId").or_else(|| read::owned(message, "message_id")),
            subscription: read::field(body, "subscription"),
            published_at: message.get("publishTime").or_else(|| message.get("publish_time")).and_then(read::time),
            at: if message.get("data").is_some() { "/message/data" } else { "/message" },
        })
    }

    /// What was published; nothing of a message of attributes alone. `None`: it is not base64.
    pub(super) fn data(&self) -> Option<Vec<u8>> {
        let text = self.data.as_deref().unwrap_or_default().trim();
        BASE64.decode(text).ok()
    }
}
