//! Requests about one group, and what their answers mean, beside what they mean of anything.

use super::losses::Others;
use super::whole::{is_tried, is_unsure};
use super::{GroupPass, GroupStop};
use crate::api::{self, OperationType, RemoteId};
use crate::plan::groups::{
    Change, Group, GroupOperation, GroupVerdict, MEMBERS, Membership, NameForm, at_server, bound_status,
    without_removed,
};
use crate::plan::{Account, Binding, Path, Request, applied_ahead, is_named, is_same_in_domain};
use crate::provisioner::Provisioner;
use crate::provisioner::effects::Effects;
use crate::provisioner::engine::Kind as _;
use crate::provisioner::kubernetes::WriteError;
use crate::provisioner::schedule::limiter::Priority;
use crate::provisioner::schedule::queue::Outcome;
use crate::provisioner::users::whole::TAKEN_FOR_GOOD;
use crate::scim::{Attributes, Class, Error, ObservedQuirks, Resource, WriteMethod, Written};

/// Where more than so many members of a group can't be recorded, the matter is the API server's, and all wait.
const MOST_UNRECORDED: usize = 100;

/// A group of so many members is large.
const LARGE: usize = 1000;

impl<E: Effects> Provisioner<E> {
    /// Where only those may be taken out again whom we brought in, or where that may be declared next, it is on record
    /// before they are: should the answer be lost, they would pass for somebody else's for ever. An exact group's record is
    /// one for all that it declares. False: somebody can't be recorded, and nobody else waits for them, least of all whoever
    /// leaves (promises I17, I20).
    pub(super) async fn record_first(
        &self,
        pass: &mut GroupPass,
        operation: &GroupOperation,
    ) -> Result<bool, GroupStop> {
        let Some(id) = operation.request.target().filter(|_| !operation.change.added.is_empty()) else {
            return Ok(true);
        };
        let before = (pass.status.brought_in.clone(), pass.status.owned_members.clone());
        let mut good = true;
        if is_additive(pass) {
            let coming = Change { added: self.newcomers(pass, operation), removed: Vec::new() };
            if !self.record_members(pass, id, coming).await {
                let unrecorded = self.group_notes.take_unsent(&pass.uid(), &operation.change.added);
                pass.own.unrecorded.extend(unrecorded);
                if pass.own.unrecorded.len() <= MOST_UNRECORDED {
                    return Ok(false);
                }
                good = false;
            }
        } else {
            self.note_owned(pass);
        }
        if good && (&pass.status.brought_in, &pass.status.owned_members) != (&before.0, &before.1) {
            good = self.save_group(&pass.object, &pass.status).await.is_ok();
            self.refresh(pass);
        }
        if good { Ok(true) } else { Err(GroupStop::WithoutStatus(Outcome::Retry)) }
    }

    /// Whom the group declares while it is exact is put into its status.
    pub(super) fn note_owned(&self, pass: &mut GroupPass) {
        let recorded = pass.status.owned_members.as_deref();
        let owned = self.directory.membership(&pass.uid(), |members| members.owned(recorded));
        if let Some(owned) = owned {
            pass.status.owned_members = owned;
        }
    }

    /// What an operation must find in status, should the process not live to hear its answer.
    pub(super) async fn status_ahead(&self, pass: &mut GroupPass, operation: &GroupOperation) -> Result<(), GroupStop> {
        let begins = operation.kind == OperationType::Create && self.begins_record(pass, operation).await?;
        match operation.kind {
            _ if begins => {}
            // Where drift is left, what is about to be sent must not pass for what others did (promise I9).
            OperationType::Update if !pass.session.policy.repair.attributes || self.is_contested(pass) => {
                let paths: Vec<String> = operation.attributes.iter().map(Path::to_string).collect();
                let ahead = applied_ahead(pass.status.applied_attributes.as_deref(), paths.iter().map(String::as_str));
                let Some(ahead) = ahead else { return Ok(()) };
                pass.status.applied_attributes = Some(ahead);
            }
            _ => return Ok(()),
        }
        match self.save_group(&pass.object, &pass.status).await {
            Ok(()) => {
                self.refresh(pass);
                Ok(())
            }
            Err(WriteError::Gone) => Err(GroupStop::WithoutStatus(Outcome::Done)),
            Err(_) => Err(GroupStop::WithoutStatus(Outcome::Retry)),
        }
    }

    /// So many members aren't asked to be shown with each change: the next sweep reads them.
    pub(super) fn is_large(&self, pass: &GroupPass) -> bool {
        let readable = pass.session.policy.profile.members_readable.with_group();
        let present = self.directory.membership(&pass.uid(), |members| members.present());
        readable && present.unwrap_or(0) >= LARGE
    }

    pub(super) async fn group_took_effect(
        &self,
        pass: &mut GroupPass,
        operation: GroupOperation,
        written: Written,
    ) -> Result<Option<Outcome>, GroupStop> {
        // The next change is laid over what is there then.
        pass.own.whole = None;
        let (added, removed) = (operation.change.added.len(), operation.change.removed.len());
        self.surroundings.metrics.members(&self.key.to_string(), added, removed);
        match (&operation.request, &written.resource) {
            // The engine forgot it.
            (Request::Delete { .. }, _) => {}
            (Request::Create(_), Some(resource)) => {
                pass.status = at_server(&pass.status, pass.server());
                pass.status.id = resource.id().map(str::to_owned);
                self.name_sent(pass, None, NameForm::default());
                let declared = &pass.object.spec.display_name;
                let shown = Group::shown_name(resource).filter(|shown| is_same_in_domain(shown, declared));
                pass.status.display_name = Some(shown.unwrap_or(declared).to_owned());
                pass.status.brought_in = None;
                pass.status.owned_members = None;
                pass.status.left_members = None;
                pass.status.applied_attributes = Some(String::new());
                let added = operation.change.added;
                self.directory.membership(&pass.uid(), |members| {
                    members.forget();
                    members.begin_empty();
                    members.added(&added);
                });
                self.note_owned(pass);
                self.group_created(pass, resource);
                // An answer without a name isn't the group as it is.
                let whole = Group::shown_name(resource).map(|_| resource.clone());
                pass.account =
                    Some(whole.map_or(Account::Unknown, |resource| Account::Found { resource, fresh: true }));
                // The id is on record before anything else is done with it.
                self.settle(pass, &GroupVerdict::default(), Outcome::Again).await;
                self.refresh(pass);
                if let Some(id) = pass.status.id.clone().filter(|_| !added.is_empty())
                    && !self.record_members(pass, &id, Change { added, removed: Vec::new() }).await
                {
                    return Ok(Some(self.settle(pass, &GroupVerdict::default(), Outcome::Retry).await));
                }
            }
            (Request::Patch { id, .. } | Request::Put { id, .. }, shown) => {
                let (id, others) = (id.clone(), self.others(pass, &operation));
                return self.group_changed(pass, &id, operation, others, shown.as_ref()).await;
            }
            (Request::Create(_), None) => pass.account = Some(Account::Unknown),
        }
        Ok(None)
    }

    /// A PATCH went through: an answer without the group is as good, and the next sweep looks.
    async fn group_changed(
        &self,
        pass: &mut GroupPass,
        id: &str,
        operation: GroupOperation,
        others: Others,
        shown: Option<&Resource>,
    ) -> Result<Option<Outcome>, GroupStop> {
        let GroupOperation { attributes, change, .. } = operation;
        self.in_mirror(pass, |store| {
            store.sightings.shown(id);
            if attributes == [Path::core(MEMBERS)] {
                store.members_changed(id);
            }
        });
        if attributes != [Path::core(MEMBERS)] {
            self.group_named(pass, id, &attributes, shown).await;
            self.look_for_others(pass, id, &others).await;
            return Ok(None);
        }
        if pass.session.policy.profile.write_groups == WriteMethod::Patch {
            pass.session.seen.take_in(ObservedQuirks::group_patched);
        }
        pass.own.sent.extend(change.added.iter().chain(&change.removed).cloned());
        pass.own.taken_out.extend(change.removed.iter().cloned());
        if let Some(shown) = shown {
            let (priority, parts) = (Priority::Write, (&*change.added, &*change.removed));
            self.find_out_whether_all_are_shown(pass, priority, (shown, false), parts).await;
        }
        let tells = shown.is_some_and(|shown| self.members_told(pass, shown, false).is_some());
        // An answer may show what was: it proves nothing of those whom the request doesn't name, nor of another form.
        let looked = if !others.is_empty() || is_tried(pass) || (!tells && is_unsure(pass, &change)) {
            self.look_again(pass, id, &change).await
        } else {
            shown.cloned().map(|shown| (shown, false))
        };
        let epoch = pass.session.epoch;
        let looked = looked.map(|(shown, by_reading)| (self.with_member_ids(epoch, &shown).into_owned(), by_reading));
        let still = looked.as_ref().and_then(|(shown, by_reading)| self.members_told(pass, shown, *by_reading));
        let (still, out) = match still {
            None => self.asked_one_by_one(pass, id, &change, shown).await.unzip(),
            known => (known, None),
        };
        let Change { added, removed } = change;
        // Whoever is still in stays whoever is to go.
        let is_in = |id: &RemoteId| still.as_ref().is_some_and(|still| still.contains(id));
        let (stuck, removed): (Vec<RemoteId>, Vec<RemoteId>) = removed.into_iter().partition(is_in);
        self.directory.membership(&pass.uid(), |members| {
            members.added(&added);
            members.removed(&removed);
            members.lose(out.as_deref().unwrap_or_default());
        });
        let thrown = match &still {
            Some(still) if !others.is_empty() => self.note_losses(pass, &others, still, &stuck).await,
            _ => Vec::new(),
        };
        self.repaired(pass);
        let back = pass.own.lost && added.iter().any(is_in);
        let helped = stuck.is_empty() && thrown.is_empty() && (!removed.is_empty() || back);
        if thrown.is_empty() && is_tried(pass) {
            self.learn_whole_groups(pass, helped);
        } else if helped && still.is_some() {
            pass.session.seen.take_in(ObservedQuirks::taken_out);
        }
        if added.iter().any(is_in) {
            pass.session.seen.take_in(ObservedQuirks::put_in);
        }
        if let Some((shown, by_reading)) = &looked {
            self.group_shown(pass, shown, *by_reading);
        }
        pass.status.owned_members = without_removed(pass.status.owned_members.as_deref(), &removed);
        // Those who came were on record before.
        let change = Change { added: if is_additive(pass) { Vec::new() } else { added }, removed };
        let departed = self.after_removal(&change);
        // What can't be recorded now is owed, and keeps nobody else waiting.
        self.record_members(pass, id, change).await;
        self.requeue_departing(departed);
        let more = self.directory.membership(&pass.uid(), |members| {
            let unsent = |id: &&RemoteId| !pass.own.sent.contains(*id);
            members.missing().iter().any(|id| unsent(&id)) || members.extra().iter().any(|id| unsent(&id))
        });
        if more == Some(true) && pass.own.sent.len() >= pass.session.policy.profile.members_at_once() {
            // At the end of its lane: a large group keeps nobody else waiting.
            return Ok(Some(self.settle(pass, &GroupVerdict::default(), Outcome::Again).await));
        }
        Ok(None)
    }

    /// What a refusal means that is special to groups; none where it means what it means of anything.
    pub(super) async fn group_refused(
        &self,
        pass: &mut GroupPass,
        operation: &GroupOperation,
        error: &Error,
    ) -> Option<Result<(), GroupStop>> {
        if self.is_already_so(pass, operation, error).await {
            return Some(Ok(()));
        }
        let change = &operation.change;
        match (error.class(), &operation.request) {
            (Class::Rejected, _) if !change.added.is_empty() && self.sends_references(pass, error) => Some(Ok(())),
            (Class::Rejected, _) if self.names_otherwise_than_refused(pass, operation, error) => Some(Ok(())),
            (Class::Rejected | Class::Unsupported, _) if self.tries_whole_group(pass, operation, error) => {
                self.note_failure(error);
                Some(Ok(()))
            }
            // It is what the server has to say to such a path.
            (Class::Transient, _)
                if error.status() == Some(500)
                    && !change.removed.is_empty()
                    && self.notes.troubles(&pass.uid()) >= TAKEN_FOR_GOOD
                    && self.tries_whole_group(pass, operation, error) =>
            {
                self.note_failure(error);
                Some(Ok(()))
            }
            (Class::Unsupported, _) if !change.removed.is_empty() && !change.added.is_empty() && !pass.own.apart => {
                self.note_failure(error);
                pass.own.apart = true;
                Some(Ok(()))
            }
            (Class::Unsupported, _) if self.patches_all_but_this(pass, operation, error) => {
                self.note_failure(error);
                Some(Ok(()))
            }
            (Class::Unsupported, request) if self.changes_method(pass, request, error, false) => Some(Ok(())),
            // No such route, or no such group: it is read before that is known.
            (Class::NotFound, request @ (Request::Patch { id, .. } | Request::Put { id, .. }))
                if error.may_be_of_a_route() =>
            {
                if let Err(stop) = self.read(pass, id).await {
                    return Some(Err(stop));
                }
                let exists = matches!(pass.account, Some(Account::Found { .. }));
                self.changes_method(pass, request, error, exists).then_some(Ok(()))
            }
            (Class::Precondition, Request::Put { .. }) if !pass.own.read_again => {
                pass.own.read_again = true;
                pass.own.whole = None;
                Some(Ok(()))
            }
            // Whoever leaves doesn't stay on account of somebody who can't come (promise I17).
            (Class::Rejected | Class::NotFound | Class::Forbidden | Class::Conflict | Class::Unsupported, _)
                if !change.removed.is_empty() && !change.added.is_empty() =>
            {
                self.note_failure(error);
                pass.own.apart = true;
                Some(Ok(()))
            }
            (Class::NotFound | Class::Unsupported, Request::Create(_)) => {
                Some(self.take_back_claim(pass).await.and_then(|()| Err(self.no_groups(&pass.session, error))))
            }
            (Class::Rejected, Request::Create(body)) if lacks_members(body, error) => {
                self.note_failure(error);
                self.in_mirror(pass, |known| known.never_empty = true);
                self.prepare(pass);
                Some(self.take_back_claim(pass).await)
            }
            // Refused for what it says: nothing was made.
            (Class::Rejected | Class::Forbidden, Request::Create(_)) => {
                Some(self.take_back_claim(pass).await.and_then(|()| Err(self.failed(pass, error))))
            }
            _ => None,
        }
    }

    /// The object is bound to a group: of this one nothing is known to be as declared.
    pub(super) async fn bind_group(&self, pass: &mut GroupPass, binding: &Binding) -> Result<(), GroupStop> {
        self.carry_record(pass, &binding.id).await?;
        pass.status = bound_status(&pass.status, binding, pass.server());
        if binding.how == OperationType::Handover {
            self.take_over_record(pass, &binding.id).await?;
        }
        // Also of what a creation made whose answer was lost: whoever came with it is in.
        self.directory.membership(&pass.uid(), Membership::forget);
        Ok(())
    }

    /// A second writer keeps changing the members back (promise I9).
    pub(super) fn is_contested(&self, pass: &GroupPass) -> bool {
        !self.notes.contested(&pass.uid(), self.effects.now()).is_empty()
    }

    /// Members that others put in or took out are put back; else they are left so, and what is declared is carried out.
    pub(super) fn repairs_members(&self, pass: &GroupPass) -> bool {
        pass.log.answered.is_some() || (pass.session.policy.repair.attributes && !self.is_contested(pass))
    }

    /// Members were put back, or taken out again, without a change on our side; or, where that is left as it is, some of
    /// them because of one.
    fn repaired(&self, pass: &GroupPass) {
        let uid = pass.uid();
        if self.repairs_members(pass) {
            if self.group_notes.mended(&uid) {
                self.notes.repaired(&uid, &[Path::core(MEMBERS)], self.effects.now());
            }
            return;
        }
        if self.directory.membership(&uid, |members| members.is_by_record()) == Some(true) {
            self.group_notes.mended(&uid);
        } else {
            self.know_what_is_left(pass);
        }
    }
}

/// A creation was refused because nobody is in the group.
fn lacks_members(body: &Attributes, error: &Error) -> bool {
    !body.contains_key(MEMBERS) && error.says_missing() && is_named(error.words(), MEMBERS)
}

/// Who is in is seen, and only whom we brought in may be taken out.
pub(super) fn is_additive(pass: &GroupPass) -> bool {
    let readable = pass.session.policy.profile.members_readable.with_group();
    readable && pass.object.spec.membership == api::Membership::Additive
}
