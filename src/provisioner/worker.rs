//! One pass over one object: decide, take the step, learn, decide again, until nothing is left to do.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use tracing::{debug, warn};

use super::admission::Wanted;
use super::directory::{connection_of, full_name, has_finalizer, is_deleting};
use super::effects::{Effects, Note};
use super::look_up::unrecorded;
use super::queue::{Lane, Outcome, Ticket};
use super::report::FirstSweep;
use super::session::Session;
use super::windows::AHEAD;
use super::{Provisioner, Uid, lock};
use crate::api::{OperationType, Reason, ScimUser, ScimUserStatus, UserState};
use crate::plan::{
    Account, Creations, Departure, Facts, Operation, Path, Read, Request, Step, Verdict, decide, next_window_edge,
    way_out,
};
use crate::status::{Recorded, record, waits_already};

/// An account that answered 404, or can't be looked for yet, is looked at again after this.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(61);

/// Steps of one pass; a plan that needs more doesn't converge, and that is a defect.
const MOST_STEPS: usize = 12;

/// What one pass has gathered about its object.
pub(super) struct Pass {
    pub user: Arc<ScimUser>,
    /// The status as it will be written; ahead of what the API server has.
    pub status: ScimUserStatus,
    pub account: Option<Account>,
    pub written: BTreeSet<Path>,
    /// Those of them that a path with a filter named.
    pub by_filter: BTreeSet<Path>,
    /// Lists are replaced whole in this pass, because such a path changed nothing.
    pub whole_lists: bool,
    pub recorded: Recorded,
    pub session: Arc<Session>,
    pub looked_up_after_conflict: bool,
    pub read_again: bool,
    /// Attributes whose write has its leave already: it was given with the binding's, or before a read.
    pub leave: Vec<Path>,
    /// The finalizer, or the account that it goes with, was written in this very pass: nothing that could have made the
    /// account was sent before.
    pub finalizer_is_new: bool,
    /// What it came to know of creations.
    pub creations: Creations,
}

impl Pass {
    /// Nothing was done yet.
    pub fn new(user: Arc<ScimUser>, status: ScimUserStatus, session: Arc<Session>) -> Self {
        Self {
            user,
            status,
            account: None,
            written: BTreeSet::new(),
            by_filter: BTreeSet::new(),
            whole_lists: false,
            recorded: Recorded::default(),
            session,
            looked_up_after_conflict: false,
            read_again: false,
            leave: Vec::new(),
            finalizer_is_new: false,
            creations: Creations::default(),
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

impl<E: Effects> Provisioner<E> {
    /// Works on one ticket.
    pub(super) async fn work(&self, ticket: &Ticket) -> Outcome {
        if let Some(group) = self.directory.group(&ticket.uid) {
            return self.work_group(ticket, group).await;
        }
        let Some(user) = self.directory.get(&ticket.uid) else {
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
        // What owes nothing isn't read by itself because the list is late.
        if ticket.lane == Lane::Drift && lock(&self.report).first_sweep == FirstSweep::Delayed {
            return Outcome::After(LOOK_AGAIN);
        }
        let unsaved = lock(&self.memory).unsaved(&ticket.uid).cloned();
        let status = unsaved.or_else(|| user.status.clone()).unwrap_or_default();
        if status.observed_generation != user.metadata.generation && ticket.attempt == 0 {
            lock(&self.memory).new_generation(&ticket.uid);
        }
        // Nobody's removal waits for the name of a role.
        if !is_deleting(&user) && user.spec.active != Some(false) {
            self.look_up_names(&user, &session).await;
        }
        let recorded = Recorded { answered: requested(&user, &status), ..Recorded::default() };
        let mut pass = Pass { recorded, ..Pass::new(user, status, session) };
        let outcome = self.carry_through(&mut pass).await;
        self.watch_window(&pass);
        lock(&self.snapshot).sightings.end_search(&ticket.uid);
        // An account that no status names yet stays reserved: nobody else may take it for unclaimed.
        if pass.status.id.is_none() || lock(&self.memory).unsaved(&ticket.uid).is_none() {
            self.directory.release(&ticket.uid);
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
        self.effects.note(&Note::Diverges { uid: &pass.user.uid().unwrap_or_default() });
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
            Step::Send(operation) => {
                // Nobody takes the account over while it is removed.
                let removed = is_deleting(&pass.user) && pass.status.id.is_some();
                if removed && !self.reserve(pass, &Step::Send(operation.clone()))? {
                    return Ok(None);
                }
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
                if self.is_overdue(pass, &verdict) {
                    self.directory.give_up(&pass.user, &pass.session.policy.server);
                    return Ok(None);
                }
                if pass.tries_whole_lists_for(&verdict) {
                    return Ok(None);
                }
                self.learn_whole_lists(pass, &verdict);
                if verdict.executed || verdict.awaits.is_some() || verdict.reason == Some(Reason::Suspended) {
                    self.withdraw(&pass.user.uid().unwrap_or_default());
                }
                // What a creation was answered with didn't become its own.
                if pass.creations.answered.is_some() && pass.status.id.is_none() {
                    self.take_back_finalizer(pass).await?;
                }
                let outcome = self.outcome_of(pass, &verdict);
                return Ok(Some(self.settle(pass, &verdict, outcome).await));
            }
            Step::LetGo(verdict) => {
                if verdict.departure == Departure::Done {
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
        self.with_facts(pass, self.effects.now(), |facts| {
            let Account::Found { resource, fresh: false } = &facts.account else { return None };
            let account = Account::Found { resource: resource.clone(), fresh: true };
            match decide(&Facts { account, ..facts.clone() }) {
                Step::Send(operation) => Some(*operation),
                _ => None,
            }
        })
    }

    /// Nobody else makes or takes over the account meanwhile; false where something has changed before that.
    fn reserve(&self, pass: &Pass, step: &Step) -> Result<bool, Stop> {
        let uid: Uid = pass.user.uid().unwrap_or_default().into();
        let reserve = |name: &str| self.directory.reserve(&pass.session.policy.server, name, &uid);
        let account = |id: &str| self.directory.reserve_account(&pass.session.policy.server, id, &uid);
        let found = match step {
            // What a lost creation made may have another name than the one declared now.
            Step::Bind(binding) => reserve(&binding.user_name) && account(&binding.id),
            Step::Send(operation) => {
                unrecorded(pass).is_none_or(|claimed| reserve(&claimed.user_name))
                    && operation.request.target().is_none_or(account)
            }
            _ => true,
        };
        if !found || !reserve(&pass.user.spec.user_name) {
            return Err(Stop::Silently(Outcome::After(Duration::from_secs(1))));
        }
        Ok(self.plan(pass) == *step)
    }

    /// The one that is to take over the account doesn't come to it, and nobody is asked about it.
    fn is_overdue(&self, pass: &Pass, verdict: &Verdict) -> bool {
        let uid = pass.user.uid().unwrap_or_default();
        let waits = verdict.awaits.as_ref().is_some_and(|successor| !successor.held);
        waits && lock(&self.memory).is_overdue(&uid, self.effects.now())
    }

    /// When the object is to be looked at again.
    fn outcome_of(&self, pass: &Pass, verdict: &Verdict) -> Outcome {
        let uid = pass.user.uid().unwrap_or_default();
        match verdict.reason {
            // One 404: the second look is this ticket's own (promise I11).
            _ if pass.account == Some(Account::Missing) => Outcome::After(LOOK_AGAIN),
            Some(Reason::Pending) => Outcome::After(LOOK_AGAIN),
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
        let (spec, now) = (&pass.user.spec, self.effects.now());
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
        let waits = reason == Reason::Pending && waits_already(status.conditions.as_deref(), user.metadata.generation);
        if !owes || waits {
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
        let new = record(&status, generation, &verdict, &Recorded::default(), self.effects.now());
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
