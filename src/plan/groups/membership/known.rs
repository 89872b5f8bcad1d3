//! What is known of who is in, and who is to be.

use std::collections::{BTreeSet, HashSet};

use super::{Membership, Source};
use crate::api::RemoteId;

impl Membership {
    /// Tells whether a write came between: what was read before it is old.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// It is known who is in the group.
    pub fn is_known(&self) -> bool {
        self.source == Source::Ledger || self.present.is_some()
    }

    /// The server showed who is in it, to this process.
    pub fn is_shown(&self) -> bool {
        self.source != Source::Ledger && self.present.is_some()
    }

    /// Whether the account is in the group, as far as is known.
    pub fn is_here(&self, id: &RemoteId) -> bool {
        match self.source {
            Source::Ledger => self.is_ours(id),
            _ => self.present.as_ref().is_some_and(|present| present.contains(id)),
        }
    }

    /// Put in by us, and shown by no reading.
    pub fn unshown(&self) -> impl Iterator<Item = &RemoteId> {
        self.unshown.iter()
    }

    /// It is in, or may be, and isn't left there for whoever put it in.
    pub fn is_removable(&self, id: &RemoteId) -> bool {
        let unsure = self.source == Source::Ledger && self.unsure.contains(id);
        unsure || self.unshown.contains(id) || self.is_here(id) && (self.source == Source::Exact || self.is_ours(id))
    }

    /// It is in as one of the group's own: it goes once nobody declares it. Before it was shown who is in, whoever is on
    /// record as brought in counts, and where whoever is declared is its own, who is referred to.
    pub fn has_as_own(&self, id: &RemoteId, owns_declared: bool) -> bool {
        if self.is_known() {
            return self.is_removable(id);
        }
        self.is_ours(id) || owns_declared && (self.is_declared(id) || self.going.contains_key(id))
    }

    /// Whether the account belongs into the group.
    pub fn is_declared(&self, id: &RemoteId) -> bool {
        self.wanted.contains_key(id)
    }

    /// It is neither declared, nor to stay in for now.
    pub fn is_out(&self, id: &RemoteId) -> bool {
        !self.wanted.contains_key(id) && !self.going.contains_key(id) && !self.vanished.contains_key(id)
    }

    /// Those who are declared and have an account.
    pub fn wanted(&self) -> impl Iterator<Item = &RemoteId> {
        self.wanted.keys()
    }

    /// To be put in.
    pub fn missing(&self) -> &BTreeSet<RemoteId> {
        &self.missing
    }

    /// To be taken out.
    pub fn extra(&self) -> &BTreeSet<RemoteId> {
        &self.extra
    }

    /// Who is left as others changed them, and whether they are declared.
    pub fn left_so(&self) -> impl Iterator<Item = (&RemoteId, bool)> {
        self.left.iter().map(|id| (id, self.wanted.contains_key(id)))
    }

    /// Somebody is to be taken out of whom no pass knew.
    pub fn has_new_extra(&self) -> bool {
        !self.extra.is_subset(&self.met)
    }

    /// A pass has ended, and knew of everybody who is to be taken out.
    pub fn extra_is_met(&mut self) {
        self.met.clone_from(&self.extra);
    }

    /// Everyone in the group, as far as is known.
    pub fn here(&self) -> impl Iterator<Item = &RemoteId> {
        let by_ledger = self.source == Source::Ledger;
        let all = by_ledger.then_some(&self.ours).or(self.present.as_ref());
        all.into_iter().flatten().filter(move |id| !by_ledger || !self.distrusted.contains(*id))
    }

    /// Whose object vanished.
    pub fn vanished(&self) -> impl Iterator<Item = &RemoteId> {
        self.vanished.keys()
    }

    /// How many are declared, those that wait included.
    pub fn declared(&self) -> usize {
        self.wanted.len() + self.waiting
    }

    /// How many are in the group, as far as is known.
    pub fn present(&self) -> usize {
        match self.source {
            Source::Ledger => self.ours.len() - self.distrusted.len(),
            _ => self.present.as_ref().map_or(0, HashSet::len),
        }
    }

    /// How many have no account yet.
    pub fn waiting(&self) -> usize {
        self.waiting
    }
}
