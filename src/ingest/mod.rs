//! The path of every request.

pub mod commit;
pub mod directory;
pub mod snapshot;
