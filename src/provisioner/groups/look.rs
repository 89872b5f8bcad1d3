//! What the server shows of one group, and how it is looked for.

use jiff::Timestamp;

use super::super::limiter::{Priority, RequestKind};
use super::super::queue::Outcome;
use super::super::worker::own_error_pause;
use super::super::{Provisioner, lock};
use super::store::several;
use super::{GroupPass, GroupStop};
use crate::api::{GroupDrift, GroupState, Reason, ScimGroupStatus};
use crate::plan::groups::{GroupVerdict, MEMBERS, Membership};
use crate::plan::{Account, Applied};
use crate::scim::{Class, Error, Kind, MembersReadable, Resource, Start};

/// The members that are declared now are those that were carried out last.
fn carried_out(status: &ScimGroupStatus, members: &Membership) -> bool {
    let applied = Applied::read(status.applied_attributes.as_deref(), false);
    applied.has(MEMBERS, Some(&members.fingerprint().into()))
}

impl Provisioner {
    /// Reads the group, with its members where the server shows them.
    pub(super) async fn read_group(&self, pass: &mut GroupPass, id: &str) -> Result<(), GroupStop> {
        let deadline = self.group_turn(pass, RequestKind::Read, Priority::Write).await?;
        let readable = pass.session.policy.profile.members_readable;
        let asked = readable == MembersReadable::OnRequest;
        match pass.session.client.get_group(id, asked, deadline).await {
            Ok(mut resource) => {
                lock(&self.memory).seen(&pass.uid());
                self.group_shown(pass, &resource, true);
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
        let Some(id) = resource.id().filter(|_| self.is_current(&pass.session)) else { return };
        let mut store = lock(&self.groups);
        store.learn(resource);
        let readable = pass.session.policy.profile.members_readable.with_group();
        let shown = resource.members();
        if !readable || (shown.is_none() && !by_reading) {
            return;
        }
        store.members_read(id);
        drop(store);
        let shown: Vec<_> = shown.into_iter().flatten().map(Into::into).collect();
        let counts = pass.status.id.as_deref() == Some(id);
        let repairs = pass.session.policy.repair.attributes;
        let found = self.shared.directory.membership(&pass.uid(), |members| {
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
        if let Err(probe) = pass.session.client.list_groups(&first, 1, deadline).await {
            self.doubt();
            return Err(self.group_failed(pass, if probe.class() == Class::NotFound { error } else { &probe }));
        }
        if lock(&self.memory).missing(&pass.uid(), Timestamp::now()) {
            lock(&self.groups).forget(id);
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
        let mut found = None;
        if let Some(claimed) = claimed {
            let hits = self.groups_named(pass, &claimed).await?;
            if let Some(made) = self.group_claimed(pass, &hits) {
                self.learn_shown(pass, made);
                pass.account = Some(Account::Found { resource: made.clone(), fresh: true });
                return Ok(());
            }
            found = (claimed == wanted).then_some(hits);
        }
        let mut found = match found {
            Some(found) => found,
            None => self.groups_named(pass, &wanted).await?,
        };
        pass.account = Some(match found.len() {
            0 => Account::Absent { fresh: true },
            1 => Account::Found { resource: found.remove(0), fresh: true },
            _ => Account::Contradictory(several()),
        });
        if let Some(Account::Found { resource, .. }) = &pass.account {
            self.learn_shown(pass, resource);
        }
        Ok(())
    }

    /// The group that was claimed, unless somebody else holds it by now; among namesakes none is certain to be ours.
    fn group_claimed<'a>(&self, pass: &GroupPass, hits: &'a [Resource]) -> Option<&'a Resource> {
        let server = &pass.session.policy.server;
        let held = |hit: &Resource| {
            let claims = self.shared.directory.group_claims(&pass.group, server, hit.id());
            claims.holder.is_some_and(|holder| holder.has_account)
        };
        let mut free = hits.iter().filter(|hit| !held(hit));
        free.next().filter(|_| free.next().is_none())
    }

    /// The groups of this displayName, each hit checked.
    async fn groups_named(&self, pass: &GroupPass, name: &str) -> Result<Vec<Resource>, GroupStop> {
        let deadline = self.group_turn(pass, RequestKind::Read, Priority::Write).await?;
        match pass.session.client.find(Kind::Groups, "displayName", name, deadline).await {
            Ok(found) => Ok(found),
            Err(error) if matches!(error.class(), Class::NotFound | Class::Unsupported) => Err(self.no_groups(&error)),
            Err(error) => Err(self.group_failed(pass, &error)),
        }
    }

    /// What the server showed, unless the connection leads elsewhere by now.
    pub(super) fn learn_shown(&self, pass: &GroupPass, resource: &Resource) {
        if self.is_current(&pass.session) {
            lock(&self.groups).learn(resource);
        }
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
