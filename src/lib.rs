//! Callbox: the front door of on-call.

pub mod app;
pub mod cli;
pub mod duration;
pub mod event;
pub mod id;
pub mod provider;
pub mod secret;
pub mod signature;
pub mod time;
