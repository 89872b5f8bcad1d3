//! Groups: who is missing, who is too many, and the next request about a group.

mod decide;
mod deletion;
mod facts;
mod first;
mod membership;
mod outcome;
mod patch;
mod rest;
#[cfg(test)]
mod tests;

pub use decide::decide_group;
pub use deletion::way_out;
pub use facts::{
    Group, GroupDetails, GroupFacts, GroupObject, GroupOperation, GroupStep, GroupVerdict, KeptMembers, Members,
};
pub use membership::{Id, MEMBERS, Membership, Source, Standing};
pub use patch::{Change, chunk};
