//! The promises, as properties of the planner: by what it makes of facts, and by the passes that ship, with an object alone
//! with its server.

mod claims;
mod deletion;
pub(crate) mod driver;
mod first;
mod invariants;
mod lifecycle;
mod limits;
mod merging;
mod reporting;
mod trust;
mod untyped;
mod windows;
