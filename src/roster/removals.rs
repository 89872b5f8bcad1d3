//! Rows that are gone: whose ScimUsers are deleted, and when a person is asked first.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::api::{GuardSpec, ScimRoster, ScimRosterSpec, ScimRosterStatus};
use crate::plan::guards::{Ledger, Limit};

/// So many answers are remembered as used up.
const SPENT: usize = 64;

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
    /// `status.spentHolds`: the answers that are used up, and the ids that no hold has again.
    pub spent: &'a [String],
}

impl<'a> Answers<'a> {
    /// As a roster has them.
    pub fn of(spec: &'a ScimRosterSpec, status: Option<&'a ScimRosterStatus>) -> Self {
        Self {
            approved: spec.approved_hold.as_deref(),
            rejected: spec.rejected_hold.as_deref(),
            spent: status.and_then(|status| status.spent_holds.as_deref()).unwrap_or_default(),
        }
    }

    /// The answers that are used up now that exactly these are gone: an approval of anybody else, which is good for no
    /// later loss of the same rows, and a rejection once nobody is gone any more.
    pub fn outlived(&self, gone: &[Gone], unsure: &BTreeSet<String>) -> Vec<&'a str> {
        let approved = self.approved.filter(|_| !self.approves(gone, unsure));
        let rejected = self.rejected.filter(|_| gone.is_empty());
        approved.into_iter().chain(rejected).collect()
    }

    /// Some hold of those who are gone is approved.
    pub fn approves(&self, gone: &[Gone], unsure: &BTreeSet<String>) -> bool {
        let asked: Vec<Gone> = gone.iter().filter(|gone| unsure.contains(&gone.name)).cloned().collect();
        let of = |gone: &[Gone]| !gone.is_empty() && self.approved == Some(&id_of(gone, self.spent));
        of(gone) || of(&asked)
    }
}

/// What is to be remembered once these are used up, too.
pub fn spend(spent: &mut Vec<String>, used_up: &[&str]) {
    for id in used_up {
        if !spent.iter().any(|known| known == id) {
            spent.push((*id).to_owned());
        }
    }
    spent.drain(..spent.len().saturating_sub(SPENT));
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
    let asked = ask(gone, answers);
    let base = (left + gone.len()) as u64 + ledger.used(now);
    let fits = ledger.used(now).saturating_add(gone.len() as u64) <= limit.of(base);
    match asked {
        Verdict::Held { rejected: false, .. } if left > 0 && fits => Verdict::Go,
        asked => asked,
    }
}

/// Those about whom a person is asked, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Who they are.
    pub gone: Vec<Gone>,
    /// Tells this very set from any other.
    pub id: String,
    /// The hold was rejected.
    pub rejected: bool,
    /// Their keys were values of another expression, however few they are.
    pub unsure: bool,
}

/// Those who are deleted, and those about whom a person is asked. Whoever isn't known by the key in force goes with an
/// approval alone (promise I31), and keeps nobody else.
pub fn sort(
    gone: Vec<Gone>,
    unsure: &BTreeSet<String>,
    answers: Answers,
    judged: impl Fn(&[Gone]) -> Verdict,
) -> (Vec<Gone>, Option<Held>) {
    let (asked, sure): (Vec<Gone>, Vec<Gone>) = gone.iter().cloned().partition(|gone| unsure.contains(&gone.name));
    let fits = sure.is_empty() || judged(&sure) == Verdict::Go;
    let (go, held, verdict) = match (fits, asked.is_empty()) {
        (true, true) => return (gone, None),
        (true, false) => (sure, asked.clone(), ask(&asked, answers)),
        (false, true) => (Vec::new(), gone.clone(), judged(&gone)),
        (false, false) => (Vec::new(), gone.clone(), ask(&gone, answers)),
    };
    match verdict {
        Verdict::Go => (gone, None),
        Verdict::Held { id, rejected } => (go, Some(Held { gone: held, id, rejected, unsure: fits })),
    }
}

/// What a person has answered about these, however few they are.
fn ask(gone: &[Gone], answers: Answers) -> Verdict {
    let id = id_of(gone, answers.spent);
    if answers.approved == Some(&id) {
        return Verdict::Go;
    }
    let rejected = answers.rejected == Some(&id);
    Verdict::Held { id, rejected }
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

/// Good for these objects and no others, and once: where they are gone a second time it is another hold.
fn id_of(gone: &[Gone], spent: &[String]) -> String {
    let mut sorted: Vec<&Gone> = gone.iter().collect();
    sorted.sort_unstable();
    let mut round = 0;
    loop {
        let id = digest(&sorted, round);
        if !spent.contains(&id) {
            return id;
        }
        round += 1;
    }
}

fn digest(sorted: &[&Gone], round: u64) -> String {
    let mut hash = Sha256::new();
    for gone in sorted {
        hash.update(&gone.name);
        hash.update([0]);
        hash.update(&gone.uid);
        hash.update([0]);
    }
    if round > 0 {
        hash.update(round.to_be_bytes());
    }
    super::hex(&hash.finalize()[..8])
}
