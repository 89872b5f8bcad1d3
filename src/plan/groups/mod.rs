//! Groups: who is missing, who is too many, and the next request about a group.

mod decide;
mod deletion;
mod facts;
mod first;
mod membership;
mod patch;
mod rest;
#[cfg(test)]
mod tests;

pub use decide::{MEMBERS, decide_group};
pub use deletion::way_out;
pub use facts::{GroupFacts, GroupObject, GroupOperation, GroupStep, GroupVerdict, KeptMembers, Members};
pub use membership::{Id, Membership, Source, Standing};
pub use patch::{Change, chunk};
