//! The systems that Callbox grew from: what each of them could do, Callbox can, a named test each.

mod coroot;
mod exosphere;
mod kerno;
mod pilot;
mod shapes;
mod tenants;
