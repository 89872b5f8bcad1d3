//! What others changed of a group's members and is left so, by `driftPolicy` or because it is contested.

use std::collections::BTreeSet;

use super::GroupPass;
use super::members::Standing;
use crate::api::RemoteId;
use crate::plan::groups::{part, part_of};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;

impl<E: Effects> Provisioner<E> {
    /// What others changed is left so. What was declared and is not carried out yet, because the server refuses it or
    /// `guards.protected` keeps it, was changed by nobody, and stays owed. Returns how many are left so, gone and come.
    pub(super) fn leave_changed(&self, pass: &GroupPass, mut changed: Vec<(RemoteId, bool)>) -> (usize, usize) {
        let refused: BTreeSet<String> =
            pass.status.ignored_attributes.iter().flatten().filter_map(|entry| part_of(entry)).collect();
        changed.retain(|(id, declared)| {
            !refused.contains(&part(id, *declared)) && (*declared || self.protection(pass, id) == Standing::Free)
        });
        let left = self.directory.membership(&pass.uid(), |members| {
            members.keep_as_is(changed.into_iter().map(|(id, _)| id));
            members.left()
        });
        left.unwrap_or_default()
    }
}
