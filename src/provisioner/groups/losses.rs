//! Servers that take out others than those whom a request names: for `remove members[value eq "7"]` everybody, for `add`
//! everybody who was in before, for several removals at once the wrong ones. Before the first request of a kind the group is
//! read, and after it; whoever was in and isn't any more was taken out by it, is put in again, and it isn't sent again.

use std::collections::{BTreeSet, HashSet};

use kube::runtime::events::EventType;

use super::whole::is_tried;
use super::{GroupPass, GroupStop};
use crate::api::RemoteId;
use crate::plan::Account;
use crate::plan::groups::{Change, GroupOperation, KeptMembers, kinds_of, part};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::scim::{GroupChange, ObservedQuirks, WriteMethod};

/// What is told of changes that aren't sent because others would be taken out by them.
const THROWS_OUT: &str = "at this server a request of this kind took out others, too, who were put in again; it isn't sent any more, \
     and the server is to be corrected, or spec.dialect.writeGroups of the connection set to Put if it replaces groups properly";

/// Those who are in, whom a request doesn't name, and of whom it isn't known what it does to them.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// What the request is.
    kinds: Vec<GroupChange>,
    /// Who they are.
    ids: HashSet<RemoteId>,
}

impl Others {
    /// Nothing is to be found out.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl<E: Effects> Provisioner<E> {
    /// Before a request of which it isn't known what it does to members whom it doesn't name, they are read. False: the group
    /// isn't there.
    pub(super) async fn look_before(
        &self,
        pass: &mut GroupPass,
        operation: &GroupOperation,
    ) -> Result<bool, GroupStop> {
        let id = operation.request.target().filter(|_| !pass.own.looked && self.is_uncertain(pass, operation));
        let Some(id) = id else { return Ok(true) };
        self.read(pass, id).await?;
        Ok(matches!(pass.account, Some(Account::Found { .. })))
    }

    /// Members are in whom the operation doesn't name, and it is of a kind that was never seen to leave such in.
    fn is_uncertain(&self, pass: &GroupPass, operation: &GroupOperation) -> bool {
        let seen = |kind: &GroupChange| pass.session.seen.look(|seen| seen.spares(*kind));
        let kinds = kinds_of(&operation.request, &operation.change);
        let named = |id: &RemoteId| operation.change.removed.contains(id);
        let others =
            || self.directory.membership(&pass.uid(), |members| members.is_shown() && !members.here().all(named));
        pass.session.policy.profile.learns && !kinds.iter().all(seen) && others() == Some(true)
    }

    /// Those who must still be in after an operation that is of no kind known to leave them in.
    pub(super) fn others(&self, pass: &GroupPass, operation: &GroupOperation) -> Others {
        let profile = &pass.session.policy.profile;
        let mut kinds = kinds_of(&operation.request, &operation.change);
        kinds.retain(|kind| !pass.session.seen.look(|seen| seen.spares(*kind)));
        // Only what was read right before tells that it was this request.
        if kinds.is_empty() || !profile.learns || !pass.own.looked {
            return Others::default();
        }
        let here = self.directory.membership(&pass.uid(), |members| {
            members.is_shown().then(|| members.here().cloned().collect::<HashSet<RemoteId>>())
        });
        let mut ids = here.flatten().unwrap_or_default();
        operation.change.removed.iter().for_each(|id| _ = ids.remove(id));
        Others { kinds, ids }
    }

    /// Attributes were written: whether everybody is still in.
    pub(super) async fn look_for_others(&self, pass: &mut GroupPass, id: &str, others: &Others) {
        if others.is_empty() {
            return;
        }
        let looked = self.look_again(pass, id, &Change::default()).await;
        let Some((shown, by_reading)) = looked else { return };
        let shown = self.with_member_ids(pass.session.epoch, &shown).into_owned();
        if let Some(still) = self.members_told(pass, &shown, by_reading) {
            self.note_losses(pass, others, &still, &[]).await;
            self.group_shown(pass, &shown, by_reading);
        }
    }

    /// These were in after the request; `stuck`: who was to go, and is among them. Returns whom it took out unasked.
    pub(super) async fn note_losses(
        &self,
        pass: &mut GroupPass,
        others: &Others,
        still: &[RemoteId],
        stuck: &[RemoteId],
    ) -> Vec<RemoteId> {
        let still: HashSet<&RemoteId> = still.iter().collect();
        let mut thrown: Vec<RemoteId> = others.ids.iter().filter(|id| !still.contains(id)).cloned().collect();
        let all = thrown.len() == others.ids.len();
        if thrown.is_empty() {
            pass.session.seen.take_in(|seen| others.kinds.iter().for_each(|kind| seen.spared(*kind)));
            return thrown;
        }
        let wrong = !stuck.is_empty() && others.kinds.contains(&GroupChange::Removals);
        // Some alone, or the only one beside who was taken out: others did that at this very moment, or their accounts are gone.
        let removal = others.kinds.iter().any(|kind| matches!(kind, GroupChange::Removal | GroupChange::Removals));
        let by_chance = !all || (removal && thrown.len() == 1);
        if by_chance && !wrong {
            return Vec::new();
        }
        pass.session.seen.take_in(|seen| others.kinds.iter().for_each(|kind| seen.threw_out(*kind)));
        thrown.sort_unstable();
        if wrong {
            // One by one they may go.
            pass.own.sent.retain(|id| !stuck.contains(id));
            pass.own.taken_out.retain(|id| !stuck.contains(id));
        }
        if !wrong && self.replaces_whole_group(pass, THROWS_OUT.to_owned()) {
            pass.own.lost = true;
            pass.own.sent.retain(|id| !thrown.contains(id));
        } else {
            // What one addition takes out another one would, too.
            thrown.retain(|id| !pass.own.sent.contains(id));
        }
        self.directory.membership(&pass.uid(), |members| members.throw_out(&thrown));
        self.tell_of_losses(pass, thrown.len()).await;
        thrown
    }

    async fn tell_of_losses(&self, pass: &GroupPass, count: usize) {
        let how = if is_tried(pass) { "groups are replaced whole" } else { "no such request is sent" };
        let note = format!(
            "a request about this group took {count} members out whom it didn't name: the server does otherwise than RFC 7644 \
             says. They are put in again, and {how} from now on"
        );
        self.tell(pass, EventType::Warning, "MembersTakenOut", &note).await;
    }

    /// Of those whom an operation puts in: who isn't put back.
    pub(super) fn newcomers(&self, pass: &GroupPass, operation: &GroupOperation) -> Vec<RemoteId> {
        let mut coming = operation.change.added.clone();
        self.directory.membership(&pass.uid(), |members| coming.retain(|id| !members.is_thrown(id)));
        coming
    }

    /// Whoever is put back was in before, whatever speaks against a new member.
    pub(super) fn let_back_in(&self, pass: &GroupPass, kept: &mut KeptMembers) {
        self.directory.membership(&pass.uid(), |members| kept.coming.retain(|id| !members.is_thrown(id)));
    }

    /// What isn't sent because it would take out others.
    pub(super) fn barred(&self, pass: &GroupPass) -> BTreeSet<String> {
        let mut barred = BTreeSet::new();
        let throws = |kind| pass.session.seen.look(|seen: &ObservedQuirks| seen.throws_out(kind));
        if pass.session.policy.profile.write_groups != WriteMethod::Patch {
            return barred;
        }
        if throws(GroupChange::Removal) {
            self.directory.membership(&pass.uid(), |members| {
                barred.extend(members.extra().iter().map(|id| part(id, false)));
            });
        }
        if throws(GroupChange::Addition) {
            self.directory.membership(&pass.uid(), |members| {
                let new = members.missing().iter().filter(|id| !members.is_thrown(id));
                barred.extend(new.map(|id| part(id, true)));
            });
        }
        if throws(GroupChange::ExternalId) && self.owes_external_id(pass) {
            barred.insert("externalId".to_owned());
        }
        barred
    }

    fn owes_external_id(&self, pass: &GroupPass) -> bool {
        let (declared, id) = (pass.object.spec.external_id.as_deref(), pass.status.id.as_deref());
        match id.map(|id| self.mirror.groups.look(|known| known.by_id(id))) {
            Some(Account::Found { resource, .. }) => declared.is_some() && resource.external_id() != declared,
            _ => false,
        }
    }

    /// That is named; true where it is news.
    pub(super) fn note_barred(&self, pass: &mut GroupPass) -> bool {
        let mut barred = self.barred(pass);
        if !barred.is_empty() {
            let known = self.recorded_resting(pass);
            barred.retain(|part| !known.contains(part));
        }
        for part in &barred {
            self.part_refused(pass, part, THROWS_OUT);
        }
        !barred.is_empty()
    }
}
