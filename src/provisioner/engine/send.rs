//! Requests about one object, and what their answers mean (promise I21).

use tokio::time::Instant;
use tracing::info;

use super::{Kind, LOOK_AGAIN, ObjectStatus, Pass, Stop};
use crate::api::Reason;
use crate::plan::{Account, Operation, Path, Request};
use crate::provisioner::Provisioner;
use crate::provisioner::connection::session::Session;
use crate::provisioner::effects::Effects;
use crate::provisioner::mirror::Mirror;
use crate::provisioner::schedule::limiter::{Priority, RequestKind};
use crate::provisioner::schedule::queue::Outcome;
use crate::scim::{Class, Error, Kind as Collection, Written};

impl<E: Effects> Provisioner<E> {
    /// Sends one operation, after the limiter, the claim, and what must be on record before. `Some` ends the pass: more of
    /// the same is owed.
    pub(in crate::provisioner) async fn send<K: Kind>(
        &self,
        pass: &mut Pass<K>,
        operation: Operation<K>,
    ) -> Result<Option<Outcome>, Stop<K>> {
        let (removes, uid) = (operation.removes(), pass.uid());
        if self.serves_removals_only() && !removes {
            return Err(Stop::WithoutStatus(Outcome::After(LOOK_AGAIN)));
        }
        let (former, own) = (pass.status.id().map(str::to_owned), pass.bound_id().map(str::to_owned));
        let creates = matches!(operation.request, Request::Create(_));
        let (kind, priority) = match removes {
            _ if creates => (RequestKind::Create, Priority::Write),
            true => (RequestKind::Write, Priority::Removal),
            false => (RequestKind::Write, Priority::Write),
        };
        // Before anything is claimed: whoever gives up waiting for the limiter has sent nothing.
        let deadline = self.turn_at(pass, priority, kind).await?;
        let claim = K::claim_of_operation(self, pass, &operation);
        if !self.claim(pass, claim).await? {
            return Ok(None);
        }
        // Only now may status forget what was: the claim names what is about to be made.
        if !K::write_ahead(self, pass, &operation).await? {
            return Ok(None);
        }
        // Nothing was sent under this claim yet: what is found now was there before.
        pass.finalizer_is_new |= creates && former.is_some();
        let known = creates.then(|| self.before_creation(pass, own));
        K::sends(self, pass, &operation);
        let bare = K::is_bare(self, pass);
        let answer = self.effects.send(&pass.session.client, K::COLLECTION, &operation.request, bare, deadline).await;
        self.record_audit(pass, &operation, &answer);
        pass.creations.sent |= creates && may_have_made(&answer);
        match answer {
            Ok(written) => match known {
                Some(known) => self.created(pass, operation, written, &known, former).await,
                None => self.took_effect(pass, operation, written).await,
            },
            Err(error) => {
                if error.class().may_have_applied() {
                    if creates {
                        // What was looked for before says nothing of what it may have made.
                        self.in_mirror(pass, |mirror| mirror.sightings_mut().forget_search(&uid));
                    }
                    K::may_have_applied(self, pass, &operation);
                }
                self.refused(pass, operation, &error).await.map(|()| None)
            }
        }
    }

    /// The server did it.
    pub(super) async fn took_effect<K: Kind>(
        &self,
        pass: &mut Pass<K>,
        operation: Operation<K>,
        written: Written,
    ) -> Result<Option<Outcome>, Stop<K>> {
        let names: Vec<String> = operation.attributes.iter().map(Path::to_string).collect();
        info!(
            operation = ?operation.kind,
            attributes = names.join(","),
            request_id = written.request_id.as_deref().unwrap_or("-"),
            "done"
        );
        self.surroundings.metrics.operation(&self.key.to_string(), operation.kind.as_str());
        if let Some(pause) = written.pause {
            self.schedule.limiter().pause(pause);
        }
        if let Request::Delete { id } = &operation.request
            && let Some(shown) = self.still_there(pass, id).await
        {
            return self.not_deleted(pass, &operation, shown).await.map(|()| None);
        }
        self.notes.took_effect(&pass.uid(), self.effects.now());
        self.went_in_parts(pass, &operation);
        self.pass_on_seat(pass, &operation);
        if let Some(id) = operation.request.target() {
            self.in_mirror(pass, |mirror| mirror.sightings_mut().confirmed(id));
        }
        if let Request::Delete { id } = &operation.request {
            self.forget_resource(pass, id);
            pass.creations.deleted = true;
            pass.account = Some(Account::Absent { fresh: true });
        }
        let shown = written.resource.as_ref().and_then(crate::scim::Resource::active);
        pass.log.took_effect(operation.kind, names, written.request_id.clone(), shown);
        K::took_effect(self, pass, operation, written).await
    }

    /// The server didn't do it, or didn't say so.
    async fn refused<K: Kind>(
        &self,
        pass: &mut Pass<K>,
        operation: Operation<K>,
        error: &Error,
    ) -> Result<(), Stop<K>> {
        if let Some(ended) = K::refused(self, pass, &operation, error).await {
            return ended;
        }
        match (error.class(), &operation.request) {
            // Seats are accounts'.
            (_, Request::Create(_)) if K::COLLECTION == Collection::Users && error.wants_seat() => {
                self.take_back_claim(pass).await?;
                Err(self.without_seat(pass, error))
            }
            (Class::Conflict, Request::Create(_)) if !pass.looked_up_after_conflict => {
                pass.looked_up_after_conflict = true;
                self.take_back_claim(pass).await?;
                self.find(pass).await?;
                if matches!(pass.account, Some(Account::Absent { .. }))
                    && !self.creates_with_less(pass, &operation, error)
                {
                    let message = K::exists_hidden(self, pass, error);
                    return Err(self.own_error(pass, Reason::Conflict, message));
                }
                // Someone else's until the checks of a first binding say otherwise.
                Ok(())
            }
            (Class::Rejected | Class::Conflict, Request::Create(_))
                if self.creates_with_less(pass, &operation, error) =>
            {
                Ok(())
            }
            (Class::Empty, Request::Create(_)) => {
                self.unconfirmed_creation(&pass.uid());
                self.request_probe();
                self.find(pass).await?;
                match pass.account {
                    Some(Account::Found { .. }) => Ok(()),
                    _ => Err(self.failed(pass, error)),
                }
            }
            (Class::Empty, Request::Delete { .. }) => {
                self.took_effect(pass, operation, Written::default()).await.map(|_| ())
            }
            (_, Request::Patch { id, .. } | Request::Put { id, .. } | Request::Delete { id })
                if self.passes_for_missing(pass, id, error) =>
            {
                self.look_at_refused(pass, id, &operation, error).await
            }
            (Class::Unsupported, Request::Delete { .. }) => {
                self.note_failure(error);
                let (_, what) = K::denied(&operation);
                let message = format!("{}: {what}", error.without_advice());
                Err(self.own_error(pass, Reason::NotSupported, message))
            }
            (Class::NotFound, Request::Create(_)) => {
                self.collection_answers(pass, error).await?;
                Err(self.failed(pass, error))
            }
            _ if self.goes_on_in_parts(pass, &operation, error) => Ok(()),
            _ => Err(self.failed(pass, error)),
        }
    }

    /// The way that a pass began with is still the connection's: an edit may lead it elsewhere meanwhile.
    pub(in crate::provisioner) fn is_current(&self, session: &Session) -> bool {
        self.session().is_some_and(|now| now.epoch == session.epoch)
    }

    /// Waits for the limiter; returns the instant that the request may not outlive.
    pub(in crate::provisioner) async fn turn<K: Kind>(
        &self,
        pass: &Pass<K>,
        kind: RequestKind,
        priority: Priority,
    ) -> Result<Instant, Stop<K>> {
        let leaves = K::takes_access(self, pass);
        self.turn_at(pass, if leaves { Priority::Removal } else { priority }, kind).await
    }

    async fn turn_at<K: Kind>(
        &self,
        pass: &Pass<K>,
        priority: Priority,
        kind: RequestKind,
    ) -> Result<Instant, Stop<K>> {
        self.in_turn(&pass.session, kind, priority).await.ok_or(Stop::WithoutStatus(Outcome::Paused))
    }

    /// Waits for the limiter; returns the instant that the request may not outlive. None where it may not be sent now.
    pub(in crate::provisioner) async fn in_turn(
        &self,
        session: &Session,
        kind: RequestKind,
        priority: Priority,
    ) -> Option<Instant> {
        let began = Instant::now();
        let turn = self.effects.turn(self.schedule.limiter(), kind, priority).await;
        self.surroundings.metrics.waited(&self.key.to_string(), began.elapsed());
        self.effects.deadline().filter(|_| turn && self.is_current(session))
    }
}

/// The request took effect, or that is open.
fn may_have_made(answer: &Result<Written, Error>) -> bool {
    answer.as_ref().err().is_none_or(|error| error.class().may_have_applied())
}
