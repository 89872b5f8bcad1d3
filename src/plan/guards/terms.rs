//! What goes into the gate, and what comes out.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{GuardName, HoldReason, HoldView, Limit};
use crate::api::Uid;

/// What the connection's spec says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `mode: Plan`: everything is held, what no guard counts too.
    pub plan: bool,
    /// A guard that isn't named limits nothing.
    pub limits: BTreeMap<GuardName, Limit>,
}

/// What the connection's status remembers of an earlier run.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    /// The buckets of each guard.
    pub ledgers: BTreeMap<GuardName, Vec<(Timestamp, u64)>>,
    /// The ids of the holds, without those of plan mode if that has ended. An object whose status
    /// names one goes back into it instead of being judged in whatever part of the burst happens
    /// to be back first.
    pub holds: Vec<String>,
    /// Ids that were approved and must not serve again, as far as they were kept.
    pub spent: Vec<String>,
    /// Ids that were rejected: what was in them stays so.
    pub refused: Vec<String>,
}

/// The answer to a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// May be sent. The ledger counts it already: see [`Gate::unsaved`], and when it is done (or
    /// not wanted any more) [`Gate::withdraw`].
    Go,
    /// Its burst is judged then.
    Wait(Duration),
    /// A person has to approve or reject.
    Held {
        /// When the hold closes; none if it has.
        closes_in: Option<Duration>,
        /// The hold's id, once it has closed.
        id: Option<String>,
        /// How many it holds.
        count: usize,
        /// Why this one is held.
        reason: HoldReason,
    },
    /// Over its limit; there may be room then.
    Queued(Duration),
    /// Its hold was rejected and the object is being deleted: it goes, the account stays as it is.
    RemoveFinalizer,
    /// Its hold was rejected: it stays held until its spec changes.
    Rejected {
        /// The hold's id.
        id: String,
    },
}

/// What happened by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A hold has closed and has its id: condition and Warning event.
    Closed(HoldView),
    /// The answer to these objects has changed: ask again for each.
    Requeue(Vec<Uid>),
}

/// A guard as the connection's status lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardView {
    /// Which one.
    pub name: GuardName,
    /// What its percentage is of.
    pub base: u64,
    /// How many may go within the window.
    pub limit: u64,
    /// How many went within the window.
    pub used: u64,
    /// The ledger.
    pub buckets: Vec<(Timestamp, u64)>,
}
