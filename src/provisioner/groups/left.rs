//! What others changed of a group's members and is left so, by `driftPolicy` or because it is contested.

use std::collections::BTreeSet;

use super::GroupPass;
use super::members::Standing;
use crate::api::{Membership, RemoteId};
use crate::plan::Digests;
use crate::plan::groups::{part, part_of};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;

/// So many of them are kept on record.
const MOST_LEFT: usize = 5000;

impl<E: Effects> Provisioner<E> {
    /// What others changed is left so. What was declared and is not carried out yet, because the server refuses it or
    /// `guards.protected` keeps it, was changed by nobody, and stays owed: a `first` reading shows that, too, and who it is
    /// has to be known from elsewhere. Returns how many are left so, gone and come.
    pub(super) fn leave_changed(
        &self,
        pass: &GroupPass,
        mut changed: Vec<(RemoteId, bool)>,
        first: bool,
    ) -> (usize, usize) {
        let refused: BTreeSet<String> = pass.status.ignored_attributes.iter().flatten().filter_map(part_of).collect();
        changed.retain(|(id, declared)| !refused.contains(&part(id, *declared)));
        if first {
            let owned = Digests::read(pass.status.owned_members.as_deref());
            changed.retain(|(id, declared)| *declared || !self.is_owed_removal(pass, &owned, id));
        }
        let left = self.directory.membership(&pass.uid(), |members| {
            members.keep_as_is(changed.into_iter().map(|(id, _)| id));
            members.left()
        });
        left.unwrap_or_default()
    }

    /// Of those who differ at a first reading, though something else is declared since: who was left so before, and whom
    /// others put into a group whose own members are on record. All others are owed what is declared (promise I9).
    pub(super) fn left_before(pass: &GroupPass, differing: Vec<(RemoteId, bool)>) -> Vec<(RemoteId, bool)> {
        let left = Digests::read(pass.status.left_members.as_deref());
        let owned = Digests::read(pass.status.owned_members.as_deref());
        let exact = pass.object.spec.membership == Membership::Exact && !owned.is_empty();
        let by_others = |id: &RemoteId, declared: bool| {
            left.contains(&[&part(id, declared)]) || exact && !declared && !owned.contains(&[id.as_str()])
        };
        differing.into_iter().filter(|(id, declared)| by_others(id, *declared)).collect()
    }

    /// Whom others changed and who is left so is put into the status: another process has that from nowhere else.
    pub(super) fn note_left(&self, pass: &mut GroupPass) {
        if self.repairs_members(pass) {
            pass.status.left_members = None;
            return;
        }
        let left = self.directory.membership(&pass.uid(), |members| {
            let mut left = Digests::default();
            members.left_so().take(MOST_LEFT + 1).for_each(|(id, declared)| left.insert(&[&part(id, declared)]));
            members.is_shown().then_some(left)
        });
        if let Some(left) = left.flatten() {
            pass.status.left_members = (!left.is_empty() && left.len() <= MOST_LEFT).then(|| left.text());
        }
    }

    /// Somebody who isn't declared was so once, and is kept in by a guard. Whose account isn't shown yet may be anybody, and
    /// stays (promise I31).
    fn is_owed_removal(&self, pass: &GroupPass, owned: &Digests, id: &RemoteId) -> bool {
        if owned.contains(&[id.as_str()]) {
            return true;
        }
        // Where everybody who was declared is on record, others put in whoever isn't, protected or not.
        let recorded = pass.object.spec.membership == Membership::Exact && !owned.is_empty();
        !recorded && matches!(self.protection(pass, id), Standing::Kept(_))
    }
}
