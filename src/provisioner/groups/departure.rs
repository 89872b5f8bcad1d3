//! What is on record before an object goes: of a group's members, and of the groups that it, or an account, is left in.

use tracing::{debug, warn};

use super::GroupPass;
use crate::api::{MOST_LEAVING, RemoteId};
use crate::plan::Departure;
use crate::provisioner::Provisioner;
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::Effects;

impl<E: Effects> Provisioner<E> {
    /// The object goes. With its group goes what our record says of it; a group that stays is still in the groups that it is
    /// nested in. False: that can't be recorded now.
    pub(super) async fn before_group_goes(&self, pass: &mut GroupPass, departure: &Departure) -> bool {
        if *departure == Departure::Done {
            self.directory.depart_group(&pass.uid());
            return match pass.status.id.clone() {
                Some(id) => self.forget_recorded_members(pass, &id).await,
                None => true,
            };
        }
        match pass.bound_id().map(RemoteId::from) {
            Some(id) => self.note_leaving(&pass.session, &id).await,
            None => true,
        }
    }

    /// An object goes, and its account or group stays: in its groups, too, for one `resyncInterval` (promise I18). That
    /// outlives this process only if it is written down. False: it can't be for now.
    pub(in crate::provisioner) async fn note_leaving(&self, session: &Session, id: &RemoteId) -> bool {
        let shown = session.policy.profile.members_readable.with_group();
        for group in self.directory.groups_with(&self.key, id, shown) {
            let leaving = group.status.as_ref().and_then(|status| status.leaving.as_ref());
            if leaving.is_some_and(|leaving| leaving.len() >= MOST_LEAVING && !leaving.contains_key(id.as_str())) {
                // Whoever is let go is never kept for want of room: this process remembers it all the same.
                warn!("its group has no room to note that it goes");
                continue;
            }
            if !self.leaving(&group, vec![(id.to_string(), Some(self.effects.now()))]).await {
                debug!("it stays until its groups know that it goes");
                return false;
            }
        }
        true
    }
}
