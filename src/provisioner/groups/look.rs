//! What the server shows of one group, and how it is looked for.

use super::super::effects::Effects;
use super::super::limiter::{Priority, RequestKind};
use super::super::listing::{Gap, GapIn};
use super::super::look_up::{Hit, SEARCHED_IN_LIST};
use super::super::queue::Outcome;
use super::super::worker::{LOOK_AGAIN, own_error_pause};
use super::super::{Provisioner, lock};
use super::settle::with_way_out;
use super::store::several;
use super::{GroupPass, GroupStop, full_name, is_deleting};
use crate::api::{GroupDrift, GroupState, Reason, ScimGroupStatus};
use crate::plan::groups::{GroupVerdict, MEMBERS, Membership};
use crate::plan::{Account, Applied};
use crate::scim::{Class, Error, Kind, MembersReadable, Resource, Start};

const UNREADABLE_MEMBERS: &str = "the server shows members without a readable id, so who is in isn't known, and nothing is \
     changed; spec.dialect.membersReadable of the connection set to No makes the operator go by its own record";

/// The members that are declared now are those that were carried out last.
fn carried_out(status: &ScimGroupStatus, members: &Membership) -> bool {
    let applied = Applied::read(status.applied_attributes.as_deref(), false);
    applied.has(MEMBERS, Some(&members.fingerprint().into()))
}

impl<E: Effects> Provisioner<E> {
    /// Reads the group, with its members where the server shows them.
    pub(super) async fn read_group(&self, pass: &mut GroupPass, id: &str) -> Result<(), GroupStop> {
        let deadline = self.group_turn(pass, RequestKind::Read, Priority::Write).await?;
        let readable = pass.session.policy.profile.members_readable;
        let asked = readable == MembersReadable::OnRequest;
        match self.effects.get(&pass.session.client, Kind::Groups, id, asked, deadline).await {
            Ok(mut resource) => {
                self.group_shown(pass, &resource, true);
                if readable.with_group() && !resource.members_are_readable() && !is_deleting(&pass.group) {
                    return Err(Self::group_tried_later(pass, UNREADABLE_MEMBERS.to_owned()));
                }
                // They are known now, and a plan looks at the rest alone.
                resource.0.retain(|name, _| !name.eq_ignore_ascii_case("members"));
                // What was listed under the name that is looked for, and has another by now, isn't what is looked for.
                let fits = self.may_be_its_own(pass, &resource);
                pass.account = fits.then_some(Account::Found { resource, fresh: true });
            }
            Err(error) if error.class() == Class::NotFound => {
                pass.account = Some(self.group_not_found(pass, id, &error).await?);
            }
            // As Ory Polis refuses to show more than 500.
            Err(error) if error.is_too_large() || (asked && error.class() == Class::Rejected) => {
                let message = format!(
                    "{error}; set spec.dialect.membersReadable of the connection to No, and who is in is known from the \
                     operator's own record"
                );
                return Err(self.group_error(pass, Reason::NotSupported, message));
            }
            Err(error) => return Err(self.group_failed(pass, &error)),
        }
        Ok(())
    }

    fn may_be_its_own(&self, pass: &GroupPass, resource: &Resource) -> bool {
        let shown = resource.get("displayName").and_then(serde_json::Value::as_str);
        let named = shown == Some(&pass.group.spec.display_name) || shown == self.unrecorded_group(pass);
        named || pass.status.id.is_some() || pass.group.remote_id().is_some()
    }

    /// Takes in a group that an answer showed. Members that aren't shown count as none only where the server shows
    /// them with the group: an empty group may leave the attribute out.
    pub(super) fn group_shown(&self, pass: &GroupPass, resource: &Resource, by_reading: bool) {
        let Some(id) = resource.id() else { return };
        let mut store = lock(&self.groups);
        if !store.is_of(pass.session.epoch) {
            return;
        }
        store.learn(resource);
        let readable = pass.session.policy.profile.members_readable.with_group();
        let shown = resource.members();
        if !readable || !resource.members_are_readable() || (shown.is_none() && !by_reading) {
            return;
        }
        store.members_read(id);
        drop(store);
        let shown: Vec<_> = shown.into_iter().flatten().map(Into::into).collect();
        let counts = pass.status.id.as_deref() == Some(id);
        let repairs = pass.session.policy.repair.attributes;
        let found = self.directory.membership(&pass.uid(), |members| {
            let known = members.is_known();
            let (mut lost, foreign) = members.observe(shown);
            // Read for the first time, and what is declared is what was carried out last: others changed the rest.
            if counts && !repairs && !known && carried_out(&pass.status, members) {
                members.leave_all();
            }
            // What this pass put in and the answer doesn't show was never kept, which is another thing.
            lost.retain(|id| !pass.sent.contains(id));
            let at_rest = members.missing().is_empty() && members.extra().is_empty();
            let mut found = (lost.len(), foreign.len());
            if counts && !repairs {
                members.leave_be(lost.into_iter().chain(foreign));
                found = members.left();
            }
            (found, at_rest)
        });
        let Some(((lost, foreign), at_rest)) = found.filter(|_| counts) else { return };
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let drift = GroupDrift { attributes: Vec::new(), lost: number(lost), foreign: number(foreign) };
        let mut store = lock(&self.groups);
        if drift != GroupDrift::default() {
            store.drift.insert(pass.uid(), drift);
        } else if by_reading && (at_rest || !repairs) {
            store.drift.remove(&pass.uid());
        }
    }

    /// A 404 says nothing before the server answers properly, and then only the second time.
    pub(super) async fn group_not_found(
        &self,
        pass: &GroupPass,
        id: &str,
        error: &Error,
    ) -> Result<Account, GroupStop> {
        let deadline = self.group_turn(pass, RequestKind::Read, Priority::Write).await?;
        let first = Start::first(pass.session.policy.profile.paging);
        match self.effects.page(&pass.session.client, Kind::Groups, &first, 1, deadline).await {
            Ok(page) if page.is_hollow() => {
                let gap = Gap::Hollow(page.total.unwrap_or_default());
                let message = format!("{}; {}", error.without_advice(), GapIn(&gap, Kind::Groups));
                return Err(Self::group_tried_later(pass, message));
            }
            Ok(_) => {}
            Err(probe) => {
                self.doubt();
                return Err(self.group_failed(pass, if probe.class() == Class::NotFound { error } else { &probe }));
            }
        }
        let mut store = lock(&self.groups);
        if store.is_of(pass.session.epoch) && store.missing(id, self.effects.now()) {
            store.forget(id);
            Ok(Account::Absent { fresh: true })
        } else {
            Ok(Account::Missing)
        }
    }

    /// Looks for the group by its name: first by the one that was claimed without a record of what came of it, which may
    /// be another than the one declared now.
    pub(super) async fn find_group(&self, pass: &mut GroupPass) -> Result<(), GroupStop> {
        pass.creations.searched = true;
        let wanted = pass.group.spec.display_name.clone();
        let claimed = self.unrecorded_group(pass).map(str::to_owned);
        if let Some(claimed) = claimed.as_deref().filter(|claimed| *claimed != wanted) {
            let hits = self.groups_named(pass, claimed).await?;
            if let Some(made) = self.group_claimed(pass, &hits) {
                self.group_found(pass, made.clone());
                return Ok(());
            }
        }
        let mut hits = self.groups_named(pass, &wanted).await?;
        let made = self.group_claimed(pass, &hits).filter(|_| claimed.as_deref() == Some(&wanted)).cloned();
        match (made, hits.len()) {
            (Some(made), _) => self.group_found(pass, made),
            (None, 0) => pass.account = Some(Account::Absent { fresh: true }),
            (None, 1) => self.group_found(pass, hits.remove(0)),
            (None, _) => pass.account = Some(Account::Contradictory(several())),
        }
        Ok(())
    }

    fn group_found(&self, pass: &mut GroupPass, hit: Hit) {
        pass.account = Some(match hit {
            Hit::Shown(resource) => {
                self.learn_shown(pass, &resource);
                Account::Found { resource, fresh: true }
            }
            Hit::Listed(id) => Account::Listed(id),
        });
    }

    /// The group that was claimed, unless somebody else holds it by now; among namesakes none is certain to be ours.
    fn group_claimed<'a>(&self, pass: &GroupPass, hits: &'a [Hit]) -> Option<&'a Hit> {
        let server = &pass.session.policy.server;
        let held = |hit: &Hit| {
            let claims = self.directory.group_claims(&pass.group, server, hit.id());
            claims.holder.is_some_and(|holder| holder.has_account)
        };
        let mut free = hits.iter().filter(|hit| !held(hit));
        free.next().filter(|_| free.next().is_none())
    }

    /// The groups of this displayName, each hit checked: by a filter, and where that proves nothing, in the whole list.
    async fn groups_named(&self, pass: &GroupPass, name: &str) -> Result<Vec<Hit>, GroupStop> {
        let profile = &pass.session.policy.profile;
        if !profile.filters.is_empty() || !profile.list_groups {
            let deadline = self.group_turn(pass, RequestKind::Read, Priority::Write).await?;
            match self.effects.find(&pass.session.client, Kind::Groups, "displayName", name, deadline).await {
                Ok(found) if found.all || !found.hits.is_empty() || !profile.list_groups => {
                    return Ok(found.hits.into_iter().map(Hit::Shown).collect());
                }
                Ok(_) => {}
                Err(error) if error.class() == Class::Rejected && profile.list_groups => {
                    self.note_failure(&full_name(&pass.group), &error);
                }
                Err(error) if matches!(error.class(), Class::NotFound | Class::Unsupported) => {
                    return Err(self.no_groups(&error));
                }
                Err(error) => return Err(self.group_failed(pass, &error)),
            }
        }
        self.groups_listed(pass, name)
    }

    /// The same by a complete listing that began after this was asked.
    fn groups_listed(&self, pass: &GroupPass, name: &str) -> Result<Vec<Hit>, GroupStop> {
        let uid = pass.uid();
        let mut store = lock(&self.groups);
        let asked_before = store.sightings.is_searching(&uid);
        if store.is_of(pass.session.epoch) && store.sightings.search(&uid) {
            return Ok(store.named(name).into_iter().map(Hit::Listed).collect());
        }
        drop(store);
        if !asked_before {
            self.ask_for_sweep();
        }
        Err(Self::group_tried_later(pass, SEARCHED_IN_LIST.to_owned()))
    }

    /// What the server showed, unless the connection leads elsewhere by now.
    pub(super) fn learn_shown(&self, pass: &GroupPass, resource: &Resource) {
        let mut store = lock(&self.groups);
        if store.is_of(pass.session.epoch) {
            store.learn(resource);
        }
    }

    /// It can't be told yet: it is looked at again in a minute, or as soon as the list is complete.
    fn group_tried_later(pass: &GroupPass, message: String) -> GroupStop {
        let verdict = GroupVerdict {
            reason: Some(Reason::Pending),
            message: with_way_out(&pass.group, message),
            state: Some(if is_deleting(&pass.group) { GroupState::Deleting } else { GroupState::Pending }),
            ..GroupVerdict::default()
        };
        GroupStop::With(Box::new(verdict), Outcome::After(LOOK_AGAIN))
    }

    /// The server knows no groups: said at each ScimGroup, and nothing else is disturbed.
    pub(super) fn no_groups(&self, error: &Error) -> GroupStop {
        lock(&self.groups).unsupported = Some(error.to_string());
        let verdict = GroupVerdict {
            reason: Some(Reason::NotSupported),
            message: format!("this server has no groups: {error}"),
            state: Some(GroupState::Failed),
            executed: true,
            ..GroupVerdict::default()
        };
        GroupStop::With(Box::new(verdict), Outcome::After(own_error_pause(0)))
    }
}
