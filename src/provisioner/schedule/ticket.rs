//! What waits: a ticket an object, in the lane of what is owed.

use std::time::Duration;

use crate::api::Uid;

/// What a ticket is for; the order is the priority.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Debug, Hash)]
pub enum Lane {
    /// Access ends.
    Removal,
    /// A declared person changed.
    Change,
    /// A person has no account yet.
    Create,
    /// A sweep found a difference.
    Drift,
}

pub(super) const LANES: [Lane; 4] = [Lane::Removal, Lane::Change, Lane::Create, Lane::Drift];

/// The right to work on one object; nobody else has one for the same uid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ticket {
    /// The object.
    pub uid: Uid,
    /// The lane it was taken from.
    pub lane: Lane,
    /// Transient failures so far.
    pub attempt: u32,
    /// Due only for a `Pending` status: no request may follow. Whatever outcome it is finished
    /// with, the ticket goes back to its place.
    pub for_status: bool,
}

/// How the work on a ticket ended.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Nothing is owed: the ticket leaves.
    Done,
    /// A further step is owed at once: at the end of its lane, so that no later step of one object
    /// delays an earlier one of another.
    Again,
    /// A transient failure: one attempt more, exponential back-off.
    Retry,
    /// Not before this long: the object's own error, or a guard. The attempt stays.
    After(Duration),
    /// Everything is done but what the server refuses, which is tried again after this long. A sweep compares the object
    /// meanwhile: the wait ends where it finds a difference.
    Rests(Duration),
    /// The connection paused: back at its place, the attempt stays.
    Paused,
}
