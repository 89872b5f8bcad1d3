//! The record of a user's memberships, once the server has given out new ids: it follows the account under its new one, so
//! that who was put into an additive group is taken out of it when nobody declares that any more (promise I18).

use kube::ResourceExt;
use serde_json::{Map, Value, json};
use tracing::warn;

use super::UserPass;
use crate::api::{ScimUser, Uid};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::kubernetes::WriteError;
use crate::provisioner::users::lane_of;
use crate::scim::fold;

impl<E: Effects> Provisioner<E> {
    /// The id of the account, where what is on record of its memberships names another, and the server shows it as the
    /// object's. By the object's status alone it could be anybody's (promise I32).
    pub(super) fn id_to_carry(&self, pass: &UserPass) -> Option<String> {
        let id = pass.bound_id()?;
        if self.directory.memberships_of(&pass.uid()).iter().all(|(_, account)| account.as_str() == id) {
            return None;
        }
        let delegated = self.directory.delegated(&pass.object.namespace().unwrap_or_default(), &self.key);
        let shown = self.mirror.users.look_in(pass.session.epoch, |known| {
            let (name, emails) = known.identity(id)?;
            delegated.refuses_identity(Some(name), emails).is_none().then(|| fold(name))
        });
        let shown = shown.flatten()?;
        let mut names = [Some(&*pass.object.spec.user_name), pass.status.user_name.as_deref()].into_iter().flatten();
        let its_own = names.any(|name| fold(name) == shown);
        (its_own && self.directory.rival(&pass.object, pass.server(), None).is_none()).then(|| id.to_owned())
    }

    /// Writes what is on record of the account's memberships under this id of it. False: it can't be written now.
    pub(super) async fn carry_memberships(&self, pass: &UserPass, id: &str) -> bool {
        self.rewrite_memberships(pass, &json!(id), |account| account != id).await
    }

    /// The object is about to be bound to an account: what is on record of it goes with it, and of an account that the
    /// object isn't known to have had, nothing is (promise I6).
    pub(super) async fn memberships_before_binding(&self, pass: &UserPass, id: &str) -> bool {
        if let Some(former) = pass.bound_id() {
            // A group that was exact has on record by the id alone that the account is its own.
            let owning = self.directory.groups_owning(&self.key, former).into_iter();
            let owning: Map<String, Value> = owning.map(|group| (group, json!(id))).collect();
            let good = (former == id || owning.is_empty() || self.record_memberships(&pass.object, owning).await)
                && self.carry_memberships(pass, id).await;
            if pass.is_deleting() {
                // Who was in these groups was read under former ids: the object stays until it is seen whether this one is.
                self.directory.invalidate_recorded(&self.key, &pass.uid());
            }
            return good;
        }
        let elsewhere = pass.status.bound_to.as_deref().is_some_and(|server| server != pass.server());
        self.rewrite_memberships(pass, &Value::Null, |account| elsewhere || account != id).await
    }

    /// A new account is about to be made: it is in no group.
    pub(super) async fn forget_memberships(&self, pass: &UserPass) -> bool {
        self.rewrite_memberships(pass, &Value::Null, |_| true).await
    }

    async fn rewrite_memberships(&self, pass: &UserPass, value: &Value, concerns: impl Fn(&str) -> bool) -> bool {
        let recorded = self.directory.memberships_of(&pass.uid()).into_iter();
        let concerned = recorded.filter(|(_, account)| concerns(account.as_str()));
        let groups: Map<String, Value> = concerned.map(|(group, _)| (group.to_string(), value.clone())).collect();
        groups.is_empty() || self.record_memberships(&pass.object, groups).await
    }

    /// Merges into what is on record of a user's memberships: of each group the account's id, or null to forget it. False: it
    /// can't be written now.
    pub(in crate::provisioner) async fn record_memberships(&self, user: &ScimUser, groups: Map<String, Value>) -> bool {
        match self.effects.merge_user(user, json!({"groups": groups})).await {
            Ok(written) => {
                self.reroute(self.directory.apply_written(written));
                true
            }
            // With the object its record is gone.
            Err(WriteError::Gone) => true,
            Err(error) => {
                if let WriteError::Refused(error) = &error {
                    self.note_write_failure(error);
                }
                warn!(user = %user.name_any(), "its memberships could not be recorded: {error}");
                false
            }
        }
    }

    /// A pass has ended: where the account is active, groups that have waited for that go on.
    pub(super) fn put_into_groups_again(&self, pass: &UserPass) {
        if let Some(id) = pass.bound_id().filter(|_| !pass.is_deleting()) {
            self.put_in_again(&pass.object, &id.into());
        }
    }

    /// A pass has ended, and what is on record names another id than the account's: the next one carries that.
    pub(super) fn submit_if_carrying(&self, pass: &UserPass) {
        if self.id_to_carry(pass).is_some() {
            self.submit_if_stale(&pass.uid(), pass.server());
        }
    }

    /// What is on record names another id than the account's, as where its group was bound anew in the same moment: that is
    /// written anew by the object's own pass.
    pub(in crate::provisioner) fn submit_if_stale(&self, uid: &Uid, server: &str) {
        let Some(user) = self.directory.get(uid) else { return };
        let Some(id) = user.status.as_ref().and_then(|status| status.id_at(server)) else { return };
        if self.directory.memberships_of(uid).iter().any(|(_, account)| account.as_str() != id) {
            self.schedule.submit(uid, lane_of(&user, self.effects.now()), true, self.effects.instant());
        }
    }
}
