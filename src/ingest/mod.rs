//! The path of every request, from a credential to a committed event.
//!
//! [`native`] and [`keyed`] are its two orders, readable top to bottom; they meet in [`interpret::posted`] and
//! [`crate::app::App::commit`]. Nothing here knows the HTTP library.

pub mod acts;
#[cfg(feature = "bench")]
mod bare;
pub mod cause;
mod checkpoint;
pub mod commit;
pub mod desk;
pub mod directory;
pub mod explain;
pub mod fold;
pub mod inbound;
pub mod inbox;
pub mod interpret;
pub mod keyed;
pub mod keys;
pub mod lane;
pub mod ledger;
pub mod limit;
pub mod lookup;
pub mod native;
pub mod own;
pub mod published;
pub mod queue;
pub mod recent;
pub mod redact;
pub mod refusal;
pub mod refusals;
pub mod replay;
pub mod snapshot;
pub mod submission;
#[cfg(test)]
mod testing;
pub mod timers;
