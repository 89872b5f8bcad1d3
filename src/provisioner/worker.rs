//! One pass over one object: decide, take the step, learn, decide again, until nothing is left to do.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::events::EventType;
use tracing::{debug, info, warn};

use super::admission::Wanted;
use super::directory::{connection_of, full_name, has_finalizer, is_deleting, same_plan};
use super::kubernetes::WriteError;
use super::queue::{Outcome, Ticket};
use super::send::{claimed_by, unrecorded};
use super::session::Session;
use super::snapshot::Known;
use super::windows::AHEAD;
use super::{Provisioner, Uid, lock};
use crate::api::{ClaimedAccount, OperationType, Reason, ScimUser, ScimUserStatus, UserState};
use crate::plan::{
    Account, Binding, Claims, Facts, Manager, Object, Operation, Path, Read, Request, Step, Verdict, bound_status,
    decide, next_window_edge, way_out,
};
use crate::status::{Recorded, record, whole_seconds};

/// Steps of one pass; a plan that needs more doesn't converge, and that is a defect.
const MOST_STEPS: usize = 12;

/// What one pass has gathered about its object.
pub(super) struct Pass {
    pub user: Arc<ScimUser>,
    /// The status as it will be written; ahead of what the API server has.
    pub status: ScimUserStatus,
    pub account: Option<Account>,
    pub written: BTreeSet<Path>,
    pub recorded: Recorded,
    pub session: Arc<Session>,
    pub looked_up_after_conflict: bool,
    pub read_again: bool,
    /// Attributes whose write has its leave already: it was given with the binding's, or before a read.
    pub leave: Vec<Path>,
    /// The finalizer, or the account that it goes with, was written in this very pass: nothing that could have made the
    /// account was sent before.
    pub finalizer_is_new: bool,
}

impl Pass {
    /// Nothing was done yet.
    pub fn new(user: Arc<ScimUser>, status: ScimUserStatus, session: Arc<Session>) -> Self {
        Self {
            user,
            status,
            account: None,
            written: BTreeSet::new(),
            recorded: Recorded::default(),
            session,
            looked_up_after_conflict: false,
            read_again: false,
            leave: Vec::new(),
            finalizer_is_new: false,
        }
    }

    /// The write was given its leave already.
    fn has_leave(&self, operation: &Operation) -> bool {
        !self.leave.is_empty() && operation.attributes.iter().all(|path| self.leave.contains(path))
    }
}

/// How a pass ends before its plan does.
pub(super) enum Stop {
    /// With this verdict in status, and this outcome for the ticket.
    With(Box<Verdict>, Outcome),
    /// Without a word in status.
    Silently(Outcome),
    /// The object goes, and its account stays as it is.
    LetGo(Box<Verdict>),
}

impl Provisioner {
    /// Works on one ticket.
    pub(super) async fn work(&self, ticket: &Ticket) -> Outcome {
        if let Some(group) = self.shared.directory.group(&ticket.uid) {
            return self.work_group(ticket, group).await;
        }
        let Some(user) = self.shared.directory.get(&ticket.uid) else {
            self.forget(&ticket.uid);
            return Outcome::Done;
        };
        if connection_of(&user) != self.key {
            return Outcome::Done;
        }
        let Some(session) = self.session() else {
            return self.wait_for_connection(&user).await;
        };
        if !self.may_serve(&user) {
            self.wait_for_connection(&user).await;
            return UNSERVED;
        }
        if self.connection().metadata.deletion_timestamp.is_some() && !is_deleting(&user) {
            let why = "the connection is under deletion and serves removals only";
            self.say_pending(&user, Reason::ConnectionNotReady, why).await;
            return UNSERVED;
        }
        if ticket.for_status {
            return if self.limiter.paused_until().is_some() {
                self.say_pending(&user, Reason::RateLimited, "the server asks for fewer requests").await
            } else {
                self.say_pending(&user, Reason::Pending, "queued behind other work for this connection").await
            };
        }
        let unsaved = lock(&self.memory).unsaved(&ticket.uid).cloned();
        let status = unsaved.or_else(|| user.status.clone()).unwrap_or_default();
        if status.observed_generation != user.metadata.generation && ticket.attempt == 0 {
            lock(&self.memory).new_generation(&ticket.uid);
        }
        if !is_deleting(&user) {
            self.look_up_names(&user, &session).await;
        }
        let recorded = Recorded { answered: requested(&user, &status), ..Recorded::default() };
        let mut pass = Pass { recorded, ..Pass::new(user, status, session) };
        let outcome = self.carry_through(&mut pass).await;
        self.watch_window(&pass);
        // An account that no status names yet stays reserved: nobody else may take it for unclaimed.
        if pass.status.id.is_none() || lock(&self.memory).unsaved(&ticket.uid).is_none() {
            self.shared.directory.release(&ticket.uid);
        }
        outcome
    }

    async fn carry_through(&self, pass: &mut Pass) -> Outcome {
        for _ in 0..MOST_STEPS {
            match self.step(pass).await {
                Ok(None) => {}
                // What took effect before the pass was broken off is recorded all the same.
                Err(Stop::Silently(outcome)) if pass.recorded.operation.is_some() => {
                    return self.settle(pass, &Verdict::default(), outcome).await;
                }
                Ok(Some(outcome)) | Err(Stop::Silently(outcome)) => return outcome,
                Err(Stop::With(verdict, outcome)) => return self.settle(pass, &verdict, outcome).await,
                Err(Stop::LetGo(verdict)) => return self.let_go(pass, &verdict).await,
            }
        }
        warn!(object = %full_name(&pass.user), "the plan does not converge; it is tried again later");
        Outcome::Retry
    }

    /// Decides and takes one step; `Some` ends the pass.
    async fn step(&self, pass: &mut Pass) -> Result<Option<Outcome>, Stop> {
        let step = self.plan(pass);
        match step {
            Step::Read(Read::Get(id)) => {
                if let Some(operation) = self.foreseen(pass).filter(|operation| !pass.has_leave(operation)) {
                    self.ask_leave(pass, Wanted::of(&operation)).await?;
                    pass.leave = operation.attributes;
                }
                self.read_account(pass, &id).await?;
            }
            Step::Read(Read::Find) => self.find_account(pass).await?,
            Step::Bind(binding) => {
                pass.leave = self.ask_leave_to_bind(pass, &binding).await?;
                if self.reserve(pass, &Step::Bind(binding.clone()))? {
                    self.bind(pass, binding).await?;
                } else {
                    pass.leave.clear();
                }
            }
            Step::Unbind(successor) => {
                self.ask_leave(pass, Wanted::unbinding(pass)).await?;
                self.unbind(pass, &successor).await?;
            }
            Step::Send(operation) => {
                if operation.kind == OperationType::Delete {
                    self.before_deletion(pass, &operation).await?;
                }
                if !pass.has_leave(&operation) {
                    self.ask_leave(pass, Wanted::of(&operation)).await?;
                }
                pass.leave.clear();
                // Of an account that no status names, nobody else may take hold meanwhile.
                let unnamed = matches!(operation.request, Request::Create(_)) || pass.status.id.is_none();
                if !unnamed || self.reserve(pass, &Step::Send(operation.clone()))? {
                    self.send(pass, *operation).await?;
                }
            }
            Step::Settle(verdict) => {
                if verdict.executed || verdict.reason == Some(Reason::Suspended) {
                    lock(&self.gate).withdraw(&pass.user.uid().unwrap_or_default());
                }
                let outcome = self.outcome_of(pass, &verdict);
                return Ok(Some(self.settle(pass, &verdict, outcome).await));
            }
            Step::LetGo(verdict) => {
                if !verdict.untouched && !verdict.message.starts_with("handed over") {
                    self.before_going(pass)?;
                }
                return Ok(Some(self.let_go(pass, &verdict).await));
            }
        }
        Ok(None)
    }

    /// The write that a read is only to prepare, as far as the last look at the account tells: a PUT reads right
    /// before it writes, and what may have to wait for leave waits before both (promise I2).
    fn foreseen(&self, pass: &Pass) -> Option<Operation> {
        self.with_facts(pass, Timestamp::now(), |facts| {
            let Account::Found { resource, fresh: false } = &facts.account else { return None };
            let account = Account::Found { resource: resource.clone(), fresh: true };
            match decide(&Facts { account, ..facts.clone() }) {
                Step::Send(operation) => Some(*operation),
                _ => None,
            }
        })
    }

    /// The plan for an object as everything stands now.
    pub(super) fn plan(&self, pass: &Pass) -> Step {
        self.with_facts(pass, Timestamp::now(), decide)
    }

    /// Everything that a decision about an object rests on, as if it were `now`.
    pub(super) fn with_facts<T>(&self, pass: &Pass, now: Timestamp, decision: impl FnOnce(&Facts) -> T) -> T {
        let uid = pass.user.uid().unwrap_or_default();
        let policy = &pass.session.policy;
        let account = pass.account.clone().unwrap_or_else(|| self.known_account(pass, &policy.server));
        let found = match &account {
            Account::Found { resource, .. } => resource.id().map(str::to_owned),
            _ => None,
        };
        let contested = lock(&self.memory).contested(&uid, now);
        let (name, claimed) = (full_name(&pass.user), pass.user.claimed_account());
        let (resolved, unlisted) =
            self.with_ids(&pass.user.spec).map_or((None, Vec::new()), |(spec, un)| (Some(spec), un));
        let delegated = self.shared.directory.delegated(&pass.user.namespace().unwrap_or_default(), &self.key);
        let facts = Facts {
            object: Object {
                full_name: &name,
                spec: resolved.as_ref().unwrap_or(&pass.user.spec),
                status: &pass.status,
                generation: pass.user.metadata.generation.unwrap_or_default(),
                deleting: is_deleting(&pass.user),
                has_finalizer: has_finalizer(&pass.user),
                claimed: claimed.as_ref().map(|claimed| &*claimed.user_name),
                release: pass.user.wants_release() || self.is_released(),
                remote_id: pass.user.remote_id(),
                requested: pass.recorded.answered.is_some(),
            },
            policy,
            claims: self.claims(pass, &policy.server, found.as_deref()),
            manager: self.manager(&pass.user, &policy.server),
            // Of what is declared, not of the ids that names stand for.
            not_allowed: delegated.refuses(&pass.user.spec, pass.user.remote_id()),
            delegated,
            unlisted: &unlisted,
            account,
            written: &pass.written,
            contested: &contested,
            now,
            clock_trusted: self.shared.clock.is_trusted(),
        };
        decision(&facts)
    }

    pub(super) fn claims(&self, pass: &Pass, server: &str, found: Option<&str>) -> Claims {
        // The claims of an object that is ahead of its stored status are judged by that status.
        let mut user = (*pass.user).clone();
        user.status = Some(pass.status.clone());
        self.shared.directory.claims(&user, server, found)
    }

    /// What is known without asking the server.
    fn known_account(&self, pass: &Pass, server: &str) -> Account {
        let snapshot = lock(&self.snapshot);
        if !snapshot.is_of(pass.session.epoch) {
            return Account::Unknown;
        }
        let bound = pass.status.id.as_deref().filter(|_| pass.status.bound_to.as_deref() == Some(server));
        // What a lost creation made may have another userName by now than the one declared: the server is asked.
        if unrecorded(pass).is_some() {
            return Account::Unknown;
        }
        let known = match (bound, pass.user.remote_id()) {
            (Some(id), _) | (None, Some(id)) => snapshot.by_id(id),
            (None, None) => snapshot.by_identity(&pass.user.spec.user_name, pass.user.spec.external_id.as_deref()),
        };
        match known {
            Known::Found(resource) => Account::Found { resource, fresh: false },
            Known::Listed(id) => Account::Listed(id),
            Known::Absent => Account::Absent { fresh: false },
            Known::Contradictory(message) => Account::Contradictory(message),
            Known::Unknown => Account::Unknown,
        }
    }

    fn manager(&self, user: &ScimUser, server: &str) -> Manager {
        let reference = user.spec.attributes.enterprise.as_ref().and_then(|enterprise| enterprise.manager.as_ref());
        let Some(name) = reference.and_then(|manager| manager.user_ref.as_ref()).map(|user_ref| &user_ref.name) else {
            return Manager::None;
        };
        let Some(manager) = self.shared.directory.named(&user.namespace().unwrap_or_default(), name) else {
            return Manager::Waiting(name.clone());
        };
        if connection_of(&manager) != self.key {
            return Manager::Foreign(name.clone());
        }
        let status = manager.status.as_ref().filter(|status| status.bound_to.as_deref() == Some(server));
        status.and_then(|status| status.id.clone()).map_or_else(|| Manager::Waiting(name.clone()), Manager::Id)
    }

    /// Nobody else makes or takes over the account meanwhile; false where something has changed before that.
    fn reserve(&self, pass: &Pass, step: &Step) -> Result<bool, Stop> {
        let uid: Uid = pass.user.uid().unwrap_or_default().into();
        let reserve = |name: &str| self.shared.directory.reserve(&pass.session.policy.server, name, &uid);
        let found = match step {
            // What a lost creation made may have another name than the one declared now.
            Step::Bind(binding) => reserve(&binding.user_name),
            _ => unrecorded(pass).is_none_or(|claimed| reserve(&claimed.user_name)),
        };
        if !found || !reserve(&pass.user.spec.user_name) {
            return Err(Stop::Silently(Outcome::After(Duration::from_secs(1))));
        }
        Ok(self.plan(pass) == *step)
    }

    /// The object takes the account for its own: finalizer first, so that nothing is forgotten.
    async fn bind(&self, pass: &mut Pass, binding: Binding) -> Result<(), Stop> {
        if !self.add_finalizer(pass, Some(claimed_by(pass, &binding))).await? {
            pass.leave.clear();
            return Ok(());
        }
        let server = pass.session.policy.server.clone();
        self.shared.directory.taken_over(&server, &binding.id);
        info!(object = %full_name(&pass.user), id = %binding.id, how = ?binding.how, "bound to an account");
        self.tell_of_binding(&pass.user, &binding).await;
        pass.recorded.operation = Some((binding.how, Vec::new(), None));
        // In the status already, so that the next step can tell an adoption from an object long bound.
        pass.status = bound_status(&pass.status, &binding, &server, whole_seconds(Timestamp::now()));
        Ok(())
    }

    /// Lets go of the account in favour of the successor. What was claimed is no more, before status says so: what is
    /// found later is somebody else's.
    async fn unbind(&self, pass: &mut Pass, successor: &str) -> Result<(), Stop> {
        if !self.add_finalizer(pass, None).await? {
            pass.leave.clear();
            return Ok(());
        }
        if let (Some(id), Some(server)) = (pass.status.id.take(), pass.status.bound_to.take()) {
            self.shared.directory.hand_over(&server, &id);
            info!(object = %full_name(&pass.user), %id, %successor, "account handed over");
        }
        pass.status.user_name = None;
        pass.status.managed_attributes = None;
        pass.status.active = None;
        pass.status.last_applied_active = None;
        pass.recorded.operation = Some((OperationType::Handover, Vec::new(), None));
        pass.account = None;
        Ok(())
    }

    /// Sets the finalizer and what the object claims, where they aren't there; false where that brought a newer spec, which
    /// the plan doesn't know yet.
    pub(super) async fn add_finalizer(&self, pass: &mut Pass, claimed: Option<ClaimedAccount>) -> Result<bool, Stop> {
        if has_finalizer(&pass.user) && pass.user.claimed_account() == claimed {
            return Ok(true);
        }
        match self.set_finalizer(&pass.user, true, claimed.as_ref()).await {
            Ok(user) => {
                let known = same_plan(&user, &pass.user);
                pass.user = Arc::new(user);
                pass.finalizer_is_new = pass.status.id.is_none();
                if !known {
                    // Nothing was sent for it, and nothing may be taken for what it made.
                    self.take_back_finalizer(pass).await?;
                }
                Ok(known)
            }
            Err(WriteError::Gone) => Err(Stop::Silently(Outcome::Done)),
            Err(error) => {
                self.shared.metrics.kubernetes_error(&self.key.to_string());
                warn!(object = %full_name(&pass.user), "the finalizer could not be set: {error}");
                Err(Stop::Silently(Outcome::Retry))
            }
        }
    }

    /// The server refused the very first creation: nothing of ours is there, and whatever account is found was there
    /// before (promise I22). With the finalizer still on it would pass for a creation whose answer was lost.
    pub(super) async fn take_back_finalizer(&self, pass: &mut Pass) -> Result<(), Stop> {
        if !std::mem::take(&mut pass.finalizer_is_new) {
            return Ok(());
        }
        match self.set_finalizer(&pass.user, false, None).await {
            Ok(user) => {
                pass.user = Arc::new(user);
                Ok(())
            }
            Err(WriteError::Gone) => Err(Stop::Silently(Outcome::Done)),
            Err(error) => {
                warn!(object = %full_name(&pass.user), "the finalizer could not be taken back: {error}");
                Err(Stop::Silently(Outcome::Retry))
            }
        }
    }

    async fn let_go(&self, pass: &mut Pass, verdict: &Verdict) -> Outcome {
        let (id, server) = (pass.status.id.clone(), pass.session.policy.server.clone());
        if let Some(id) = &id
            && verdict.message.starts_with("handed over")
        {
            self.shared.directory.hand_over(&server, id);
        }
        if !self.note_vanishing(pass).await {
            return Outcome::Retry;
        }
        info!(object = %full_name(&pass.user), id = id.as_deref().unwrap_or("-"), "let go: {}", verdict.message);
        if verdict.untouched && id.is_some() {
            self.tell(&pass.user, EventType::Warning, "AccountLeft", &verdict.message).await;
        }
        match self.set_finalizer(&pass.user, false, None).await {
            Ok(_) | Err(WriteError::Gone) => {
                lock(&self.gate).withdraw(&pass.user.uid().unwrap_or_default());
                Outcome::Done
            }
            Err(error) => {
                self.shared.metrics.kubernetes_error(&self.key.to_string());
                warn!(object = %full_name(&pass.user), "the finalizer could not be taken off: {error}");
                Outcome::Retry
            }
        }
    }

    /// Writes how things stand, if that is news.
    pub(super) async fn settle(&self, pass: &mut Pass, verdict: &Verdict, outcome: Outcome) -> Outcome {
        self.write_down(pass, verdict).await.map_or_else(|failed| failed, |_| outcome)
    }

    /// The status as it is written now; how the pass ends where it can't be.
    pub(super) async fn write_down(&self, pass: &Pass, verdict: &Verdict) -> Result<ScimUserStatus, Outcome> {
        let generation = pass.user.metadata.generation.unwrap_or_default();
        let status = record(&pass.status, generation, verdict, &pass.recorded, Timestamp::now());
        if let Some(reason) = verdict.reason {
            debug!(object = %full_name(&pass.user), reason = reason.as_str(), "{}", verdict.message);
        }
        match self.save(&pass.user, &status).await {
            Ok(()) => Ok(status),
            Err(WriteError::Gone) => Err(Outcome::Done),
            Err(error) => {
                warn!(object = %full_name(&pass.user), "the status could not be written: {error}");
                Err(Outcome::Retry)
            }
        }
    }

    /// When the object is to be looked at again.
    fn outcome_of(&self, pass: &Pass, verdict: &Verdict) -> Outcome {
        let uid = pass.user.uid().unwrap_or_default();
        match verdict.reason {
            Some(Reason::Pending) => Outcome::After(Duration::from_secs(61)),
            Some(Reason::Rejected) => Outcome::Retry,
            Some(Reason::Conflict) => Outcome::After(own_error_pause(lock(&self.memory).rejected(&uid))),
            _ => {
                lock(&self.memory).accepted(&uid);
                Outcome::Done
            }
        }
    }

    /// Notes when the object's access window opens or closes next, and announces a removal that is near.
    fn watch_window(&self, pass: &Pass) {
        let Some(uid) = pass.user.uid().map(Uid::from) else { return };
        let (spec, now) = (&pass.user.spec, Timestamp::now());
        let Some(edge) = next_window_edge(spec, now).filter(|_| !is_deleting(&pass.user)) else {
            lock(&self.windows).set(&uid, None);
            return;
        };
        let closes = spec.access.as_ref().and_then(|access| access.not_after.as_ref()).is_some_and(|at| at.0 == edge);
        let ahead = edge.checked_sub(AHEAD).unwrap_or(edge);
        if closes && ahead > now {
            lock(&self.windows).set(&uid, Some(ahead));
            return;
        }
        if closes && let Step::Send(operation) = self.with_facts(pass, edge, decide) {
            self.announce(pass, &operation);
        }
        lock(&self.windows).set(&uid, Some(edge));
    }

    async fn wait_for_connection(&self, user: &Arc<ScimUser>) -> Outcome {
        let why = lock(&self.report).why_not_connected();
        self.say_pending(user, Reason::ConnectionNotReady, &why).await
    }

    /// An object that waits says so; one that owes nothing is left as it is.
    async fn say_pending(&self, user: &Arc<ScimUser>, reason: Reason, message: &str) -> Outcome {
        // What is known and not written yet stays known.
        let unsaved = lock(&self.memory).unsaved(&user.uid().unwrap_or_default()).cloned();
        let status = unsaved.or_else(|| user.status.clone()).unwrap_or_default();
        let owes = status.observed_generation != user.metadata.generation || is_deleting(user);
        if !owes {
            return Outcome::Paused;
        }
        let message = if is_deleting(user) && has_finalizer(user) {
            format!("{message}. {}", way_out(&full_name(user)))
        } else {
            message.to_owned()
        };
        let verdict = Verdict {
            reason: Some(reason),
            message,
            state: Some(if is_deleting(user) { UserState::Deleting } else { UserState::Pending }),
            ..Verdict::default()
        };
        let generation = user.metadata.generation.unwrap_or_default();
        let new = record(&status, generation, &verdict, &Recorded::default(), Timestamp::now());
        if let Err(error) = self.save(user, &new).await {
            debug!(object = %full_name(user), "{error}");
        }
        Outcome::Paused
    }
}

/// A connection that is usable and doesn't serve this object now: it waits until the connection changes.
pub(super) const UNSERVED: Outcome = Outcome::After(Duration::from_secs(60 * 60));

/// The object's own error: tried again after an hour, doubling to a day (promise I21).
pub(super) fn own_error_pause(before: u32) -> Duration {
    const HOUR: u64 = 60 * 60;
    Duration::from_secs((HOUR << before.min(5)).min(24 * HOUR))
}

/// The value of `reconcile-requested-at` that no pass has answered yet.
fn requested(user: &ScimUser, status: &ScimUserStatus) -> Option<String> {
    let asked = user.annotations().get(crate::api::RECONCILE_REQUESTED_AT)?;
    // As long as status takes.
    let asked: String = asked.chars().take(256).collect();
    (status.last_handled_reconcile_at.as_ref() != Some(&asked)).then_some(asked)
}
