//! Members whose accounts are inactive: there are servers that take them out of their groups, and that refuse to put them in.

use std::collections::HashSet;

use super::GroupPass;
use crate::api::{RemoteId, ScimUser};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::users::is_to_be_inactive;

impl<E: Effects> Provisioner<E> {
    /// Of these, those who are declared, and out because their accounts are inactive: that is neither anybody's doing nor
    /// owed. They are put in again once the account is active.
    pub(super) fn wait_for_accounts(&self, pass: &GroupPass, ids: Vec<RemoteId>) -> HashSet<RemoteId> {
        let is_inactive = |id: &RemoteId| {
            let user = self.directory.bound_to(&self.key, pass.server(), id);
            user.is_some_and(|user| self.is_inactive(&user, id))
        };
        let inactive: Vec<RemoteId> = ids.into_iter().filter(is_inactive).collect();
        if inactive.is_empty() {
            return HashSet::new();
        }
        self.directory.wait_for_accounts(&pass.uid(), inactive)
    }

    /// A user was looked at: whose account is active is put into the groups again that have waited for that.
    pub(in crate::provisioner) fn put_in_again(&self, user: &ScimUser, id: &RemoteId) {
        if self.is_inactive(user, id) {
            return;
        }
        for group in self.directory.account_is_active(&self.key, id) {
            self.resume_group(&group);
        }
    }

    fn is_inactive(&self, user: &ScimUser, id: &RemoteId) -> bool {
        let shown = self.mirror.users.look(|known| known.is_active(id.as_str()));
        let recorded = user.status.as_ref().and_then(|status| status.active);
        is_to_be_inactive(user, self.effects.now()) || shown.or(recorded) == Some(false)
    }
}
