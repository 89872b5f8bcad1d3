//! Rows that are gone: whose ScimUsers are deleted, and when a person is asked first.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::members::Members;
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

impl Gone {
    /// As a status records them.
    pub fn members(gone: &[Self]) -> Members {
        Members::of(gone.iter().map(|gone| gone.uid.as_str()))
    }
}

/// What a person has answered, and what is on record of those who were asked about.
#[derive(Clone, Debug, Default)]
pub struct Answers<'a> {
    /// `spec.approvedHold`.
    pub approved: Option<&'a str>,
    /// `spec.rejectedHold`.
    pub rejected: Option<&'a str>,
    /// `status.spentHolds`: the answers that are used up, and the ids that no hold has again.
    pub spent: &'a [String],
    /// `status.hold`: its id, and who is in it.
    pub hold: Option<(&'a str, Members)>,
    /// `status.hold.untilAnswered`: who is in it goes with an approval alone.
    pub until_answered: bool,
    /// `status.kept`: they stay, since a hold of theirs was rejected.
    pub kept: Members,
    /// `status.deleting`: admitted before.
    pub deleting: Members,
}

impl<'a> Answers<'a> {
    /// As a roster has them.
    pub fn of(spec: &'a ScimRosterSpec, status: Option<&'a ScimRosterStatus>) -> Self {
        let hold = status.and_then(|status| status.hold.as_ref());
        Self {
            approved: spec.approved_hold.as_deref(),
            rejected: spec.rejected_hold.as_deref(),
            spent: status.and_then(|status| status.spent_holds.as_deref()).unwrap_or_default(),
            hold: hold.map(|hold| (hold.id.as_str(), Members::read(hold.members.as_deref()))),
            until_answered: hold.is_some_and(|hold| hold.until_answered),
            kept: Members::read(status.and_then(|status| status.kept.as_deref())),
            deleting: Members::read(status.and_then(|status| status.deleting.as_deref())),
        }
    }

    /// The answers that are used up: an approval of nobody who is gone, and a rejection once nobody is gone any more.
    pub fn outlived(&self, gone: &[Gone], unsure: &BTreeSet<String>) -> Vec<&'a str> {
        let sorted = Sorted::of(gone.to_vec(), self);
        let approved = self.approved.filter(|_| sorted.approved(self, unsure).is_empty());
        let rejected = self.rejected.filter(|_| sorted.fresh.is_empty() && sorted.kept.is_empty());
        approved.into_iter().chain(rejected).collect()
    }

    /// This one waits for an answer, since it is on record that it does.
    fn asks(&self, gone: &Gone) -> bool {
        self.until_answered && self.hold.as_ref().is_some_and(|(_, members)| members.has(&gone.uid))
    }

    /// The hold on record is about some of those who are gone.
    pub fn hold_stands(&self, gone: &[Gone]) -> bool {
        self.hold.as_ref().is_some_and(|(_, members)| gone.iter().any(|gone| members.has(&gone.uid)))
    }
}

/// What must be remembered once these are used up, too.
pub fn spend(spent: &mut Vec<String>, used_up: &[&str]) {
    for id in used_up {
        if !spent.iter().any(|known| known == id) {
            spent.push((*id).to_owned());
        }
    }
    spent.drain(..spent.len().saturating_sub(SPENT));
}

/// Those that are gone, by what is on record of them.
struct Sorted {
    deleting: Vec<Gone>,
    kept: Vec<Gone>,
    fresh: Vec<Gone>,
}

impl Sorted {
    fn of(gone: Vec<Gone>, answers: &Answers) -> Self {
        let (deleting, rest) = gone.into_iter().partition(|gone| answers.deleting.has(&gone.uid));
        let (kept, fresh) = Vec::into_iter(rest).partition(|gone| answers.kept.has(&gone.uid));
        Self { deleting, kept, fresh }
    }

    /// Those whose deletion a person has approved.
    fn approved(&self, answers: &Answers, unsure: &BTreeSet<String>) -> Vec<Gone> {
        let everybody = [&self.fresh[..], &self.kept[..]].concat();
        answers.approved.map(|id| self.asked_by(id, everybody, answers, unsure)).unwrap_or_default()
    }

    /// Those of some that a hold is about: it is on record who they are, or its id tells.
    fn asked_by(&self, id: &str, of: Vec<Gone>, answers: &Answers, unsure: &BTreeSet<String>) -> Vec<Gone> {
        if answers.spent.iter().any(|spent| spent == id) {
            return Vec::new();
        }
        let recorded = answers.hold.as_ref().filter(|(known, members)| *known == id && *members != Members::default());
        if let Some((_, members)) = recorded {
            return of.into_iter().filter(|gone| members.has(&gone.uid)).collect();
        }
        let asked: Vec<Gone> = self.fresh.iter().filter(|gone| unsure.contains(&gone.name)).cloned().collect();
        let mut sets = [self.fresh.clone(), asked, self.kept.clone()].into_iter();
        let asked = sets.find(|set| !set.is_empty() && id_of(set, answers.spent) == id).unwrap_or_default();
        asked.into_iter().filter(|gone| of.contains(gone)).collect()
    }
}

/// What becomes of those that are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removals {
    /// Their deletion was admitted before, and goes on.
    pub deleting: Vec<Gone>,
    /// They are deleted.
    pub go: Vec<Gone>,
    /// The approval that is used up by it.
    pub used_up: Option<String>,
    /// They stay, since a hold of theirs was rejected.
    pub kept: Vec<Gone>,
    /// About whom a person is asked: the others, or, if there are none, those who are kept.
    pub held: Option<Held>,
}

/// Those about whom a person is asked, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Who they are.
    pub gone: Vec<Gone>,
    /// Tells this very set from any other.
    pub id: String,
    /// It was rejected.
    pub rejected: bool,
    /// Why they are not deleted unasked.
    pub why: Why,
}

/// Why a person is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// They are more than the guard admits.
    Limit,
    /// Their keys were values of another expression, however few they are.
    AnotherKey,
    /// They had no row when the roster was first read, however few they are: what was answered before, and how many went,
    /// ended with the roster that made them.
    Before,
}

impl Held {
    /// All who have no row when a roster is first read.
    pub fn before(gone: &[Gone]) -> Option<Self> {
        let id = id_of(gone, &[]);
        (!gone.is_empty()).then(|| Self { gone: gone.to_vec(), id, rejected: false, why: Why::Before })
    }
}

/// A roster's guard.
#[derive(Clone, Copy, Debug)]
pub struct Guard {
    /// How many ScimUsers have a row.
    pub left: usize,
    /// How many may go.
    pub limit: Limit,
    /// How many went within the window.
    pub used: u64,
}

impl Guard {
    /// As a roster's spec and status have it.
    pub fn of(roster: &ScimRoster, left: usize, now: Timestamp) -> Self {
        let limit = limit_of(&roster.spec.guard);
        Self { left, limit, used: ledger_of(roster, limit, now).used(now) }
    }

    /// Whether so many may go beside those who are approved, of all whose rows are gone. Nobody being left is never
    /// taken for meant.
    fn admits(&self, count: usize, approved: usize, all: usize) -> bool {
        let of = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let base = of(self.left + all).saturating_add(self.used);
        self.left > 0 && self.used.saturating_add(of(approved + count)) <= self.limit.of(base)
    }
}

impl Removals {
    /// Judges all that are gone. Whoever was in a rejected hold stays until their row is back or a person approves their
    /// deletion, and is not judged with the others. Whoever isn't known by the key in force goes with an approval alone
    /// (promise I31), and keeps nobody else.
    pub fn judge(gone: &[Gone], unsure: &BTreeSet<String>, answers: &Answers, guard: &Guard) -> Self {
        let mut sorted = Sorted::of(gone.to_vec(), answers);
        let mut go = sorted.approved(answers, unsure);
        let used_up = answers.approved.filter(|_| !go.is_empty()).map(str::to_owned);
        let all = sorted.fresh.len() + sorted.kept.len();
        take_out(&go, &mut sorted.fresh);
        take_out(&go, &mut sorted.kept);
        if let Some(id) = answers.rejected {
            let rejected = sorted.asked_by(id, sorted.fresh.clone(), answers, unsure);
            take_out(&rejected, &mut sorted.fresh);
            sorted.kept.extend(rejected);
        }
        let Sorted { deleting, kept, fresh } = sorted;
        let asks = |gone: &Gone| unsure.contains(&gone.name) || answers.asks(gone);
        let (asked, sure): (Vec<Gone>, Vec<Gone>) = fresh.iter().cloned().partition(asks);
        let fit = sure.is_empty() || guard.admits(sure.len(), go.len(), all);
        let held = if fit {
            go.extend(sure);
            asked
        } else {
            fresh
        };
        let question = |gone: &[Gone], rejected: bool, why: Why| {
            let id = id_of(gone, answers.spent);
            (!gone.is_empty()).then(|| Held { gone: gone.to_vec(), id, rejected, why })
        };
        let why = if held.iter().any(|gone| answers.asks(gone)) {
            Why::Before
        } else if fit {
            Why::AnotherKey
        } else {
            Why::Limit
        };
        let held = question(&held, false, why).or_else(|| question(&kept, true, Why::Limit));
        Self { deleting, go, used_up, kept, held }
    }
}

fn take_out(some: &[Gone], of: &mut Vec<Gone>) {
    let some: BTreeSet<&Gone> = some.iter().collect();
    of.retain(|gone| !some.contains(gone));
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
