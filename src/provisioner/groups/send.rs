//! Requests about one group, and what their answers mean (promise I21).

use kube::ResourceExt;
use tokio::time::Instant;
use tracing::info;

use super::super::effects::Effects;
use super::super::kubernetes::WriteError;
use super::super::limiter::{Priority, RequestKind};
use super::super::queue::Outcome;
use super::super::send::may_have_made;
use super::super::worker::own_error_pause;
use super::super::{Provisioner, lock};
use super::created::exists_unseen;
use super::settle::{at_server, with_way_out};
use super::store::Store;
use super::{GroupPass, GroupStop, full_name, has_finalizer, is_deleting};
use crate::api::{self, GroupState, OperationType, Reason};
use crate::plan::groups::{Change, GroupOperation, GroupVerdict, Id, Membership};
use crate::plan::{Account, Request, applied_ahead};
use crate::scim::{Class, Error, Kind, Resource, Written};

/// A group of so many members is large.
const LARGE: usize = 1000;

impl<E: Effects> Provisioner<E> {
    /// Sends one operation, after the limiter and the finalizer. `Some` ends the pass: more of the same is owed.
    pub(super) async fn send_group(
        &self,
        pass: &mut GroupPass,
        operation: GroupOperation,
    ) -> Result<Option<Outcome>, GroupStop> {
        if operation.kind == OperationType::Create || !has_finalizer(&pass.group) {
            let name = pass.group.spec.display_name.clone();
            self.claim_group(pass, &name).await?;
        }
        self.record_first(pass, &operation).await?;
        self.apply_ahead(pass, &operation).await?;
        if operation.kind == OperationType::Create {
            self.in_store(pass, |store| store.sightings.forget_search(&pass.uid()));
        }
        let removal = !operation.removed.is_empty() || operation.kind == OperationType::Delete;
        let (kind, priority) = match operation.kind {
            OperationType::Create => (RequestKind::Create, Priority::Write),
            _ if removal => (RequestKind::Write, Priority::Removal),
            _ => (RequestKind::Write, Priority::Write),
        };
        let deadline = self.group_turn(pass, kind, priority).await?;
        if !operation.added.is_empty() && pass.session.policy.profile.members_an_hour.is_some() {
            // Whatever comes of it, the server may count it.
            lock(&self.groups).pace.put_in(&pass.uid(), operation.added.len(), self.effects.instant());
        }
        let (known, former) = (self.before_group_creation(pass, &operation), pass.status.id.clone());
        let client = &pass.session.client;
        let bare = self.is_large(pass);
        let answer = self.effects.send(client, Kind::Groups, &operation.request, bare, deadline).await;
        self.audit_group(&pass.group, &pass.status, &operation, &answer);
        pass.creations.sent |= known.is_some() && may_have_made(&answer);
        match answer {
            Ok(written) => match known {
                Some(known) => self.group_was_created(pass, operation, written, &known, former).await,
                None => self.group_took_effect(pass, operation, written).await,
            },
            Err(error) => {
                self.unsee_group(pass, &operation, &error);
                self.group_refused(pass, operation, &error).await.map(|()| None)
            }
        }
    }

    /// Where only those may be taken out again whom we brought in, that is on record before they are: should the answer
    /// be lost, they would pass for somebody else's for ever.
    async fn record_first(&self, pass: &mut GroupPass, operation: &GroupOperation) -> Result<(), GroupStop> {
        let Some(id) = operation.request.target().filter(|_| !operation.added.is_empty() && is_additive(pass)) else {
            return Ok(());
        };
        let before = pass.status.brought_in.clone();
        let coming = Change { added: operation.added.clone(), removed: Vec::new() };
        let mut good = self.record_members(pass, id, coming).await;
        if good && pass.status.brought_in != before {
            good = self.save_group(&pass.group, &pass.status).await.is_ok();
        }
        if good { Ok(()) } else { Err(GroupStop::Silently(Outcome::Retry)) }
    }

    /// Where drift is left, what is about to be sent must not pass for what others did, should its answer be lost.
    async fn apply_ahead(&self, pass: &mut GroupPass, operation: &GroupOperation) -> Result<(), GroupStop> {
        if operation.kind != OperationType::Update || pass.session.policy.repair.attributes {
            return Ok(());
        }
        let paths = operation.attributes.iter().map(String::as_str);
        let Some(ahead) = applied_ahead(pass.status.applied_attributes.as_deref(), paths) else { return Ok(()) };
        pass.status.applied_attributes = Some(ahead);
        match self.save_group(&pass.group, &pass.status).await {
            Ok(_) => Ok(()),
            Err(WriteError::Gone) => Err(GroupStop::Silently(Outcome::Done)),
            Err(_) => Err(GroupStop::Silently(Outcome::Retry)),
        }
    }

    /// So many members aren't asked to be shown with each change: the next sweep reads them.
    fn is_large(&self, pass: &GroupPass) -> bool {
        let readable = pass.session.policy.profile.members_readable.with_group();
        let present = self.directory.membership(&pass.uid(), |members| members.present());
        readable && present.unwrap_or(0) >= LARGE
    }

    /// It may have taken effect: it is read anew before anything rests on what was known (promise I12).
    fn unsee_group(&self, pass: &GroupPass, operation: &GroupOperation, error: &Error) {
        let Some(id) = operation.request.target().filter(|_| error.class().leaves_open()) else { return };
        if operation.attributes == ["members"] {
            self.directory.membership(&pass.uid(), Membership::doubt);
        } else {
            self.in_store(pass, |store| store.unsee(id));
        }
    }

    pub(super) async fn group_took_effect(
        &self,
        pass: &mut GroupPass,
        operation: GroupOperation,
        written: Written,
    ) -> Result<Option<Outcome>, GroupStop> {
        info!(
            object = %full_name(&pass.group),
            operation = ?operation.kind,
            attributes = operation.attributes.join(","),
            added = operation.added.len(),
            removed = operation.removed.len(),
            request_id = written.request_id.as_deref().unwrap_or("-"),
            "done"
        );
        let (metrics, name) = (&self.metrics, self.key.to_string());
        metrics.operation(&name, operation.kind.as_str());
        metrics.members(&name, operation.added.len(), operation.removed.len());
        if let Some(pause) = written.pause {
            self.limiter.pause(pause);
        }
        lock(&self.memory).accepted(&pass.uid());
        pass.recorded.operation = Some((operation.kind, operation.attributes.clone(), written.request_id));
        match (&operation.request, &written.resource) {
            (Request::Delete { id }, _) => {
                self.forget_group(pass, id);
                pass.account = Some(Account::Absent { fresh: true });
            }
            (Request::Create(_), Some(resource)) => {
                pass.status = at_server(&pass.status, &pass.session.policy.server);
                pass.status.id = resource.id().map(str::to_owned);
                pass.status.display_name = Some(pass.group.spec.display_name.clone());
                pass.status.brought_in = None;
                pass.status.applied_attributes = Some(String::new());
                self.directory.membership(&pass.uid(), |members| {
                    members.forget();
                    members.begin_empty();
                });
                self.group_created(pass, resource);
                pass.account = Some(Account::Found { resource: resource.clone(), fresh: true });
                // The id is on record before anything else is done with it.
                self.settle_group(pass, &GroupVerdict::default(), Outcome::Again).await;
                self.refresh(pass);
            }
            (Request::Patch { id, .. } | Request::Put { id, .. }, shown) => {
                let id = id.clone();
                return self.group_changed(pass, &id, operation, shown.as_ref()).await;
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
        shown: Option<&Resource>,
    ) -> Result<Option<Outcome>, GroupStop> {
        let GroupOperation { request, attributes, added, removed, .. } = operation;
        self.in_store(pass, |store| store.sightings.shown(id));
        if attributes != ["members"] {
            pass.written = true;
            self.group_renamed(pass, id, &attributes);
            pass.account = None;
            pass.status.display_name = Some(pass.group.spec.display_name.clone());
            return Ok(None);
        }
        drop(request);
        self.repaired(pass);
        pass.sent.extend(added.iter().chain(&removed).cloned());
        self.directory.membership(&pass.uid(), |members| {
            members.added(&added);
            members.removed(&removed);
        });
        if let Some(shown) = shown {
            self.group_shown(pass, shown, false);
        }
        // Those who came were on record before.
        let change = Change { added: if is_additive(pass) { Vec::new() } else { added }, removed };
        let departed = self.after_removal(&change);
        if !self.record_members(pass, id, change).await {
            return Ok(Some(self.settle_group(pass, &GroupVerdict::default(), Outcome::Retry).await));
        }
        self.requeue_departing(departed);
        let more = self.directory.membership(&pass.uid(), |members| {
            let unsent = |id: &&Id| !pass.sent.contains(*id);
            members.missing().iter().any(|id| unsent(&id)) || members.extra().iter().any(|id| unsent(&id))
        });
        if more == Some(true)
            && pass.sent.len() >= usize::try_from(pass.session.policy.profile.max_members_per_patch).unwrap_or(100)
        {
            // At the end of its lane: a large group keeps nobody else waiting.
            return Ok(Some(self.settle_group(pass, &GroupVerdict::default(), Outcome::Again).await));
        }
        Ok(None)
    }

    fn group_created(&self, pass: &GroupPass, resource: &Resource) {
        self.learn_shown(pass, resource);
        lock(&self.groups).members_read(resource.id().unwrap_or_default());
    }

    fn forget_group(&self, pass: &GroupPass, id: &str) {
        self.in_store(pass, |store| store.forget(id));
    }

    fn group_renamed(&self, pass: &GroupPass, id: &str, attributes: &[String]) {
        let spec = &pass.group.spec;
        self.in_store(pass, |store| {
            store.set(id, "displayName", Some(spec.display_name.clone().into()));
            if attributes.iter().any(|name| name == "externalId") {
                store.set(id, "externalId", spec.external_id.clone().map(Into::into));
            }
        });
    }

    /// Changes what is known, unless the pass is of a time that doesn't count any more.
    fn in_store(&self, pass: &GroupPass, change: impl FnOnce(&mut Store)) {
        let mut store = lock(&self.groups);
        if store.is_of(pass.session.epoch) {
            change(&mut store);
        }
    }

    async fn group_refused(
        &self,
        pass: &mut GroupPass,
        operation: GroupOperation,
        error: &Error,
    ) -> Result<(), GroupStop> {
        match (error.class(), &operation.request) {
            // Whoever leaves doesn't stay on account of somebody who can't come (promise I17).
            (Class::Rejected | Class::NotFound | Class::Forbidden | Class::Conflict | Class::Unsupported, _)
                if !operation.removed.is_empty() && !operation.added.is_empty() =>
            {
                self.note_failure(&full_name(&pass.group), error);
                pass.apart = true;
                Ok(())
            }
            (Class::Conflict, Request::Create(_)) if !pass.looked_up_after_conflict => {
                pass.looked_up_after_conflict = true;
                self.take_back_group_claim(pass).await?;
                self.find_group(pass).await?;
                if matches!(pass.account, Some(Account::Absent { .. })) {
                    let message = exists_unseen(pass, error);
                    return Err(self.group_error(pass, Reason::Conflict, message));
                }
                Ok(())
            }
            (Class::NotFound | Class::Unsupported, Request::Create(_)) => {
                self.take_back_group_claim(pass).await?;
                Err(self.no_groups(error))
            }
            (Class::Empty, Request::Create(_)) => {
                self.unseen_creation(&pass.uid());
                self.doubt();
                self.find_group(pass).await?;
                match pass.account {
                    Some(Account::Found { .. }) => Ok(()),
                    _ => Err(self.group_failed(pass, error)),
                }
            }
            (Class::NotFound, Request::Patch { id, .. } | Request::Put { id, .. } | Request::Delete { id }) => {
                self.look_at_refused_group(pass, id, matches!(operation.request, Request::Delete { .. }), error).await
            }
            // Refused for what it says: nothing was made.
            (Class::Rejected | Class::Forbidden, Request::Create(_)) => {
                self.take_back_group_claim(pass).await?;
                Err(self.group_failed(pass, error))
            }
            _ => Err(self.group_failed(pass, error)),
        }
    }

    /// A 404 to a write says nothing of the group: it is read by its id (promise I12).
    async fn look_at_refused_group(
        &self,
        pass: &mut GroupPass,
        id: &str,
        deleted: bool,
        error: &Error,
    ) -> Result<(), GroupStop> {
        self.read_group(pass, id).await?;
        match &pass.account {
            // What was wanted. Whoever declares the name next must not find it here.
            Some(Account::Missing) if deleted => {
                self.forget_group(pass, id);
                pass.account = Some(Account::Absent { fresh: true });
                Ok(())
            }
            Some(Account::Found { .. }) => {
                self.note_failure(&full_name(&pass.group), error);
                let what = if deleted {
                    "it doesn't delete groups, or not this one"
                } else {
                    "it may not know one of the members, or has no PATCH for groups"
                };
                let message = format!("{}, and still shows the group {id:?}: {what}", error.without_advice());
                Err(self.group_error(pass, Reason::Rejected, message))
            }
            _ => Ok(()),
        }
    }

    /// Waits for the limiter; returns the instant that the request may not outlive.
    pub(super) async fn group_turn(
        &self,
        pass: &GroupPass,
        kind: RequestKind,
        priority: Priority,
    ) -> Result<Instant, GroupStop> {
        self.in_turn(&pass.session, kind, priority).await.ok_or(GroupStop::Silently(Outcome::Paused))
    }

    /// What a failed request means for its group, and whether it casts doubt on the connection.
    pub(super) fn group_failed(&self, pass: &GroupPass, error: &Error) -> GroupStop {
        match self.note_failure(&full_name(&pass.group), error) {
            Class::Throttled => GroupStop::Silently(Outcome::Paused),
            Class::Credential => {
                self.doubt_key();
                Self::try_group_later(pass, error)
            }
            Class::NotScim | Class::Transient | Class::Unreachable | Class::Tls | Class::Timeout | Class::Empty => {
                self.doubt();
                Self::try_group_later(pass, error)
            }
            // Nothing that takes access away waits for a person on account of a form.
            Class::ContentType if is_deleting(&pass.group) || self.members_leave(pass) => {
                Self::try_group_later(pass, error)
            }
            Class::Unsupported => self.group_error(pass, Reason::NotSupported, error.to_string()),
            Class::Conflict => self.group_error(pass, Reason::Conflict, error.to_string()),
            _ => self.group_error(pass, Reason::Rejected, error.to_string()),
        }
    }

    fn members_leave(&self, pass: &GroupPass) -> bool {
        self.directory.membership(&pass.uid(), |members| !members.extra().is_empty()).unwrap_or(false)
    }

    fn try_group_later(pass: &GroupPass, error: &Error) -> GroupStop {
        let verdict = GroupVerdict {
            reason: Some(Reason::Pending),
            message: with_way_out(&pass.group, format!("{error}; it is tried again")),
            state: Some(if is_deleting(&pass.group) { GroupState::Deleting } else { GroupState::Pending }),
            ..GroupVerdict::default()
        };
        GroupStop::With(Box::new(verdict), Outcome::Retry)
    }

    /// The object's own error: it waits for a change on our side, or for an hour and longer.
    pub(super) fn group_error(&self, pass: &GroupPass, reason: Reason, message: String) -> GroupStop {
        let before = lock(&self.memory).rejected(&pass.group.uid().unwrap_or_default());
        let verdict = GroupVerdict {
            reason: Some(reason),
            message: with_way_out(&pass.group, message),
            state: Some(if is_deleting(&pass.group) { GroupState::Deleting } else { GroupState::Failed }),
            executed: true,
            ..GroupVerdict::default()
        };
        GroupStop::With(Box::new(verdict), Outcome::After(own_error_pause(before)))
    }
}

/// Who is in is seen, and only whom we brought in may be taken out.
fn is_additive(pass: &GroupPass) -> bool {
    let readable = pass.session.policy.profile.members_readable.with_group();
    readable && pass.group.spec.membership == api::Membership::Additive
}
