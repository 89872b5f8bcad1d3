//! What status shows of a gate, and keeps of it.

use jiff::Timestamp;

use super::super::terms::GuardView;
use super::super::{Guard, GuardName};
use super::Gate;
use crate::api::{OperationType, Uid};
use crate::plan::holds::HoldView;

impl Gate {
    /// The ledgers' revision if status doesn't have it yet. What got [`Admission::Go`] may only be
    /// sent once status was written with [`Gate::usage`] and [`Gate::saved`] was told.
    pub fn unsaved(&self) -> Option<u64> {
        (self.revision > self.saved).then_some(self.revision)
    }

    /// Status has the ledgers of this revision.
    pub fn saved(&mut self, revision: u64) {
        self.saved = self.saved.max(revision.min(self.revision));
    }

    /// Whether status has the ledgers of this revision.
    pub fn is_saved(&self, revision: u64) -> bool {
        self.saved >= revision
    }

    /// The ledgers' revision.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// For the connection's status, oldest first.
    pub fn holds(&self) -> Vec<HoldView> {
        let views = self.holds.iter().map(|hold| hold.view(|uid| self.of(uid)));
        views.collect()
    }

    /// For the connection's status.
    pub fn usage(&self, base: u64, now: Timestamp) -> Vec<GuardView> {
        // Those of memberships stand with their groups.
        let shown = self.guards.iter().filter(|(name, _)| **name != GuardName::Memberships);
        let base = |name: GuardName, guard: &Guard| if name == GuardName::Groups { guard.base } else { base };
        let views = shown.map(|(name, guard)| GuardView {
            name: *name,
            base: base(*name, guard),
            limit: guard.limit.of(base(*name, guard)),
            used: guard.ledger.used(now),
            buckets: guard.ledger.buckets().to_vec(),
        });
        views.collect()
    }

    /// The ids that were rejected, oldest first.
    pub fn refused(&self) -> impl Iterator<Item = &str> {
        self.refused.iter().map(String::as_str)
    }

    /// Removals that were let go, and counted, and are not done yet.
    pub fn removing(&self) -> u64 {
        self.removing
    }

    /// How many a guard let through within its window.
    pub fn used(&self, name: GuardName, now: Timestamp) -> u64 {
        self.guards.get(&name).map_or(0, |guard| guard.ledger.used(now))
    }

    /// What an object asked admission for.
    pub fn operation(&self, uid: &Uid) -> Option<OperationType> {
        self.of(uid).map(|candidate| candidate.operation)
    }

    /// The ids that were approved and served, oldest first.
    pub fn spent(&self) -> impl Iterator<Item = &str> {
        self.spent.iter().map(String::as_str)
    }

    /// The members of a closed hold.
    pub fn members(&self, id: &str) -> Vec<Uid> {
        let hold = self.holds.iter().find(|hold| hold.id.as_deref() == Some(id));
        hold.map_or_else(Vec::new, |hold| hold.members.iter().cloned().collect())
    }
}
