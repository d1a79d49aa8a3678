//! The path of every request.

pub mod commit;
pub mod directory;
pub mod fold;
pub mod queue;
pub mod snapshot;
pub mod submission;
