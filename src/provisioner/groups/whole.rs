//! Servers that take nobody out of a group by a path with a filter: they refuse it, or answer 200 and do nothing. The group
//! is replaced whole, once, and where that helped, from then on. A list of values is never tried: there are servers that take
//! out everybody for it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::GroupPass;
use crate::api::RemoteId;
use crate::plan::groups::{Change, Group, GroupOperation, part};
use crate::plan::{Refusal, Request};
use crate::provisioner::effects::Effects;
use crate::provisioner::engine::Kind as _;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::provisioner::{Provisioner, overrides};
use crate::scim::{Class, Error, Kind, Lesson, MemberRemoval, ObservedQuirks, Resource, WriteMethod};

/// What is told of members that no request of ours takes out.
const STUCK: &str = "the server still shows this member after a request that took it out; if it takes out who is named in a list, \
     set spec.dialect.memberRemoval of the connection to Values, and writeGroups to Patch";

impl<E: Effects> Provisioner<E> {
    /// A removal by such a path was refused: the same is to be tried by replacing the group. False where there is nothing to
    /// try.
    pub(super) fn tries_whole_group(&self, pass: &mut GroupPass, operation: &GroupOperation, error: &Error) -> bool {
        let change = &operation.change;
        let alone = matches!(operation.request, Request::Patch { .. }) && change.added.is_empty();
        // What it has no way to do by PATCH, and has PATCH.
        let by_patch = error.class() == Class::Unsupported && pass.session.seen.look(ObservedQuirks::patches_groups);
        alone && (by_patch || !change.removed.is_empty()) && self.begins_whole_group(pass, error.to_string())
    }

    /// It has PATCH, and not for this: that is named, and everything else is sent.
    pub(super) fn patches_all_but_this(&self, pass: &mut GroupPass, operation: &GroupOperation, error: &Error) -> bool {
        let patch = matches!(operation.request, Request::Patch { .. });
        if !patch || !pass.session.seen.look(ObservedQuirks::patches_groups) {
            return false;
        }
        let words = if operation.change.removed.is_empty() { error.to_string() } else { STUCK.to_owned() };
        for part in operation.parts() {
            pass.split.refuse(&BTreeSet::from([part.clone()]), &words, Refusal::Content);
            self.part_refused(pass, &part, &words);
        }
        true
    }

    /// A removal was taken, and the server still shows who was removed: by replacing the group the same is tried, and else
    /// they are named. True where the pass goes on.
    pub(super) fn note_stuck(&self, pass: &mut GroupPass) -> bool {
        let sent = pass.own.taken_out.clone();
        let stuck = self.directory.membership(&pass.uid(), |members| {
            sent.iter().filter(|id| members.extra().contains(*id)).cloned().collect::<Vec<RemoteId>>()
        });
        let known = self.resting(pass);
        let mut stuck = stuck.unwrap_or_default();
        stuck.retain(|id| !known.contains(&part(id, false)));
        if stuck.is_empty() {
            return false;
        }
        if self.begins_whole_group(pass, STUCK.to_owned()) {
            pass.own.sent.retain(|id| !stuck.contains(id));
            pass.own.taken_out.retain(|id| !stuck.contains(id));
            return true;
        }
        for id in &stuck {
            self.part_refused(pass, &part(id, false), STUCK);
        }
        true
    }

    /// False where there is nothing to try.
    fn begins_whole_group(&self, pass: &mut GroupPass, words: String) -> bool {
        let by_filter = pass.session.policy.profile.member_removal == MemberRemoval::Filter;
        by_filter && self.replaces_whole_group(pass, words)
    }

    /// The group is replaced whole in this pass; false where that can't be.
    pub(super) fn replaces_whole_group(&self, pass: &mut GroupPass, words: String) -> bool {
        let profile = &pass.session.policy.profile;
        let possible = pass.own.by_path.is_none()
            && profile.write_groups == WriteMethod::Patch
            && profile.members_readable.with_group()
            // Whoever is never shown would be out.
            && self.mirror.groups.look(|known| known.shows_somebody)
            && !pass.bound_id().is_some_and(|id| self.is_shown_partly(id))
            && Lesson::PutGroups.is_open(overrides(&self.connection().spec));
        if possible {
            pass.own.by_path = Some(words);
            pass.session = Arc::new(pass.session.with_whole_groups());
            // What replaces a group is made of what is there now.
            pass.own.whole = None;
        }
        possible
    }

    /// The group as the server shows it now; none where it doesn't, and then the next sweep looks.
    pub(super) async fn look_again(
        &self,
        pass: &GroupPass,
        id: &str,
        Change { added, removed }: &Change,
    ) -> Option<(Resource, bool)> {
        let deadline = self.in_turn(&pass.session, RequestKind::Read, Priority::Write).await?;
        let (client, asked) = (&pass.session.client, Group::asks_members(&pass.session));
        let shown = self.effects.get(client, Kind::Groups, id, asked, deadline).await.ok()?;
        let shown = self.with_members_asked(&pass.session, Priority::Write, shown).await.ok()??;
        self.find_out_whether_all_are_shown(pass, Priority::Write, (&shown, true), (added, removed)).await;
        Some((shown, true))
    }

    /// The group was replaced: where that helped, it is done so from now on; else as before.
    pub(super) fn learn_whole_groups(&self, pass: &mut GroupPass, helped: bool) {
        if helped {
            self.apply_lessons(&pass.session, [Lesson::PutGroups]);
        }
        self.go_on_as_learnt(pass);
    }
}

/// A group that is replaced in this pass alone.
pub(super) fn is_tried(pass: &GroupPass) -> bool {
    pass.own.by_path.is_some() && pass.session.policy.profile.write_groups == WriteMethod::Put
}

/// Where the answer to a change of members tells nothing of them, and none of the kind was seen to be done here, the group is
/// looked at, once.
pub(super) fn is_unsure(pass: &GroupPass, change: &Change) -> bool {
    let profile = &pass.session.policy.profile;
    let learns = profile.learns && profile.members_readable.with_group();
    let seen = &pass.session.seen;
    learns
        && ((!change.removed.is_empty() && !seen.look(ObservedQuirks::takes_out))
            || (!change.added.is_empty() && !seen.look(ObservedQuirks::puts_in)))
}
