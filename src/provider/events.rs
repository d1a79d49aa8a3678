//! Stub.

use super::*;

/// Stub.
pub struct Events;

impl Provider for Events {
    fn meta(&self) -> &'static Meta {
        static META: Meta = Meta {
            kind: "events",
            aliases: &[],
            name: "Events",
            docs: "",
            clock: Clock::Arrival,
            resolves: Resolves::OnTransition,
            success_status: 202,
            throttle_status: 429,
            scheme: Scheme::Generic,
            key_headers: &[],
            secret_fields: &[],
            methods: &[],
            setup: |_| String::new(),
        };
        &META
    }

    fn normalise(&self, _request: &Request<'_>) -> Result<Normalised, Unmapped> {
        Err(Unmapped::new("stub"))
    }
}
