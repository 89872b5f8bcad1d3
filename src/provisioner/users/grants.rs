//! What the server calls its roles and entitlements: as accounts show them, and as it lists them where it does.

use tracing::debug;

use crate::api::{ScimUser, ScimUserSpec};
use crate::plan::{GRANT_LISTS, Unlisted};
use crate::provisioner::Provisioner;
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::Effects;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};

impl<E: Effects> Provisioner<E> {
    /// The spec with ids in place of names; `None` where it stands for itself.
    pub(in crate::provisioner) fn with_ids(&self, spec: &ScimUserSpec) -> Option<(ScimUserSpec, Vec<Unlisted>)> {
        self.mirror.grants.resolve(spec)
    }

    /// Asks the server for the names that nothing it showed explains; never a reason not to go on.
    pub(super) async fn look_up_names(&self, user: &ScimUser, session: &Session) {
        if !session.policy.profile.discovery {
            return;
        }
        let unlisted = self.with_ids(&user.spec).map(|(_, unlisted)| unlisted).unwrap_or_default();
        for list in GRANT_LISTS {
            let wanted = unlisted.iter().any(|one| one.list == list);
            if !wanted || !self.mirror.grants.ask(list) {
                continue;
            }
            let turn = self.effects.turn(self.schedule.limiter(), RequestKind::Read, Priority::Write).await;
            let Some(deadline) = self.effects.deadline().filter(|_| turn) else { return };
            let collection = if list == "roles" { "Roles" } else { "Entitlements" };
            match self.effects.grants(&session.client, collection, deadline).await {
                Ok(found) => self.mirror.grants.add(list, found),
                Err(error) => debug!("the server doesn't list its {list}: {error}"),
            }
        }
    }
}
