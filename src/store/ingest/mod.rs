//! The writer's path: loads what a batch of requests meets, and writes what it changed.
//!
//! Every statement here is prepared once a connection. On SQLite rows are written one by one, on PostgreSQL one statement a table
//! with the columns as arrays: both are what was measured fastest through diesel.

mod incidents;
mod load;
mod rows;
mod write;

pub use load::{Purpose, count_open_like, find_seen, load_open, load_tombstones, open_keys, open_keys_like, resolved_after};
pub use rows::{ChangeRow, EventRow, IncidentRow, Key, OutboxRow, ReplayRow, RequestRow, Rows, SeenRow, TombstoneRow};
pub use write::write;
