//! Stub.

use super::*;

/// Stub.
pub struct Alertmanager;

impl Provider for Alertmanager {
    fn meta(&self) -> &'static Meta {
        static META: Meta = Meta {
            kind: "alertmanager",
            aliases: &[],
            name: "Alertmanager",
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
