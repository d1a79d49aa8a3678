//! Datadog's webhook, whose body is a template of the user's.
//!
//! <https://docs.datadoghq.com/integrations/webhooks/>. Our own template (see the setup text) names every variable; others are read
//! by the variables' names in any case and nesting. The default body has no transition and no alert id, and its `id` changes with
//! every event: there the title's prefix (`[Triggered on {host:web1}]`) says what happened and to what. A variable that was not
//! expanded is absent. Bodies may be form-encoded. It sends again after a 5xx and after nothing else, so a request over the limit is
//! answered 503.

use serde_json::Value;

use super::flat::Flat;
use super::{Clock, Item, Meta, Normalised, Provider, Request, Resolves, Unmapped, body};
use crate::signature::Scheme;

mod fields;
mod title;

/// Datadog.
pub struct Datadog;

static META: Meta = Meta {
    kind: "datadog",
    aliases: &[],
    name: "Datadog",
    docs: "https://docs.datadoghq.com/integrations/webhooks/",
    clock: Clock::Arrival,
    resolves: Resolves::OnTransition,
    success_status: 202,
    throttle_status: 503,
    scheme: Scheme::Generic,
    key_headers: &[],
    delivery_header: None,
    secret_fields: &[],
    methods: &[],
    setup: include_str!("setup/datadog.md"),
};

impl Provider for Datadog {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn normalise(&self, request: &Request<'_>) -> Result<Normalised, Unmapped> {
        let form;
        let sent = match request.json {
            Some(json) => json,
            None => {
                form = body::form(request.body).ok_or(Unmapped::new("the body is neither JSON nor a form"))?;
                &form
            }
        };
        match sent {
            Value::Array(bodies) if bodies.is_empty() => Ok(Normalised::ignored("the list of events is empty")),
            Value::Array(bodies) => {
                Ok(Normalised::many(bodies.iter().enumerate().map(|(n, body)| item(body, format!("/{n}"), request)).collect()))
            }
            _ => match item(sent, String::new(), request) {
                Item::Unmapped { why, .. } => Err(Unmapped { why }),
                item => Ok(Normalised::one(item)),
            },
        }
    }
}

fn item(body: &Value, at: String, request: &Request<'_>) -> Item {
    let fields = Flat::of(body);
    match fields::mapped(&fields, body, META.name, at.clone(), request.received_at) {
        Ok(mapped) => Item::Event(Box::new(mapped)),
        Err(why) => Item::Unmapped { at, why: why.into() },
    }
}
