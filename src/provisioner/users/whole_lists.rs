//! Servers that change no entry of a list by a path with a filter: they refuse it, or answer 200 and do nothing. The list is
//! replaced whole, once, and where that helped, from then on.

use std::sync::Arc;

use super::UserPass;
use crate::api::{IgnoredReason, OperationType};
use crate::plan::{Account, Path, Request, Verdict, taught};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::scim::{Lesson, PatchPaths};

impl UserPass {
    /// A request by such a path was refused: the same is to be tried with whole lists. False where there is nothing to try.
    pub(super) fn tries_whole_lists(&mut self, request: &Request) -> bool {
        let possible = names_entries(request) && self.may_try_whole_lists();
        if possible {
            self.begin_whole_lists();
        }
        possible
    }

    /// A request by such a path was taken, and changed nothing.
    pub(super) fn tries_whole_lists_for(&mut self, verdict: &Verdict) -> bool {
        let unchanged: Vec<Path> = unkept(verdict).filter(|path| self.own.by_filter.contains(path)).cloned().collect();
        let possible = !unchanged.is_empty() && self.may_try_whole_lists();
        if possible {
            self.own.written.retain(|path| !unchanged.contains(path));
            self.begin_whole_lists();
        }
        possible
    }

    fn may_try_whole_lists(&self) -> bool {
        let untried = self.session.policy.profile.patch_paths == PatchPaths::Filter && !self.own.whole_lists;
        untried && self.session.seen.look(|seen| seen.whole_lists().is_none())
    }

    fn begin_whole_lists(&mut self) {
        self.own.whole_lists = true;
        self.session = Arc::new(self.session.with_whole_lists());
        // What replaces a list is made of what is there now.
        self.account = Some(Account::Unknown);
    }
}

impl<E: Effects> Provisioner<E> {
    /// What the writes of a pass show of the forms in which the server keeps attributes, and of those that it doesn't keep.
    pub(super) fn learn_what_is_kept(&self, pass: &UserPass, verdict: &Verdict) {
        if verdict.applied.is_none() || pass.own.written.is_empty() || !pass.session.policy.profile.learns {
            return;
        }
        let ignored = verdict.details.ignored.as_deref().unwrap_or_default();
        let mut taught = self.with_facts(pass, self.effects.now(), |facts| taught(facts, ignored));
        // The answer to a creation may repeat what was sent, whatever became of it.
        let created = pass.log.ends_with(OperationType::Create);
        taught.retain(|(lesson, supports)| *supports || !created || !matches!(lesson, Lesson::NotKept(_)));
        self.learn_of_attributes(&pass.session, &pass.uid(), taught);
    }

    /// What came of it is kept for the connection, until that changes.
    pub(super) fn learn_whole_lists(&self, pass: &UserPass, verdict: &Verdict) {
        if !pass.own.list_sent || verdict.applied.is_none() {
            return;
        }
        // Refused before and taken now, or changed nothing before and shown now.
        let helped = !unkept(verdict).any(|path| pass.own.by_filter.contains(path));
        self.observe(&pass.session, |seen| seen.list_replaced(helped));
        if helped {
            self.apply_lessons(&pass.session, [Lesson::WholeLists]);
        }
    }
}

/// Whether a request names entries by a filter.
pub(super) fn names_entries(request: &Request) -> bool {
    let Request::Patch { operations, .. } = request else { return false };
    operations.iter().any(|operation| operation.path.as_deref().is_some_and(|path| path.contains('[')))
}

/// Entries of lists that the server took and doesn't show.
fn unkept(verdict: &Verdict) -> impl Iterator<Item = &Path> {
    let ignored = verdict.details.ignored.iter().flatten();
    let unkept = ignored.filter(|ignored| ignored.reason == IgnoredReason::NotPersisted).map(|ignored| &ignored.path);
    unkept.filter(|path| matches!(path, Path::Entry { .. }))
}
