//! The record of a user's memberships, once the server has given out new ids: it follows the account under its new one, so
//! that who was put into an additive group is taken out of it when nobody declares that any more (promise I18).

use kube::ResourceExt;
use serde_json::{Map, Value, json};
use tracing::warn;

use super::UserPass;
use crate::api::ScimUser;
use crate::provisioner::effects::Effects;
use crate::provisioner::kubernetes::WriteError;
use crate::provisioner::{Provisioner, lane_of};

impl<E: Effects> Provisioner<E> {
    /// Writes what is on record of the account's former id under its own. False: it can't be written now.
    pub(super) async fn carry_memberships(&self, pass: &UserPass) -> bool {
        let (groups, id) = (self.stale_memberships(pass), pass.bound_id().map(str::to_owned));
        if groups.is_empty() || id.is_none() {
            return true;
        }
        let groups: Map<String, Value> = groups.into_iter().map(|group| (group, json!(id))).collect();
        self.record_memberships(&pass.object, groups).await
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

    /// The account is on record in groups by a former id: that is written anew as soon as status has the new one.
    pub(super) fn submit_to_carry(&self, pass: &UserPass) {
        let Some(user) = self.directory.get(&pass.uid()) else { return };
        if !self.stale_memberships(pass).is_empty() {
            self.schedule.submit(&pass.uid(), lane_of(&user, self.effects.now()), true, self.effects.instant());
        }
    }

    /// The groups that the account is on record in by its former id.
    fn stale_memberships(&self, pass: &UserPass) -> Vec<String> {
        let Some(former) = self.notes.former_id(&pass.uid()) else { return Vec::new() };
        let recorded = self.directory.memberships_of(&pass.uid());
        recorded
            .into_iter()
            .filter(|(_, account)| account.as_str() == former)
            .map(|(group, _)| group.to_string())
            .collect()
    }
}
