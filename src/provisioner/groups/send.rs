//! Requests about one group, and what their answers mean (promise I21).

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::super::limiter::{Priority, RequestKind};
use super::super::queue::Outcome;
use super::super::send::{UNTOLD_PAUSE, class_name};
use super::super::worker::own_error_pause;
use super::super::{Provisioner, lock};
use super::store::several;
use super::{GroupPass, GroupStop, at_server, full_name, is_deleting};
use crate::api::{GroupDrift, GroupState, OperationType, Reason};
use crate::plan::groups::{Change, GroupOperation, GroupVerdict};
use crate::plan::{Account, Request};
use crate::scim::{Class, Error, Kind, MembersReadable, Resource, Start, Written};

/// Whoever waits longer for the limiter goes back to the queue.
const LONGEST_TURN: Duration = Duration::from_secs(10);

impl Provisioner {
    /// Reads the group, with its members where the server shows them.
    pub(super) async fn read_group(&self, pass: &mut GroupPass, id: &str) -> Result<(), GroupStop> {
        let deadline = self.group_turn(RequestKind::Read, Priority::Write).await?;
        let readable = pass.session.policy.profile.members_readable;
        let asked = readable == MembersReadable::OnRequest;
        match pass.session.client.get_group(id, asked, deadline).await {
            Ok(resource) => {
                lock(&self.memory).seen(&pass.uid());
                self.group_shown(pass, &resource, true);
                pass.account = Some(Account::Found { resource, fresh: true });
            }
            Err(error) if error.class() == Class::NotFound => {
                pass.account = Some(self.group_not_found(pass, id, &error).await?);
            }
            Err(error) => return Err(self.group_failed(pass, &error)),
        }
        Ok(())
    }

    /// Takes in a group that an answer showed. Members that aren't shown count as none only where the server shows
    /// them with the group: an empty group may leave the attribute out.
    pub(super) fn group_shown(&self, pass: &GroupPass, resource: &Resource, by_reading: bool) {
        let Some(id) = resource.id() else { return };
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
            let (mut lost, foreign) = members.observe(shown);
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
    async fn group_not_found(&self, pass: &GroupPass, id: &str, error: &Error) -> Result<Account, GroupStop> {
        let deadline = self.group_turn(RequestKind::Read, Priority::Write).await?;
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

    /// Looks for the group by its name, each hit checked.
    pub(super) async fn find_group(&self, pass: &mut GroupPass) -> Result<(), GroupStop> {
        let deadline = self.group_turn(RequestKind::Read, Priority::Write).await?;
        let name = &pass.group.spec.display_name;
        let mut found = match pass.session.client.find(Kind::Groups, "displayName", name, deadline).await {
            Ok(found) => found,
            Err(error) if matches!(error.class(), Class::NotFound | Class::Unsupported) => {
                return Err(self.no_groups(&error));
            }
            Err(error) => return Err(self.group_failed(pass, &error)),
        };
        pass.account = Some(match found.len() {
            0 => Account::Absent { fresh: true },
            1 => Account::Found { resource: found.remove(0), fresh: true },
            _ => Account::Contradictory(several()),
        });
        if let Some(Account::Found { resource, .. }) = &pass.account {
            lock(&self.groups).learn(resource);
        }
        Ok(())
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

    /// Sends one operation, after the limiter and the finalizer. `Some` ends the pass: more of the same is owed.
    pub(super) async fn send_group(
        &self,
        pass: &mut GroupPass,
        operation: GroupOperation,
    ) -> Result<Option<Outcome>, GroupStop> {
        self.add_group_finalizer(pass).await?;
        let removal = !operation.removed.is_empty() || operation.kind == OperationType::Delete;
        let (kind, priority) = match operation.kind {
            OperationType::Create => (RequestKind::Create, Priority::Write),
            _ if removal => (RequestKind::Write, Priority::Removal),
            _ => (RequestKind::Write, Priority::Write),
        };
        let deadline = self.group_turn(kind, priority).await?;
        let client = &pass.session.client;
        let answer = match &operation.request {
            Request::Create(body) => client.create(Kind::Groups, body, deadline).await,
            Request::Patch { id, operations } => client.patch(Kind::Groups, id, operations, None, deadline).await,
            Request::Put { id, body, if_match } => {
                client.replace(Kind::Groups, id, body, if_match.as_deref(), deadline).await
            }
            Request::Delete { id } => client.delete(Kind::Groups, id, deadline).await,
        };
        self.audit_group(&pass.group, &pass.status, &operation, &answer);
        match answer {
            Ok(written) => self.group_took_effect(pass, operation, written).await,
            Err(error) => self.group_refused(pass, operation, &error).await.map(|()| None),
        }
    }

    async fn group_took_effect(
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
        let (metrics, name) = (&self.shared.metrics, self.key.to_string());
        metrics.operation(&name, operation.kind.as_str());
        metrics.members(&name, operation.added.len(), operation.removed.len());
        if let Some(pause) = written.pause {
            self.limiter.pause(pause);
        }
        lock(&self.memory).accepted(&pass.uid());
        pass.recorded.operation = Some((operation.kind, operation.attributes.clone(), written.request_id));
        match (&operation.request, &written.resource) {
            (Request::Delete { id }, _) => {
                lock(&self.groups).forget(id);
                pass.account = Some(Account::Absent { fresh: true });
            }
            (Request::Create(_), Some(resource)) => {
                pass.status = at_server(&pass.status, &pass.session.policy.server);
                pass.status.id = resource.id().map(str::to_owned);
                pass.status.display_name = Some(pass.group.spec.display_name.clone());
                pass.status.brought_in = None;
                self.shared.directory.membership(&pass.uid(), |members| {
                    members.forget();
                    members.begin_empty();
                });
                self.group_created(resource);
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
        self.shared.directory.membership(&pass.uid(), |members| {
            members.added(&added);
            members.removed(&removed);
        });
        if let Some(shown) = shown {
            self.group_shown(pass, shown, false);
        }
        let change = Change { added, removed };
        let departed = self.after_removal(&change);
        if !self.record_members(pass, id, change).await {
            return Ok(Some(self.settle_group(pass, &GroupVerdict::default(), Outcome::Retry).await));
        }
        self.requeue_departing(departed);
        let more = self.shared.directory.membership(&pass.uid(), |members| {
            let unsent = |id: &&crate::plan::groups::Id| !pass.sent.contains(*id);
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

    fn group_created(&self, resource: &Resource) {
        let mut store = lock(&self.groups);
        store.learn(resource);
        store.members_read(resource.id().unwrap_or_default());
    }

    fn group_renamed(&self, pass: &GroupPass, id: &str, attributes: &[String]) {
        let spec = &pass.group.spec;
        let mut store = lock(&self.groups);
        store.set(id, "displayName", Some(spec.display_name.clone().into()));
        if attributes.iter().any(|name| name == "externalId") {
            store.set(id, "externalId", spec.external_id.clone().map(Into::into));
        }
    }

    async fn group_refused(
        &self,
        pass: &mut GroupPass,
        operation: GroupOperation,
        error: &Error,
    ) -> Result<(), GroupStop> {
        match (error.class(), &operation.request) {
            (Class::Conflict, Request::Create(_)) if !pass.looked_up_after_conflict => {
                pass.looked_up_after_conflict = true;
                self.take_back_group_finalizer(pass).await?;
                self.find_group(pass).await?;
                if matches!(pass.account, Some(Account::Absent { .. })) {
                    let message =
                        "the server says that this group exists already, and shows none with this displayName";
                    return Err(self.group_error(pass, Reason::Conflict, message.to_owned()));
                }
                Ok(())
            }
            (Class::NotFound | Class::Unsupported, Request::Create(_)) => {
                self.take_back_group_finalizer(pass).await?;
                Err(self.no_groups(error))
            }
            (Class::Empty, Request::Create(_)) => {
                self.doubt();
                self.find_group(pass).await?;
                match pass.account {
                    Some(Account::Found { .. }) => Ok(()),
                    _ => Err(self.group_failed(pass, error)),
                }
            }
            (Class::NotFound, Request::Patch { id, .. } | Request::Put { id, .. } | Request::Delete { id }) => {
                let id = id.clone();
                let deleted = matches!(operation.request, Request::Delete { .. });
                pass.account = Some(match self.group_not_found(pass, &id, error).await? {
                    // A 404 to a DELETE is what was wanted, once the collection answers properly.
                    Account::Missing if deleted => Account::Absent { fresh: true },
                    account => account,
                });
                Ok(())
            }
            (Class::Timeout | Class::Transient | Class::Empty, Request::Patch { .. }) => {
                // It may have taken effect: who is in the group is read anew where that can be.
                self.shared.directory.membership(&pass.uid(), crate::plan::groups::Membership::doubt);
                Err(self.group_failed(pass, error))
            }
            _ => Err(self.group_failed(pass, error)),
        }
    }

    pub(super) async fn group_turn(&self, kind: RequestKind, priority: Priority) -> Result<Instant, GroupStop> {
        // Bounded, so that a slow limit doesn't keep a slot from whoever is more urgent.
        if timeout(LONGEST_TURN, self.limiter.acquire(kind, priority)).await.is_err() {
            return Err(GroupStop::Silently(Outcome::Paused));
        }
        self.deadline().ok_or(GroupStop::Silently(Outcome::Paused))
    }

    /// What a failed request means for its group, and whether it casts doubt on the connection.
    fn group_failed(&self, pass: &GroupPass, error: &Error) -> GroupStop {
        let class = error.class();
        warn!(object = %full_name(&pass.group), ?class, request_id = error.request_id().unwrap_or("-"), "{error}");
        self.shared.metrics.error(&self.key.to_string(), class_name(class));
        match class {
            Class::Throttled => {
                self.limiter.pause(error.retry_after().unwrap_or(UNTOLD_PAUSE));
                GroupStop::Silently(Outcome::Paused)
            }
            Class::Credential | Class::NotScim => {
                self.doubt();
                GroupStop::Silently(Outcome::Retry)
            }
            Class::Transient | Class::Unreachable | Class::Tls | Class::Timeout | Class::Empty => {
                self.doubt();
                if let Some(pause) = error.retry_after() {
                    self.limiter.pause(pause);
                }
                let verdict = GroupVerdict {
                    reason: Some(Reason::Pending),
                    message: format!("{error}; it is tried again"),
                    state: Some(if is_deleting(&pass.group) { GroupState::Deleting } else { GroupState::Pending }),
                    ..GroupVerdict::default()
                };
                GroupStop::With(Box::new(verdict), Outcome::Retry)
            }
            Class::Unsupported => self.group_error(pass, Reason::NotSupported, error.to_string()),
            Class::Conflict => self.group_error(pass, Reason::Conflict, error.to_string()),
            _ => self.group_error(pass, Reason::Rejected, error.to_string()),
        }
    }

    /// The object's own error: it waits for a change on our side, or for an hour and longer.
    fn group_error(&self, pass: &GroupPass, reason: Reason, message: String) -> GroupStop {
        let before = lock(&self.memory).rejected(&pass.group.uid().unwrap_or_default());
        let verdict = GroupVerdict {
            reason: Some(reason),
            message,
            state: Some(if is_deleting(&pass.group) { GroupState::Deleting } else { GroupState::Failed }),
            executed: true,
            ..GroupVerdict::default()
        };
        GroupStop::With(Box::new(verdict), Outcome::After(own_error_pause(before)))
    }
}
