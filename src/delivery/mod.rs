//! Telling the outside world: what is sent where, when it is tried again, and when it is given up.
//!
//! Owns the rules of delivery. A [`message`] is what is told; [`limit`] keeps text within what a receiver takes. [`retry`] and [`breaker`] are pure: what a receiver's answer means, when the next attempt is due, and
//! when a destination is left alone for a while. They read no clock, make no random number, and do no I/O.

pub mod breaker;
pub mod channel;
pub mod destination;
pub mod limit;
pub mod message;
pub mod retry;
pub mod rule;
pub mod template;
pub mod thread;
