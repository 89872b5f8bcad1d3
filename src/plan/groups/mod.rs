//! Groups: who is missing, who is too many, and the next request about a group.

mod binding;
mod decide;
mod deletion;
mod differing;
mod facts;
mod first;
mod membership;
mod name;
mod patch;
mod rejected;
mod remarks;
mod rest;
#[cfg(test)]
mod tests;
mod unfound;
mod whole;

pub use binding::{at_server, bound_status};
pub use decide::decide_group;
pub use facts::{
    Group, GroupDetails, GroupFacts, GroupObject, GroupOperation, GroupStep, GroupVerdict, HiddenMembers, KeptMembers,
    Members, RejectedParts, Unfound,
};
pub use membership::{MEMBERS, Membership, Source, Standing, without_removed};
pub use name::{NameForm, NameSent, same_name};
pub use patch::{Change, chunk, kinds_of, part, replaced};
pub use rejected::{part_of, path_of, record_part, resting};
pub use rest::ARRIVAL;
