//! Requests to the outside: whoever chooses their target, they reach public addresses only, or networks that the operator names.
//!
//! Owns which addresses that are ([`address`]) and the client that holds to it ([`Client`]): the host of the parsed URL is checked, names
//! are resolved by a resolver that hands out vetted addresses and nothing else, redirects are not followed, proxies of the environment
//! are not used, connections are not shared, and what comes back is bounded in bytes and time. Knows nothing of what is sent.

pub mod address;
mod client;
#[cfg(test)]
mod tests;

pub use address::Guard;
pub use client::{Answer, Client, Failure, Plain};
