//! HTTP.

pub mod auth;
pub mod manage;
pub mod request_id;
