//! Amazon SNS's envelope: what surrounds a message that SNS posts over HTTPS, and the copies of it that Lambda functions pass on.
//!
//! <https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html>. The body is JSON under `text/plain`; `Message` is a text,
//! which may itself be JSON. Lambda's copies stand in `Records[].Sns` and spell `SigningCertUrl` and `UnsubscribeUrl`.
//! Owns where envelopes are in a body: their interpretation and the check of their signatures must agree on that.

use serde_json::Value;

use super::read;

/// Envelopes that one body may hold. A topic posts one; Lambda passes on one.
pub const ENVELOPES_MAX: usize = 100;

/// What an envelope is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It carries a message.
    Notification,
    /// It asks whether the endpoint wants the topic's messages.
    SubscriptionConfirmation,
    /// It says that the endpoint was unsubscribed. To visit its `SubscribeURL` would subscribe again.
    UnsubscribeConfirmation,
}

/// One envelope.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// What it is for.
    pub kind: Kind,
    /// The object.
    pub fields: &'a Value,
}

impl<'a> Envelope<'a> {
    /// The object as an envelope; `None` for what is none. The type is compared exactly: a notification by another name would be
    /// read as a message whose signature nobody checks.
    pub fn of(fields: &'a Value) -> Option<Self> {
        let named = fields.get("Type").and_then(Value::as_str);
        let kind = match named {
            Some("Notification") => Kind::Notification,
            Some("SubscriptionConfirmation") => Kind::SubscriptionConfirmation,
            Some("UnsubscribeConfirmation") => Kind::UnsubscribeConfirmation,
            _ => return None,
        };
        let whole =
            ["Message", "MessageId", "TopicArn"].iter().any(|name| fields.get(*name).is_some_and(|value| !value.is_null()));
        whole.then_some(Self { kind, fields })
    }

    /// The topic's ARN.
    pub fn topic(&self) -> Option<&'a str> {
        self.text("TopicArn")
    }

    /// The member `name`, when it is a text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.fields.get(name).and_then(Value::as_str)
    }

    /// The value of a message attribute.
    pub fn attribute(&self, name: &str) -> Option<std::borrow::Cow<'a, str>> {
        read::field(self.fields.get("MessageAttributes")?.get(name)?, "Value")
    }
}

/// The envelopes of a body with their JSON pointers, and the records beside them that are none; nothing for a body without any.
pub fn envelopes(body: &Value) -> Vec<(String, Option<Envelope<'_>>)> {
    if let Some(envelope) = Envelope::of(body) {
        return vec![(String::new(), Some(envelope))];
    }
    let records = body.get("Records").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !records.iter().any(|record| record.get("Sns").is_some()) {
        return Vec::new();
    }
    let found =
        records.iter().take(ENVELOPES_MAX).enumerate().map(|(n, record)| match record.get("Sns").and_then(Envelope::of) {
            Some(envelope) => (format!("/Records/{n}/Sns"), Some(envelope)),
            None => (format!("/Records/{n}"), None),
        });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn envelopes_are_found_where_they_are() {
        let one = json!({"Type": "Notification", "Message": "m"});
        let at = |body: &Value| envelopes(body).into_iter().map(|(at, envelope)| (at, envelope.is_some())).collect::<Vec<_>>();
        assert_eq!(at(&one), [(String::new(), true)]);
        assert_eq!(at(&json!({"Records": [{"Sns": one}, {}]})), [("/Records/0/Sns".into(), true), ("/Records/1".into(), false)]);
        for none in [
            json!({}),
            json!([one]),
            json!({"Type": "notification", "Message": "m"}),
            json!({"Type": "Notification"}),
            json!({"Records": [{}]}),
        ] {
            assert_eq!(at(&none), [], "{none}");
        }
    }
}
