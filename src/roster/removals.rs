//! Rows that are gone: whose ScimUsers are deleted, and when a person is asked first.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

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
