//! What the server shows of a group and its members.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::json;

use super::{GroupPass, GroupStop};
use crate::api::{GroupDrift, GroupState, Reason, RemoteId, ScimGroupStatus};
use crate::plan::groups::{Change, Group, GroupVerdict, MEMBERS, Membership, same_name};
use crate::plan::{Account, Applied};
use crate::provisioner::Provisioner;
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::Effects;
use crate::provisioner::engine::{Kind as _, looked_for_later, own_error_pause};
use crate::provisioner::mirror::Mirror;
use crate::provisioner::mirror::users::{Known, UserMirror};
use crate::provisioner::schedule::queue::Outcome;
use crate::scim::{Class, Error, MembersReadable, Resource, WriteMethod};

/// What a group is told whose members can't be read.
const UNREADABLE_MEMBERS: &str = "the server shows members without a readable id, so who is in isn't known, and nothing is \
     changed; spec.dialect.membersReadable of the connection set to No makes the operator go by its own record";

/// The members that are declared now are those that were carried out last.
pub(super) fn carried_out(status: &ScimGroupStatus, members: &Membership) -> bool {
    let applied = Applied::read(status.applied_attributes.as_deref(), false);
    applied.has(MEMBERS, Some(&members.fingerprint().into()))
}

impl<E: Effects> Provisioner<E> {
    /// A read showed the group; none where it isn't what was looked for.
    pub(super) fn group_read(&self, pass: &mut GroupPass, resource: Resource) -> Result<Option<Account>, GroupStop> {
        self.name_read(pass, &resource);
        self.group_shown(pass, &resource, true);
        pass.own.looked = true;
        let whole = || self.with_member_ids(pass.session.epoch, &resource).into_owned();
        pass.own.whole = (pass.session.policy.profile.write_groups == WriteMethod::Put).then(whole);
        let readable = pass.session.policy.profile.members_readable.with_group();
        if readable && !resource.members_are_readable() && !pass.is_deleting() {
            return Err(looked_for_later(pass, UNREADABLE_MEMBERS.to_owned()));
        }
        // What was listed under the name that is looked for, and has another by now, isn't what is looked for.
        let fits = self.may_be_its_own(pass, &resource);
        Ok(fits.then(|| Account::Found { resource: Group::without_members(resource), fresh: true }))
    }

    /// A read failed.
    pub(super) fn group_not_read(&self, pass: &GroupPass, error: &Error) -> GroupStop {
        // As Ory Polis refuses to show more than 500.
        if error.is_too_large() || (Group::asks_members(&pass.session) && error.class() == Class::Rejected) {
            let message = format!(
                "{error}; set spec.dialect.membersReadable of the connection to No, and who is in is known from the \
                 operator's own record"
            );
            return self.own_error(pass, Reason::NotSupported, message);
        }
        self.failed(pass, error)
    }

    pub(super) fn may_be_its_own(&self, pass: &GroupPass, resource: &Resource) -> bool {
        let shown = resource.display_name();
        let declared = &pass.object.spec.display_name;
        let claimed = || self.unrecorded_group(pass).map(|claimed| claimed.display_name);
        let named = shown.is_some_and(|shown| same_name(shown, declared)) || claimed().as_deref() == shown;
        named || pass.status.id.is_some() || pass.object.remote_id().is_some()
    }

    /// Takes in a group that an answer showed. Members that aren't shown count as none only where the server shows
    /// them with the group: an empty group may leave the attribute out.
    pub(super) fn group_shown(&self, pass: &GroupPass, resource: &Resource, by_reading: bool) {
        let resource = &*self.with_member_ids(pass.session.epoch, resource);
        let Some(id) = resource.id() else { return };
        if by_reading {
            self.members_are_shown(&pass.session, resource);
            if let Some(name) = Group::shown_name(resource).filter(|_| pass.bound_id() == Some(id)) {
                self.name_was_shown(&pass.uid(), name);
            }
        }
        let told = self.members_told(pass, resource, by_reading);
        let hides = told.as_ref().is_some_and(|told| self.may_hide_who_is_in(pass, told));
        let counted = self.mirror.groups.change(pass.session.epoch, |known| {
            known.apply(resource);
            known.shows_members |= resource.members().is_some();
            known.shows_somebody |= resource.members().is_some_and(|mut shown| shown.next().is_some());
            // The next sweep looks again, whatever the version.
            if told.is_some() && !hides {
                known.members_read(id);
            }
        });
        let Some(shown) = told.filter(|_| counted.is_some()) else { return };
        let counts = pass.status.id.as_deref() == Some(id);
        let repairs = self.repairs_members(pass);
        let dropped = self.may_hide_dropped(pass, &shown, by_reading);
        let shows_somebody = self.mirror.groups.look(|known| known.shows_somebody);
        let found = self.directory.membership(&pass.uid(), |members| {
            let known = members.is_known();
            let (mut lost, foreign) = members.observe(shown);
            if counts {
                members.know_owned(pass.status.owned_members.as_deref(), []);
                if let Some(dropped) = dropped {
                    members.may_hide(pass.status.owned_members.as_deref(), dropped);
                }
            }
            if shows_somebody && by_reading {
                members.doubt_unshown();
            }
            // What this pass put in and the answer doesn't show was never kept, which is another thing.
            lost.retain(|id| !pass.own.sent.contains(id));
            let at_rest = members.missing().is_empty() && members.extra().is_empty();
            let found = (lost.clone(), foreign.len());
            // Read for the first time, and what is declared is what was carried out last: others changed the rest.
            let first = counts && !repairs && !known;
            let all = first && carried_out(&pass.status, members);
            let lost = lost.into_iter().map(|id| (id, true));
            let some = || lost.chain(foreign.into_iter().map(|id| (id, false))).collect::<Vec<_>>();
            let changed = match all {
                true => members.differing(),
                false if first => Self::left_before(pass, members.differing()),
                false => some(),
            };
            (found, at_rest, (changed, all), members.take_lapsed())
        });
        let Some(((lost, mut foreign), at_rest, (mut changed, all), lapsed)) = found.filter(|_| counts) else { return };
        let out = changed.iter().filter(|(_, declared)| *declared).map(|(id, _)| id);
        let inactive = self.wait_for_accounts(pass, lost.iter().chain(out).cloned().collect());
        changed.retain(|(id, declared)| !(*declared && inactive.contains(id)));
        let mut lost = lost.iter().filter(|id| !inactive.contains(*id)).count();
        if !repairs {
            (lost, foreign) = self.leave_changed(pass, changed, all);
        }
        let drift = drift_of_members(lost, foreign);
        if !lapsed.is_empty() {
            self.group_notes.owe_record(&pass.uid(), Change { added: Vec::new(), removed: lapsed });
        }
        if drift != GroupDrift::default() {
            self.group_notes.drifted(&pass.uid(), drift);
        } else if by_reading && (at_rest || !repairs) {
            self.group_notes.mended(&pass.uid());
        }
    }

    /// The members that a group shows; none where that tells nothing of who is in. Where they are shown on request, the answer to
    /// a write doesn't.
    pub(super) fn members_told(
        &self,
        pass: &GroupPass,
        resource: &Resource,
        by_reading: bool,
    ) -> Option<Vec<RemoteId>> {
        if resource.id().is_some_and(|id| self.is_shown_partly(id)) {
            return None;
        }
        let readable = match pass.session.policy.profile.members_readable {
            MembersReadable::OnRequest => by_reading,
            readable => readable.with_group(),
        };
        let shown = resource.members().map(|shown| shown.into_iter().map(RemoteId::from).collect::<Vec<_>>());
        let shown = shown.or_else(|| by_reading.then(Vec::new));
        shown.filter(|_| readable && resource.members_are_readable())
    }

    /// The group with its members by their ids: there are servers that name accounts in groups by their userName.
    pub(super) fn with_member_ids<'a>(&self, epoch: u64, group: &'a Resource) -> Cow<'a, Resource> {
        let id_of = |known: &UserMirror, value: &str| {
            // Nearly all of them.
            if known.shows(value) {
                return None;
            }
            match known.by_identity(value, None) {
                Known::Found(account) => account.id().map(str::to_owned),
                Known::Listed(id) => Some(id),
                _ => None,
            }
        };
        let named = |known: &UserMirror| -> BTreeMap<String, String> {
            let members = group.members().into_iter().flatten();
            members.filter_map(|value| Some((value.to_owned(), id_of(known, value)?))).collect()
        };
        let named = self.mirror.users.look_in(epoch, named).filter(|named| !named.is_empty());
        let Some(named) = named else { return Cow::Borrowed(group) };
        let mut group = group.clone();
        let lists = group.0.iter_mut().filter(|(name, _)| name.eq_ignore_ascii_case(MEMBERS));
        for member in lists.filter_map(|(_, list)| list.as_array_mut()).flatten() {
            let value = member.get("value").unwrap_or(member).as_str();
            match (value.and_then(|value| named.get(value)), member.is_object()) {
                (Some(id), true) => member["value"] = id.as_str().into(),
                (Some(id), false) => *member = json!({"value": id}),
                (None, _) => {}
            }
        }
        Cow::Owned(group)
    }

    /// The server knows no groups: said at each ScimGroup, and nothing else is disturbed.
    pub(super) fn no_groups(&self, session: &Session, error: &Error) -> GroupStop {
        self.mirror.groups.change(session.epoch, |known| known.unsupported = Some(error.to_string()));
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

/// So many members were taken out by others, and so many put in.
pub(super) fn drift_of_members(lost: usize, foreign: usize) -> GroupDrift {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    GroupDrift { attributes: Vec::new(), lost: number(lost), foreign: number(foreign) }
}
