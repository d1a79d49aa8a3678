//! Receivers at their worst: each has its defined end.
