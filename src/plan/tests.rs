//! The promises, as properties of the planner against a server in miniature.

mod claims;
mod deletion;
pub(crate) mod driver;
mod first;
mod invariants;
mod lifecycle;
mod limits;
mod merging;
pub(crate) mod model;
mod reporting;
mod trust;
mod untyped;
mod windows;
