//! The integration tests: one binary, so that it is linked once. A module an area; `support` is what they stand on.
//!
//! Everything here meets the service as its users do: the real program, over a real socket, on a database of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

#[macro_use]
mod support;

mod causes;
mod cli;
mod clouds;
mod conformance;
mod crash;
mod delivery;
mod destinations;
mod e2e;
mod explain;
mod failures;
mod hostile;
mod house;
mod nodes;
mod order;
mod pressure;
mod recipes;
mod redelivery;
mod replay;
mod retention;
mod seeds;
mod tools;
mod vectors;
mod verify;
