//! Deliveries as people ask for them.
