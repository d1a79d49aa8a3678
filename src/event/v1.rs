//! Wire form of the Events API v1.
