//! What was refused rests for a while, and until when.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::api::IgnoredAttribute;

/// What the server refuses is tried again after this.
pub const RETRY: SignedDuration = SignedDuration::from_hours(1);

/// When what an object's server refuses was sent last, as far as that is remembered.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// Part by part.
    pub parts: BTreeMap<String, Timestamp>,
    /// The connection has changed since then: whatever was refused before isn't known to be refused still.
    pub anew: Option<Timestamp>,
}

impl Tried {
    /// Until when this isn't sent again.
    pub fn rests_until(&self, ignored: &IgnoredAttribute) -> Option<Timestamp> {
        let since = ignored.since.as_ref().map(|since| since.0);
        let last = since.max(self.parts.get(&ignored.path).copied())?;
        Some(self.anew.filter(|anew| last < *anew).unwrap_or(last + RETRY))
    }
}
