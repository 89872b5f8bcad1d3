//! Servers that show who is in a group only if they are asked for it (`returned: request`, RFC 7643 §2.4): found out by asking
//! once, wherever a group shows nothing of members at all.

use std::sync::Arc;

use super::GroupPass;
use crate::provisioner::Provisioner;
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::Effects;
use crate::provisioner::overrides;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::scim::{Class, Error, Kind, Lesson, MembersReadable, Resource};

impl<E: Effects> Provisioner<E> {
    /// The group as it was read, or as it shows itself when it is asked for its members. None where that can't be asked now:
    /// then nobody knows who is in.
    pub(super) async fn with_members_asked(
        &self,
        session: &Arc<Session>,
        priority: Priority,
        resource: Resource,
    ) -> Result<Option<Resource>, Error> {
        let Some(id) = resource.id().filter(|id| self.may_hide_members(session, &resource, id)).map(str::to_owned)
        else {
            return Ok(Some(resource));
        };
        let Some(deadline) = self.in_turn(session, RequestKind::Read, priority).await else { return Ok(None) };
        let refused =
            |class| matches!(class, Class::Rejected | Class::NotFound | Class::Forbidden | Class::Unsupported);
        let asked = match self.effects.get(&session.client, Kind::Groups, &id, true, deadline).await {
            Ok(asked) => asked,
            // It shows the group, and answers no such question.
            Err(error) if refused(error.class()) => Resource::default(),
            Err(error) => return Err(error),
        };
        if asked.get("members").is_some() {
            self.apply_lessons(session, [Lesson::MembersOnRequest]);
            return Ok(Some(asked));
        }
        self.mirror.groups.change(session.epoch, |known| known.shows_nobody(&id));
        Ok(Some(resource))
    }

    /// The same in a pass.
    pub(super) async fn read_with_members(&self, pass: &GroupPass, group: Resource) -> Result<Option<Resource>, Error> {
        let shown = self.with_members_asked(&pass.session, Priority::Write, group).await?;
        if let Some(shown) = &shown {
            self.find_out_whether_all_are_shown(pass, Priority::Write, (shown, true), (&[], &[])).await;
        }
        Ok(shown)
    }

    fn may_hide_members(&self, session: &Session, resource: &Resource, id: &str) -> bool {
        if session.policy.profile.members_readable != MembersReadable::Inline || resource.get("members").is_some() {
            return false;
        }
        // It may have been learnt since the pass began.
        let now = self.continued(session);
        now.is_some_and(|now| now.policy.profile.members_readable == MembersReadable::OnRequest)
            || (Lesson::MembersOnRequest.is_open(overrides(&self.connection().spec))
                && self.mirror.groups.look(|known| known.may_hide_members(id)))
    }
}
