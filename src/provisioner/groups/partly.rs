//! Servers that show the first so many members of a group alone: a reading that lacks somebody who is in is none of all
//! (promise I11). Such a group goes by our own record, and is never replaced whole: whoever isn't shown would be out.

use std::collections::HashSet;

use super::GroupPass;
use super::hidden::Told;
use super::shown::carried_out;
use crate::api::RemoteId;
use crate::plan::groups::{Change, Membership};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::mirror::groups::Partly;
use crate::provisioner::schedule::limiter::Priority;
use crate::scim::{ObservedQuirks, Resource, WriteMethod};

/// No server shows so few alone.
const FEWEST: usize = 5;

/// So many are asked for one by one after a request.
const MOST_ASKED: usize = 20;

impl<E: Effects> Provisioner<E> {
    /// The server shows a part of the group's members alone.
    pub(super) fn is_shown_partly(&self, id: &str) -> bool {
        self.mirror.groups.look(|known| known.partly.contains_key(id))
    }

    /// The same, and this process has seen who is in.
    pub(super) fn knows_who_is_in(&self, id: &str) -> bool {
        self.mirror.groups.look(|known| known.partly.get(id).is_some_and(|partly| partly.known))
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
        if by_reading {
            self.see_whether_all_are_shown_again(pass, id, &resource);
        }
        let Some(shown) = self.members_told(pass, &resource, by_reading) else { return };
        if shown.len() < FEWEST {
            if by_reading {
                self.find_out_whether_any_are_shown(pass, priority, id, &shown).await;
            }
            return;
        }
        let shown: HashSet<RemoteId> = shown.into_iter().collect();
        let hidden = self.directory.membership(&pass.uid(), |members| {
            let is_hidden = |id: &&RemoteId| !shown.contains(*id) && !removed.contains(*id);
            if members.is_shown() {
                return added.iter().chain(members.here()).find(is_hidden).cloned();
            }
            // A process that has just begun: what is declared is what was carried out last.
            members.wanted().find(is_hidden).filter(|_| carried_out(&pass.status, members)).cloned()
        });
        let count = shown.len();
        let asked = match hidden.flatten() {
            Some(hidden) => vec![hidden],
            None => self.dropped_and_not_shown(pass, &shown, removed),
        };
        for hidden in asked {
            if !matches!(self.told_of_one(pass, priority, id, &hidden).await, Some(Told::In(_))) {
                continue;
            }
            // What is on record is written before anybody is put in: this process knows better.
            let known = self.directory.membership(&pass.uid(), |members| {
                let here: Vec<RemoteId> = members.wanted().filter(|id| members.is_here(id)).cloned().collect();
                for id in &here {
                    members.own(id);
                }
                members.is_shown()
            });
            let known = known == Some(true);
            self.mirror.groups.change(pass.session.epoch, |mirror| {
                mirror.partly.insert(id.to_owned(), Partly { known, shown: count })
            });
            self.prepare(pass);
            return;
        }
    }

    /// A reading that shows everybody who is in by all that is known, or more than any server with such a bound would, shows
    /// all: what was read before was older than a write of ours.
    fn see_whether_all_are_shown_again(&self, pass: &GroupPass, id: &str, resource: &Resource) {
        let Some(partly) = self.mirror.groups.look(|known| known.partly.get(id).copied()) else { return };
        let shown: HashSet<&str> = resource.members().into_iter().flatten().collect();
        let all = self.directory.membership(&pass.uid(), |members| {
            members.here().next().is_some() && members.here().all(|id| shown.contains(id.as_str()))
        });
        if shown.len() > partly.shown || all == Some(true) {
            self.mirror.groups.change(pass.session.epoch, |mirror| mirror.partly.remove(id));
            self.directory.membership(&pass.uid(), Membership::invalidate);
            self.prepare(pass);
        }
    }

    /// In a process that has just begun: whom the group declared before, and doesn't any more, and who isn't shown.
    fn dropped_and_not_shown(
        &self,
        pass: &GroupPass,
        shown: &HashSet<RemoteId>,
        removed: &[RemoteId],
    ) -> Vec<RemoteId> {
        let recorded = pass.status.owned_members.as_deref();
        if recorded.is_none() || self.directory.membership(&pass.uid(), |members| members.is_shown()) != Some(false) {
            return Vec::new();
        }
        // As nearly always: nobody is left to be looked for among all accounts.
        if self.directory.membership(&pass.uid(), |members| members.covers(recorded, shown)) != Some(false) {
            return Vec::new();
        }
        let accounts = self.listed_accounts();
        let dropped = self.directory.membership(&pass.uid(), |members| members.dropped(recorded, accounts));
        let hidden = |id: &RemoteId| !shown.contains(id) && !removed.contains(id);
        dropped.unwrap_or_default().into_iter().filter(hidden).take(MOST_ASKED).collect()
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
            if shown.contains(member.as_str()) {
                still.push(member);
                continue;
            }
            match self.told_of_one(pass, Priority::Write, id, &member).await? {
                Told::In(_) => still.push(member),
                Told::Denied => out.push(member),
                Told::Nothing => return None,
            }
        }
        Some((still, out))
    }
}
