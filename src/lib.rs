//! Callbox: the front door of on-call.

pub mod app;
pub mod cli;
pub mod config;
pub mod duration;
pub mod error;
pub mod event;
pub mod http;
pub mod id;
pub mod incident;
pub mod ingest;
pub mod json;
pub mod metrics;
pub mod provider;
pub mod secret;
pub mod signature;
pub mod store;
pub mod telemetry;
pub mod time;
