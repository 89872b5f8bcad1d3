//! What to send: pure functions of what is declared, observed, owned and permitted.
//!
//! Nothing here does I/O or reads a clock. A pass of the provisioner asks [`decide`] for the next
//! [`Step`], takes it, and asks again with what came of it, until the answer is a [`Verdict`].

mod active;
mod binding;
mod change;
mod claims;
mod commands;
mod compare;
mod compared;
mod creation;
mod decide;
mod declared;
mod delegation;
mod deletion;
mod deprovision;
mod digests;
mod domain;
mod facts;
mod first;
mod fitting;
mod grants;
pub mod groups;
pub mod guards;
pub mod holds;
mod ignored;
mod merge;
mod outcome;
mod path;
mod person;
mod place;
pub mod protect;
mod refusal;
mod resource_type;
mod rest;
mod reworded;
mod split;
mod step;
#[cfg(test)]
pub(crate) mod tests;
mod tried;
mod unseen;
mod untyped;
mod write;

pub use binding::{after_binding, at_server, bound_status, status_ahead};
pub use change::{Change, Differences};
pub use claims::{ClaimedName, Claims, Departure, Holder, HolderState, Successor};
pub use commands::Named;
pub use compare::says_the_same;
pub use compared::{Comparison, Outlook, compared};
pub use creation::{Answered, CreationAnswer, Creations, OTHER_NAME, Origin, origin};
pub use decide::decide;
pub use declared::{Declared, next_window_edge, window_clock};
pub use delegation::Delegated;
pub use deletion::way_out;
pub use deprovision::deactivate_before;
pub use digests::{Applied, Digests, applied_ahead};
pub use domain::{in_domain_of, is_same_in_domain};
pub use facts::{Account, Facts, Manager, Object, Policy, Repair};
pub use grants::{GRANT_LISTS, Grants, Unlisted};
pub use ignored::rejection;
pub use merge::{creation, differences, merged, patch};
pub use path::{Path, is_empty};
pub use resource_type::ResourceType;
pub use reworded::taught;
pub use split::{ACTIVE, Refusal, Split, is_named};
pub use step::{Binding, Ignored, Operation, Read, Request, Step, User, UserDetails, Verdict};
pub use tried::{RETRY, Tried};
pub use untyped::View;
