//! A pass over a group begins: what the profile and the record say of its members; and what the object may claim.

use super::super::Provisioner;
use super::super::effects::Effects;
use super::GroupPass;
use super::shown::drift_of_members;
use crate::api::{ClaimedGroup, GroupDrift, Reason, RemoteId, ScimGroup};
use crate::directory::has_finalizer;
use crate::plan::groups::Source;
use crate::scim::MembersReadable as Readable;
use crate::status::ledger;

/// Members are looked at this many at a time, so that nobody waits for the directory meanwhile.
pub(super) const LOOKED_AT: usize = 256;

impl<E: Effects> Provisioner<E> {
    /// The ids of all accounts that the server is known to have.
    pub(super) fn listed_accounts(&self) -> Vec<RemoteId> {
        self.mirror.users.look(|known| known.accounts().map(|(id, ..)| id.into()).collect())
    }

    /// A pass over a group begins.
    pub(super) async fn begin_group(&self, pass: &mut GroupPass) {
        self.prepare(pass);
        // What was rejected of some members keeps nobody else in.
        pass.own.apart |= self.guards.rejects_members(&pass.uid());
        self.note_dropped(pass);
        self.reads_name_again(pass);
        self.flush_record(pass).await;
    }

    /// What the profile says of members, and who is known by name alone, come into the directory.
    pub(super) fn prepare(&self, pass: &GroupPass) {
        let uid = pass.uid();
        let additive = pass.object.spec.membership == crate::api::Membership::Additive;
        let source = match pass.session.policy.profile.members_readable {
            _ if pass.bound_id().is_some_and(|id| self.is_shown_partly(id)) => Source::Ledger,
            Readable::No | Readable::Probe => Source::Ledger,
            _ if additive => Source::Additive,
            _ => Source::Exact,
        };
        let directory = &self.directory;
        let before =
            self.effects.now().checked_sub(self.connection().spec.resync_interval.signed()).unwrap_or_default();
        let known = pass.bound_id().is_some_and(|id| self.knows_who_is_in(id));
        let owned = pass.status.owned_members.as_deref();
        let unseen = owned.is_some() && source == Source::Ledger;
        let accounts = if unseen { self.listed_accounts() } else { Vec::new() };
        let made_with_members = pass.status.id.is_none() && self.mirror.groups.look(|known| known.never_empty);
        directory.membership(&uid, |members| {
            members.set_source(source);
            // Whoever is to be in a group that isn't there yet comes with it.
            if made_with_members && !members.is_known() {
                members.begin_empty();
            }
            if known {
                members.know_dropped(owned, accounts);
            } else {
                members.know_owned(owned, accounts);
            }
            members.expire(before);
            if self.repairs_members(pass) {
                members.repair();
            }
        });
        self.resolve_names(pass);
        if !self.repairs_members(pass) {
            self.know_what_is_left(pass);
        }
        let ledger = ledger(pass.status.removals.iter().flatten());
        self.guards.know_group(&uid, ledger, self.effects.now());
    }

    /// What others changed and is left so: as long as it differs from what is declared, and over a restart (promise I30).
    pub(super) fn know_what_is_left(&self, pass: &GroupPass) {
        let uid = pass.uid();
        let left = self.directory.membership(&uid, |members| members.is_shown().then(|| members.left())).flatten();
        match (left, &pass.status.drift) {
            (Some((0, 0)), _) => _ = self.group_notes.mended(&uid),
            (Some((lost, foreign)), _) => self.group_notes.drifted(&uid, drift_of_members(lost, foreign)),
            (None, Some(recorded)) if recorded.lost > 0 || recorded.foreign > 0 => {
                self.group_notes.had_drifted(&uid, GroupDrift { attributes: Vec::new(), ..recorded.clone() });
            }
            (None, _) => {}
        }
    }

    /// Why the group may not be served through a cluster connection (promise I26).
    pub(super) fn refuses_group(&self, group: &ScimGroup) -> Option<String> {
        let delegated = self.delegated_to(group);
        let members = || group.spec.members.iter().flatten();
        let raw = group.remote_id().is_some() || members().any(|member| member.id.is_some());
        let names = members().filter_map(|member| member.user_name.as_deref());
        delegated.refuses_group(&group.spec.display_name, names, raw)
    }

    /// What the object claims, as far as its namespace may: anybody there could have written it (promise I26).
    pub(super) fn claimed_group(&self, group: &ScimGroup) -> Option<ClaimedGroup> {
        let delegated = self.delegated_to(group);
        group.claimed_group().filter(|claimed| delegated.refuses_group(&claimed.display_name, [], false).is_none())
    }

    /// The group that a creation was sent for, or that was being taken, without a record of what came of it.
    pub(super) fn unrecorded_group(&self, pass: &GroupPass) -> Option<ClaimedGroup> {
        let unrecorded = pass.status.id.is_none() && has_finalizer(&pass.object);
        self.claimed_group(&pass.object).filter(|claimed| unrecorded && claimed.may_be_at(pass.server()))
    }

    /// Why the group that status names isn't to be written to: another object is recorded as bound to it, or it has a name
    /// that the namespace may not have.
    pub(super) fn not_its_own(&self, pass: &GroupPass, shown: Option<&str>) -> Option<(Reason, String)> {
        let id = pass.status.id.as_deref()?;
        // Before anything is told of others.
        let delegated = self.delegated_to(&pass.object);
        let refused = shown.and_then(|shown| delegated.refuses_group(shown, [], false));
        if let Some(refused) = refused.filter(|_| !Self::may_be_removed(pass, shown)) {
            return Some((Reason::NotAllowed, format!("the group that was found is left alone: {refused}")));
        }
        let rival = self.directory.rival_of_group(&pass.object, &id.into(), pass.server(), shown);
        rival.map(|rival| {
            let message = format!(
                "{rival} is recorded as bound to this group ({id}), too, and nothing is written before one of the two is \
                 deleted; status.id is the operator's record, and never to be written by others"
            );
            (Reason::Conflict, message)
        })
    }

    /// Under deletion, and as it was when it was served last: it may have been delegated then, and a person decides.
    fn may_be_removed(pass: &GroupPass, shown: Option<&str>) -> bool {
        pass.is_deleting() && shown.is_some() && shown == pass.status.display_name.as_deref()
    }
}
