//! Lessons that are taken back: the first answer that speaks against one ends it.

use std::sync::Arc;

use crate::provisioner::Provisioner;
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::Effects;
use crate::scim::Lesson;

impl<E: Effects> Provisioner<E> {
    /// Whether this was learnt, and not set by anybody.
    pub(in crate::provisioner) fn has_learnt(&self, lesson: &Lesson) -> bool {
        self.connection.lessons.has(lesson)
    }

    /// What was learnt is otherwise, or isn't so any more: it isn't learnt again by this process. True where any of it was known.
    pub(in crate::provisioner) fn unlearn(&self, session: &Session, lessons: &[Lesson]) -> bool {
        let known = |lesson: &&Lesson| self.has_learnt(lesson);
        let known: Vec<&Lesson> = lessons.iter().filter(known).collect();
        if known.is_empty() {
            return false;
        }
        for lesson in known {
            self.connection.lessons.refute(lesson);
        }
        let profile = self.known_profile(&self.connection());
        self.connection.sessions.replace(|current| {
            let mut next = Session::clone(current?);
            if Arc::ptr_eq(&next.seen, &session.seen) {
                next.policy.profile.members_readable = profile.members_readable;
                next.policy.profile.pathless_groups = profile.pathless_groups;
            }
            Some(Arc::new(next))
        });
        true
    }
}
