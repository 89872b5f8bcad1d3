//! Rows that are gone: whose ScimUsers are deleted, and when a person is asked first.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::api::{GuardSpec, ScimRoster};
use crate::plan::guards::{Ledger, Limit};

/// A ScimUser whose row is gone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gone {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// What a person has answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answers<'a> {
    /// `spec.approvedHold`.
    pub approved: Option<&'a str>,
    /// `spec.rejectedHold`.
    pub rejected: Option<&'a str>,
}

/// What becomes of those that are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are deleted.
    Go,
    /// They stay until a person answers, or, if the hold was rejected, for good.
    Held {
        /// Tells this very set from any other.
        id: String,
        /// It was rejected.
        rejected: bool,
    },
}

/// Judges all that are gone together. Nobody being left is never taken for meant.
pub fn judge(gone: &[Gone], left: usize, limit: &Limit, ledger: &Ledger, answers: Answers, now: Timestamp) -> Verdict {
    let id = id_of(gone);
    if answers.approved == Some(&id) {
        return Verdict::Go;
    }
    let rejected = answers.rejected == Some(&id);
    let base = (left + gone.len()) as u64 + ledger.used(now);
    let fits = ledger.used(now).saturating_add(gone.len() as u64) <= limit.of(base);
    if rejected || left == 0 || !fits {
        return Verdict::Held { id, rejected };
    }
    Verdict::Go
}

/// How many may go, by the roster's spec.
pub fn limit_of(guard: &GuardSpec) -> Limit {
    let count = |count: i32| u32::try_from(count).unwrap_or_default();
    Limit {
        max_percent: Some(count(guard.max_percent)),
        min_count: count(guard.min_count),
        max_count: count(guard.max_count),
        window: guard.window.std(),
    }
}

/// How many have gone, by the roster's status.
pub fn ledger_of(roster: &ScimRoster, limit: Limit, now: Timestamp) -> Ledger {
    let guard = roster.status.as_ref().and_then(|status| status.guard.as_ref());
    let buckets = guard.into_iter().flat_map(|guard| &guard.buckets);
    let buckets = buckets.map(|bucket| (bucket.at.0, u64::try_from(bucket.count).unwrap_or_default()));
    Ledger::restore(limit.window, buckets, now)
}

/// Good for these objects and no others: a hold that has gone can't come again.
fn id_of(gone: &[Gone]) -> String {
    let mut sorted: Vec<&Gone> = gone.iter().collect();
    sorted.sort_unstable();
    let mut hash = Sha256::new();
    for gone in sorted {
        hash.update(&gone.name);
        hash.update([0]);
        hash.update(&gone.uid);
        hash.update([0]);
    }
    super::hex(&hash.finalize()[..8])
}
