//! The sandbox from outside: conformance, life of resources, faults,
//! administration, dialects.

#[path = "sandbox/conformance.rs"]
mod conformance;
#[path = "sandbox/dialects.rs"]
mod dialects;
#[path = "sandbox/faults.rs"]
mod faults;
#[path = "sandbox/harness.rs"]
mod harness;
#[path = "sandbox/quirks.rs"]
mod quirks;
#[path = "sandbox/resources.rs"]
mod resources;
