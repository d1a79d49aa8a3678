//! Callbox: the front door of on-call.

pub mod config;
pub mod event;
pub mod id;
pub mod json;
pub mod metrics;
pub mod provider;
pub mod secret;
pub mod signature;
pub mod telemetry;
pub mod time;
