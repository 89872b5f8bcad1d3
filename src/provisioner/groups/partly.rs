//! Servers that show the first so many members of a group alone: a reading that lacks somebody who is in is none of all
//! (promise I11). Such a group goes by our own record, and is never replaced whole: whoever isn't shown would be out.

use std::collections::HashSet;

use super::GroupPass;
use super::shown::carried_out;
use crate::api::RemoteId;
use crate::plan::groups::Change;
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::scim::{Kind, ObservedQuirks, Resource, WriteMethod};

/// No server shows so few alone.
const FEWEST: usize = 5;

/// So many are asked for one by one after a request.
const MOST_ASKED: usize = 20;

/// Nobody has this id: whoever says that it is in a group heeds no filter.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

impl<E: Effects> Provisioner<E> {
    /// The server shows a part of the group's members alone.
    pub(super) fn is_shown_partly(&self, id: &str) -> bool {
        self.mirror.groups.look(|known| known.partly.contains_key(id))
    }

    /// The same, and this process has seen who is in.
    pub(super) fn knows_who_is_in(&self, id: &str) -> bool {
        self.mirror.groups.look(|known| known.partly.get(id) == Some(&true))
    }

    /// Somebody is in by all that is known, or was just put in, and isn't shown: whether they are out, or the group isn't
    /// shown whole.
    pub(super) async fn find_out_whether_all_are_shown(
        &self,
        pass: &GroupPass,
        priority: Priority,
        (shown, by_reading): (&Resource, bool),
        (added, removed): (&[RemoteId], &[RemoteId]),
    ) {
        let resource = self.with_member_ids(pass.session.epoch, shown);
        let Some(id) = resource.id().filter(|id| pass.bound_id() == Some(*id)) else { return };
        let Some(shown) = self.members_told(pass, &resource, by_reading).filter(|shown| shown.len() >= FEWEST) else {
            return;
        };
        let shown: HashSet<RemoteId> = shown.into_iter().collect();
        let hidden = self.directory.membership(&pass.uid(), |members| {
            let is_hidden = |id: &&RemoteId| !shown.contains(*id) && !removed.contains(*id);
            if members.is_shown() {
                return added.iter().chain(members.here()).find(is_hidden).cloned();
            }
            // A process that has just begun: what is declared is what was carried out last.
            members.wanted().find(is_hidden).filter(|_| carried_out(&pass.status, members)).cloned()
        });
        let Some(hidden) = hidden.flatten() else { return };
        if self.is_in_all_the_same(pass, priority, id, hidden.as_str()).await == Some(true) {
            // What is on record is written before anybody is put in: this process knows better.
            let known = self.directory.membership(&pass.uid(), |members| {
                let here: Vec<RemoteId> = members.wanted().filter(|id| members.is_here(id)).cloned().collect();
                for id in &here {
                    members.own(id);
                }
                members.is_shown()
            });
            let known = known == Some(true);
            self.mirror.groups.change(pass.session.epoch, |mirror| mirror.partly.insert(id.to_owned(), known));
            self.prepare(pass);
        }
    }

    /// Of those whom a request named, who is in after it, and who isn't: asked one by one, where a group shows a part of its members alone.
    /// None where that isn't so, or is known of such requests.
    pub(super) async fn asked_one_by_one(
        &self,
        pass: &GroupPass,
        id: &str,
        Change { added, removed }: &Change,
        shown: Option<&Resource>,
    ) -> Option<(Vec<RemoteId>, Vec<RemoteId>)> {
        let known = |look: fn(&ObservedQuirks) -> bool| {
            pass.session.policy.profile.write_groups == WriteMethod::Patch && pass.session.seen.look(look)
        };
        let asks_of = |ids: &[RemoteId], known: bool| if known { Vec::new() } else { ids.to_vec() };
        let asked =
            [asks_of(removed, known(ObservedQuirks::takes_out)), asks_of(added, known(ObservedQuirks::puts_in))];
        if !self.is_shown_partly(id) || asked.iter().all(Vec::is_empty) {
            return None;
        }
        let shown = shown.map(|shown| self.with_member_ids(pass.session.epoch, shown).into_owned());
        let shown: HashSet<String> = shown.iter().filter_map(Resource::members).flatten().map(str::to_owned).collect();
        let (mut still, mut out) = (Vec::new(), Vec::new());
        for member in asked.into_iter().flatten().take(MOST_ASKED) {
            let seen = shown.contains(member.as_str());
            if seen || self.is_in_all_the_same(pass, Priority::Write, id, member.as_str()).await? {
                still.push(member);
            } else {
                out.push(member);
            }
        }
        Some((still, out))
    }

    /// The server says by another way that the account is in the group.
    async fn is_in_all_the_same(
        &self,
        pass: &GroupPass,
        priority: Priority,
        group: &str,
        member: &str,
    ) -> Option<bool> {
        let client = &pass.session.client;
        let deadline = self.in_turn(&pass.session, RequestKind::Read, priority).await?;
        if let Ok(true) = self.effects.is_member(client, group, member, deadline).await {
            let deadline = self.in_turn(&pass.session, RequestKind::Read, priority).await?;
            let heeded = self.effects.is_member(client, group, NOBODY, deadline).await.is_ok_and(|found| !found);
            if heeded {
                return Some(true);
            }
        }
        let deadline = self.in_turn(&pass.session, RequestKind::Read, priority).await?;
        let account = self.effects.get(client, Kind::Users, member, false, deadline).await.ok()?;
        let groups = account.get("groups")?.as_array()?;
        Some(groups.iter().any(|known| known["value"] == group))
    }
}
