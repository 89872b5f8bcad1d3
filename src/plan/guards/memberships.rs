//! The guard `memberships`: one for each group, by the uid of its object.

use jiff::Timestamp;

use super::{Candidate, Gate, Guard, GuardName, Ledger};
use crate::api::Uid;

/// How an attribute of a candidate says that this member is taken out.
pub const OUT: char = '-';

impl Candidate {
    /// How many its guard counts: the members taken out of a group, else one.
    pub fn weight(&self) -> u64 {
        match self.guard {
            Some(GuardName::Memberships) => self.attributes.iter().filter(|name| name.starts_with(OUT)).count() as u64,
            _ => 1,
        }
    }

    /// What was let go for this group covers what is left of it.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.uid == other.uid
            && self.generation == other.generation
            && self.operation == other.operation
            && self.remote_id == other.remote_id
            && self.guard == other.guard
            && self.deleted == other.deleted
            && other.attributes.iter().all(|name| self.attributes.binary_search(name).is_ok())
    }
}

impl Gate {
    /// A group is known, with the ledger that its status keeps.
    pub fn know_group(&mut self, uid: &Uid, ledger: impl IntoIterator<Item = (Timestamp, u64)>, now: Timestamp) {
        if let Some(guard) = self.guards.get(&GuardName::Memberships)
            && !self.groups.contains_key(uid)
        {
            let limit = guard.limit;
            let ledger = Ledger::restore(limit.window, ledger, now);
            self.groups.insert(uid.clone(), Guard::new(limit, ledger, now));
        }
    }

    /// The group's object is gone.
    pub fn forget_group(&mut self, uid: &Uid) {
        self.groups.remove(uid);
    }

    /// How many were taken out of the group within the window.
    pub fn taken_out(&self, uid: &Uid, now: Timestamp) -> u64 {
        self.groups.get(uid).map_or(0, |guard| guard.ledger.used(now))
    }

    /// The group's ledger, for its status.
    pub fn group_ledger(&self, uid: &Uid) -> Vec<(Timestamp, u64)> {
        self.groups.get(uid).map(|guard| guard.ledger.buckets().to_vec()).unwrap_or_default()
    }

    /// Which guard counts what an object asks admission for.
    pub fn guard_of(&self, uid: &Uid) -> Option<GuardName> {
        self.of(uid).and_then(|candidate| candidate.guard)
    }

    pub(super) fn guard_mut(&mut self, name: GuardName, uid: &Uid) -> Option<&mut Guard> {
        match name {
            GuardName::Memberships => self.groups.get_mut(uid),
            name => self.guards.get_mut(&name),
        }
    }

    pub(super) fn configure_groups(&mut self, now: Timestamp) {
        let Some(limit) = self.guards.get(&GuardName::Memberships).map(|guard| guard.limit) else {
            return;
        };
        for guard in self.groups.values_mut() {
            guard.limit = limit;
            guard.ledger.set_window(limit.window, now);
        }
    }

    pub(super) fn settled_groups(&mut self, now: Timestamp) -> Vec<Uid> {
        self.groups.iter_mut().filter_map(|(uid, guard)| guard.settled(now).then(|| uid.clone())).collect()
    }
}
