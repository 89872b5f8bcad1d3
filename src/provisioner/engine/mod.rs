//! One pass over one object, of whatever kind: decide, take the step, hear what came of it, decide again.
//!
//! The way of an object is [`Provisioner::step`], read from top to bottom. What awaits may touch the network, by
//! [`super::effects`] alone; what is special to users and groups is behind [`Kind`].

mod absence;
mod admission;
mod admission_request;
mod audit;
mod created;
mod deleted;
mod failure;
pub(super) mod guards;
mod handover;
mod kind;
mod look_up;
pub(super) mod notes;
mod object_status;
mod seats;
mod send;
mod split;
mod unsaved;
mod work;
mod writeback;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use tracing::warn;

pub use self::admission::sizes;
pub use self::admission_request::AdmissionRequest;
pub use self::failure::{class_name, looked_for_later, own_error_pause, pause_until};
use self::handover::{Handover, Wait};
pub use self::kind::{Claimed, Ended, Kind, SearchRefused};
pub use self::look_up::is_of_the_search;
pub use self::object_status::ObjectStatus;
pub use self::unsaved::Unsaved;
use super::Provisioner;
use super::effects::{Effects, Note};
use crate::api::{OperationType, RECONCILE_REQUESTED_AT, Reason, Uid};
use crate::directory::{Object, has_finalizer, is_deleting};
use crate::plan::{Account, Binding, Creations, Departure, Operation, Path, Read, Request, Split, Step, Verdict};
use crate::provisioner::connection::session::Session;
pub use crate::provisioner::mirror::LOOK_AGAIN;
use crate::provisioner::schedule::queue::Outcome;
use crate::status::PassLog;

/// Another pass has reserved the same resource: it is over in a moment.
const RESERVED: Duration = Duration::from_secs(1);

/// Steps of one pass; a plan that needs more doesn't converge, and that is a defect.
const MOST_STEPS: usize = 16;

/// What one pass has gathered about its object.
pub struct Pass<K: Kind> {
    /// The object, as the API server answered last.
    pub object: Arc<K::Object>,
    /// The status as it will be written; ahead of what the API server has.
    pub status: K::Status,
    /// What the server showed of the account or group in this pass.
    pub account: Option<Account>,
    /// The way to the server that it began with.
    pub session: Arc<Session>,
    uid: Uid,
    /// What was done.
    pub log: PassLog,
    /// A creation met a conflict, and who is there was looked for.
    pub looked_up_after_conflict: bool,
    /// The finalizer, or the resource that it goes with, was written in this very pass: nothing that could have made the
    /// resource was sent before.
    pub finalizer_is_new: bool,
    /// What it came to know of creations.
    pub creations: Creations,
    /// Attributes whose write is admitted already: with the binding, or before a read.
    pub admitted: Vec<Path>,
    /// What refusals taught of the parts of its requests.
    pub split: Split,
    /// Parts of requests that were refused: a guard has counted them.
    pub counted: BTreeSet<String>,
    /// It came to an end of its own: nothing that may pass by itself kept it from that.
    pub judged: bool,
    /// What is special to the kind.
    pub own: K::Scratch,
}

/// How a pass ends before its plan does.
pub enum Stop<K: Kind> {
    /// With this verdict in status, and this outcome for the ticket.
    With(Box<Verdict<K>>, Outcome),
    /// Without a word in status.
    WithoutStatus(Outcome),
    /// The object goes, and its account or group stays as it is.
    RemoveFinalizer(Box<Verdict<K>>),
}

impl<K: Kind> Pass<K> {
    /// Nothing was done yet.
    pub fn new(object: Arc<K::Object>, status: K::Status, session: Arc<Session>) -> Self {
        Self {
            uid: Uid::of(object.metadata()),
            object,
            status,
            account: None,
            session,
            log: PassLog::default(),
            looked_up_after_conflict: false,
            finalizer_is_new: false,
            creations: Creations::default(),
            admitted: Vec::new(),
            split: Split::default(),
            counted: BTreeSet::new(),
            judged: false,
            own: K::Scratch::default(),
        }
    }

    /// The same, for an object that a person may have asked to be reconciled.
    pub fn answering(object: Arc<K::Object>, status: K::Status, session: Arc<Session>) -> Self {
        let asked = object.annotations().get(RECONCILE_REQUESTED_AT);
        // As long as status takes.
        let asked = asked.map(|asked| asked.chars().take(256).collect::<String>());
        let answered = asked.filter(|asked| status.last_handled_reconcile_at() != Some(asked));
        let log = PassLog { answered, ..PassLog::default() };
        Self { log, ..Self::new(object, status, session) }
    }

    /// The object's uid.
    pub fn uid(&self) -> Uid {
        self.uid.clone()
    }

    /// The object's generation.
    pub fn generation(&self) -> i64 {
        self.object.metadata().generation.unwrap_or_default()
    }

    /// The object is under deletion.
    pub fn is_deleting(&self) -> bool {
        is_deleting(&self.object)
    }

    /// The server of the connection.
    pub fn server(&self) -> &str {
        &self.session.policy.server
    }

    /// The account or group that the object is bound to at this server.
    pub fn bound_id(&self) -> Option<&str> {
        self.status.id().filter(|_| self.status.bound_to() == Some(self.server()))
    }

    /// The name under which the bound account or group was seen last, where another is declared by now.
    pub fn former_name(&self) -> Option<&str> {
        let recorded = self.bound_id().and(self.status.name()).filter(|name| !name.is_empty());
        recorded.filter(|name| !K::same_name(name, K::created_as(self).0))
    }

    /// It is bound, and nothing speaks against that; but for want of our finalizer its deletion would take nobody's access.
    pub fn owes_finalizer(&self, verdict: &Verdict<K>) -> bool {
        let undoubted = verdict.executed && !matches!(verdict.reason, Some(Reason::Conflict | Reason::NotAllowed));
        undoubted && self.bound_id().is_some() && !self.is_deleting() && !has_finalizer(&self.object)
    }

    /// The write was admitted already.
    fn is_admitted(&self, operation: &Operation<K>) -> bool {
        let before = !self.admitted.is_empty() && operation.attributes.iter().all(|path| self.admitted.contains(path));
        before || (!self.counted.is_empty() && operation.parts().is_subset(&self.counted))
    }
}

impl<E: Effects> Provisioner<E> {
    /// Takes step after step until nothing is left to do.
    pub(super) async fn carry_through<K: Kind>(&self, pass: &mut Pass<K>) -> Outcome {
        let mut steps = 0;
        // Each refusal asks for a request more, and for a look at what came of it.
        while steps < MOST_STEPS + 3 * pass.split.refusals() {
            steps += 1;
            match self.step(pass).await {
                Ok(None) => {}
                // What took effect before the pass was broken off is recorded all the same.
                Err(Stop::WithoutStatus(outcome)) if pass.log.last.is_some() => {
                    return self.settle(pass, &Verdict::default(), outcome).await;
                }
                Ok(Some(outcome)) | Err(Stop::WithoutStatus(outcome)) => return outcome,
                Err(Stop::With(verdict, outcome)) => return self.settle(pass, &verdict, outcome).await,
                Err(Stop::RemoveFinalizer(verdict)) => return self.remove_finalizer(pass, &verdict).await,
            }
        }
        self.effects.note(&Note::Diverges { uid: &pass.uid() });
        warn!("the plan does not converge; it is tried again later");
        Outcome::Retry
    }

    /// Decides and takes one step; `Some` ends the pass.
    async fn step<K: Kind>(&self, pass: &mut Pass<K>) -> Result<Option<Outcome>, Stop<K>> {
        K::before_plan(self, pass).await?;
        match K::plan(self, pass) {
            Step::Read(Read::Get(id) | Read::Members(id)) => {
                self.admit_write_after_read(pass).await?;
                self.read(pass, &id).await?;
            }
            Step::Read(Read::Find) => self.find(pass).await?,
            Step::Bind(binding) => {
                self.admit_binding(pass, &binding).await?;
                if self.reserve(pass, &Step::Bind(binding.clone()))? {
                    self.bind(pass, binding).await?;
                } else {
                    pass.admitted.clear();
                }
            }
            Step::Send(operation) => {
                // Nobody takes the resource over while it is removed.
                let removed = pass.is_deleting() && operation.request.target().is_some();
                if removed && !self.reserve(pass, &Step::Send(operation.clone()))? {
                    return Ok(None);
                }
                if let Some(wait) = self.removals_come_first(&operation) {
                    return Err(Stop::With(Box::default(), Outcome::After(wait)));
                }
                K::before_operation(self, pass, &operation).await?;
                if let Err(stop) = self.admit_operation(pass, &operation).await {
                    return K::not_admitted(pass, &operation, stop).map(|()| None);
                }
                pass.admitted.clear();
                // Of an account that no status names, nobody else may take hold meanwhile.
                let unnamed = matches!(operation.request, Request::Create(_)) || pass.status.id().is_none();
                if !unnamed || self.reserve(pass, &Step::Send(operation.clone()))? {
                    return self.send(pass, *operation).await;
                }
            }
            Step::Settle(verdict) => return self.end(pass, verdict).await,
            Step::RemoveFinalizer(verdict) => {
                if verdict.departure == Departure::Done {
                    K::before_departure(self, pass)?;
                }
                return Ok(Some(self.remove_finalizer(pass, &verdict).await));
            }
        }
        Ok(None)
    }

    /// Nothing is left to be sent, unless what was sent is to be tried in another form.
    async fn end<K: Kind>(&self, pass: &mut Pass<K>, verdict: Box<Verdict<K>>) -> Result<Option<Outcome>, Stop<K>> {
        if self.is_overdue(pass, &verdict) {
            K::give_up_successor(self, pass);
            return Ok(None);
        }
        if K::looks_further(self, pass, &verdict).await? || K::tries_another_form(self, pass, &verdict) {
            return Ok(None);
        }
        if pass.owes_finalizer(&verdict) {
            let id = pass.status.id().unwrap_or_default().to_owned();
            let name = pass.status.name().unwrap_or(K::created_as(pass).0).to_owned();
            let claim = K::claim_of_binding(pass, &Binding { id, name, how: OperationType::Adopt });
            self.claim(pass, Some(claim)).await?;
            return Ok(None);
        }
        // What a creation was answered with didn't become its own.
        if pass.creations.answered.is_some() && pass.status.id().is_none() {
            self.take_back_claim(pass).await?;
        }
        self.give_up_seat(&pass.uid());
        let (verdict, outcome) = match K::ended(self, pass, verdict) {
            Ended::AsDecided(verdict) => {
                if verdict.executed || verdict.awaits.is_some() || verdict.reason == Some(Reason::Suspended) {
                    self.withdraw(&pass.uid());
                }
                let outcome = self.outcome_of(pass, &verdict);
                (verdict, outcome)
            }
            Ended::Otherwise(verdict, outcome) => (verdict, outcome),
        };
        Ok(Some(self.settle(pass, &verdict, outcome).await))
    }

    /// Nobody else makes or takes over the same meanwhile; false where something has changed before that.
    fn reserve<K: Kind>(&self, pass: &Pass<K>, step: &Step<K>) -> Result<bool, Stop<K>> {
        let uid = pass.uid();
        if !K::reserve(self, pass, step, &uid) {
            return Err(Stop::WithoutStatus(Outcome::After(RESERVED)));
        }
        Ok(K::plan(self, pass) == *step)
    }

    /// The one that is to take over the resource doesn't come to it, though it had its turn, and nobody is asked about it.
    fn is_overdue<K: Kind>(&self, pass: &Pass<K>, verdict: &Verdict<K>) -> bool {
        let Some(successor) = verdict.awaits.as_ref().filter(|successor| !successor.held) else { return false };
        let now = self.effects.now();
        let (turn, serving) = self.directory.served(&successor.uid);
        let namespace = pass.object.metadata().namespace.as_deref();
        let near = self.directory.connection_of_any(&successor.uid).is_none_or(|connection| {
            connection == self.key || connection.is_of_cluster() || Some(&*connection.namespace) == namespace
        });
        let deleted = pass.object.metadata().deletion_timestamp.as_ref().map_or(now, |deleted| deleted.0);
        let wait = Wait { deleted, turn, serving, near };
        match self.notes.waits_for_successor(&pass.uid(), &successor.uid, wait, now) {
            Handover::Expired => true,
            Handover::Overdue => !self.schedule.is_due(&successor.uid),
            Handover::Forgotten => {
                self.reroute([successor.uid.clone()]);
                false
            }
            Handover::Awaited => false,
        }
    }

    /// When the object is to be looked at again.
    fn outcome_of<K: Kind>(&self, pass: &Pass<K>, verdict: &Verdict<K>) -> Outcome {
        let uid = pass.uid();
        if let Some(outcome) = K::own_outcome(self, pass, verdict) {
            return outcome;
        }
        match verdict.reason {
            // One 404: the second look is this ticket's own (promise I11).
            _ if pass.account == Some(Account::Missing) => Outcome::After(LOOK_AGAIN),
            Some(Reason::Pending) => Outcome::After(LOOK_AGAIN),
            Some(Reason::Rejected) => Outcome::Retry,
            Some(Reason::Conflict) => Outcome::After(own_error_pause(self.notes.rejected(&uid))),
            _ => {
                self.notes.accepted(&uid);
                K::rest(pass, verdict)
            }
        }
    }
}
