//! The writer's path: loads what a batch of requests meets, and writes what it changed.
//!
//! Every statement here is prepared once a connection. On SQLite rows are written one by one, on PostgreSQL one statement takes all
//! that a batch writes: both are what was measured fastest through diesel.

mod incidents;
mod load;
mod postgres;
mod rows;
mod write;

pub use load::{Met, Purpose, count_open_like, find_seen, load, load_open, open_keys, open_keys_like, resolved_after};
pub use rows::{ChangeRow, EventRow, IncidentRow, Key, OutboxRow, ReplayRow, RequestRow, Rows, SeenRow, TombstoneRow};
pub use write::write;
