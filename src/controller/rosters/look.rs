//! What a look at a roster is made of, and what stays of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::RosterKey;
use crate::api::ScimRoster;
use crate::provisioner::Shared;

/// What is remembered of a roster from one look to the next.
#[derive(Debug, Default)]
pub struct RosterNotes {
    /// Bodies that the API server refused, by the ScimUsers' names.
    pub(super) refused: HashMap<String, Refusal>,
    /// The content that was read last, and since when it has been the same.
    pub(super) content: Option<(String, Instant)>,
    /// Why the API server refused the status, which was told.
    pub(super) status_refused: Option<String>,
    /// Looks in a row that something kept from being complete.
    pub(super) failures: u32,
    /// `reconcile-requested-at` of the last look: what was refused is tried again at once when it changes.
    pub(super) requested: Option<String>,
}

/// A look at one roster.
pub struct Pass {
    pub shared: Shared,
    pub key: RosterKey,
    pub roster: Arc<ScimRoster>,
    pub notes: RosterNotes,
    pub stop: CancellationToken,
    /// The roster or its source has changed since it was read.
    pub outdated: CancellationToken,
}

/// What a look leaves behind.
pub struct Looked {
    pub key: RosterKey,
    pub roster: Arc<ScimRoster>,
    pub notes: RosterNotes,
    /// When to look again, if nothing happens before.
    pub again: Option<Duration>,
}

/// What keeps a look from being complete.
pub(super) enum Incomplete {
    /// The process may not write: another look, if it may again.
    NotLeading,
    /// What was read is no longer so: another look is due.
    Outdated,
    /// It is tried again.
    Later(String),
}

/// The API server refused a body.
#[derive(Debug)]
pub struct Refusal {
    pub(super) digest: String,
    pub(super) words: String,
    pub(super) tries: u32,
    /// A quota is raised, a policy corrected: it is sent again then.
    pub again: Instant,
}
