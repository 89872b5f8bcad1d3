//! Servers that never show who is in a group: they take members, and each reading shows nobody. Once that is certain our own
//! record tells who is in, and until then whoever was put in is taken out again though no reading showed them (promise I18).

use super::GroupPass;
use crate::api::RemoteId;
use crate::provisioner::effects::Effects;
use crate::provisioner::mirror::Mirror as _;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::provisioner::{Provisioner, overrides};
use crate::scim::{Kind, Lesson, MembersReadable};

/// One member whom the server took and doesn't keep may be at fault itself: so many aren't.
const SEVERAL: usize = 2;

/// Nobody has this id: whoever says that it is in a group heeds no filter.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

impl<E: Effects> Provisioner<E> {
    /// The group shows nobody, though somebody was put in, and no group of this server ever showed anybody.
    pub(super) fn may_hide_who_is_in(&self, pass: &GroupPass, shown: &[RemoteId]) -> bool {
        let profile = &pass.session.policy.profile;
        let put_in = || self.directory.membership(&pass.uid(), |members| members.unseen().next().is_some());
        shown.is_empty()
            && profile.learns
            && profile.members_readable == MembersReadable::Inline
            && Lesson::MembersHidden.is_open(overrides(&self.connection().spec))
            && !self.mirror.groups.look(|known| known.shows_somebody)
            && put_in() == Some(true)
    }

    /// Accounts that may be in a group which a process that has just begun is shown without anybody: those among them whom the
    /// group declared before, and doesn't any more, are to leave it.
    pub(super) fn may_hide_dropped(&self, pass: &GroupPass, shown: &[RemoteId], by_reading: bool) -> Vec<RemoteId> {
        let first = || self.directory.membership(&pass.uid(), |members| !members.is_known()) == Some(true);
        let may_hide = by_reading
            && shown.is_empty()
            && pass.status.owned_members.is_some()
            && pass.session.policy.profile.learns
            && !self.mirror.groups.look(|known| known.shows_somebody)
            && first();
        let accounts = || self.mirror.users.look(|known| known.accounts().map(|(id, ..)| id.into()).collect());
        if may_hide { accounts() } else { Vec::new() }
    }

    /// A reading shows nobody, though members were put in before it was asked for: whether the server shows none at all, or
    /// keeps none. Of each group somebody is asked for singly, once; where that tells nothing, several speak for it.
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
        let put_in = self.directory.membership(&pass.uid(), |members| members.unseen().cloned().collect());
        let mut put_in: Vec<RemoteId> = put_in.unwrap_or_default();
        self.mirror.users.look(|known| put_in.retain(|id| known.shows(id.as_str())));
        let Some(one) = put_in.first() else { return };
        let asked = self.mirror.groups.look(|known| known.showing_nobody.contains_key(group));
        let told = if asked { None } else { self.told_of_one(pass, priority, group, one.as_str()).await };
        let counted = self.mirror.groups.change(pass.session.epoch, |known| {
            let unseen = known.showing_nobody.entry(group.to_owned()).or_default();
            unseen.extend(put_in.iter().map(ToString::to_string));
            known.showing_nobody.values().map(|unseen| unseen.len()).sum::<usize>()
        });
        let several = counted.is_some_and(|count| count >= SEVERAL).then_some(Lesson::MembersHidden);
        let Some(lesson) = told.or(several) else { return };
        self.apply_lessons(&pass.session, [lesson]);
        // What counted as not kept is in, by our own record.
        for group in self.directory.groups_of(&self.key) {
            self.submit_group(&group, true);
        }
    }

    /// The server says by another way that the account is in the group.
    async fn told_of_one(&self, pass: &GroupPass, priority: Priority, group: &str, member: &str) -> Option<Lesson> {
        if self.is_found_by_filter(pass, priority, group, member).await? {
            return Some(Lesson::MembersProbed);
        }
        self.is_told_by_account(pass, priority, group, member).await?.then_some(Lesson::MembersHidden)
    }

    /// A filter finds the group by this member, and not by one that nobody is; none where it can't be asked now.
    pub(super) async fn is_found_by_filter(
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
    pub(super) async fn is_told_by_account(
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
