//! Servers that never show who is in a group: they take members, and each reading shows nobody. Where two accounts at two
//! moments are said to be in all the same, our own record tells who is in, until a reading shows somebody; and until then
//! whoever was put in is taken out again though no reading showed them (promise I18).

use std::sync::Arc;

use super::GroupPass;
use crate::api::{IgnoredReason, RemoteId, ScimGroup, Uid};
use crate::plan::groups::{HiddenMembers, Membership, part_of};
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::Effects;
use crate::provisioner::mirror::Mirror as _;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::provisioner::{Provisioner, overrides};
use crate::scim::{Kind, Lesson, MembersReadable, Resource};

/// Nobody has this id: whoever says that it is in a group heeds no filter.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// What two accounts teach.
const LESSONS: [Lesson; 2] = [Lesson::MembersHidden, Lesson::MembersProbed];

impl<E: Effects> Provisioner<E> {
    /// The group shows nobody, though somebody was put in, and no group of this server ever showed anybody.
    pub(super) fn may_hide_who_is_in(&self, pass: &GroupPass, shown: &[RemoteId]) -> bool {
        shown.is_empty()
            && Lesson::MembersHidden.is_open(overrides(&self.connection().spec))
            && self.shows_nobody_put_in(pass)
            && self.mirror.groups.look(|known| known.testimony.is_open())
    }

    /// Somebody was put into the group, and no group of this server ever showed anybody.
    fn shows_nobody_put_in(&self, pass: &GroupPass) -> bool {
        let profile = &pass.session.policy.profile;
        let put_in = || self.directory.membership(&pass.uid(), |members| members.unshown().next().is_some());
        profile.learns
            && profile.members_readable == MembersReadable::Inline
            && !self.mirror.groups.look(|known| known.shows_somebody)
            && put_in() == Some(true)
    }

    /// What a person is told of that.
    pub(super) fn hidden_members(&self, pass: &GroupPass) -> HiddenMembers {
        if self.hides_as_learnt(&pass.session) {
            HiddenMembers::Learnt
        } else if self.shows_nobody_put_in(pass) {
            HiddenMembers::Possible
        } else {
            HiddenMembers::None
        }
    }

    fn hides_as_learnt(&self, session: &Session) -> bool {
        !session.policy.profile.members_readable.with_group() && LESSONS.iter().any(|lesson| self.has_learnt(lesson))
    }

    /// In a process that has just begun, whom the group doesn't declare any more may be in, though it shows nobody: where an
    /// earlier process saw that it doesn't show whom the server took. These are the accounts among whom they are.
    pub(super) fn may_hide_dropped(
        &self,
        pass: &GroupPass,
        shown: &[RemoteId],
        by_reading: bool,
    ) -> Option<Vec<RemoteId>> {
        let first = || self.directory.membership(&pass.uid(), |members| !members.is_known()) == Some(true);
        let may_hide = by_reading
            && shown.is_empty()
            && has_unshown_on_record(pass)
            && pass.session.policy.profile.learns
            && !self.mirror.groups.look(|known| known.shows_somebody)
            && first();
        let is_exact = pass.status.owned_members.is_some();
        may_hide.then(|| if is_exact { self.listed_accounts() } else { Vec::new() })
    }

    /// A reading shows nobody, though members were put in before it was asked for: whether the server shows none at all, or
    /// keeps none. One of them is asked for singly.
    pub(super) async fn find_out_whether_any_are_shown(
        &self,
        pass: &GroupPass,
        priority: Priority,
        group: &str,
        shown: &[RemoteId],
    ) {
        if !self.may_hide_who_is_in(pass, shown) {
            return;
        }
        let put_in = self.directory.membership(&pass.uid(), |members| members.unshown().cloned().collect());
        let mut put_in: Vec<RemoteId> = put_in.unwrap_or_default();
        self.mirror.users.look(|known| put_in.retain(|id| known.shows(id.as_str())));
        put_in.sort_unstable();
        let now = self.effects.instant();
        let Some(one) = self.mirror.groups.look(|known| known.testimony.next(&put_in, now).cloned()) else { return };
        let Some(told) = self.told_of_one(pass, priority, group, &one).await else { return };
        let lesson = self.mirror.groups.change(pass.session.epoch, |known| match told {
            Told::Denied => {
                known.testimony.told(&one, None, now);
                known.testimony.denied();
                None
            }
            Told::Nothing => known.testimony.told(&one, None, now),
            Told::In(lesson) => known.testimony.told(&one, Some(lesson), now),
        });
        let Some(lesson) = lesson.flatten() else { return };
        self.apply_lessons(&pass.session, [lesson]);
        // What counted as not kept is in, by our own record.
        for group in self.directory.groups_of(&self.key) {
            self.submit_group(&group, true);
        }
    }

    /// What the server says by another way of whether the account is in the group; none where it can't be asked now.
    pub(super) async fn told_of_one(
        &self,
        pass: &GroupPass,
        priority: Priority,
        group: &str,
        member: &RemoteId,
    ) -> Option<Told> {
        if self.is_found_by_filter(pass, priority, group, member.as_str()).await? {
            return Some(Told::In(Lesson::MembersProbed));
        }
        Some(match self.is_told_by_account(pass, priority, group, member.as_str()).await {
            Some(true) => Told::In(Lesson::MembersHidden),
            Some(false) => Told::Denied,
            None => Told::Nothing,
        })
    }

    /// A reading shows somebody who is in a group, where none did before: it is believed from now on.
    pub(super) fn members_are_shown(&self, session: &Session, resource: &Resource) {
        let shows = resource.members().is_some_and(|mut shown| shown.next().is_some());
        if !shows || !self.hides_as_learnt(session) || !self.unlearn(session, &LESSONS) {
            return;
        }
        for group in self.directory.groups_of(&self.key) {
            self.directory.membership(&Uid::of(&group.metadata), Membership::invalidate);
            self.submit_group(&group, true);
        }
    }

    /// Where it was learnt that nobody is shown, each sweep looks at one group in which somebody is, whether that is still so.
    pub(super) async fn look_whether_members_are_shown(&self, session: &Arc<Session>, groups: &[Arc<ScimGroup>]) {
        if !self.hides_as_learnt(session) {
            return;
        }
        let has_members = |group: &&Arc<ScimGroup>| {
            let here = |members: &mut Membership| members.here().next().is_some();
            self.directory.membership(&Uid::of(&group.metadata), here) == Some(true)
        };
        let bound = |group: &Arc<ScimGroup>| group.status.as_ref()?.id_at(&session.policy.server).map(str::to_owned);
        let ids: Vec<String> = groups.iter().filter(has_members).filter_map(bound).collect();
        let turn = self.mirror.groups.change(session.epoch, |known| known.take_turn(1));
        let Some(id) = turn.filter(|_| !ids.is_empty()).map(|turn| &ids[turn % ids.len()]) else { return };
        let Some(deadline) = self.in_turn(session, RequestKind::Read, Priority::Sweep).await else { return };
        if let Ok(resource) = self.effects.get(&session.client, Kind::Groups, id, false, deadline).await {
            self.members_are_shown(session, &resource);
        }
    }

    /// A filter finds the group by this member, and not by one that nobody is; none where it can't be asked now.
    async fn is_found_by_filter(
        &self,
        pass: &GroupPass,
        priority: Priority,
        group: &str,
        member: &str,
    ) -> Option<bool> {
        let client = &pass.session.client;
        let deadline = self.in_turn(&pass.session, RequestKind::Read, priority).await?;
        if !self.effects.is_member(client, group, member, deadline).await.is_ok_and(|found| found) {
            return Some(false);
        }
        let deadline = self.in_turn(&pass.session, RequestKind::Read, priority).await?;
        Some(self.effects.is_member(client, group, NOBODY, deadline).await.is_ok_and(|found| !found))
    }

    /// The account says that it is in the group; none where it tells nothing of groups.
    async fn is_told_by_account(
        &self,
        pass: &GroupPass,
        priority: Priority,
        group: &str,
        member: &str,
    ) -> Option<bool> {
        let deadline = self.in_turn(&pass.session, RequestKind::Read, priority).await?;
        let account = self.effects.get(&pass.session.client, Kind::Users, member, false, deadline).await.ok()?;
        let groups = account.get("groups")?.as_array()?;
        Some(groups.iter().any(|known| known["value"] == group))
    }
}

/// What is said of one account.
pub(super) enum Told {
    /// It is in, by this.
    In(Lesson),
    /// It isn't.
    Denied,
    /// Nothing.
    Nothing,
}

/// An earlier process saw that the server doesn't show whom it took.
fn has_unshown_on_record(pass: &GroupPass) -> bool {
    let unkept = pass.status.ignored_attributes.iter().flatten();
    let mut unkept = unkept.filter(|entry| entry.reason == IgnoredReason::NotPersisted).filter_map(part_of);
    unkept.any(|part| part.starts_with('+'))
}
