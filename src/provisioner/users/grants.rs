//! What the server calls its roles and entitlements: as accounts show them, and as it lists them where it does.

use std::collections::BTreeSet;

use tracing::debug;

use crate::api::{ScimUser, ScimUserSpec};
use crate::plan::{GRANT_LISTS, Grants, Unlisted};
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::Effects;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::provisioner::{Provisioner, lock};

/// The names, and which lists were asked for since the last sweep began.
#[derive(Debug, Default)]
pub struct Names {
    pub known: Grants,
    asked: BTreeSet<&'static str>,
}

impl Names {
    /// Names that are unknown are asked for once more.
    pub fn ask_again(&mut self) {
        self.asked.clear();
    }
}

impl<E: Effects> Provisioner<E> {
    /// The spec with ids in place of names; `None` where it stands for itself.
    pub(in crate::provisioner) fn with_ids(&self, spec: &ScimUserSpec) -> Option<(ScimUserSpec, Vec<Unlisted>)> {
        lock(&self.names).known.resolve(spec)
    }

    /// Asks the server for the names that nothing it showed explains; never a reason not to go on.
    pub(super) async fn look_up_names(&self, user: &ScimUser, session: &Session) {
        if !session.policy.profile.discovery {
            return;
        }
        let unlisted = self.with_ids(&user.spec).map(|(_, unlisted)| unlisted).unwrap_or_default();
        for list in GRANT_LISTS {
            let wanted = unlisted.iter().any(|one| one.list == list);
            if !wanted || !lock(&self.names).asked.insert(list) {
                continue;
            }
            let turn = self.effects.turn(self.schedule.limiter(), RequestKind::Read, Priority::Write).await;
            let Some(deadline) = self.effects.deadline().filter(|_| turn) else { return };
            let collection = if list == "roles" { "Roles" } else { "Entitlements" };
            match self.effects.grants(&session.client, collection, deadline).await {
                Ok(found) => {
                    let mut names = lock(&self.names);
                    for (id, name) in found {
                        names.known.add(list, &id, &name);
                    }
                }
                Err(error) => debug!(connection = %self.key, "the server doesn't list its {list}: {error}"),
            }
        }
    }
}
