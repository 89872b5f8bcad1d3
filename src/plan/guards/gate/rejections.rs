//! What people rejected: it stays undone, whatever else is asked for its object meanwhile (promise I13).

use std::collections::{BTreeSet, HashSet};

use super::{Candidate, Gate, GuardName, Member};
use crate::api::{OperationType, Uid};
use crate::plan::Digests;

/// Of so many attributes or members a rejection is kept on record.
pub const MOST_REJECTED: usize = 5000;

/// A hold that was rejected, as far as it is about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The hold's id.
    pub hold: String,
    /// What was held.
    pub operation: OperationType,
    /// The object's generation then.
    pub generation: i64,
    /// The object was under deletion.
    pub deleted: bool,
    /// It is about members that are taken out.
    pub members: bool,
    /// The attributes, or the members.
    pub parts: Digests,
}

impl Rejection {
    fn of(hold: &str, candidate: &Candidate) -> Self {
        let mut parts = Digests::default();
        candidate.attributes.iter().for_each(|part| parts.insert(&[part]));
        Self {
            hold: hold.to_owned(),
            operation: candidate.operation,
            generation: candidate.generation,
            deleted: candidate.deleted,
            members: is_of_members(candidate),
            parts,
        }
    }

    /// The object's spec says the same still, and no deletion came between.
    fn stands(&self, generation: i64, deleted: bool) -> bool {
        self.deleted == deleted && (deleted || self.generation == generation)
    }

    fn is_about(&self, candidate: &Candidate) -> bool {
        self.members == is_of_members(candidate) && self.stands(candidate.generation, candidate.deleted)
    }

    fn shares(&self, candidate: &Candidate) -> bool {
        candidate.attributes.iter().any(|part| self.parts.contains(&[part]))
    }

    /// This is what was rejected, or a part of it. Of an edit any attributes are, and a re-activation that carries some of
    /// them along; of members only those that were in it.
    fn covers(&self, candidate: &Candidate) -> bool {
        if !self.is_about(candidate) {
            return false;
        }
        if self.members {
            return candidate.attributes.iter().all(|part| self.parts.contains(&[part]));
        }
        let changes = |kind| matches!(kind, OperationType::Update | OperationType::Reactivate);
        let carried = changes(self.operation) && changes(candidate.operation) && self.shares(candidate);
        self.deleted || self.operation == candidate.operation || carried
    }
}

fn is_of_members(candidate: &Candidate) -> bool {
    candidate.guard == Some(GuardName::Memberships)
}

impl Gate {
    /// What status has on record of an object, where this process doesn't know better.
    pub fn know_rejections(&mut self, uid: &Uid, recorded: impl IntoIterator<Item = Rejection>) {
        if self.rejections.contains_key(uid) {
            return;
        }
        let spent = |one: &Rejection| self.spent.contains(&one.hold);
        let known: Vec<Rejection> = recorded.into_iter().filter(|one| !spent(one)).collect();
        if !known.is_empty() {
            self.rejections.insert(uid.clone(), known);
        }
    }

    /// What is to be on record of an object whose spec has this generation.
    pub fn rejections(&self, uid: &Uid, generation: i64, deleted: bool) -> Vec<Rejection> {
        let all = self.rejections.get(uid).into_iter().flatten();
        all.filter(|one| one.stands(generation, deleted) && one.parts.len() <= MOST_REJECTED).cloned().collect()
    }

    /// Whether some were rejected that are about members.
    pub fn rejects_members(&self, uid: &Uid) -> bool {
        self.rejections.get(uid).is_some_and(|known| known.iter().any(|one| one.members))
    }

    /// Whether an answer, or a guard, decided over members of this group.
    pub fn remembers_members(&self, uid: &Uid) -> bool {
        self.rejects_members(uid) || self.members.get(uid).is_some_and(Member::releases_members)
    }

    /// Whether anything was rejected of the object, as its spec says it now or as it once did.
    pub fn has_rejections(&self, uid: &Uid) -> bool {
        self.rejections.contains_key(uid)
    }

    /// Of these changes of a group, attributes by their names and members as its guard counts them, those that were
    /// rejected; and the hold in which they were.
    pub fn rejected_parts(
        &self,
        uid: &Uid,
        generation: i64,
        parts: impl IntoIterator<Item = String>,
    ) -> Option<(String, BTreeSet<String>)> {
        let known = self.rejections.get(uid)?.iter().filter(|one| one.stands(generation, false));
        let known: Vec<&Rejection> =
            known.filter(|one| one.members || one.operation == OperationType::Update).collect();
        let mut hold = None;
        let rejected = parts.into_iter().filter(|part| {
            let of_member = part.starts_with(['+', '-']);
            // Of an edit any attributes are.
            let has = |one: &&&Rejection| one.members == of_member && (!of_member || one.parts.contains(&[part]));
            let found = known.iter().find(has);
            hold = hold.or(found.map(|one| one.hold.as_str()));
            found.is_some()
        });
        let rejected: BTreeSet<String> = rejected.collect();
        Some((hold?.to_owned(), rejected))
    }

    /// This was rejected, or some of it.
    pub fn is_rejected(&self, candidate: &Candidate) -> bool {
        self.rejected_with(candidate).is_some() || self.has_rejected(candidate)
    }

    /// The object is gone.
    pub fn forget_rejections(&mut self, uid: &Uid) {
        self.rejections.remove(uid);
    }

    /// These of a group are owed now, whether they may go or not: of those whose removal was rejected, or let go, all others
    /// have gone, or belong in again, and whoever is dropped later is asked about anew. True where all is done that was let
    /// go.
    pub fn members_owed(&mut self, uid: &Uid, owed: &[String]) -> bool {
        let mut done = false;
        if let Some(member) = self.members.get_mut(uid).filter(|member| member.releases_members()) {
            let owed: HashSet<&str> = owed.iter().map(String::as_str).collect();
            member.candidate.attributes.retain(|part| owed.contains(part.as_str()));
            done = member.candidate.attributes.is_empty();
            if done {
                self.withdraw(uid);
            }
        }
        let Some(known) = self.rejections.get_mut(uid) else { return done };
        for one in known.iter_mut().filter(|one| one.members) {
            let mut left = Digests::default();
            owed.iter().filter(|part| one.parts.contains(&[part])).for_each(|part| left.insert(&[part]));
            one.parts = left;
        }
        known.retain(|one| !one.members || !one.parts.is_empty());
        done
    }

    pub(super) fn rejected(&mut self, uid: &Uid, id: &str) {
        let Some(candidate) = self.of(uid) else { return };
        let one = Rejection::of(id, candidate);
        let known = self.rejections.entry(uid.clone()).or_default();
        known.retain(|other| other.hold != one.hold && other.stands(one.generation, one.deleted));
        known.push(one);
    }

    /// Objects that a rejected hold had in it and that ask for nothing now.
    pub(super) fn rejected_in(&self, id: &str) -> Vec<Uid> {
        let is_of = |one: &Rejection| one.hold == id && !one.deleted;
        let objects = self.rejections.iter().filter(|(_, known)| known.iter().any(is_of)).map(|(uid, _)| uid);
        objects.filter(|uid| !self.members.contains_key(*uid)).cloned().collect()
    }

    pub(super) fn take_back_rejections(&mut self, id: &str) {
        for known in self.rejections.values_mut() {
            known.retain(|one| one.hold != id || one.deleted);
        }
        self.rejections.retain(|_, known| !known.is_empty());
    }

    /// The hold that this was rejected with.
    pub(super) fn rejected_with(&self, candidate: &Candidate) -> Option<String> {
        let known = self.rejections.get(&candidate.uid)?;
        known.iter().find(|one| one.covers(candidate)).map(|one| one.hold.clone())
    }

    /// Some of the members in this were rejected.
    pub(super) fn has_rejected(&self, candidate: &Candidate) -> bool {
        let known = self.rejections.get(&candidate.uid).into_iter().flatten();
        known.into_iter().any(|one| one.members && one.is_about(candidate) && one.shares(candidate))
    }
}
