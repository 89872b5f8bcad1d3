//! Requests about one object, and what their answers mean (promise I21).

use std::sync::Arc;

use kube::ResourceExt;
use tokio::time::Instant;
use tracing::info;

use super::created::exists_unseen;
use super::directory::{full_name, is_deleting};
use super::effects::{Effects, Note};
use super::limiter::{Priority, RequestKind};
use super::look_up::claimed_account;
use super::queue::Outcome;
use super::session::Session;
use super::snapshot::{Known, Snapshot};
use super::whole_lists::names_entries;
use super::worker::{Pass, Stop};
use super::{Provisioner, lock};
use crate::api::{OperationType, Reason, ScimUser};
use crate::plan::{Account, Operation, Path, Request, Verdict, at_server, status_ahead};
use crate::scim::{Class, Error, Kind, Resource, Written};

impl<E: Effects> Provisioner<E> {
    /// Sends one operation, after the limiter and the finalizer.
    pub(super) async fn send(&self, pass: &mut Pass, operation: Operation) -> Result<(), Stop> {
        let (removes, uid) = (operation.removes(), pass.user.uid().unwrap_or_default());
        let former = pass.status.id.clone();
        if self.serves_removals_only() && !removes {
            return Err(Stop::Silently(Outcome::Paused));
        }
        let creates = matches!(operation.request, Request::Create(_));
        let (kind, priority) = match operation.kind {
            OperationType::Create => (RequestKind::Create, Priority::Write),
            OperationType::Deactivate | OperationType::Delete => (RequestKind::Write, Priority::Removal),
            _ => (RequestKind::Write, Priority::Write),
        };
        // Before anything is claimed: whoever gives up waiting for the limiter has sent nothing.
        let deadline = self.turn_at(pass, priority, kind).await?;
        let claimed = if creates { Some(claimed_account(pass)) } else { pass.user.claimed_account() };
        if !self.add_finalizer(pass, claimed).await? {
            return Ok(());
        }
        // Only now may status forget the account that was: the claim names what is about to be made.
        self.write_ahead(pass, &operation).await?;
        // Nothing was sent under this claim yet: what is found now was there before.
        pass.finalizer_is_new |= creates && former.is_some();
        let known = creates.then(|| self.before_creation(pass));
        self.effects.note(&Note::Sends { uid: &uid, operation: &operation });
        let client = &pass.session.client;
        let answer = self.effects.send(client, Kind::Users, &operation.request, false, deadline).await;
        self.audit(pass, &operation, &answer);
        pass.creations.sent |= creates && may_have_made(&answer);
        match answer {
            Ok(written) => {
                if let Some(known) = known {
                    return self.created(pass, &operation, written, &known, former).await;
                }
                self.took_effect(pass, &operation, written);
                Ok(())
            }
            Err(error) => {
                if creates && error.class().leaves_open() {
                    // What was looked for before says nothing of what it may have made.
                    self.in_snapshot(pass, |snapshot| snapshot.sightings.forget_search(&uid));
                }
                // It may have taken effect: whoever takes over the account next looks at it first.
                if let (true, Some(id)) = (removes && error.class().leaves_open(), operation.request.target()) {
                    self.in_snapshot(pass, |snapshot| snapshot.unsee(id));
                }
                self.refused(pass, &operation, &error).await
            }
        }
    }

    /// Writes what an operation must find in status, should the operator not live to hear its answer.
    async fn write_ahead(&self, pass: &mut Pass, operation: &Operation) -> Result<(), Stop> {
        let (policy, deleting) = (&pass.session.policy, is_deleting(&pass.user));
        let ahead = status_ahead(pass.user.status.as_ref(), &pass.status, policy, deleting, operation);
        let Some(ahead) = ahead else { return Ok(()) };
        pass.status = ahead;
        let status = self.write_down(pass, &Verdict::default()).await.map_err(Stop::Silently)?;
        pass.user = Arc::new(ScimUser { status: Some(status), ..(*pass.user).clone() });
        Ok(())
    }

    pub(super) fn took_effect(&self, pass: &mut Pass, operation: &Operation, written: Written) {
        let uid = pass.user.uid().unwrap_or_default();
        let names: Vec<String> = operation.attributes.iter().map(Path::to_string).collect();
        info!(
            object = %full_name(&pass.user),
            operation = ?operation.kind,
            attributes = names.join(","),
            request_id = written.request_id.as_deref().unwrap_or("-"),
            "done"
        );
        self.metrics.operation(&self.key.to_string(), operation.kind.as_str());
        if let Some(pause) = written.pause {
            self.limiter.pause(pause);
        }
        {
            let mut memory = lock(&self.memory);
            memory.accepted(&uid);
            let settled = pass.status.observed_generation == pass.user.metadata.generation;
            if settled && operation.kind == OperationType::Update {
                memory.repaired(&uid, &operation.attributes, self.effects.now());
            }
        }
        let shown = written.resource.as_ref().and_then(Resource::active);
        pass.recorded.took_effect(operation.kind, names, written.request_id, shown);
        pass.written.extend(operation.attributes.iter().cloned());
        if names_entries(&operation.request) {
            pass.by_filter.extend(operation.attributes.iter().cloned());
        }
        match (&operation.request, written.resource) {
            (Request::Delete { id }, _) => {
                self.forget_account(pass, id);
                pass.account = Some(Account::Absent { fresh: true });
            }
            (Request::Create(_), Some(resource)) => {
                pass.status = at_server(&pass.status, &pass.session.policy.server);
                pass.status.id = resource.id().map(str::to_owned);
                pass.status.user_name = resource.user_name().map(str::to_owned);
                self.learn_account(pass, &resource);
                pass.account = Some(Account::Found { resource, fresh: true });
            }
            (_, Some(resource)) => {
                self.learn_account(pass, &resource);
                pass.account = Some(Account::Found { resource, fresh: true });
            }
            // The answer doesn't show the result: it is read back before it is judged. But it shows that the account is there.
            (request, None) => {
                if let Some(id) = request.target() {
                    self.in_snapshot(pass, |snapshot| snapshot.sightings.shown(id));
                }
                pass.account = Some(Account::Unknown);
            }
        }
    }

    /// The server didn't do it, or didn't say so.
    async fn refused(&self, pass: &mut Pass, operation: &Operation, error: &Error) -> Result<(), Stop> {
        match (error.class(), &operation.request) {
            (Class::Conflict, Request::Create(_)) if !pass.looked_up_after_conflict => {
                pass.looked_up_after_conflict = true;
                self.take_back_finalizer(pass).await?;
                self.find_account(pass).await?;
                if matches!(pass.account, Some(Account::Absent { .. })) {
                    let message = exists_unseen(pass, error);
                    return Err(self.own_error(pass, Reason::Conflict, message));
                }
                // Someone else's account until the checks of a first binding say otherwise.
                Ok(())
            }
            // It may mean that the person is there already (promise I7).
            (Class::Rejected, Request::Create(_))
                if pass.session.policy.profile.unsure_of_duplicates && !pass.looked_up_after_conflict =>
            {
                pass.looked_up_after_conflict = true;
                self.take_back_finalizer(pass).await?;
                self.find_account(pass).await?;
                match pass.account {
                    Some(Account::Absent { .. }) => Err(self.failed(pass, error)),
                    _ => Ok(()),
                }
            }
            (Class::Empty, Request::Create(_)) => {
                self.unseen_creation(&pass.user.uid().unwrap_or_default());
                self.doubt();
                self.find_account(pass).await?;
                match pass.account {
                    Some(Account::Found { .. }) => Ok(()),
                    _ => Err(self.failed(pass, error)),
                }
            }
            (Class::Empty, Request::Delete { .. }) => {
                self.took_effect(pass, operation, Written::default());
                Ok(())
            }
            (Class::Empty, Request::Patch { .. } | Request::Put { .. }) => {
                pass.written.extend(operation.attributes.iter().cloned());
                pass.account = Some(Account::Unknown);
                Ok(())
            }
            (Class::Rejected, request) if pass.tries_whole_lists(request) => Ok(()),
            (Class::Precondition, _) if !pass.read_again => {
                pass.read_again = true;
                pass.account = Some(Account::Unknown);
                Ok(())
            }
            (Class::NotFound, Request::Patch { id, .. } | Request::Put { id, .. } | Request::Delete { id }) => {
                self.look_at_refused(pass, id, &operation.request, error).await
            }
            (Class::Conflict, Request::Patch { .. } | Request::Put { .. })
                if operation.attributes.contains(&Path::core("userName")) =>
            {
                self.note_failure(&full_name(&pass.user), error);
                Err(self.own_error(pass, Reason::Conflict, self.name_is_taken(pass, error)))
            }
            (Class::NotFound, Request::Create(_)) => {
                self.collection_answers(pass, error).await?;
                Err(self.failed(pass, error))
            }
            _ => Err(self.failed(pass, error)),
        }
    }

    /// The server refuses a userName that no object's account has, as far as is known: one that was deactivated keeps
    /// its name.
    fn name_is_taken(&self, pass: &Pass, error: &Error) -> String {
        let name = &pass.user.spec.user_name;
        let known = match lock(&self.snapshot).by_identity(name, None) {
            Known::Found(resource) => resource.id().map(str::to_owned),
            Known::Listed(id) => Some(id),
            _ => None,
        };
        let which = known.map_or_else(|| "another account".to_owned(), |id| format!("the account {id}"));
        format!(
            "{error}; {which} there has the userName {name:?}, as a deactivated one of a deleted object keeps it: rename or \
             delete it at the server, or declare another userName"
        )
    }

    /// What the server showed, unless it was asked in a time that doesn't count any more.
    pub(super) fn learn_account(&self, pass: &Pass, resource: &Resource) {
        self.in_snapshot(pass, |snapshot| snapshot.learn(resource));
    }

    pub(super) fn forget_account(&self, pass: &Pass, id: &str) {
        self.in_snapshot(pass, |snapshot| snapshot.forget(id));
    }

    /// Changes what is known, unless the pass is of a time that doesn't count any more.
    fn in_snapshot(&self, pass: &Pass, change: impl FnOnce(&mut Snapshot)) {
        let mut snapshot = lock(&self.snapshot);
        if snapshot.is_of(pass.session.epoch) {
            change(&mut snapshot);
        }
    }

    /// The way that a pass began with is still the connection's: an edit may lead it elsewhere meanwhile.
    pub(super) fn is_current(&self, session: &Session) -> bool {
        self.session().is_some_and(|now| now.epoch == session.epoch)
    }

    /// Waits for the limiter; returns the instant that the request may not outlive.
    pub(super) async fn turn(&self, pass: &Pass, kind: RequestKind, priority: Priority) -> Result<Instant, Stop> {
        let leaving = is_deleting(&pass.user) || pass.user.spec.active == Some(false);
        self.turn_at(pass, if leaving { Priority::Removal } else { priority }, kind).await
    }

    async fn turn_at(&self, pass: &Pass, priority: Priority, kind: RequestKind) -> Result<Instant, Stop> {
        self.in_turn(&pass.session, kind, priority).await.ok_or(Stop::Silently(Outcome::Paused))
    }

    /// Waits for the limiter; returns the instant that the request may not outlive. None where it may not be sent now.
    pub(super) async fn in_turn(&self, session: &Session, kind: RequestKind, priority: Priority) -> Option<Instant> {
        let began = self.effects.instant();
        let turn = self.effects.turn(&self.limiter, kind, priority).await;
        self.metrics.waited(&self.key.to_string(), began.elapsed());
        self.effects.deadline().filter(|_| turn && self.is_current(session))
    }
}

/// The request took effect, or that is open.
pub(super) fn may_have_made(answer: &Result<Written, Error>) -> bool {
    answer.as_ref().err().is_none_or(|error| error.class().leaves_open())
}
