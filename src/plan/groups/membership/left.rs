//! Members who are out, or in, otherwise than is declared, and are left so.

use std::collections::HashSet;

use super::Membership;
use crate::api::RemoteId;

impl Membership {
    /// What others changed is left so.
    pub fn keep_as_is(&mut self, ids: impl IntoIterator<Item = RemoteId>) {
        self.left.extend(ids);
        self.sort_all();
    }

    /// This object has put it in, or may have: a request had no answer.
    pub fn may_be_ours(&self, id: &RemoteId) -> bool {
        self.unsure.contains(id) || self.is_ours(id)
    }

    /// All who differ from what is declared, and whether they are declared.
    pub fn differing(&self) -> Vec<(RemoteId, bool)> {
        let extra = self.extra.iter().map(|id| (id.clone(), false));
        self.missing.iter().map(|id| (id.clone(), true)).chain(extra).collect()
    }

    /// The account is deprovisioned: whoever put it in, that is left so no longer.
    pub fn depart(&mut self, id: &RemoteId) {
        if self.left.remove(id) {
            self.sort(id);
        }
    }

    /// Of these, those who are declared and out: their accounts are inactive, and the server has nobody in a group who is.
    /// They are put in again once the account is active.
    pub fn wait_for_account(&mut self, ids: impl IntoIterator<Item = RemoteId>) -> HashSet<RemoteId> {
        let out = |id: &RemoteId| self.wanted.contains_key(id) && !self.is_here(id);
        let out: HashSet<RemoteId> = ids.into_iter().filter(out).collect();
        for id in &out {
            self.inactive.insert(id.clone());
            self.sort(id);
        }
        out
    }

    /// It is out because its account is inactive.
    pub fn waits_for_account(&self, id: &RemoteId) -> bool {
        self.inactive.contains(id)
    }

    /// The account is active.
    pub fn account_is_active(&mut self, id: &RemoteId) {
        if self.inactive.remove(id) {
            self.sort(id);
        }
    }

    /// How many are out because their accounts are inactive.
    pub fn inactive(&self) -> usize {
        self.inactive.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::groups::Standing;

    #[test]
    fn i18_who_is_out_with_an_inactive_account_is_owed_once_it_is_active() {
        let id = |name: &str| RemoteId::from(name);
        let mut members = Membership::default();
        for name in ["ada", "bea"] {
            members.enter(&Standing::In(id(name)));
        }
        members.observe([id("ada")]);
        let waits = members.wait_for_account([id("ada"), id("bea"), id("cyd")]);
        assert_eq!(waits, HashSet::from([id("bea")]), "only who is declared and out");
        assert!(members.missing().is_empty() && members.inactive() == 1);
        // References that are gathered anew declare nothing anew.
        members.without_references();
        for name in ["ada", "bea"] {
            members.enter(&Standing::In(id(name)));
        }
        assert!(members.missing().is_empty() && members.waits_for_account(&id("bea")));
        members.account_is_active(&id("bea"));
        assert!(members.missing().contains(&id("bea")) && members.inactive() == 0);
        // Shown again, or declared no more.
        members.wait_for_account([id("bea")]);
        members.observe([id("ada"), id("bea")]);
        assert_eq!(members.inactive(), 0);
        members.observe([id("ada")]);
        members.wait_for_account([id("bea")]);
        members.leave(&Standing::In(id("bea")));
        assert_eq!(members.inactive(), 0);
    }
}
