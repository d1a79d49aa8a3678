//! Property: see below.
