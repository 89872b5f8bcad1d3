//! Servers that refuse to put in whoever is in a group, and to take out whoever isn't. Where a group shows its members a
//! reading tells that; where it shows nobody, the server is asked, or taken at its word.

use tracing::debug;

use super::GroupPass;
use super::hidden::Told;
use super::requests::is_additive;
use crate::api::{self, RemoteId};
use crate::plan::Path;
use crate::plan::groups::{Change, GroupOperation, MEMBERS, Membership, without_removed};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::scim::{Class, Error, Kind, Lesson, MembersReadable};

/// What servers say of one who is in.
const IN: [&str; 8] = [
    "already a member",
    "already in the group",
    "already in this group",
    "already in group",
    "already assigned",
    "already been added",
    "duplicate member",
    "duplicate reference",
];

/// What they say of one who isn't.
const OUT: [&str; 5] = ["not a member", "isn't a member", "is no member", "no such member", "not in the group"];

impl<E: Effects> Provisioner<E> {
    /// A request about one member was refused, and they are in, or out, as they are to be: that is on record now.
    pub(super) async fn is_already_so(&self, pass: &mut GroupPass, operation: &GroupOperation, error: &Error) -> bool {
        let about_it = matches!(error.class(), Class::Rejected | Class::Conflict | Class::NotFound);
        let change = &operation.change;
        let (comes, member) = match (&*change.added, &*change.removed) {
            ([one], []) => (true, one.clone()),
            ([], [one]) => (false, one.clone()),
            _ => return false,
        };
        let hides = || {
            let by_record = self.directory.membership(&pass.uid(), |members| members.is_by_record());
            by_record == Some(true) || !self.mirror.groups.look(|known| known.shows_somebody)
        };
        let alone = operation.attributes == [Path::core(MEMBERS)];
        let Some(id) = pass.bound_id().map(str::to_owned) else { return false };
        // A removal that met the server's trouble is only tried again: access that stays must not pass for one that ended.
        if !(alone && (about_it || comes && error.status() == Some(500)) && hides()) {
            return false;
        }
        // Whom others put in is theirs: nobody here takes them out later (Additive).
        let may_be_ours = || self.directory.membership(&pass.uid(), |members| members.may_be_ours(&member));
        if comes && pass.object.spec.membership == api::Membership::Additive && may_be_ours() != Some(true) {
            return false;
        }
        let words = if comes { &IN[..] } else { &OUT[..] };
        let is_so = match self.is_in(pass, &id, &member).await {
            None => false,
            Some(Some(is_in)) => is_in == comes,
            Some(None) => about_it && says(error, words) && self.is_there(pass, &id).await,
        };
        if is_so {
            debug!(%member, comes, "as it is to be already: {error}");
            pass.split.take(&operation.parts());
            self.take_as_done(pass, &id, change.clone()).await;
        }
        is_so
    }

    /// Whether the account is in the group, if anything tells that; none where it can't be asked now.
    async fn is_in(&self, pass: &GroupPass, group: &str, member: &RemoteId) -> Option<Option<bool>> {
        match self.told_of_one(pass, Priority::Write, group, member).await? {
            Told::In(_) => Some(Some(true)),
            // Whoever isn't found by what finds the others isn't in.
            Told::Denied | Told::Nothing if pass.session.policy.profile.members_readable == MembersReadable::Probe => {
                let deadline = self.in_turn(&pass.session, RequestKind::Read, Priority::Write).await?;
                let client = &pass.session.client;
                let found = self.effects.is_member(client, group, member.as_str(), deadline).await;
                Some(found.ok().filter(|found| !found))
            }
            // An empty list of groups denies only where such a list was seen to have somebody's groups.
            Told::Denied if self.has_learnt(&Lesson::MembersHidden) => Some(Some(false)),
            Told::Denied | Told::Nothing => Some(None),
        }
    }

    async fn is_there(&self, pass: &GroupPass, group: &str) -> bool {
        let Some(deadline) = self.in_turn(&pass.session, RequestKind::Read, Priority::Write).await else {
            return false;
        };
        self.effects.get(&pass.session.client, Kind::Groups, group, false, deadline).await.is_ok()
    }

    /// As if the request had done it.
    async fn take_as_done(&self, pass: &mut GroupPass, id: &str, change: Change) {
        pass.own.sent.extend(change.added.iter().chain(&change.removed).cloned());
        pass.own.taken_out.extend(change.removed.iter().cloned());
        self.directory.membership(&pass.uid(), |members: &mut Membership| {
            members.added(&change.added);
            members.removed(&change.removed);
        });
        pass.status.owned_members = without_removed(pass.status.owned_members.as_deref(), &change.removed);
        let Change { added, removed } = change;
        // Those who came were on record before.
        let change = Change { added: if is_additive(pass) { Vec::new() } else { added }, removed };
        let departed = self.after_removal(&change);
        self.record_members(pass, id, change).await;
        self.requeue_departing(departed);
    }
}

fn says(error: &Error, words: &[&str]) -> bool {
    let told = error.detail().map(str::to_lowercase).unwrap_or_default();
    words.iter().any(|words| told.contains(words))
}
